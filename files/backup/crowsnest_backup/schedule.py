# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is due, as pure functions of what was done and the time.

Debian's cron knows no time zone of a line's own, so it starts the program often, and this decides by the last success:
a change to summer time and a host that was off are made good by the next start.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

# How long after a failed series of tries, or a drill that could not be made, it is tried again.
REST = timedelta(hours=1)
# {declared: days between two drills}; whatever is not named here is never drilled.
DRILL_DAYS = {"weekly": 7, "monthly": 30}
# Days after which every kept file is read back again, and after which a failed drill is tried again.
CHECK_DAYS, AGAIN_DAYS = 7, 1


def turn(at: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The newest moment not after `now` when the clock of the zone showed `at` (hour:minute), in UTC.

    An hour that summer time skips counts as the one after it, and of an hour that comes twice the first counts.
    """
    today = now.astimezone(zone).date()
    moments = (_moment(today - timedelta(days=back), at, zone) for back in (0, 1, 2))
    return next(moment for moment in moments if moment <= now)


def _moment(day: date, at: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(at), zone).astimezone(timezone.utc)


def backup_due(at: str, zone: ZoneInfo, succeeded: datetime | None, failed: datetime | None, now: datetime) -> bool:
    """Whether a backup is due. `succeeded`: start of the newest; `failed`: end of the last series, if it failed.

    Times after `now` come from a clock that was wrong and count as never.
    """
    made = succeeded is not None and turn(at, zone, now) <= succeeded <= now
    return not made and rested(failed, now)


def rested(last: datetime | None, now: datetime) -> bool:
    """Whether the rest after a failure is over."""
    return last is None or not last <= now < last + REST


def passed(days: int, at: str, zone: ZoneInfo, last: datetime | None, now: datetime) -> bool:
    """Whether so many nights have begun since `last` that it is due with the backup of this one."""
    if last is None or last > now:
        return True
    nights = [turn(at, zone, moment).astimezone(zone).date() for moment in (last, now)]
    return (nights[1] - nights[0]).days >= days
