# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The conversation of a restore: which backup, into what, and whether it takes the place of the live database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, cast

from crowsnest_backup import local, postgres, restore, swap
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import locked
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Progress, span
from crowsnest_backup.run import Runner, why_not
from crowsnest_backup.settings import Database, Job

LOCAL = "local"


@dataclass(frozen=True)
class Wish:
    """What a person asked for. `backup`: a name or "latest". `source`: LOCAL, a remote, or None for what there is.

    `name`: of the new database, None for a dated one that may take the live one's place; `yes`: it may, unasked.
    `identity`: a file of age that decrypts. `create_roles`: those that the server lacks.
    """

    backup: str = "latest"
    source: str | None = None
    name: str | None = None
    yes: bool = False
    identity: Path | None = None
    create_roles: bool = False


def restored(runner: Runner, progress: Progress, job: Job, wish: Wish) -> dict[str, Any]:
    """Restores a backup; what was done, as `lines` for a person and the facts of it. Raises BackupError."""
    if job.database is None:
        return _stack(runner, progress, job, wish)
    live = job.database.name
    name = wish.name or swap.dated(live, swap.RESTORED, runner.now())
    with _fetched(runner, job, wish) as (chosen, dump):
        done = restore.restore(runner.settings, job, chosen, dump, name, wish.create_roles, runner.say)
        rows, taken = sum(done.counts.values()), chosen.start.astimezone(runner.settings.timezone)
        progress.tell(f"{name} is whole: {rows:,} rows in {len(done.counts)} tables, as dumped.")
        age = span((runner.now() - chosen.start).total_seconds())
        progress.tell(f"It is from {chosen.stem}, taken {taken:%Y-%m-%d %H:%M}, {age} ago.")
        for note in done.notes:
            progress.tell(note)
        facts = {"database": name, "backup": chosen.stem, "rows": rows, "notes": list(done.notes)}
        if wish.name:
            return {**facts, "swapped": False, "lines": [f"The live database {live} was not touched."]}
        if wish.yes or not _exists(job.database):  # before anybody dumps the live one of now
            return {**facts, **_swap(runner, progress, job, name)}
    return {**facts, **swapped(runner, progress, job, name)}


def swapped(runner: Runner, progress: Progress, job: Job, new: str, yes: bool = False) -> dict[str, Any]:
    """Puts a database in the place of the live one, if a person wants it; what was done. Raises BackupError."""
    if job.database is None:
        raise BackupError(f"{job.name} is no database.", f"Restore it: crowsnest-backup restore {job.name}")
    live = job.database.name
    if not yes and _exists(job.database):
        progress.tell(f"The {live} of now would be kept aside, with all that was written since the backup.")
        if not progress.ask(f"Put {new} in the place of {live} now?"):
            again = _command(job, new)
            lines = [
                f"{live} is as it was; {new} is beside it.",
                f"To put it in the place of {live}:  {again}",
                f"To remove it, in psql:  DROP DATABASE {postgres.identifier(new)};",
            ]
            return {"swapped": False, "next": again, "lines": lines}
    runner.say("waiting until nothing else is at work on this host")
    with locked(runner.settings.state, wait=True):
        return _swap(runner, progress, job, new)


def _swap(runner: Runner, progress: Progress, job: Job, new: str) -> dict[str, Any]:
    """Does it; what was done. Only under the lock. Raises BackupError, with the command that does it later."""
    database = cast(Database, job.database)
    live = database.name
    try:
        kept = swap.swap(postgres.find(database), live, new, runner.now(), runner.say)
    except BackupError as error:
        advice = f"{error.advice}\nWhen that is mended:  {_command(job, new)}".lstrip()
        raise BackupError(error.message, advice) from None
    runner.restored(job, not swap.is_before(new, live))  # who goes back has not found the right one yet
    if why := why_not(lambda: runner.measure(job)):
        progress.tell(why)
    lines = [f"{live} is there again: it was {new}."]
    if kept:
        lines = [
            f"{live} is now what was {new}. The database before is kept as {kept}.",
            f"To go back:  {_command(job, kept)}",
            f"When you no longer need it, in psql:  DROP DATABASE {postgres.identifier(kept)};",
        ]
    return {"swapped": True, "kept": kept, "lines": lines}


def _command(job: Job, database: str) -> str:
    return f"crowsnest-backup swap {job.name} {quote(database)} --yes"


def _exists(database: Database) -> bool:
    with postgres.Session(postgres.find(database), "postgres") as session:
        return bool(session.rows(f"select from pg_database where datname = {postgres.literal(database.name)}"))


def _stack(runner: Runner, progress: Progress, job: Job, wish: Wish) -> dict[str, Any]:
    from crowsnest_backup import stack_restore

    if wish.name:
        raise BackupError("The stack's state has no other name to be restored to.", "Leave --as out.")
    question = "Stop the stack's services for a moment and put the backup in the place of their state?"
    if not wish.yes and not progress.ask(question):
        command = "crowsnest-backup restore stack --yes"
        return {"restored": False, "next": command, "lines": [f"Nothing was changed. To restore:  {command}"]}
    with _fetched(runner, job, wish) as (chosen, archive):
        told = stack_restore.restore(runner.settings, chosen, archive, runner.now(), runner.say)
        runner.restored(job)
    return {"restored": True, "backup": chosen.stem, "lines": [f"The state of {chosen.stem} is in place.", *told]}


# --- which backup ---


@contextmanager
def _fetched(runner: Runner, job: Job, wish: Wish) -> Iterator[tuple[Manifest, Path]]:
    """The backup and its file on this host, for a block in which nothing else is at work. Raises BackupError."""
    folder = local.folder(runner.settings, job)
    source = wish.source or (LOCAL if runner.good(job) or job.remote is None else job.remote)
    with locked(runner.settings.state):
        try:
            if source == LOCAL:
                found = runner.good(job) if wish.backup == "latest" else local.backups(runner.settings, job)
                chosen = local.named(wish.backup, found, f"of {job.name} on this host")
                yield chosen, folder / chosen.file
            else:
                store = runner.store(job, source)
                chosen = local.named(wish.backup, store.listed(), f"of {job.name} at the remote {source}")
                runner.say(f"fetching {chosen.file} from {source}")
                whole = store.fetch(chosen, folder / local.FETCHED, wish.identity)
                yield whole, folder / local.FETCHED / whole.file
        finally:
            shutil.rmtree(folder / local.FETCHED, ignore_errors=True)
