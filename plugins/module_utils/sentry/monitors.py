# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Cron monitors of a project: wanted, found, and as sent. Pure. Python 3.9.

https://docs.sentry.io/api/crons/create-a-monitor-for-an-organization/; it has no unit smaller than a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Thing

Row = Mapping[str, Any]


def wanted_monitor(monitor: Row) -> Thing:
    """One as declared. Its slug, by which check-ins name it, is unique in an organization."""
    return _thing(monitor["slug"], monitor["name"], _config(monitor))


def found_monitor(row: Row) -> Thing:
    """One of Sentry."""
    return _thing(row["slug"], row["name"], row["config"])


def body(monitor: Row, project: str, status: str) -> dict[str, Any]:
    """What is sent; a change keeps the status, which says whether the monitor has a seat."""
    sent = {"project": project, "slug": monitor["slug"], "name": monitor["name"], "config": _config(monitor)}
    return {**sent, "status": status}


def _config(monitor: Row) -> dict[str, Any]:
    if monitor.get("crontab"):
        schedule = {"schedule_type": "crontab", "schedule": monitor["crontab"]}
    else:
        schedule = {"schedule_type": "interval", "schedule": [monitor["every_minutes"], "minute"]}
    return {**schedule, "timezone": monitor.get("timezone") or "UTC", "checkin_margin": monitor["margin_minutes"]}


def _thing(slug: str, name: str, config: Row) -> Thing:
    """`every 60 minute`, or `0 3 * * * in Asia/Seoul`, as it is compared and shown."""
    schedule = config["schedule"]
    if config["schedule_type"] == "crontab":
        text = f"{schedule} in {config['timezone']}"
    else:
        text = f"every {' '.join(map(str, schedule))}"
    fields = {"name": name, "schedule": text, "margin_minutes": config["checkin_margin"]}
    return Thing(slug, slug, fields)
