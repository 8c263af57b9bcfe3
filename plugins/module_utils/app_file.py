# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the modules env_file and google_tag have in common: when an app's file may be changed, and how they remember
what of such files is ours. Standard library only and Python 3.9.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils import git
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.files import (
    lock,
    make_directory,
    open_directory,
    remove,
    write_file,
)


def why_not(path: Path) -> str:
    """Why this path must not be written to, as the end of a sentence that begins with it; empty if it may. It exists.

    Raises OSError.
    """
    if not path.is_file():
        return "is not a file; correct the path"
    if path.lstat().st_uid not in (0, path.stat().st_uid):
        return f"is a link to a file of another user, which is not followed. Name {path.resolve()} itself"
    return ""


def tracked_in(path: Path) -> tuple[Path | None, list[str]]:
    """The checkout in which git tracks this file, None if none does; and a warning when git cannot say it."""
    try:
        return git.tracked_in(path), []
    except git.GitError as error:
        return None, [f"{path}: git cannot say whether it tracks this file: {error}"]


@contextmanager
def only_run(directory: Path) -> Iterator[None]:
    """No other run works with this folder meanwhile. It remembers what is ours, only root reads it, and it is made when
    it is missing. Raises ConfigDirectoryError when another run does not end, and OSError.
    """
    if not directory.exists():
        make_directory(directory)
        directory.chmod(0o700)
    with open_directory(directory) as handle:
        lock(handle, directory)
        yield


def write_down(file: Path, known: Any) -> None:
    """Remember it as JSON, by one rename. Raises OSError."""
    text = json.dumps(known, indent=2) + "\n"
    new = f".{file.name}"
    with open_directory(file.parent) as folder:
        remove(new, folder)  # of a run that was killed
        write_file(new, folder, Entry(stat.S_IFREG | 0o600, None, None, text.encode()))
        os.rename(new, file.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
