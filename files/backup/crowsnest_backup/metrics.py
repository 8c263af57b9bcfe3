# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What node exporter's textfile collector exports of the backups.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median

from crowsnest_backup.local import what
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.schedule import DRILL_DAYS
from crowsnest_backup.settings import Job
from crowsnest_backup.state import State, Tried

# (metric without its prefix, labels, value); without a value it is left out.
Sample = tuple[str, Mapping[str, str], float | None]
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


def text(ended: datetime | None, jobs: Sequence[tuple[Job, State, Sequence[Manifest]]]) -> str:
    """The file's text. `ended`: when cron's run last ended. The backups are those on this host, the oldest first."""
    samples: list[Sample] = [("run_timestamp_seconds", {}, _seconds(ended))]
    for job, state, backups in jobs:
        own = {"app": job.name, "database": what(job)}
        good = [each for each in backups if each.stem not in state.corrupt]
        of_job = [*_numbers(job, state, backups, good), *_reasons(state, backups, good)]
        if job.remote:
            of_job += _of_the_remote(job.remote, state, good)
        samples += [(name, {**own, **labels}, value) for name, labels, value in of_job]
    lines = []
    for metric, about in HELP.items():
        if found := [
            _line(metric, labels, value) for name, labels, value in samples if name == metric and value is not None
        ]:
            lines += [f"# HELP crowsnest_backup_{metric} {about}", f"# TYPE crowsnest_backup_{metric} gauge", *found]
    return "\n".join([*lines, ""])


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
    return f"crowsnest_backup_{name}{{{told}}} {value:.15g}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _numbers(job: Job, state: State, backups: Sequence[Manifest], good: Sequence[Manifest]) -> Iterator[Sample]:
    days = DRILL_DAYS.get(job.drill) if job.database else None
    values: dict[str, float | None] = {
        "declared_timestamp_seconds": _seconds(state.declared),
        "last_attempt_timestamp_seconds": _seconds(state.backup.attempted),
        "ok": _ok(state.backup),
        "prune_ok": _ok(state.pruned),
        "corrupt": len(backups) - len(good),
        "drill_ok": _ok(state.drill),
        "drill_last_success_timestamp_seconds": _seconds(state.drill.succeeded),
        "drill_last_attempt_timestamp_seconds": _seconds(state.drill.attempted),
        "drill_interval_seconds": days * 86400 if days else None,
        "drill_seconds": state.drill_seconds or None,
        "kept_old_bytes": state.old_bytes,
    }
    for newest in good[-1:]:
        before = [each.bytes for each in good[-1 - USUAL : -1]]
        values |= {
            "last_success_timestamp_seconds": datetime.fromisoformat(newest.finished).timestamp(),
            "size_bytes": newest.bytes,
            "usual_size_bytes": median(before) if before else None,
            "duration_seconds": newest.seconds,
            "rows": newest.rows,
        }
    yield from ((name, {}, value) for name, value in values.items())
    yield "kept", {"place": "local"}, len(backups)
    yield "kept_bytes", {"place": "local"}, sum(each.bytes for each in backups)


def _reasons(state: State, backups: Sequence[Manifest], good: Sequence[Manifest]) -> Iterator[Sample]:
    """Those that tell a name or a reason by a label."""
    reasons = {
        "failed_info": state.backup.failed,
        "prune_failed_info": state.pruned.failed,
        "drill_failed_info": state.drill.failed,
        "drill_skipped_info": state.drill.skipped,
    }
    yield from ((name, {"why": why[:WHY_LENGTH]}, 1) for name, why in reasons.items() if why)
    yield from (("info", {"file": each.file}, 1) for each in good[-1:])
    for each in backups:
        if why := state.corrupt.get(each.stem):
            yield "corrupt_info", {"file": each.file, "why": why[:WHY_LENGTH]}, 1


def _of_the_remote(remote: str, state: State, good: Sequence[Manifest]) -> Iterator[Sample]:
    own = {"remote": remote}
    yield "kept", {"place": remote}, state.remote_kept
    yield "kept_bytes", {"place": remote}, state.remote_bytes
    yield "remote_missing", own, sum(remote not in each.remote for each in good)
    yield "remote_ok", own, _ok(state.sent)
    yield "remote_last_success_timestamp_seconds", own, _seconds(state.sent.succeeded)
    if state.sent.failed:
        yield "remote_failed_info", {**own, "why": state.sent.failed[:WHY_LENGTH]}, 1


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _ok(tried: Tried) -> float | None:
    """1 or 0; None while nothing was tried, or only put off."""
    if tried.failed:
        return 0
    return 1 if tried.succeeded else None
