# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from backups import exported, job, manifest, utc
from crowsnest_backup import metrics
from crowsnest_backup.state import State, Tried
from programs import tool

NOW = utc("2026-11-28 03:00")
SIZES = (900, 100, 200, 300, 400, 500, 600, 700, 77)
BACKUPS = [manifest(NOW + timedelta(days=at), bytes=size) for at, size in enumerate(SIZES)]


def test_before_the_first_backup() -> None:
    found = exported(metrics.text(None, [(job(drill="never"), State(declared=NOW), [])]))
    own = 'app="shop",database="shop"'
    assert found == {
        f"declared_timestamp_seconds{{{own}}}": NOW.timestamp(),
        f'kept{{{own},place="local"}}': 0,
        f'kept_bytes{{{own},place="local"}}': 0,
        f"corrupt{{{own}}}": 0,
        f"kept_old_bytes{{{own}}}": 0,
    }


def test_of_a_job_that_is_well() -> None:
    well = Tried(NOW, NOW)
    state = State(
        declared=NOW, backup=well, pruned=well, remote="offsite", sent=well, remote_kept=5, remote_bytes=50, drill=well,
        drills=1, drill_seconds=12.5, old_bytes=7,
    )  # fmt: skip
    sent = [replace(each, remote={"offsite": {}}) for each in BACKUPS[:-1]]
    found = exported(metrics.text(NOW, [(job(remote="offsite"), state, [*sent, BACKUPS[-1]])]))
    own = 'app="shop",database="shop"'
    newest, seconds = BACKUPS[-1], NOW.timestamp()
    assert found == {
        "run_timestamp_seconds{}": seconds,
        f"declared_timestamp_seconds{{{own}}}": seconds,
        f"last_success_timestamp_seconds{{{own}}}": newest.start.timestamp() + 2,
        f"last_attempt_timestamp_seconds{{{own}}}": seconds,
        f"ok{{{own}}}": 1,
        f'info{{{own},file="{newest.file}"}}': 1,
        f"size_bytes{{{own}}}": 77,
        f"usual_size_bytes{{{own}}}": 400,
        f"duration_seconds{{{own}}}": 2,
        f"rows{{{own}}}": 42,
        f'kept{{{own},place="local"}}': 9,
        f'kept{{{own},place="offsite"}}': 5,
        f'kept_bytes{{{own},place="local"}}': sum(SIZES),
        f'kept_bytes{{{own},place="offsite"}}': 50,
        f"corrupt{{{own}}}": 0,
        f'remote_ok{{{own},remote="offsite"}}': 1,
        f'remote_missing{{{own},remote="offsite"}}': 1,
        f'remote_last_success_timestamp_seconds{{{own},remote="offsite"}}': seconds,
        f"prune_ok{{{own}}}": 1,
        f"drill_ok{{{own}}}": 1,
        f"drill_last_success_timestamp_seconds{{{own}}}": seconds,
        f"drill_last_attempt_timestamp_seconds{{{own}}}": seconds,
        f"drill_interval_seconds{{{own}}}": 7 * 86400,
        f"drill_seconds{{{own}}}": 12.5,
        f"kept_old_bytes{{{own}}}": 7,
    }


def test_reasons_are_told_while_something_is_wrong() -> None:
    failed = Tried(NOW, None, 'no "server"\\\nat all')
    corrupt = {BACKUPS[0].stem: "cut off"}
    state = State(NOW, backup=failed, pruned=failed, remote="offsite", sent=failed, drill=failed, corrupt=corrupt)
    text = metrics.text(None, [(job(remote="offsite"), state, BACKUPS)])
    why = r'why="no \"server\"\\\nat all"'
    own = 'app="shop",database="shop"'
    expected = {
        f"failed_info{{{own},{why}}}": 1,
        f"prune_failed_info{{{own},{why}}}": 1,
        f"drill_failed_info{{{own},{why}}}": 1,
        f'remote_failed_info{{{own},remote="offsite",{why}}}': 1,
        f'corrupt_info{{{own},file="{BACKUPS[0].file}",why="cut off"}}': 1,
        f"ok{{{own}}}": 0,
        f"prune_ok{{{own}}}": 0,
        f"drill_ok{{{own}}}": 0,
        f'remote_ok{{{own},remote="offsite"}}': 0,
        f"corrupt{{{own}}}": 1,
    }
    assert {name: value for name, value in exported(text).items() if name in expected} == expected


def test_a_damaged_backup_is_neither_the_last_good_one_nor_missing_at_the_remote() -> None:
    state = State(declared=NOW, remote="offsite", corrupt={BACKUPS[-1].stem: "cut off"})
    sent = [replace(each, remote={"offsite": {}}) for each in BACKUPS[:-1]]
    found = exported(metrics.text(None, [(job(remote="offsite"), state, [*sent, BACKUPS[-1]])]))
    own, good = 'app="shop",database="shop"', BACKUPS[-2]
    assert found[f"last_success_timestamp_seconds{{{own}}}"] == good.start.timestamp() + 2
    assert [name for name in found if name.startswith("info")] == [f'info{{{own},file="{good.file}"}}']
    assert (found[f"size_bytes{{{own}}}"], found[f"usual_size_bytes{{{own}}}"]) == (700, 400)
    assert (found[f"corrupt{{{own}}}"], found[f'remote_missing{{{own},remote="offsite"}}']) == (1, 0)


def test_prometheus_reads_the_file(tmp_path: Path) -> None:
    failed = Tried(NOW, NOW, 'no "server"\\\nat all', "no memory")
    state = State(NOW, backup=failed, pruned=failed, remote="offsite", sent=failed, drill=failed)
    jobs = [(job(name, remote="offsite"), state, BACKUPS) for name in ("shop", "office")]
    checked = tool("promtool")(tmp_path, "check", "metrics", stdin=metrics.text(NOW, jobs))
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
