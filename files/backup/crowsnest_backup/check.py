# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a backup's file is still, byte for byte, what was written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from isal import isal_zlib

from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest

# What is read at once, and how zlib is told that a header and trailer of gzip are around the data.
BLOCK, GZIP = 1 << 18, 31
# isa-l has the levels 0 to 3; with 2 text becomes as small as with zlib's 6.
LEVEL = 2


def check(folder: Path, manifest: Manifest) -> None:
    """Reads a backup's file back whole. Raises BackupError that says what is wrong with it."""
    read_back(folder / manifest.file, manifest)


def read_back(path: Path, manifest: Manifest) -> None:
    """Reads this file, whatever its name, from the disk and compares it with the manifest. Raises BackupError."""
    for _ in unpacked(path, manifest, from_disk=True):
        pass


def unpacked(path: Path, manifest: Manifest, from_disk: bool = False) -> Iterator[bytes]:
    """The text of a backup's file, in pieces of BLOCK bytes at most; the first one is as long as that, or all.

    `from_disk`: as it is on the disk, not as the kernel remembers it from writing. Raises BackupError that says what is
    wrong with the file, at the latest after the last piece.
    """
    try:
        with path.open("rb", buffering=0) as file:
            if from_disk:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            problem = yield from _unpacked(file, manifest)
    except FileNotFoundError:
        problem = "is not there"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except isal_zlib.error:  # type: ignore[misc] # its stub does not say what it is
        problem = "is broken: it cannot be unpacked"
    if problem:
        raise BackupError(f"{manifest.file} {problem}.", "Do not restore it: take another backup.")


def _unpacked(file: IO[bytes], manifest: Manifest) -> Generator[bytes, None, str]:
    """The text; at the end what is wrong, to follow the file's name, empty when nothing is.

    gzip's own checksum at the end of the file is of the text.
    """
    sha256, unpacker = hashlib.sha256(), isal_zlib.decompressobj(wbits=GZIP)
    while block := file.read(BLOCK):
        sha256.update(block)
        while block and not unpacker.eof:
            yield unpacker.decompress(block, BLOCK)
            block = unpacker.unconsumed_tail
        if block or unpacker.unused_data:
            return "holds something behind its end"
    if not unpacker.eof:
        return "ends in the middle"
    if sha256.hexdigest() != manifest.sha256:
        return "is not the file that was written: its SHA-256 is another one"
    return ""
