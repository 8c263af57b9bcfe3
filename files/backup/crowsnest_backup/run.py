# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is done to jobs, in which order, and what a failure of one step means for the others.

A backup that was made stays made: what fails after it is told and remembered, and nothing else.
"""

from __future__ import annotations

import time
import traceback
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, TypeVar

from crowsnest_backup import check, drill, dump, files, local, metrics, postgres, restore, schedule, scratch, swap
from crowsnest_backup import state as states
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import HeldError, locked, write_whole
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Say, silent, size, span
from crowsnest_backup.retention import Plan, approved, plan
from crowsnest_backup.settings import STACK, Job, Settings
from crowsnest_backup.state import State

if TYPE_CHECKING:
    from crowsnest_backup.remote import Store

T = TypeVar("T")
# Seconds that a push monitor may take to answer.
PUSH_SECONDS = 10


def utc_now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Runner:
    """Works with these settings. `say` tells what is being done, `tell` what was done."""

    settings: Settings
    say: Say = silent
    tell: Say = silent
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    # --- what cron starts ---

    def everything_due(self) -> bool:
        """Does all that is due; False when a backup failed. Raises HeldError while another one is at it.

        Backups come first, whatever else there is to do.
        """
        with locked(self.settings.state, "run"):
            self._start_again()
            jobs = list(self.settings.jobs.values())
            for job in jobs:
                self._remember(job, lambda state: state)  # when it was first seen
                self._told(job, partial(self.report, job))
            made = [self.series(job) for job in jobs if self._backup_due(job)]
            for job in filter(self._send_due, jobs):
                self._told(job, partial(self.send, job))
            for job in filter(self._drill_due, jobs):
                self._told(job, partial(self.drill, job))
            for job in jobs:
                self.check(job, self._unread(job))
            states.write_end(self.settings.state, self.now())
            self.export()
        return all(made)

    def _start_again(self) -> None:
        """Starts the services that a restore of the stack had stopped, and was killed; those of one at work stay so."""
        if self.settings.stack:
            from crowsnest_backup import stack_restore

            with suppress(HeldError), locked(self.settings.state):
                self._told(self.settings.job(STACK), lambda: stack_restore.start_again(self.settings, self.say))

    def _backup_due(self, job: Job) -> bool:
        now, state = self.now(), self.state(job)
        failed = state.backup.attempted if state.backup.failed else None
        starts = [each.start for each in local.backups(self.settings, job) if each.start <= now]
        return schedule.backup_due(job.at, self.settings.timezone, max(starts, default=None), failed, now)

    def _send_due(self, job: Job) -> bool:
        """Whether the remote lacks a backup, and the last upload did not just fail."""
        if job.remote is None or (self.state(job).sent.failed and not self._rested(self.state(job).sent.attempted)):
            return False
        return any(job.remote not in each.remote for each in self.good(job))

    def _drill_due(self, job: Job) -> bool:
        days, last = schedule.DRILL_DAYS.get(job.drill), self.state(job).drill
        if days is None or job.database is None or not self.good(job):
            return False
        if last.skipped:
            return self._rested(last.attempted)
        if last.failed:
            return self._passed(schedule.AGAIN_DAYS, job, last.attempted)
        return self._passed(days, job, last.succeeded)

    def _unread(self, job: Job) -> list[Manifest]:
        """Backups whose file was not read back for a week."""
        found = local.backups(self.settings, job)
        return [each for each in found if self._passed(schedule.CHECK_DAYS, job, datetime.fromisoformat(each.checked))]

    def _rested(self, last: datetime | None) -> bool:
        return schedule.rested(last, self.now())

    def _passed(self, days: int, job: Job, last: datetime | None) -> bool:
        return schedule.passed(days, job.at, self.settings.timezone, last, self.now())

    def series(self, job: Job) -> bool:
        """Tries a backup as often as declared; whether one was made. The lock is free while it waits."""
        if why := self._unrestored(job):
            self.tell(f"{job.name}: {why}")
        else:
            why = self._tried(job)
        if why:
            self._remember(job, lambda state: replace(state, backup=state.backup.after(self.now(), failed=why)))
            self._told(job, partial(check_in, job, "error"))
            return False
        self._told(job, partial(self.prune, job))
        return True

    def _unrestored(self, job: Job) -> str:
        """Why a new host in the place of a lost one begins no series of its own; empty where it may.

        Its first backup, of empty data, would be the newest, which a restore takes.
        """
        if job.remote is None or local.backups(self.settings, job) or self.state(job).restored:
            return ""
        try:
            found = self.store(job, job.remote).listed()
        except BackupError:  # a remote that does not answer keeps nobody from a first backup
            return ""
        restore_it = f"crowsnest-backup restore {job.name} --from {job.remote}"
        return (
            f"There are {len(found)} backups at the remote {job.remote} and none on this host. If it is new, restore"
            f" first: {restore_it}. To begin with what is here instead: crowsnest-backup backup {job.name}"
            if found
            else ""
        )

    def _tried(self, job: Job) -> str:
        """Why no try made a backup; empty when one did."""
        why = ""
        for attempt in range(1, self.settings.tries + 1):
            if attempt > 1:
                self.say(f"{job.name}: waiting {span(self.settings.pause_seconds)} before try {attempt}")
                self.sleep(self.settings.pause_seconds)
            why = why_not(partial(self.backup, job, attempt))
            if not why:
                return ""
            self.tell(f"{job.name}: try {attempt} of {self.settings.tries} failed. {why}")
        return why

    # --- one step of one job; each raises BackupError, and is remembered ---

    def backup(self, job: Job, attempt: int = 1) -> Manifest:
        """Makes a backup."""
        with locked(self.settings.state, wait=True):
            local.folder(self.settings, job)
            self._told(job, lambda: sweep(self.settings, job))
            made = make(self.settings, job, self.now(), attempt, self.say)
            self._remember(job, lambda state: replace(state, backup=state.backup.after(self.now()), restored=False))
        rows = f", {made.rows:,} rows" if made.counts else ""
        self.tell(f"{job.name}: {made.file}, {size(made.bytes)}{rows}, in {span(made.seconds)}.")
        self._told(job, lambda: self.report(job))
        self._told(job, partial(check_in, job, "ok"))
        for warning in made.server.get("warnings", ()):
            self.tell(f"{job.name}: {warning}")
        self._told(job, lambda: self.measure(job))
        return made

    def report(self, job: Job) -> None:
        """Tells the push monitor of the newest good backup, unless it knows. What failed is done by the next run."""
        newest = self.good(job)[-1:]
        if job.push_url and newest and self.state(job).reported != newest[0].stem:
            push(job.push_url)
            self._remember(job, lambda state: replace(state, reported=newest[0].stem))

    def measure(self, job: Job) -> None:
        """Remembers the size of the databases that restores replaced and kept."""
        old = old_bytes(job)
        self._remember(job, lambda state: replace(state, old_bytes=old))

    def restored(self, job: Job, restored: bool = True) -> None:
        """Remembers that the data here is what a person wants: a new host may begin its own series with it."""
        self._remember(job, lambda state: replace(state, restored=restored))

    def planned(self, job: Job) -> Plan:
        """What happens to the backups on this host at the next pruning."""
        found = local.backups(self.settings, job)
        return plan(found, job.keep, self.settings.timezone, self.state(job).corrupt)

    def planned_remotely(self, job: Job, listed: Sequence[Manifest]) -> Plan:
        """The same for the remote, which has `listed`. What this host keeps would be sent again, so it stays."""
        here = [each.stem for each in local.backups(self.settings, job)]
        return plan(listed, job.keep, self.settings.timezone, elsewhere=here)

    def prune(self, job: Job, agreed: bool = False) -> None:
        """Deletes what is not kept on this host; `agreed`: a person wants it, whatever failed or how many go."""

        def prune() -> None:
            found, failed = local.backups(self.settings, job), self.state(job).backup.failed
            going = approved(job.name, found, self.planned(job), self.now(), failed, agreed)
            local.delete(local.folder(self.settings, job), going)

        self._try(job, "pruned", prune)

    def store(self, job: Job, name: str) -> Store:
        """The place of a job at the remote of this name. Raises BackupError."""
        from crowsnest_backup import remote  # boto3 takes more memory than all the rest, and is not always needed

        self.say(f"looking at the remote {name}")
        return remote.find(self.settings, job, name)

    def send(self, job: Job, agreed: bool = False) -> None:
        """Sends what the remote of the job lacks, and deletes what is not kept there."""
        from crowsnest_backup import remote

        if job.remote is None:
            raise BackupError("No remote is declared for its backups.", "Declare one as `backup: {remote: NAME}`.")
        name: str = job.remote

        def send() -> None:
            store = self.store(job, name)
            remote.sync(store, self.settings, job, self.now(), self.say)
            kept = self._prune_remote(job, store, agreed)
            store.clean(self.now())
            total = sum(each.bytes for each in kept)
            self._remember(job, lambda state: replace(state, remote_kept=len(kept), remote_bytes=total))

        self._try(job, "sent", send)

    def _prune_remote(self, job: Job, store: Store, agreed: bool) -> list[Manifest]:
        """Deletes what is not kept on the remote; what it then has. After a failed night all stays."""
        listed = store.listed()
        if self.state(job).backup.failed and not agreed:
            return listed
        planned, place = self.planned_remotely(job, listed), f"at the remote {job.remote}"
        going = approved(job.name, listed, planned, self.now(), agreed=agreed, place=place)
        for stem in going:
            store.delete(stem)
        return [each for each in listed if each.stem not in going]

    def check(self, job: Job, backups: Sequence[Manifest]) -> dict[str, str]:
        """Reads the files of these backups back; {stem: why} of those that are damaged. In between the lock is free."""
        damaged = {}
        for backup in backups:
            self.say(f"reading {backup.file}")
            with locked(self.settings.state, wait=True):
                if why := self._damage(job, backup):
                    damaged[backup.stem] = why
                    self.tell(f"{job.name}: {why}")
        whole = {each.stem for each in backups} - damaged.keys()

        def noted(state: State) -> State:
            known = {**state.corrupt, **damaged}
            return replace(state, corrupt={stem: why for stem, why in known.items() if stem not in whole})

        if backups:
            self._remember(job, noted)
        return damaged

    def verify(self, job: Job, store: Store, listed: Sequence[Manifest]) -> dict[str, str]:
        """Reads copies back; {stem: why} of those that are not what was sent."""
        damaged = {}
        for copy in listed:
            self.say(f"reading {copy.file}")
            if why := why_not(lambda copy=copy: store.verify(copy)):  # type: ignore[misc]
                damaged[copy.stem] = why
                self.tell(f"{job.name}: {why}")
        return damaged

    def _damage(self, job: Job, backup: Manifest) -> str:
        """What is wrong with the file; empty when nothing is, or it was pruned in the meantime."""
        folder = local.folder(self.settings, job)
        if not (folder / backup.file).is_file():
            return ""
        why = why_not(lambda: check.check(folder, backup))
        self._told(job, lambda: replace(backup, checked=self.now().isoformat()).write(folder))
        return why

    def drill(self, job: Job) -> tuple[Manifest, drill.Drilled]:
        """Proves a backup by restoring it into a server of its own. Raises Skipped when that cannot be done now."""
        database = job.database
        if database is None:
            raise BackupError("A drill restores a database, and this is none.")
        good, begun = self.good(job), self.now()
        if not good:
            raise BackupError("There is no backup to prove.", f"Make one: crowsnest-backup backup {job.name}")
        chosen = drill.choose(good, self.state(job).drills)
        folder = local.folder(self.settings, job)

        def prove() -> drill.Drilled:
            drilled = drill.drill(self.settings, database, chosen, folder / chosen.file, self.say)
            replace(chosen, drilled=begun.isoformat()).write(folder)
            seconds = sum(drilled.seconds.values())
            self._remember(job, lambda state: replace(state, drills=state.drills + 1, drill_seconds=seconds))
            return drilled

        drilled = self._try(job, "drill", prove)
        self.tell(f"{job.name}: {chosen.file} was restored in {span(sum(drilled.seconds.values()))}: it is whole.")
        return chosen, drilled

    # --- what is remembered ---

    def state(self, job: Job) -> State:
        """What is remembered of a job."""
        return states.read(self.settings.state, job.name, self.now()).about(job.remote)

    def _remember(self, job: Job, changed: Callable[[State], State]) -> None:
        """Changes what is remembered, and exports it. That this fails undoes no backup: it is told."""

        def remember() -> None:
            with locked(self.settings.state, "memory", wait=True):
                states.write(self.settings.state, job.name, changed(self.state(job)))
            self.export()

        self._told(job, remember)

    def _try(self, job: Job, name: str, step: Callable[[], T]) -> T:
        """Does a step under the lock and remembers how it ended, as the field `name`. Raises what the step raises."""

        def ended(failed: str = "", skipped: str = "") -> None:
            now = self.now()
            self._remember(
                job, lambda state: replace(state, **{name: getattr(state, name).after(now, failed, skipped)})
            )

        try:
            with locked(self.settings.state, wait=True):
                done = step()
        except drill.Skipped as reason:
            ended(skipped=str(reason))
            raise
        except Exception as error:
            ended(sentence(error))
            raise
        ended()
        return done

    def good(self, job: Job) -> list[Manifest]:
        """Backups on this host that are not known to be damaged, the oldest first."""
        corrupt = self.state(job).corrupt
        return [each for each in local.backups(self.settings, job) if each.stem not in corrupt]

    def _told(self, job: Job, step: Callable[[], object]) -> None:
        """Does a step whose failure is told, and nothing else."""
        if why := why_not(step):
            self.tell(f"{job.name}: {why}")

    def export(self) -> None:
        """Writes the file for node exporter; a backup by hand may do so at the same time as cron's run."""
        with locked(self.settings.state, "metrics", wait=True):
            jobs = [(job, self.state(job), local.backups(self.settings, job)) for job in self.settings.jobs.values()]
            text = metrics.text(states.ended(self.settings.state), jobs)
            write_whole(self.settings.metrics / metrics.FILE, text.encode(), mode=0o644)


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Makes a backup. Raises BackupError."""
    if job.database:
        return dump.make(settings, job, now, attempt, say)
    from crowsnest_backup import stack

    return stack.make(settings, job, now, attempt, say)


def sweep(settings: Settings, job: Job) -> None:
    """Removes what a killed run left. Raises OSError; the backup that follows tells why a server does not answer."""
    files.sweep(local.folder(settings, job))
    with suppress(BackupError):
        scratch.sweep(settings.state)
    with suppress(BackupError):
        if job.database:
            restore.sweep(settings, job)


def old_bytes(job: Job) -> int:
    """Size of the databases that restores of this job replaced and kept. Raises BackupError."""
    if job.database is None:
        return 0
    with postgres.Session(postgres.find(job.database), "postgres") as session:
        return swap.kept_bytes(session, job.database.name)


def push(url: str) -> None:
    """Tells a push monitor that all is well. Raises BackupError."""
    if why := _not_taken(url):
        raise BackupError(f"The backup was made, but its push monitor did not take it: {why}.")


def check_in(job: Job, status: str) -> None:
    """Tells Sentry that the job ended as `ok` or `error`, where it is to be told. Raises BackupError."""
    if (url := job.check_in_urls.get(status)) and (why := _not_taken(url)):
        raise BackupError(f"Sentry did not take the check-in that says {status}: {why}.")


def _not_taken(url: str) -> str:
    """Why the request of a URL failed, empty when it did not; the URL is a secret, so it is not in it."""
    try:
        with urllib.request.urlopen(url, timeout=PUSH_SECONDS) as answer:  # noqa: S310 - a run of crowsnest wrote it
            answer.read()
    except (OSError, ValueError, HTTPException) as error:
        return str(getattr(error, "reason", None) or type(error).__name__)
    return ""


def why_not(step: Callable[[], object]) -> str:
    """Why a step failed, as a sentence; empty when it went well.

    A mistake of this program must not keep the other jobs from their backup: its trace goes to standard error.
    """
    try:
        step()
    except (BackupError, OSError) as error:
        return sentence(error)
    except Exception as error:  # noqa: BLE001 - see above
        traceback.print_exc()
        return sentence(error)
    return ""


def sentence(error: Exception) -> str:
    """What happened, for a person."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    if isinstance(error, BackupError):
        return str(error)
    return f"A mistake of this program: {type(error).__name__}. Its trace is in the log."
