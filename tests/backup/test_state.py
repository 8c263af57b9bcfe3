# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from backups import utc
from crowsnest_backup import state as states
from crowsnest_backup.state import State, Tried

NOW, LATER = utc("2026-11-28 03:00"), utc("2026-11-29 03:00")


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    state = State(
        declared=NOW,
        backup=Tried(LATER, NOW, 'no server "한글"\n'),
        remote="offsite",
        sent=Tried(NOW, None, "refused"),
        remote_kept=3,
        corrupt={"shop_test_20261128_030000": "cut off"},
        drill=Tried(NOW, NOW, "", "no memory"),
        drills=4,
        drill_seconds=1.5,
    )
    states.write(tmp_path, "shop", state)
    assert states.read(tmp_path, "shop", LATER) == state


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"declared": 1}', "\xff"])
def test_a_broken_memory_is_that_of_a_new_job(text: str, tmp_path: Path) -> None:
    states.write(tmp_path, "shop", State(declared=NOW))
    (tmp_path / "jobs" / "shop.json").write_text(text)
    assert states.read(tmp_path, "shop", LATER) == State(declared=LATER)


def test_only_root_reads_it(tmp_path: Path) -> None:
    states.write(tmp_path / "state", "shop", State(declared=NOW))
    file = tmp_path / "state" / "jobs" / "shop.json"
    assert [oct(path.stat().st_mode)[-3:] for path in (file, file.parent, file.parent.parent)] == ["600", "700", "700"]


def test_a_success_forgets_the_failure() -> None:
    failed = Tried(NOW, NOW).after(LATER, failed="no server")
    assert (failed.attempted, failed.succeeded, failed.failed) == (LATER, NOW, "no server")
    assert failed.after(LATER) == Tried(LATER, LATER)


def test_what_was_put_off_is_as_good_or_bad_as_before() -> None:
    failed = Tried(NOW, None, "old rows").after(LATER, skipped="no memory")
    assert failed == Tried(LATER, None, "old rows", "no memory")


def test_another_remote_is_not_known_yet() -> None:
    state = State(declared=NOW, remote="offsite", sent=Tried(NOW, None, "refused"), remote_kept=3, remote_bytes=30)
    assert state.about("offsite") is state
    assert state.about("elsewhere") == State(declared=NOW, remote="elsewhere")
    assert state.about(None) == State(declared=NOW)
