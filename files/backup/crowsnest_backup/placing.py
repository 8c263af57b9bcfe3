# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Files come into the folder of a service that does not run: whole, with the owner and the rights of that folder.

The service owns the folder, so a link may wait under any name in it: nothing is opened that is there already.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from crowsnest_backup.files import commit, partial


def begin(source: Path, target: Path) -> Path:
    """Copies a file or a folder beside its target; `commit` gives it its name. Raises OSError."""
    begun = partial(target)
    if begun.is_dir() and not begun.is_symlink():
        shutil.rmtree(begun)
    begun.unlink(missing_ok=True)
    _copy(source, begun, target.parent.stat())
    return begun


def replace_folder(source: Path, target: Path, kept: Path) -> None:
    """Puts a folder in place; what was there is called `kept` then. Raises OSError."""
    begun = begin(source, target)
    if os.path.lexists(target):
        target.replace(kept)
    commit(begun, target)


def _copy(source: Path, target: Path, rights: os.stat_result) -> None:
    if source.is_dir():
        target.mkdir(0o700)
        for each in source.iterdir():
            _copy(each, target / each.name, rights)
        os.chown(target, rights.st_uid, rights.st_gid, follow_symlinks=False)
        target.chmod(rights.st_mode & 0o777)
    else:
        _copy_file(source, target, rights)


def _copy_file(source: Path, target: Path, rights: os.stat_result) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file, source.open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 20)
        os.fchown(descriptor, rights.st_uid, rights.st_gid)
        os.fchmod(descriptor, rights.st_mode & 0o666)
        file.flush()
        os.fsync(descriptor)
