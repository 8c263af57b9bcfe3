# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Queue and jobs": work that no user waits for, whoever reports it."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    FOLDER_OPERATIONS,
    TO_OVERVIEW,
    TO_REDIS,
    TO_UPTIME,
    WIDTH,
    Dashboard,
    Row,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.pushgateway.dashboard import (
    ages,
    by_limit,
    pushed,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.dashboard import (
    queues,
    with_queues,
    workers,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.dashboard import scheduled_jobs

# Alerts that lead to this dashboard.
JOB_ALERTS = ("CeleryWorkerMissing", "JobSilent", "PushSilent", "QueueLong")
_ALL_APPS = 'app!=""'


def jobs(context: Context) -> list[Dashboard]:
    """The dashboard; none where nothing reports any work."""
    links, rows = [TO_OVERVIEW], []
    if with_queues(context):
        rows.append(Row("Celery", (queues(_ALL_APPS), workers(_ALL_APPS))))
        links.append(TO_REDIS)
    if "uptime_kuma" in context.services:
        rows.append(Row("Scheduled jobs", (replace(scheduled_jobs(), width=WIDTH, height=5),)))
        links.append(TO_UPTIME)
    if "pushgateway" in context.services:
        declared = list(context.declaration.pushgateway or {})
        rows.append(Row("Batch jobs", (by_limit(), ages(), *([pushed(declared)] if declared else []))))
    if not rows:
        return []
    return [
        Dashboard(
            uid="batch-jobs",
            title="Queue and jobs",
            folder=FOLDER_OPERATIONS,
            description="Is the work done that no user waits for: tasks in queues, scheduled jobs, batch jobs?",
            rows=tuple(rows),
            links=(*links, runbook_link(context.declaration.runbook_url)),
        )
    ]
