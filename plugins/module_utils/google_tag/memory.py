# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which templates got a tag from us, so that it is removed when they are no longer named. Python 3.9."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.files import open_directory, remove, write_file
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import TemplateError

FILE, NEW_FILE = "templates.json", ".templates.json"


def recall(directory: Path) -> list[Path]:
    """Their paths, sorted; none at first. Raises TemplateError when the file is damaged, and OSError."""
    file = directory / FILE
    try:
        return sorted(Path(path) for path in json.loads(file.read_text(encoding="utf-8"))["templates"])
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError):
        raise TemplateError(
            f"{file} is damaged. Remove it and run again; from templates that are no longer declared, remove the "
            "Google tag by hand."
        ) from None


def remember(directory: Path, paths: Iterable[Path]) -> None:
    """Write them down by one rename. Raises TemplateError and OSError."""
    wanted = sorted(paths)
    if wanted == recall(directory):
        return
    text = json.dumps({"templates": [str(path) for path in wanted]}, indent=2) + "\n"
    with open_directory(directory) as folder:
        remove(NEW_FILE, folder)
        write_file(NEW_FILE, folder, Entry(stat.S_IFREG | 0o600, None, None, text.encode()))
        os.rename(NEW_FILE, FILE, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
