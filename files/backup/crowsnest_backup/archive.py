# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One .tar.gz that `tar` opens as well: written and read in one pass, whatever its size."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from isal import igzip, igzip_lib

from crowsnest_backup.check import LEVEL
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import Digested, no_link, private, private_folder

_BROKEN = (tarfile.TarError, EOFError, igzip.BadGzipFile, cast(type[Exception], igzip_lib.IsalError))


def pack(path: Path, parts: Mapping[str, Path]) -> tuple[Digested, Digested]:
    """Archives files, and what is in folders, under these names: what is known of the tar, and of the file.

    A part that does not exist is left out, and so are links and the like in a folder. Raises BackupError for a part
    that is a link itself, and OSError.
    """
    with private(path) as file:
        packed = Digested(file)
        with igzip.IGzipFile("", "wb", LEVEL, packed, mtime=0) as gzip:  # type: ignore[no-untyped-call]
            text = Digested(cast(IO[bytes], gzip))
            with tarfile.open(fileobj=cast(IO[bytes], text), mode="w|") as tar:
                for name, part in parts.items():
                    _add(tar, name, part)
    return text, packed


def _add(tar: tarfile.TarFile, name: str, path: Path | str, folder: int | None = None) -> None:
    """`path` is in the open `folder`, so that no link leads elsewhere that the owner of a part puts in its way."""
    try:
        descriptor = no_link(path, folder)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BackupError(f"{name} is a link, and may lead to what is not its own.", "Remove the link.") from None
        raise
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            for each in _names(descriptor):
                _add(tar, f"{name}/{each}", each, descriptor)
        else:
            _add_file(tar, name, descriptor)
    finally:
        os.close(descriptor)


def _names(folder: int) -> list[str]:
    """Of the files and folders in it, without links and the like."""
    with os.scandir(folder) as found:
        return sorted(
            each.name for each in found if each.is_file(follow_symlinks=False) or each.is_dir(follow_symlinks=False)
        )


def _add_file(tar: tarfile.TarFile, name: str, descriptor: int) -> None:
    known, member = os.fstat(descriptor), tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = known.st_size, int(known.st_mtime), 0o600
    with open(descriptor, "rb", closefd=False) as file:
        tar.addfile(member, file)


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
