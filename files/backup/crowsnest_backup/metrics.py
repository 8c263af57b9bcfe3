# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What node exporter's textfile collector exports of the backups.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from statistics import median

from crowsnest_backup.local import what
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.schedule import DRILL_DAYS
from crowsnest_backup.settings import Job
from crowsnest_backup.state import State, Tried

FILE = "crowsnest_backup.prom"
# The newest backup is compared with so many before it.
USUAL = 7
# Reasons are cut after so many characters; the log has all of them.
WHY_LENGTH = 300

# {metric without its prefix: help}, in the order of the file.
HELP = {
    "run_timestamp_seconds": "When cron's run last ended.",
    "declared_timestamp_seconds": "When the job was first seen.",
    "last_success_timestamp_seconds": "When the newest good backup was finished; missing before the first.",
    "last_attempt_timestamp_seconds": "When a backup was last tried.",
    "ok": "1 when the last series of tries ended with a backup, 0 when it did not.",
    "failed_info": "Why the last series of tries failed.",
    "info": "The newest good backup's file.",
    "size_bytes": "Its size.",
    "usual_size_bytes": f"Median size of the {USUAL} before it.",
    "duration_seconds": "How long it took.",
    "rows": "Rows in it.",
    "kept": "Backups that are kept.",
    "kept_bytes": "Their size.",
    "corrupt": "Kept files that failed their check.",
    "corrupt_info": "Which file, and why.",
    "remote_ok": "1 when the last upload and the pruning there went well.",
    "remote_failed_info": "Why they did not.",
    "remote_missing": "Good backups of this host that the remote lacks.",
    "remote_last_success_timestamp_seconds": "When the remote last had all backups of this host.",
    "prune_ok": "1 when old backups of this host could last be deleted.",
    "prune_failed_info": "Why they could not.",
    "drill_ok": "1 when the last restore drill proved its backup.",
    "drill_failed_info": "Why it did not.",
    "drill_last_success_timestamp_seconds": "When a drill last proved a backup.",
    "drill_last_attempt_timestamp_seconds": "When a drill was last begun.",
    "drill_interval_seconds": "How often a drill is declared; missing for never.",
    "drill_skipped_info": "Why the last drill was put off.",
    "drill_seconds": "How long the last drill took.",
    "kept_old_bytes": "Size of the databases that a restore replaced and kept.",
}


@dataclass(frozen=True)
class Sample:
    """One line: the metric without its prefix, its labels, its value."""

    name: str
    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in self.labels.items())
        return f"crowsnest_backup_{self.name}{{{labels}}} {self.value:.15g}"


def text(ended: datetime | None, jobs: Sequence[tuple[Job, State, Sequence[Manifest]]]) -> str:
    """The file's text. `ended`: when cron's run last ended."""
    run = [Sample("run_timestamp_seconds", {}, ended.timestamp())] if ended else []
    found = [*run, *(sample for each in jobs for sample in samples(*each))]
    order = list(HELP)
    found.sort(key=lambda sample: order.index(sample.name))
    lines = []
    for name, group in groupby(found, key=lambda sample: sample.name):
        lines += [f"# HELP crowsnest_backup_{name} {HELP[name]}", f"# TYPE crowsnest_backup_{name} gauge"]
        lines += [str(sample) for sample in group]
    return "\n".join([*lines, ""])


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def samples(job: Job, state: State, backups: Sequence[Manifest]) -> Iterator[Sample]:
    """All of one job; `backups` are those on this host, the oldest first."""
    own = {"app": job.name, "database": what(job)}
    good = [each for each in backups if each.stem not in state.corrupt]
    values = {
        **_of_tries(state),
        **_of_the_newest(good),
        **_of_drills(job, state),
        "declared_timestamp_seconds": state.declared.timestamp(),
        "corrupt": len(backups) - len(good),
        "kept_old_bytes": state.old_bytes,
    }
    yield from (Sample(name, own, value) for name, value in values.items() if value is not None)
    yield from (Sample(name, {**own, **labels}, 1) for name, labels in _infos(state, good, backups))
    yield from _of_places(own, "local", len(backups), sum(each.bytes for each in backups))
    if job.remote:
        yield from _of_the_remote(own, job.remote, state, good)


def _of_tries(state: State) -> dict[str, float | None]:
    return {
        "last_attempt_timestamp_seconds": _seconds(state.backup.attempted),
        "ok": _ok(state.backup),
        "prune_ok": _ok(state.pruned),
    }


def _of_the_newest(backups: Sequence[Manifest]) -> dict[str, float]:
    if not backups:
        return {}
    newest, before = backups[-1], backups[-1 - USUAL : -1]
    return {
        "last_success_timestamp_seconds": datetime.fromisoformat(newest.finished).timestamp(),
        "size_bytes": newest.bytes,
        **({"usual_size_bytes": median(each.bytes for each in before)} if before else {}),
        "duration_seconds": newest.seconds,
        "rows": newest.rows,
    }


def _of_drills(job: Job, state: State) -> dict[str, float | None]:
    days = DRILL_DAYS.get(job.drill) if job.database else None
    return {
        "drill_ok": _ok(state.drill),
        "drill_last_success_timestamp_seconds": _seconds(state.drill.succeeded),
        "drill_last_attempt_timestamp_seconds": _seconds(state.drill.attempted),
        "drill_interval_seconds": days * 86400 if days else None,
        "drill_seconds": state.drill_seconds or None,
    }


def _infos(state: State, good: Sequence[Manifest], backups: Sequence[Manifest]) -> Iterator[tuple[str, dict[str, str]]]:
    """(metric, labels) of those that tell a name or a reason; their value is 1."""
    reasons = {
        "failed_info": state.backup.failed,
        "prune_failed_info": state.pruned.failed,
        "drill_failed_info": state.drill.failed,
        "drill_skipped_info": state.drill.skipped,
    }
    yield from ((name, {"why": why[:WHY_LENGTH]}) for name, why in reasons.items() if why)
    yield from (("info", {"file": each.file}) for each in good[-1:])
    for each in backups:
        if each.stem in state.corrupt:
            yield "corrupt_info", {"file": each.file, "why": state.corrupt[each.stem][:WHY_LENGTH]}


def _of_places(own: Mapping[str, str], place: str, count: int, total: int) -> Iterator[Sample]:
    yield Sample("kept", {**own, "place": place}, count)
    yield Sample("kept_bytes", {**own, "place": place}, total)


def _of_the_remote(own: Mapping[str, str], remote: str, state: State, good: Sequence[Manifest]) -> Iterator[Sample]:
    labels = {**own, "remote": remote}
    yield from _of_places(own, remote, state.remote_kept, state.remote_bytes)
    yield Sample("remote_missing", labels, sum(remote not in each.remote for each in good))
    ok, succeeded = _ok(state.sent), _seconds(state.sent.succeeded)
    if ok is not None:
        yield Sample("remote_ok", labels, ok)
    if succeeded is not None:
        yield Sample("remote_last_success_timestamp_seconds", labels, succeeded)
    if state.sent.failed:
        yield Sample("remote_failed_info", {**labels, "why": state.sent.failed[:WHY_LENGTH]}, 1)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _ok(tried: Tried) -> float | None:
    """1 or 0; None while nothing was tried, or only put off."""
    if tried.failed:
        return 0
    return 1 if tried.succeeded else None
