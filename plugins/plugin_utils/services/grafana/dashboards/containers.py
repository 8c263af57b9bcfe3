# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Containers": everything that Docker runs on the server, whoever started it."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import full
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    COUNT,
    FOLDER_OPERATIONS,
    HOST_OF_ROW,
    HOST_OF_SERIES,
    PERCENT,
    RANGE,
    RUNNING,
    SINCE,
    THIRD,
    TIMELINE_HEIGHT,
    TO_OVERVIEW,
    TO_STACK,
    WIDTH,
    Column,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    Variable,
    any_is_bad,
    percent_bars,
    runbook_link,
)

# Metrics of containers are written every 30 seconds.
CPU_RANGE = "5m"
_CHOSEN = 'host=~"$host", container=~"$container"'
_NAME = "{{host}} {{container}}"


def containers(context: Context) -> Dashboard:
    """The containers chosen at the top."""
    return Dashboard(
        uid="containers",
        title="Containers",
        folder=FOLDER_OPERATIONS,
        description="Does each container run, does it have room, is it started again and again?",
        rows=(
            Row("Now", (_running(), _stopped(), _unhealthy(), _killed(), restarts(_CHOSEN))),
            Row("Each container", (_each(),)),
            Row("Over time", (_share(), _memory(), _cpu(), _history())),
        ),
        variables=(
            Variable("host", "Host", query="label_values(container_running, host)", multi=True),
            Variable("container", "Container", query="label_values(container_running, container)", multi=True),
        ),
        links=(TO_OVERVIEW, TO_STACK, runbook_link(context.declaration.runbook_url)),
    )


def _of(series: str) -> str:
    """PromQL: a series of the chosen containers."""
    return f"{series}{{{_CHOSEN}}}"


def _cores() -> str:
    """PromQL: the share of one core that each container takes, in percent."""
    return f"100 * rate({_of('container_cpu_seconds_total')}[{CPU_RANGE}])"


# --- now --------------------------------------------------------------------------------------------------------------


def _running() -> Panel:
    return Panel(
        "Running",
        "How many containers run. Fewer than usual: the table below names the stopped ones; docker ps -a on the host.",
        "stat",
        (Query(f"sum({_of('container_running')})"),),
        decimals=0,
        width=4,
    )


def _stopped() -> Panel:
    """No fault by itself: a migration ends, and a team stops what it does not need."""
    return Panel(
        "Stopped",
        "How many ended, are paused, or wait for their next start. One that should run: docker logs --tail 50 NAME on "
        "its host; for those of crowsnest alert ContainerNotRunning has the runbook.",
        "stat",
        (Query(f"count({_of('container_running')} == 0) or vector(0)"),),
        decimals=0,
        base="green",
        thresholds=(Threshold(1, "yellow"),),
        width=4,
    )


def _unhealthy() -> Panel:
    return any_is_bad(
        "Unhealthy",
        "How many fail their own health check, or have not passed it yet. Any: docker inspect NAME on its host shows "
        "below State, Health what the check answered.",
        (Query(f"count({_of('container_health')} == 0) or vector(0)"),),
        width=4,
    )


def _killed() -> Panel:
    """By the engine's events or its flag, as alert ContainerOutOfMemory."""
    events, flag = (f"max_over_time({_of(f'container_oom_{kind}')}[{RANGE}])" for kind in ("time_seconds", "killed"))
    return any_is_bad(
        "Out of memory",
        "In how many the kernel killed a process for lack of memory, in the chosen time. Any: see Memory by its limit; "
        "alert ContainerOutOfMemory has the runbook.",
        (Query(f"count({events} or {flag} == 1) or vector(0)"),),
        width=4,
    )


