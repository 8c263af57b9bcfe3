# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of crowsnest-backup."""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crowsnest_backup import local, recovery, settings, state, status
from crowsnest_backup.drill import evidence
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import HeldError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Progress, span
from crowsnest_backup.run import Runner, sentence, why_not
from crowsnest_backup.settings import Job

if TYPE_CHECKING:
    from crowsnest_backup.remote import Store

# Where settings.json and secrets.json are: beside this package.
SETTINGS = Path(__file__).absolute().parents[1]
HELP = """\
Backups of this host: made, kept, restored and proven.

  crowsnest-backup status            is all well?
  crowsnest-backup list shop         what there is of the database of the app `shop`
  crowsnest-backup restore shop      restores the newest beside the live database, compares it, and asks
                                     before it puts it in the live one's place
  crowsnest-backup restore stack     the state of the monitoring itself

Exit status: 0 well, 1 something failed, 2 wrong words.
"""


@dataclass(frozen=True)
class Answer:
    """What a verb has to say: `data` with --json, else `lines`; and whether all was well."""

    data: Any
    lines: Sequence[str] = ()
    well: bool = True


@dataclass(frozen=True)
class Call:
    """One call of the program."""

    runner: Runner
    progress: Progress
    arguments: Namespace

    def jobs(self) -> list[Job]:
        """Those named, else all. Raises BackupError."""
        found = self.runner.settings
        return [found.job(name) for name in self.arguments.jobs or found.jobs]

    def each(self, step: Callable[[Job], Any]) -> tuple[list[dict[str, Any]], bool]:
        """Does a step for each job: what it returned or why it failed, and whether none failed."""
        rows: list[dict[str, Any]] = []
        for job in self.jobs():
            row: dict[str, Any] = {"name": job.name}
            if why := why_not(lambda job=job, row=row: row.update(step(job) or {})):  # type: ignore[misc]
                row["failed"] = why
                self.progress.tell(f"{job.name}: {why}")
            rows.append(row)
        return rows, not any("failed" in row for row in rows)


# --- verbs ---


def _run(call: Call) -> Answer:
    try:
        return Answer({}, well=call.runner.everything_due())
    except HeldError as held:  # cron starts it often, and a backup may take long
        return Answer({}, [held.message])


def _backup(call: Call) -> Answer:
    def backup(job: Job) -> dict[str, Any]:
        made = asdict(call.runner.backup(job))
        if job.remote and (why := why_not(lambda: call.runner.send(job))):
            call.progress.tell(f"{job.name}: {why}")
            made["remote_failed"] = why
        return made

    rows, well = call.each(backup)
    return Answer(rows, well=well)


def _from(call: Call, job: Job) -> tuple[Store | None, list[Manifest]]:
    """What --from names, None for this host, and the backups there."""
    source = call.arguments.source
    if source in (None, recovery.LOCAL):
        return None, local.backups(call.runner.settings, job)
    store = call.runner.store(job, source)
    return store, store.listed()


def _counted(found: Sequence[Manifest], store: Store | None) -> str:
    count = f"{len(found) or 'no'} backup{'s' * (len(found) > 1)}"
    return f"{count} at the remote {store.remote.name}" if store else f"{count} on this host"


def _list(call: Call) -> Answer:
    rows, lines = [], []
    for job in call.jobs():
        store, found = _from(call, job)
        damaged = {} if store else call.runner.state(job).corrupt
        rows += [asdict(each) for each in found]
        table = status.listed(found, damaged, call.runner.settings.timezone)
        lines += [f"{job.name}: {_counted(found, store)}", *table, ""]
    return Answer(rows, lines[:-1])


def _check(call: Call) -> Answer:
    def check(job: Job) -> dict[str, Any]:
        store, found = _from(call, job)
        damaged = call.runner.verify(job, store, found) if store else call.runner.check(job, found)
        whole = f"{len(found) - len(damaged)} whole of " if found else ""
        call.progress.tell(f"{job.name}: {whole}{_counted(found, store)}.")
        return {"checked": len(found), "damaged": damaged}

    rows, well = call.each(check)
    return Answer(rows, well=well and not any(row.get("damaged") for row in rows))


def _prune(call: Call) -> Answer:
    if call.arguments.dry_run:
        return _planned(call)

    def prune(job: Job) -> None:
        call.runner.prune(job, agreed=call.arguments.yes)
        if job.remote:
            call.runner.send(job, agreed=call.arguments.yes)
        call.progress.tell(f"{job.name}: nothing is left to delete.")

    rows, well = call.each(prune)
    return Answer(rows, well=well)


def _planned(call: Call) -> Answer:
    rows, lines = [], []
    for job in call.jobs():
        plans = {"this host": call.runner.planned(job)}
        if job.remote:
            listed = call.runner.store(job, job.remote).listed()
            plans[f"the remote {job.remote}"] = call.runner.planned_remotely(job, listed)
        for place, plan in plans.items():
            rows.append({"name": job.name, "place": place, **asdict(plan)})
            lines += status.planned(f"{job.name} on {place}", plan)
    return Answer(rows, lines)


def _sync(call: Call) -> Answer:
    def sync(job: Job) -> None:
        if job.remote is None and not call.arguments.jobs:
            call.progress.tell(f"{job.name}: no remote is declared.")
            return
        call.runner.send(job)
        call.progress.tell(f"{job.name}: the remote {job.remote} has what it should have.")

    rows, well = call.each(sync)
    return Answer(rows, well=well)


