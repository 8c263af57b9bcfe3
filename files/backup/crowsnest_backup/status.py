# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How the backups of this host are, and what there is, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crowsnest_backup import local
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import size, span
from crowsnest_backup.retention import Plan
from crowsnest_backup.run import Runner
from crowsnest_backup.schedule import DRILL_DAYS
from crowsnest_backup.settings import Job
from crowsnest_backup.state import State

# A nightly backup that is older is late; a drill that is so many days later than declared as well.
LATE, DRILL_LATE = timedelta(hours=26), timedelta(days=2)


def of_job(runner: Runner, job: Job) -> dict[str, Any]:
    """All that is known of a job. `last_good` and `proven` are UTC in ISO 8601, or None."""
    found, state = local.backups(runner.settings, job), runner.state(job)
    good = runner.good(job)
    newest = good[-1] if good else None
    return {
        "name": job.name,
        "database": local.what(job),
        "at": job.at,
        "timezone": runner.settings.timezone.key,
        "last_good": newest and newest.started,
        "age_seconds": newest and int((runner.now() - newest.start).total_seconds()),
        "file": newest and newest.file,
        "bytes": newest and newest.bytes,
        "rows": newest and newest.rows,
        "proven": state.drill.succeeded and state.drill.succeeded.isoformat(),
        "drill": job.drill if job.database else "never",
        "drill_skipped": state.drill.skipped,
        "kept": {"local": len(found), **({job.remote: state.remote_kept} if job.remote else {})},
        "problems": list(problems(job, state, found, good, runner.now())),
    }


def problems(
    job: Job, state: State, found: Sequence[Manifest], good: Sequence[Manifest], now: datetime
) -> Iterator[str]:
    """What is wrong, in sentences."""
    if state.backup.failed:
        yield f"The last backup failed: {state.backup.failed}"
    if not good and now - state.declared > LATE:
        yield "There is no backup yet."
    if good and now - good[-1].start > LATE:
        yield f"The newest backup is {span((now - good[-1].start).total_seconds())} old."
    yield from (f"Damaged: {state.corrupt[each.stem]}" for each in found if each.stem in state.corrupt)
    if state.sent.failed:
        yield f"Not all is at the remote {state.remote}. {state.sent.failed}"
    if state.pruned.failed:
        yield state.pruned.failed
    if state.drill.failed:
        yield f"The last drill failed: {state.drill.failed}"
    days = DRILL_DAYS.get(job.drill) if job.database else None
    if days and now - (state.drill.succeeded or state.declared) > timedelta(days=days) + DRILL_LATE:
        yield f"No drill has proven a backup for more than {days} days. {state.drill.skipped}".strip()


def lines(job: dict[str, Any]) -> list[str]:
    """The same for a person."""
    how = "PROBLEM" if job["problems"] else "well" if job["last_good"] else "waiting"
    told = _kept(job) if job["last_good"] else _none_yet(job)
    return [f"{job['name']}: {how}, {told}", *(f"  {problem}" for problem in job["problems"])]


def _kept(job: dict[str, Any]) -> str:
    proven = "no drill" if job["drill"] == "never" else "not proven yet"
    proven = f"proven {job['proven'][:10]}" if job["proven"] else proven
    kept = ", ".join(f"{count} {'here' if place == 'local' else f'at {place}'}" for place, count in job["kept"].items())
    last = f"last good {span(job['age_seconds'])} ago: {job['file']}, {size(job['bytes'])}"
    return f"{last}, {proven}; kept: {kept}"


def _none_yet(job: dict[str, Any]) -> str:
    """A new host may have lost an older one, whose backups are in the remote."""
    remotes = [place for place in job["kept"] if place != "local"]
    older = "".join(f"; what {name} has: crowsnest-backup list {job['name']} --from {name}" for name in remotes)
    return f"no backup on this host yet{older}"


def listed(backups: Sequence[Manifest], damaged: Collection[str], zone: ZoneInfo) -> list[str]:
    """A table of backups, the newest first, with times of the zone. `damaged`: stems."""
    rows = [
        (
            each.stem,
            f"{each.start.astimezone(zone):%Y-%m-%d %H:%M}",
            size(each.bytes),
            f"{each.rows:,}",
            "DAMAGED" if each.stem in damaged else (each.drilled or "-")[:10],
            ", ".join(each.remote) or "-",
        )
        for each in reversed(backups)
    ]
    return _table(("BACKUP", "TAKEN", "SIZE", "ROWS", "PROVEN", "COPIES"), *rows) if rows else []


def _table(*rows: tuple[str, ...]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def planned(place: str, plan: Plan) -> list[str]:
    """What pruning does to each backup, and why, the newest first."""
    fates = {stem: f"  keep    {stem}  {why}" for stem, why in plan.kept.items()}
    fates |= {stem: f"  delete  {stem}  {why}" for stem, why in plan.deleted.items()}
    return [f"{place}:{'' if fates else ' nothing'}", *(fates[stem] for stem in sorted(fates, reverse=True))]
