# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One .tar.gz that `tar` opens as well: written and read in one pass, whatever its size."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, cast

from isal import igzip, igzip_lib

from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import private_folder

_LEVEL = 2
_BROKEN = (tarfile.TarError, EOFError, igzip.BadGzipFile, cast(type[Exception], igzip_lib.IsalError))


class Digested:
    """A file that is written, its size and its SHA-256."""

    def __init__(self, file: IO[bytes] | igzip.IGzipFile) -> None:
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

    def tell(self) -> int:
        """As of a file."""
        return self.bytes


class Archive:
    """An archive that is being written; it is on the disk when the block has ended. `text` is its tar."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self.file = Digested(self._file)
        self._gzip = igzip.IGzipFile("", "wb", _LEVEL, self.file, mtime=0)  # type: ignore[no-untyped-call]
        self.text = Digested(self._gzip)
        self._tar = tarfile.TarFile(mode="w", fileobj=cast(IO[bytes], self.text))

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._tar.close()
                self._gzip.close()
                self._file.flush()
                os.fsync(self._file.fileno())

    def add(self, name: str, path: Path) -> None:
        """A file under this name, or what is in a folder. Raises OSError."""
        add(self._tar, name, path)

    def add_bytes(self, name: str, content: bytes, at: datetime) -> None:
        """A file with this content."""
        self._tar.addfile(_member(name, len(content), at.timestamp()), io.BytesIO(content))


def add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """The file, or the files in the folder, for root only; links and the like are left out. Raises OSError."""
    if path.is_dir():
        for each in sorted(path.iterdir()):
            if not each.is_symlink():
                add(tar, f"{name}/{each.name}", each)
    elif path.is_file():
        with path.open("rb") as file:
            known = os.fstat(file.fileno())
            tar.addfile(_member(name, known.st_size, known.st_mtime), file)


def _member(name: str, size: int, modified: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(modified), 0o600
    return member


def unpack(path: Path, folder: Path) -> None:
    """Writes the files of an archive below a folder, and nowhere else. Raises BackupError."""
    try:
        with (
            igzip.open(path, "rb") as text,  # type: ignore[no-untyped-call]
            tarfile.open(fileobj=text, mode="r|") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                parts = PurePosixPath(member.name).parts
                if content is None or not parts or {"/", ".."} & {*parts}:
                    raise BackupError(f"{path.name} holds {member.name}, which no backup does.")
                target = folder / member.name
                private_folder(target.parent)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
    except _BROKEN as error:
        raise BackupError(f"{path.name} is damaged: {error}.") from None