def _drill(call: Call) -> Answer:
    pages = []

    def drill(job: Job) -> dict[str, Any]:
        if job.database is None and not call.arguments.jobs:
            return {}
        proven, drilled = call.runner.drill(job)
        pages.append(evidence(drilled, proven, call.runner.now()))
        return asdict(drilled)

    rows, well = call.each(drill)
    if call.arguments.evidence and pages:
        call.arguments.evidence.write_text("\n".join(pages), encoding="utf-8")
    return Answer(rows, well=well)


def _status(call: Call) -> Answer:
    jobs = [status.of_job(call.runner, job) for job in call.runner.settings.jobs.values()]
    ended = state.ended(call.runner.settings.state)
    data = {"environment": call.runner.settings.environment, "run": ended and ended.isoformat(), "jobs": jobs}
    ago = f"{span((call.runner.now() - ended).total_seconds())} ago" if ended else "never"
    return Answer(data, [*(line for job in jobs for line in status.lines(job)), f"Cron's last run ended: {ago}."])


def _restore(call: Call) -> Answer:
    given = call.arguments
    wish = recovery.Wish(given.backup, given.source, given.name, given.yes, given.identity, given.create_roles)
    done = recovery.restored(call.runner, call.progress, call.runner.settings.job(given.job), wish)
    return Answer(done, done.pop("lines"))


def _swap(call: Call) -> Answer:
    given = call.arguments
    job = call.runner.settings.job(given.job)
    done = recovery.swapped(call.runner, call.progress, job, given.database, given.yes)
    return Answer(done, done.pop("lines"))


# --- words and options ---


def parser() -> ArgumentParser:
    """What may be typed."""
    own = ArgumentParser("crowsnest-backup", description=HELP, formatter_class=RawDescriptionHelpFormatter)
    common = ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="the answer as JSON")
    common.add_argument(
        "--settings", type=Path, default=SETTINGS, metavar="FOLDER", help="that of settings.json [its own]"
    )
    verbs = own.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, call: Callable[[Call], Answer], text: str, jobs: str | None = "*") -> ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(call=call)
        if jobs:
            added.add_argument("jobs", nargs=jobs, metavar="JOB", help="name of an app, or stack [all]")
        return added

    verb("status", _status, "Shows whether all is well, and what is not.", jobs=None)
    _source(verb("list", _list, "Shows the backups there are."))
    verb("backup", _backup, "Makes a backup now.")
    _restoring(
        verb("restore", _restore, "Restores a backup beside the live database; asks before the swap.", jobs=None)
    )
    swapping = verb("swap", _swap, "Puts a restored database in the live one's place, or the one before.", jobs=None)
    swapping.add_argument("job", metavar="JOB", help="name of an app")
    swapping.add_argument("database", metavar="DATABASE", help="as `restore` or an earlier `swap` named it")
    swapping.add_argument("--yes", action="store_true", help="do not ask")
    drilling = verb("drill", _drill, "Proves a backup: restores it into a server of its own and compares.")
    drilling.add_argument("--evidence", type=Path, metavar="FILE", help="writes a page in Markdown that shows it")
    _source(verb("check", _check, "Reads every file back, and compares it with what was dumped."))
    pruning = verb("prune", _prune, "Deletes old backups, here and on the remote.")
    pruning.add_argument("--dry-run", action="store_true", help="only tell what would be deleted, and why")
    pruning.add_argument("--yes", action="store_true", help="also more than half, or while the newest backup failed")
    verb("sync", _sync, "Sends what the remote lacks.")
    verb("run", _run, "What cron starts every 15 minutes: all that is due.", jobs=None)
    return own


def _restoring(restoring: ArgumentParser) -> None:
    restoring.add_argument("job", metavar="JOB", help="name of an app, or stack")
    restoring.add_argument("--backup", default="latest", metavar="NAME", help="as `list` shows it [the newest]")
    _source(restoring, "this host, else the remote")
    place = restoring.add_mutually_exclusive_group()
    place.add_argument("--as", dest="name", metavar="DATABASE", help="a new database of this name, without a swap")
    place.add_argument("--swap", action="store_true", help="as without it: ask, then swap")
    restoring.add_argument("--yes", action="store_true", help="swap without asking")
    restoring.add_argument("--identity", type=Path, metavar="FILE", help="key of age for an encrypted backup")
    restoring.add_argument("--create-roles", action="store_true", help="create the roles that the server lacks")


def _source(added: ArgumentParser, default: str = "local") -> None:
    added.add_argument("--from", dest="source", metavar="local|REMOTE", help=f"where the backup is [{default}]")


def main(words: Sequence[str] | None = None) -> int:
    """Runs the program; its exit status: 0 well, 1 failed, 2 wrong words."""
    os.umask(0o077)
    arguments = parser().parse_args(words)
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # as `nohup` wants
            signal.signal(each, signal.default_int_handler)
    progress = Progress()
    try:
        with progress:
            runner = Runner(settings.read(arguments.settings), say=progress.say, tell=progress.tell)
            answer = arguments.call(Call(runner, progress, arguments))
    except BackupError as error:
        print(f"crowsnest-backup: {error.message}\n{error.advice}".rstrip(), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"crowsnest-backup: {sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.tell("crowsnest-backup: interrupted. What is half done is removed by the next run.")
        return 130
    for line in [json.dumps(answer.data, ensure_ascii=False)] if arguments.json else answer.lines:
        print(line)
    return 0 if answer.well else 1
