# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Addresses at which jobs, backups and Alertmanager report to Uptime Kuma that they are alive.

The token in an address is derived from one generated key, so that it is known before Kuma has the monitor.
"""

from __future__ import annotations

import hashlib
import hmac

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import job_slug
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import check_in_url
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import Job
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import BackupJob, backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

# The generated secret from which tokens are derived.
PUSH_KEY = "uptime_kuma_push_key"
# The monitor to which Alertmanager's heartbeat goes.
HEARTBEAT_KEY = "crowsnest/alerting-path/heartbeat"
_IN_KEYS = str.maketrans({"(": "%28", ")": "%29", "%": "%25"})
# Length of a token that Kuma 2 makes itself.
_TOKEN_LENGTH = 32


def job_key(app: App, job: Job) -> str:
    """Key of the monitor of a job."""
    return f"{app.name}/job/{job.name}"


def backup_key(job: BackupJob) -> str:
    """Key of the monitor of a backup."""
    return f"{job.name}/backup"


def push_token(push_key: str, monitor_key: str) -> str:
    """The token of a push monitor: letters and digits that nobody can guess without the key."""
    return hmac.new(push_key.encode(), monitor_key.encode(), hashlib.sha256).hexdigest()[:_TOKEN_LENGTH]


def push_url(context: Context, monitor_key: str) -> str:
    """Where to report a success: https://github.com/louislam/uptime-kuma/wiki/Internal-API"""
    return f"{context.services['uptime_kuma'].url}/api/push/{push_token(context.secret(PUSH_KEY), monitor_key)}"


def own_key(name: str) -> str:
    """Key of a monitor that the team declares itself; no app's monitor can have such a key."""
    return f"crowsnest/extra/{in_key(name)}"


def in_key(name: str) -> str:
    """The name with its brackets encoded: Kuma's description of a monitor has its key between brackets."""
    return name.translate(_IN_KEYS)


def own_urls(context: Context) -> dict[str, str]:
    """{"secrets/push/import": url}: a file for each push monitor that the team declares itself, named as its id."""
    return {
        f"secrets/push/{monitor.id or monitor.name}": push_url(context, own_key(monitor.id or monitor.name))
        for monitor in context.declaration.monitors
        if monitor.type == "push"
    }


def job_urls(context: Context) -> dict[str, str]:
    """{"secrets/jobs/shop/nightly-backup": url}: a file for each job, to be read by what runs it.

    And "secrets/check_ins/shop/nightly-backup" for Sentry, where it is to be told and the project of the app exists.
    """
    jobs = [(app, job) for app in context.declaration.apps for job in app.jobs]
    return {
        **{f"secrets/jobs/{app.name}/{job.name}": push_url(context, job_key(app, job)) for app, job in jobs},
        **{
            f"secrets/check_ins/{app.name}/{job.name}": url
            for app, job in jobs
            if job.check_in and (url := _check_in(context, app, job))
        },
    }


def _check_in(context: Context, app: App, job: Job) -> str:
    place = app, context.sentry, job_slug(app.name, job.name), context.declaration.environment
    return check_in_url(*place, "ok")


def reporting_backups(context: Context) -> list[BackupJob]:
    """The backups that report: those that the server makes, as Uptime Kuma listens on its loopback only."""
    if "uptime_kuma" not in context.services:
        return []
    return [job for job in backup_jobs(context.declaration, context.server) if job.host == context.server]


def backup_urls(context: Context) -> dict[str, str]:
    """{"shop": url}: where each backup reports its success, by the name of its job."""
    return {job.name: push_url(context, backup_key(job)) for job in reporting_backups(context)}
