# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The backups of a job on this host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import partial, private_folder, sweep
from crowsnest_backup.manifest import Manifest, manifests
from crowsnest_backup.names import ARCHIVE, DUMP, MANIFEST, PARTIAL, time_of
from crowsnest_backup.settings import STACK, Job, Settings

# Where a backup from a remote is put for a restore, below the folder of its job; swept away when that was killed.
FETCHED = f".fetched{PARTIAL}"


def folder(settings: Settings, job: Job) -> Path:
    """Where they are; made if it is missing."""
    return private_folder(settings.directory / settings.environment / job.name)


def what(job: Job) -> str:
    """The real name of the database, or "stack"."""
    return job.database.name if job.database else STACK


def backups(settings: Settings, job: Job) -> list[Manifest]:
    """All of exactly this database and environment, the oldest first. Anything else in the folder is none of ours."""
    found = manifests(settings.directory / settings.environment / job.name)
    return [each for each in found if time_of(each.stem, what(job), settings.environment)]


def named(name: str, found: Sequence[Manifest], where: str) -> Manifest:
    """The backup of this name, with or without an ending; "latest" is the newest. Raises BackupError."""
    wanted = name
    for ending in (DUMP, ARCHIVE, MANIFEST):
        wanted = wanted.removesuffix(ending)
    chosen = [each for each in found if wanted in ("latest", each.stem)]
    if chosen:
        return chosen[-1]
    missing = "There is no backup" if name == "latest" else f"There is no backup {name}"
    newest = f"The newest is {found[-1].stem}." if found else ""
    raise BackupError(f"{missing} {where}.", newest)


def delete(folder: Path, stems: Iterable[str]) -> None:
    """Removes backups. What a SIGKILL leaves of them is none, and goes with the next sweep. Only under the lock."""
    for stem in stems:
        path = folder / f"{stem}{MANIFEST}"
        path.replace(partial(path))
    sweep(folder)
