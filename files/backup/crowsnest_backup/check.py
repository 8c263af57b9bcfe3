# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a backup's file is still, byte for byte, what was written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isal import isal_zlib

from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest

# What is read at once, and how zlib is told that a header and trailer of gzip are around the data.
BLOCK, GZIP = 1 << 18, 31


def check(folder: Path, manifest: Manifest) -> None:
    """Reads a backup's file back whole. Raises BackupError that says what is wrong with it."""
    read_back(folder / manifest.file, manifest)


def read_back(path: Path, manifest: Manifest) -> None:
    """Reads this file, whatever its name, from the disk and compares it with the manifest. Raises BackupError."""
    try:
        problem = _problem(path, manifest)
    except FileNotFoundError:
        problem = "is not there"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except isal_zlib.error:  # type: ignore[misc] # its stub does not say what it is
        problem = "is broken: it cannot be unpacked"
    if problem:
        raise BackupError(f"{manifest.file} {problem}.", "Do not restore it: take another backup.")


def _problem(path: Path, manifest: Manifest) -> str:
    """What is wrong, to follow the file's name; empty when nothing is."""
    packed, text, unpacker = hashlib.sha256(), hashlib.sha256(), isal_zlib.decompressobj(wbits=GZIP)
    for block in _blocks(path):
        if unpacker.eof:
            return "holds something behind its end"
        packed.update(block)
        for piece in _unpacked(unpacker, block):
            text.update(piece)
        if unpacker.unused_data:
            return "holds something behind its end"
    if not unpacker.eof:
        return "ends in the middle"
    if (packed.hexdigest(), text.hexdigest()) != (manifest.sha256, manifest.sql_sha256):
        return "is not the file that was written: its SHA-256 is another one"
    return ""


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's content as it is on the disk, not as the kernel remembers it from writing."""
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := file.read(BLOCK):
            yield block


def _unpacked(unpacker: Any, block: bytes) -> Iterator[bytes]:
    """The text of a block in pieces of limited size: a few bytes may stand for a thousand times as many."""
    while block and not unpacker.eof:
        yield unpacker.decompress(block, BLOCK)
        block = unpacker.unconsumed_tail
