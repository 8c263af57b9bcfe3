# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Cron monitors in Sentry, of backups and jobs with `check_in`. Pure.

Sentry's free plan has a seat for one, so nothing has it by default; Uptime Kuma watches all backups and jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds

LONGEST_SLUG = 50  # that Sentry takes
# As the alert BackupLate, which comes 26 hours after the last backup.
_BACKUP_MARGIN_MINUTES = 120


def backup_slug(app: str) -> str:
    """Slug of the monitor of an app's backup. Names of apps have no underscore, so no other one is equal."""
    return f"{app}_backup"


def job_slug(app: str, job: str) -> str:
    """Slug of the monitor of a job."""
    return f"{app}_job_{job}"


def monitors(app: App, timezone: str) -> Iterator[dict[str, Any]]:
    """As the module `sentry` takes them."""
    if app.database and app.backup and app.backup.check_in:
        hour, minute = map(int, app.backup.at.split(":"))
        own = {"crontab": f"{minute} {hour} * * *", "timezone": timezone, "margin_minutes": _BACKUP_MARGIN_MINUTES}
        yield {"slug": backup_slug(app.name), "name": f"{app.name}: backup", **own}
    for job in app.jobs:
        if job.check_in:
            own = {"every_minutes": _minutes(job.every), "margin_minutes": _minutes(job.grace)}
            yield {"slug": job_slug(app.name, job.name), "name": f"{app.name}: {job.name}", **own}


def _minutes(duration: str) -> int:
    """Whole ones, at least one: Sentry has no smaller unit."""
    return max(1, -(-duration_seconds(duration) // 60))
