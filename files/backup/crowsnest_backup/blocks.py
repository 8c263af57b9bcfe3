# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus' finished blocks: never changed, only replaced, so that hard links hold their content still.

The newest two to three hours are in its head, which is left out:
https://prometheus.io/docs/prometheus/latest/storage/#on-disk-layout
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import commit, private_folder
from crowsnest_backup.names import PARTIAL
from crowsnest_backup.placing import begin

# A ULID; folders of blocks that are being made or removed have an ending.
_BLOCK = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_TRIES = 5


@contextmanager
def linked(data: Path) -> Iterator[Path]:
    """A folder with links to all blocks of one moment, on the same disk. Raises BackupError, OSError."""
    place = data.parent / f".{data.name}.links{PARTIAL}"
    try:
        for _ in range(_TRIES):
            shutil.rmtree(place, ignore_errors=True)
            if _link(data, private_folder(place)):
                break
        else:
            raise BackupError("Prometheus replaces its blocks all the time, so they cannot be archived.")
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def place(archived: Path, data: Path) -> int:
    """Copies the blocks that Prometheus, which must not run, does not have yet; how many. Raises OSError."""
    lacking = [block for block in _finished(archived) if not (data / block.name).exists()]
    for block in lacking:
        commit(begin(block, data / block.name), data / block.name)
    return len(lacking)


def _link(data: Path, place: Path) -> bool:
    """Whether no compaction in between replaced some blocks by another. Raises OSError."""
    blocks = _finished(data)
    try:
        for block in blocks:
            _link_files(block, place / block.name)
    except FileNotFoundError:
        return False
    return _finished(data) == blocks


def _link_files(block: Path, place: Path) -> None:
    """By descriptors of folders: a link in its way leads nowhere."""
    for folder, _, names, descriptor in os.fwalk(block, onerror=_stop):
        target = place / Path(folder).relative_to(block)
        target.mkdir()
        for name in names:
            os.link(name, target / name, src_dir_fd=descriptor, follow_symlinks=False)


def _stop(error: OSError) -> None:
    raise error


def _finished(data: Path) -> list[Path]:
    return sorted(path for path in data.iterdir() if _BLOCK.fullmatch(path.name) and (path / "meta.json").is_file())