def restarts(selector: str) -> Panel:
    """Which containers do not stay up; `selector` is PromQL's, without braces."""
    none = 'on () label_replace(vector(0), "container", "none", "", "")'
    return Panel(
        "Restarts in an hour",
        "Containers that Docker started again. For long: alerts ContainerRestarting and ContainerOutOfMemory say more; "
        "see docker logs --tail 50 NAME on the host.",
        "timeseries",
        (Query(f"round(increase(container_restarts_total{{{selector}}}[1h])) > 0 or {none}", "{{container}}"),),
        minimum=0,
        decimals=0,
        width=THIRD,
    )


# --- each -------------------------------------------------------------------------------------------------------------


def _each() -> Panel:
    """One row per container; the image is a label of a series of its own."""
    asked = [
        (_of("container_running"), Column("State", 90, "none", values=RUNNING)),
        (f"1000 * {_of('container_start_time_seconds')}", Column("Started", 130, SINCE)),
        (_of("container_restarts_total"), Column("Restarts", 90, COUNT, 0)),
        (_of("container_memory_unreclaimable_bytes"), Column("Memory", 100, BYTES)),
        (f"{_of('container_memory_limit_bytes')} > 0", Column("Limit", 100, BYTES)),
        (_of("container:memory_used:percent"), Column("Of limit", 90, PERCENT, 0, coloured=True)),
        (_cores(), Column("CPU", 80, PERCENT, 0)),
    ]
    with_image = f"* on (host, container) group_left (image) {_of('container_info')}"
    return Panel(
        "Every container",
        "Its image, since when it runs, what it takes; CPU is a share of one core. Started just now although nobody "
        "changed anything: docker logs --tail 50 NAME on the host says why. Click a row for its host.",
        "table",
        tuple(Query(f"max by (host, container) ({expr}) {with_image}") for expr, _ in asked),
        base="green",
        thresholds=full("ContainerMemoryHigh", "medium"),
        width=WIDTH,
        height=14,
        columns={
            "container": Column("Container", 220),
            "Value #A": asked[0][1],  # beside the name also on a phone
            "host": Column("Host", 110),
            "image": Column("Image"),
            **{f"Value #{letter}": column for letter, (_, column) in zip("BCDEFG", asked[1:], strict=True)},
        },
        links=(HOST_OF_ROW,),
    )


# --- over time --------------------------------------------------------------------------------------------------------


def _share() -> Panel:
    return percent_bars(
        "Memory by its limit",
        f"Memory as a share of the limit of those that have one; at 100 % the kernel kills. Over "
        f"{threshold('ContainerMemoryHigh', 'medium')} %: give it more, or find what grows in it; docker stats "
        "--no-stream. Metabase fills its whole heap.",
        (Query(_of("container:memory_used:percent"), _NAME),),
        full("ContainerMemoryHigh", "medium"),
        width=THIRD,
        links=(HOST_OF_SERIES,),
    )


def _memory() -> Panel:
    return Panel(
        "Memory",
        "Memory that the kernel cannot take back. One that climbs for days has a leak: docker restart NAME helps for "
        "now, the app's dashboard says since which release.",
        "timeseries",
        (Query(_of("container_memory_unreclaimable_bytes"), _NAME),),
        unit=BYTES,
        minimum=0,
        width=THIRD,
    )


def _cpu() -> Panel:
    return Panel(
        "CPU",
        "Share of one core that each takes; 200 % are two cores. High for long: docker top NAME on the host shows "
        "which of its processes is busy.",
        "timeseries",
        (Query(_cores(), _NAME),),
        unit=PERCENT,
        minimum=0,
        width=THIRD,
    )


def _history() -> Panel:
    return Panel(
        "Running over time",
        "Green while it ran, red while it was stopped. All at once: the host or its Docker engine, systemctl status "
        "docker there. One again and again: alert ContainerRestarting has the runbook.",
        "timeline",
        (Query(f"max by (host, container) ({_of('container_running')})", _NAME),),
        values=RUNNING,
        width=WIDTH,
        height=TIMELINE_HEIGHT,
    )
