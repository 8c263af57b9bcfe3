# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from backups import BERLIN, SEOUL, utc
from crowsnest_backup.schedule import REST, backup_due, passed, rested, turn
from hypothesis import given
from hypothesis import strategies as st

QUARTER = timedelta(minutes=15)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(["Europe/Berlin", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])


@pytest.mark.parametrize(
    ("at", "now", "expected"),
    [
        ("03:00", "2026-11-28 02:00", "2026-11-28 02:00"),
        ("03:00", "2026-11-28 01:59", "2026-11-27 02:00"),
        ("02:30", "2026-03-29 01:29", "2026-03-28 01:30"),  # the clock goes from 2:00 to 3:00 at 1:00 UTC
        ("02:30", "2026-03-29 01:30", "2026-03-29 01:30"),
        ("02:30", "2026-10-25 01:45", "2026-10-25 00:30"),  # 2:30 comes at 0:30 UTC and again at 1:30
        ("02:30", "2026-10-25 00:15", "2026-10-24 00:30"),
    ],
)
def test_the_newest_turn(at: str, now: str, expected: str) -> None:
    assert turn(at, BERLIN, utc(now)) == utc(expected)


@given(TIMES, ZONES, MOMENTS)
def test_a_turn_is_in_the_past_and_at_most_two_days_old(at: str, zone: str, now: datetime) -> None:
    found = turn(at, ZoneInfo(zone), now)
    assert found <= now < found + timedelta(days=2)


def starts(at: str, zone: ZoneInfo, begin: str, end: str) -> list[datetime]:
    """When a backup is made by a cron that starts the program every quarter of an hour."""
    now, made = utc(begin), [utc(begin)]
    while now < utc(end):
        now += QUARTER
        if backup_due(at, zone, made[-1], None, now):
            made.append(now)
    return made[1:]


@pytest.mark.parametrize("at", ["00:00", "01:30", "02:00", "02:30", "03:00", "23:45"])
def test_one_backup_in_every_night_of_a_year_with_summer_time(at: str) -> None:
    made = starts(at, BERLIN, "2026-01-01 12:00", "2027-01-01 12:00")
    days = [f"{each.astimezone(BERLIN):%m-%d}" for each in made]
    assert len(days) == len(set(days)) == 365
    off = [each for each in made if f"{each.astimezone(BERLIN):%H:%M}" != at]
    assert [f"{each.astimezone(BERLIN):%m-%d %H:%M}" for each in off] == {
        "02:00": ["03-29 03:00"],
        "02:30": ["03-29 03:30"],
    }.get(at, [])


def test_a_missed_night_is_made_good_at_the_next_start() -> None:
    assert backup_due("03:00", SEOUL, utc("2026-11-26 18:00"), None, utc("2026-11-28 01:15"))
    assert not backup_due("03:00", SEOUL, utc("2026-11-28 01:15"), None, utc("2026-11-28 01:30"))


def test_the_first_backup_is_due_at_once() -> None:
    assert backup_due("03:00", SEOUL, None, None, utc("2026-11-28 01:15"))


def test_after_a_failed_series_it_rests_an_hour() -> None:
    failed = utc("2026-11-28 18:10")
    due = [backup_due("03:00", SEOUL, None, failed, failed + delay) for delay in (QUARTER, REST - QUARTER, REST)]
    assert due == [False, False, True]


def test_times_in_the_future_are_of_a_clock_that_was_wrong() -> None:
    now = utc("2026-11-28 01:00")
    assert backup_due("03:00", SEOUL, utc("2031-01-01 00:00"), None, now)
    assert rested(utc("2031-01-01 00:00"), now)
    assert passed(7, "03:00", SEOUL, utc("2031-01-01 00:00"), now)


def test_a_drill_falls_due_with_the_backup_of_the_seventh_night() -> None:
    proven = utc("2026-11-21 18:07")  # 03:07 on the 22nd in Seoul
    assert not passed(7, "03:00", SEOUL, proven, utc("2026-11-28 17:59"))
    assert passed(7, "03:00", SEOUL, proven, utc("2026-11-28 18:00"))
    assert passed(7, "03:00", SEOUL, None, proven)
