# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The single steps of a run. Each imports what it needs when it is done: that is much memory for some."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crowsnest_backup import files, local
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Say
from crowsnest_backup.settings import Job, Settings

if TYPE_CHECKING:
    from crowsnest_backup.drill import Drilled

# Seconds that a push monitor may take to answer.
PUSH_SECONDS = 10


class Store(Protocol):
    """The backups of one job on a remote."""

    def listed(self) -> list[Manifest]:
        """All of them, the oldest first."""

    def delete(self, stem: str) -> None:
        """Removes one with all its versions."""

    def clean(self, now: datetime) -> object:
        """Removes half uploads and what is left of deleted backups."""


def sweep(settings: Settings, job: Job) -> None:
    """Removes what a killed run left. Raises BackupError, OSError."""
    from crowsnest_backup import restore, scratch

    files.sweep(local.folder(settings, job))
    scratch.sweep(settings.state)
    if job.database:
        restore.sweep(settings, job)


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Makes a backup. Raises BackupError."""
    if job.database is None:
        from crowsnest_backup import stack

        return stack.make(settings, job, now, attempt, say)
    from crowsnest_backup import dump

    return dump.make(settings, job, now, attempt, say)


def check(folder: Path, manifest: Manifest) -> None:
    """Reads a backup's file back. Raises BackupError when it is damaged."""
    from crowsnest_backup import check

    check.check(folder, manifest)


def sync(settings: Settings, job: Job, now: datetime, say: Say) -> list[Manifest]:
    """Sends what the remote lacks; what was sent. Raises BackupError."""
    from crowsnest_backup import remote

    return remote.sync(settings, job, now, say)


def store(settings: Settings, job: Job) -> Store:
    """The backups of a job on its remote. Raises BackupError."""
    from crowsnest_backup import remote

    return remote.find(settings, job)


def choose(backups: Sequence[Manifest], drills: int) -> Manifest:
    """The backup to prove next."""
    from crowsnest_backup import drill

    return drill.choose(backups, drills)


def prove(settings: Settings, job: Job, manifest: Manifest, dump: Path, say: Say) -> Drilled:
    """Restores a backup into a server of its own and compares. Raises BackupError; Skipped when it cannot be done."""
    from crowsnest_backup import drill

    return drill.drill(settings, job, manifest, dump, say)


def old_bytes(job: Job) -> int:
    """Size of the databases that restores of this job replaced and kept. Raises BackupError."""
    from crowsnest_backup import postgres, swap

    if job.database is None:
        return 0
    with postgres.Session(postgres.find(job.database), "postgres") as session:
        return swap.kept_bytes(session, job.database.name)


def push(url: str) -> None:
    """Tells a push monitor that all is well. Raises BackupError; the URL is a secret, so it is in no message."""
    try:
        with urllib.request.urlopen(url, timeout=PUSH_SECONDS) as answer:  # noqa: S310 - our own Uptime Kuma's
            answer.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise BackupError(f"The backup was made, but its push monitor did not take it: {reason}.") from None


@dataclass(frozen=True)
class Steps:
    """What a run does with a job, one by one."""

    sweep: Callable[[Settings, Job], None] = sweep
    make: Callable[[Settings, Job, datetime, int, Say], Manifest] = make
    check: Callable[[Path, Manifest], None] = check
    sync: Callable[[Settings, Job, datetime, Say], list[Manifest]] = sync
    store: Callable[[Settings, Job], Store] = store
    choose: Callable[[Sequence[Manifest], int], Manifest] = choose
    prove: Callable[[Settings, Job, Manifest, Path, Say], Drilled] = prove
    old_bytes: Callable[[Job], int] = old_bytes
    push: Callable[[str], None] = push
