# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there, and readable by root only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crowsnest_backup.errors import BackupError
from crowsnest_backup.names import ARCHIVE, DUMP, MANIFEST, PARTIAL, ROLES
from crowsnest_backup.progress import size

# Bytes that stay free on the disk: a full one stops the database, too.
RESERVE = 256 << 20


def partial(path: Path) -> Path:
    """Where a file is written until it is whole: `.NAME.partial` beside it."""
    return path.with_name(f".{path.name}{PARTIAL}")


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Writes a file by one rename, after its content is on the disk. Raises OSError."""
    commit(write_partial(path, content, mode), path)


def write_partial(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """Writes all of a file to the disk, but under the name of a partial one, which is returned. Raises OSError."""
    with private(partial(path), mode) as file:
        file.write(content)
    return partial(path)


@contextmanager
def private(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A new file, readable by root only, that is on the disk when the block ends. Raises OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        yield file
        file.flush()
        os.fsync(file.fileno())


class Digested:
    """A file that is written, its size and its SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha256, self.bytes = file, hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """Of all that was written, in hex."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> int:
        """As of a file."""
        self._sha256.update(data)
        self.bytes += len(data)
        return self._file.write(data)


def no_link(path: Path | str, folder: int | None = None) -> int:
    """A descriptor to read what another user may replace meanwhile, below the open `folder` where that is given.

    It follows no link at the end of the path, and waits for no pipe. Raises OSError: ELOOP for a link.
    """
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)


def commit(begun: Path, path: Path) -> None:
    """Gives a file its final name, and waits until the disk knows the name. Raises OSError."""
    begun.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def private_folder(path: Path) -> Path:
    """The folder, made if it is missing, with mode 0700 whatever the umask. Raises OSError."""
    for each in [*reversed(path.parents), path]:
        if not each.is_dir():
            each.mkdir(exist_ok=True)
            each.chmod(0o700)
    return path


def require_room(folder: Path, needed: int, spare: int = 0) -> None:
    """Raises BackupError when so many more bytes would leave less than `spare` of them free on the disk."""
    free = max(0, shutil.disk_usage(folder).free - spare)
    if free < needed:
        raise BackupError(
            f"{folder} needs {size(needed)} more, and {size(free)} may be used there.",
            "Make room, or keep fewer backups (`keep`).",
        )


def sweep(folder: Path) -> None:
    """Removes what an earlier run left half written. Only under the lock.

    A manifest goes last: where it waits, without an older one, files of its backup may have their final names already.
    """
    left = sorted(folder.glob(f".*{PARTIAL}"))
    for path in [each for each in left if each.name.endswith(f"{MANIFEST}{PARTIAL}")]:
        manifest = path.name.removeprefix(".").removesuffix(PARTIAL)
        if not (folder / manifest).exists():
            stem = manifest.removesuffix(MANIFEST)
            left = [*(folder / f"{stem}{ending}" for ending in (DUMP, ARCHIVE, ROLES)), *left]
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class HeldError(BackupError):
    """Another process has the lock."""


@contextmanager
def locked(state: Path, name: str = "lock", wait: bool = False) -> Iterator[None]:
    """Only one at a time; the kernel frees the lock however a run ends. Raises HeldError if it is held."""
    with (private_folder(state) / name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip()
            raise HeldError(
                f"A backup, restore or drill is already at work on this host (process {process}).",
                f"Wait until it has ended. If you cannot wait, end it: kill {process}",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
