# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which templates got a tag from us, so that it is removed when they are no longer named. Python 3.9."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.app_file import write_down
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import TemplateError

FILE = "templates.json"


def recall(directory: Path) -> list[Path]:
    """Their paths, sorted; none at first. Raises TemplateError when the file is damaged, and OSError."""
    file = directory / FILE
    try:
        return sorted(Path(path) for path in json.loads(file.read_text(encoding="utf-8"))["templates"])
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError):
        raise TemplateError(
            f"{file}, which remembers the templates with a tag of ours, is damaged. Remove it and run again. Our tags "
            "then count as the apps': remove those that are no longer declared by hand."
        ) from None


def remember(directory: Path, paths: Iterable[Path]) -> None:
    """Write them down. The folder is there. Raises TemplateError and OSError."""
    wanted = sorted(paths)
    if wanted != recall(directory):
        write_down(directory / FILE, {"templates": [str(path) for path in wanted]})
