# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of batch jobs: when each declared job pushed last, and what."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    COUNT,
    SECONDS,
    Column,
    Panel,
    Query,
    Threshold,
    percent_bars,
)


def by_limit() -> Panel:
    """How much of its time each job has used up."""
    return percent_bars(
        "Silence by its limit",
        "Time since the last push as a share of what is declared for the job. Red: it did not run, or failed before "
        "its last step, see its log; alert PushSilent has the runbook.",
        (Query("100 * push:age:seconds / on (push_job, host, environment) push:limit:seconds", "{{push_job}}"),),
        (Threshold(80, "yellow"), Threshold(100, "red")),
        width=12,
    )


def ages() -> Panel:
    """When each job ended well."""
    return Panel(
        "Time since the last push",
        "It falls to 0 with each push, so its teeth are the times at which the job ended well. Of a job that has never "
        "pushed it is the time since it was declared; alert PushSilent has the runbook.",
        "timeseries",
        (Query("push:age:seconds", "{{push_job}}"),),
        unit=SECONDS,
        minimum=0,
        width=12,
    )


def pushed(jobs: Iterable[str]) -> Panel:
    """The series of these jobs."""
    series = f'{{job=~"{"|".join(jobs)}", __name__!~"push_.+"}}'
    return Panel(
        "Numbers of the last push",
        "What each job left, as it was at its last push: the Pushgateway keeps it until the next one. Wrong: run the "
        "job by hand and look at what it prints; alert PushSilent tells when it is old.",
        "table",
        (Query(series),),
        width=24,
        columns={"job": Column("Job"), "__name__": Column("Metric"), "Value": Column("Value", 160, COUNT)},
        empty="No job has pushed yet.",
    )
