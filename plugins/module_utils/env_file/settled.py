# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which env files hold exactly what was asked, so that a run need not ask again. Python 3.9."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import recall
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.text import lines


def settled(directory: Path) -> dict[str, str]:
    """{env file: digest of our lines in it} of all that have keys of ours; "" where something is left to do.

    A damaged file that does not tell its env file is left out: the module that writes there says what is wrong.
    """
    files = sorted(directory.glob("[!.]*.json"))  # one with a dot is left of a run that was killed
    paths = {path for path in map(_path_in, files) if path}
    return {path: _held(directory, Path(path)) for path in sorted(paths)}


def _path_in(file: Path) -> str:
    """The env file that this file remembers; "" when it is damaged."""
    try:
        path = json.loads(file.read_text(encoding="utf-8"))["path"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return path if isinstance(path, str) else ""


def _held(directory: Path, path: Path) -> str:
    try:
        memory, content = recall(directory, path), lines(path.read_bytes())
        held = {key: content[key] for key in memory.keys}
    except (OSError, EnvFileError, KeyError, ValueError):  # the module that writes there says what is wrong
        return ""
    return "" if memory.unfinished else digest(held)


def digest(assigned: Mapping[str, str]) -> str:
    """Identity of {key: its line}; of the lines nothing can be read in it."""
    return hashlib.sha256(json.dumps(sorted(assigned.items())).encode()).hexdigest()
