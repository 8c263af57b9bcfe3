# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows as Alertmanager's time intervals, during which it sends nothing. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#time_interval-0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import Maintenance
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import WEEKDAYS, days_of


def time_intervals(windows: Sequence[Maintenance], timezone: str) -> list[dict[str, Any]]:
    """A named interval per window."""
    return [
        {
            "name": interval_name(window),
            "time_intervals": [{**part, "location": timezone} for part in _parts(window)],
        }
        for window in windows
    ]


def interval_name(window: Maintenance) -> str:
    """Its name in Alertmanager."""
    return f"maintenance: {window.title}"


def muted(windows: Sequence[Maintenance], app: str | None = None) -> list[str]:
    """Names of the intervals in which alerts of an app are not sent; None: alerts that belong to no app."""
    return [interval_name(window) for window in windows if not window.apps or app in window.apps]


def _parts(window: Maintenance) -> Iterator[dict[str, Any]]:
    if window.once:
        yield from _days(datetime.fromisoformat(window.start), datetime.fromisoformat(window.end))
        return
    days = days_of(window.weekdays) if window.weekdays else []
    if window.overnight:
        next_days = [WEEKDAYS[(WEEKDAYS.index(day) + 1) % len(WEEKDAYS)] for day in days]
        yield {**_weekdays(days), "times": [{"start_time": window.start, "end_time": "24:00"}]}
        if window.end != "00:00":
            yield {**_weekdays(next_days), "times": [{"start_time": "00:00", "end_time": window.end}]}
        return
    dates = {"days_of_month": [str(day) for day in sorted(window.days_of_month)]} if window.days_of_month else {}
    yield {**_weekdays(days), **dates, "times": [{"start_time": window.start, "end_time": window.end}]}


def _weekdays(days: list[str]) -> dict[str, list[str]]:
    return {"weekdays": days} if days else {}


def _days(start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """One part per day, as an interval cannot pass midnight; 24:00 is the end of a day."""
    while start < end:
        midnight = (start + timedelta(days=1)).replace(hour=0, minute=0)
        until = "24:00" if end >= midnight else f"{end:%H:%M}"
        yield {
            "years": [str(start.year)],
            "months": [str(start.month)],
            "days_of_month": [str(start.day)],
            "times": [{"start_time": f"{start:%H:%M}", "end_time": until}],
        }
        start = midnight
