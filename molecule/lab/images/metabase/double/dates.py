# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the value of a date filter means: past30days, thismonth, 2026-11-01~2026-11-30, Q4-2026, 2026-11 and the like.

src/metabase/driver/common/parameters/dates.clj of Metabase.
"""

from __future__ import annotations

import datetime as dt
import re

Day = dt.date
_UNITS = "(day|week|month|quarter|year)"
_RELATIVE = re.compile(rf"(past|next)(\d+){_UNITS}s(~|-from-(\d+){_UNITS}s)?")
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def start_of(unit: str, day: Day, week: str) -> Day:
    """The first day of the unit that holds this day; `week` is the day weeks begin with."""
    if unit == "week":
        return day - dt.timedelta((day.weekday() - _WEEKDAYS.index(week)) % 7)
    if unit == "day":
        return day
    month = {"month": day.month, "quarter": day.month - (day.month - 1) % 3, "year": 1}[unit]
    return day.replace(month=month, day=1)


def plus(unit: str, day: Day, count: int) -> Day:
    """So many units later; the first of a month stays the first."""
    if unit in ("day", "week"):
        return day + dt.timedelta(count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * {"month": 1, "quarter": 3, "year": 12}[unit]
    first = Day(months // 12, months % 12 + 1, 1)
    return min(first + dt.timedelta(day.day - 1), _last_of_month(first))


def _last_of_month(first: Day) -> Day:
    return (first + dt.timedelta(31)).replace(day=1) - dt.timedelta(1)


def days(value: str, today: Day, week: str = "sunday") -> tuple[Day | None, Day | None]:
    """(first day, first day after), None for an open end. ValueError for what is no date."""
    if value in ("today", "yesterday"):
        first = today - dt.timedelta(value == "yesterday")
        return first, first + dt.timedelta(1)
    if found := _RELATIVE.fullmatch(value):
        return _relative(found, today, week)
    if found := re.fullmatch(rf"(this|last){_UNITS}", value):
        unit = found[2]
        first = plus(unit, start_of(unit, today, week), 0 if found[1] == "this" else -1)
        return first, plus(unit, first, 1)
    if found := re.fullmatch(r"(\d{4})-(\d\d)", value):
        first = Day(int(found[1]), int(found[2]), 1)
        return first, plus("month", first, 1)
    if found := re.fullmatch(r"Q([1-4])-(\d{4})", value):
        first = Day(int(found[2]), int(found[1]) * 3 - 2, 1)
        return first, plus("quarter", first, 1)
    first_text, wave, last_text = value.partition("~")
    if not wave:
        return _day(value), _day(value) + dt.timedelta(1)
    if not last_text:
        return _day(first_text) + dt.timedelta(1), None
    if not first_text:
        return None, _day(last_text)
    return _day(first_text), _day(last_text) + dt.timedelta(1)


def _day(text: str) -> Day:
    return dt.datetime.fromisoformat(text).date()


def _relative(found: re.Match[str], today: Day, week: str) -> tuple[Day, Day]:
    """past30days ends yesterday, past30days~ today; -from-2months moves the whole range away."""
    direction, count, unit, suffix = found[1], int(found[2]), found[3], found[4]
    sign = -1 if direction == "past" else 1
    if found[5]:
        today = plus(found[6], today, sign * int(found[5]))
    current = start_of(unit, today, week)
    if direction == "past":
        return plus(unit, current, -count), plus(unit, current, 1 if suffix == "~" else 0)
    return plus(unit, current, 0 if suffix == "~" else 1), plus(unit, current, count + 1)
