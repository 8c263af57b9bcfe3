# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The single steps of a run."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from crowsnest_backup import check, drill, dump, files, local, postgres, restore, scratch, swap
from crowsnest_backup.drill import Drilled
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Say
from crowsnest_backup.settings import Job, Settings

# Seconds that a push monitor may take to answer.
PUSH_SECONDS = 10


class Store(Protocol):
    """The backups of one job on a remote."""

    def listed(self) -> list[Manifest]:
        """All of them, the oldest first."""

    def fetch(self, stem: str, folder: Path, identity: Path | None = None) -> Path:
        """Puts one with its manifest into a folder; the path of its file."""

    def delete(self, stem: str) -> None:
        """Removes one with all its versions."""

    def clean(self, now: datetime) -> object:
        """Removes half uploads and what is left of deleted backups."""


def sweep(settings: Settings, job: Job) -> None:
    """Removes what a killed run left. Raises OSError; the backup that follows tells why a server does not answer."""
    files.sweep(local.folder(settings, job))
    with suppress(BackupError):
        scratch.sweep(settings.state)
    with suppress(BackupError):
        if job.database:
            restore.sweep(settings, job)


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Makes a backup. Raises BackupError."""
    if job.database:
        return dump.make(settings, job, now, attempt, say)
    from crowsnest_backup import stack

    return stack.make(settings, job, now, attempt, say)


def sync(settings: Settings, job: Job, now: datetime, say: Say) -> list[Manifest]:
    """Sends what the remote lacks; what was sent. Raises BackupError."""
    from crowsnest_backup import remote  # boto3 takes more memory than all the rest, and is not always needed

    return remote.sync(settings, job, now, say)


def store(settings: Settings, job: Job) -> Store:
    """The backups of a job on its remote. Raises BackupError."""
    from crowsnest_backup import remote

    return remote.find(settings, job)


def old_bytes(job: Job) -> int:
    """Size of the databases that restores of this job replaced and kept. Raises BackupError."""
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
    check: Callable[[Path, Manifest], None] = check.check
    sync: Callable[[Settings, Job, datetime, Say], list[Manifest]] = sync
    store: Callable[[Settings, Job], Store] = store
    choose: Callable[[Sequence[Manifest], int], Manifest] = drill.choose
    prove: Callable[[Settings, Job, Manifest, Path, Say], Drilled] = drill.drill
    old_bytes: Callable[[Job], int] = old_bytes
    push: Callable[[str], None] = push
