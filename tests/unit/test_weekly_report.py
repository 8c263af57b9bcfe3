# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""When the weekly message is due, and what it remembers. What it says is asked of a real Prometheus in tests/rules."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "files/weekly_report/weekly_report.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("weekly_report", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


program = load()
State: Any = program.State
# (zone, weekday, hour:minute, now in UTC): the moment, in UTC. 2026-11-30 is a Monday.
TURNS: list[tuple[str, int, str, str, str]] = [
    ("Asia/Seoul", 0, "09:00", "2026-11-30T00:00", "2026-11-30T00:00"),
    ("Asia/Seoul", 0, "09:00", "2026-11-29T23:59", "2026-11-23T00:00"),
    ("Asia/Seoul", 0, "09:00", "2026-12-06T23:59", "2026-11-30T00:00"),
    ("Asia/Seoul", 6, "00:00", "2026-11-28T15:00", "2026-11-28T15:00"),
    ("America/New_York", 0, "09:00", "2026-11-02T14:00", "2026-11-02T14:00"),  # winter time since Sunday
    ("America/New_York", 0, "09:00", "2026-11-02T13:59", "2026-10-26T13:00"),
    ("Europe/Berlin", 6, "02:30", "2026-03-29T01:29", "2026-03-22T01:30"),  # 02:00 to 03:00 is skipped
    ("Europe/Berlin", 6, "02:30", "2026-03-29T01:30", "2026-03-29T01:30"),
    ("Europe/Berlin", 6, "02:30", "2026-10-25T00:30", "2026-10-25T00:30"),  # 02:30 comes twice
    ("Europe/Berlin", 6, "02:30", "2026-10-25T01:30", "2026-10-25T00:30"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "weekday", "at", "now", "moment"), TURNS, ids=str)
def test_the_moment_is_that_of_the_zone_s_clock(zone: str, weekday: int, at: str, now: str, moment: str) -> None:
    assert program.turn(weekday, at, ZoneInfo(zone), utc(now)) == utc(moment)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"])
def test_in_a_year_with_every_change_of_the_clock_each_week_has_one(zone: str) -> None:
    """The program is started every half an hour, also within the hours that are skipped or come twice."""
    start, sent = int(utc("2026-01-05T12:00").timestamp()), []
    state = State("x", start)
    for now in range(start, start + 364 * 86400, 1800):
        moment = program.turn(6, "02:30", ZoneInfo(zone), datetime.fromtimestamp(now, UTC))
        if program.is_due(state, moment):
            state = State("x", start, moment.timestamp())
            sent.append(datetime.fromtimestamp(now, ZoneInfo(zone)).strftime("%G-%V %a"))
    assert len(sent) == len(set(sent)) == 52 and {each[-3:] for each in sent} == {"Sun"}


# (state, moment): whether it is due.
DUE: list[tuple[Any, float, bool]] = [
    (State("x", 100), 99, False),  # before it was declared
    (State("x", 100), 101, True),
    (State("x", 100, 101), 101, False),
    (State("x", 100, 101), 102, True),
]


@pytest.mark.parametrize(("state", "moment", "due"), DUE)
def test_it_is_due_once_after_each_moment(state: Any, moment: float, due: bool) -> None:
    assert program.is_due(state, datetime.fromtimestamp(moment, UTC)) == due


SCHEDULE = "Monday 09:00 Asia/Seoul"


@pytest.mark.parametrize("state", [State(SCHEDULE, 1764460800.25), State(SCHEDULE, 5.0, 1764460800.25)])
def test_it_remembers_what_node_exporter_exports(state: Any) -> None:
    assert program.state_of(program.exposition(state), SCHEDULE, 1764460900) == state


def test_another_schedule_begins_now_and_keeps_the_last_message() -> None:
    text = program.exposition(State("Friday 09:00 Asia/Seoul", 5.0, 7.0))
    assert program.state_of(text, SCHEDULE, 9.0) == State(SCHEDULE, 9.0, 7.0)


def test_a_time_that_is_still_to_come_was_written_by_a_clock_that_was_wrong() -> None:
    text = program.exposition(State(SCHEDULE, 50.0, 10.0 + program.WEEK))
    assert program.state_of(text, SCHEDULE, 9.0) == State(SCHEDULE, 9.0)


class Sender:
    """The program on a host whose messages all arrive; `sent` has their moments."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.file, self.sent = folder, folder / program.FILE, list[str]()
        self.settings = {"timezone": "Asia/Seoul", "schedule": SCHEDULE, "weekday": 0, "at": "09:00"}
        monkeypatch.setattr(program, "look", lambda *_: None)
        monkeypatch.setattr(program, "send", lambda _, __, moment, ___: self.sent.append(f"{moment:%m-%d}"))

    def start(self, now: str) -> None:
        program.on_schedule(self.settings, self.folder, utc(now).timestamp())


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sender:
    return Sender(tmp_path, monkeypatch)


def test_a_clock_that_goes_back_brings_no_message_twice(sender: Sender) -> None:
    """Within the minutes after the moment (2026-11-30 00:00), to before it, and by days."""
    for now in ("11-22T00:00", "11-23T00:05", "11-30T00:10", "11-30T00:02", "11-29T23:58", "11-30T00:01"):
        sender.start(f"2026-{now}")
    for now in ("11-27T12:00", "11-30T00:01", "12-07T00:01"):
        sender.start(f"2026-{now}")
    assert sender.sent == ["11-23", "11-30", "12-07"]


def test_a_clock_that_was_years_ahead_does_not_stop_it_for_years(sender: Sender) -> None:
    for now in ("2030-01-01T00:00", "2030-01-08T00:00", "2026-11-28T00:00", "2026-11-30T00:01"):
        sender.start(now)
    assert sender.sent == ["01-07", "11-30"]


# What the file says instead.
DAMAGED: dict[str, bytes] = {
    "no number": f'{program.DECLARED}{{schedule="{SCHEDULE}"}} soon\n{program.SENT} 17x\n'.encode(),
    "two points": f"{program.SENT} 1.2.3\n".encode(),
    "no text": b"\xff\x00\xfe",
    "a number without end": f"{program.SENT} {'9' * 400}.0\n".encode(),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_state_is_none(sender: Sender, name: str) -> None:
    sender.file.write_bytes(DAMAGED[name])
    sender.start("2026-11-29T00:00")
    assert program.state_of(sender.file.read_text(), SCHEDULE, 2e9) == State(
        SCHEDULE, utc("2026-11-29T00:00").timestamp()
    )
    sender.start("2026-11-30T00:00")
    assert sender.sent == ["11-30"]


def test_what_is_no_file_is_not_read(sender: Sender) -> None:
    os.mkfifo(sender.file)
    sender.start("2026-11-29T00:00")
    assert sender.file.is_file()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"timezone": 5}', '{"timezone": ""}', "{}", b"\xff", "[" * 99999]
)
def test_broken_settings_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | bytes
) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert program.main(["--settings", str(file), str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"weekly_report: {file} is not as crowsnest wrote it (") and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_host_without_time_zones_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"timezone": "Nowhere/Land", "schedule": "x", "weekday": 0, "at": "09:00"}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert program.main(["--settings", str(tmp_path / "settings.json"), str(tmp_path)]) == 1
    assert "sudo apt-get install tzdata" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
