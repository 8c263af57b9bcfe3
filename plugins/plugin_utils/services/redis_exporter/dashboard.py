# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Redis": memory and clients of the apps' Redis; and the panels of their Celery queues."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import full
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    APP_OF_SERIES,
    BYTES,
    COUNT,
    FOLDER_OPERATIONS,
    OPERATIONS,
    RATE,
    SHARE,
    TO_JOBS,
    TO_OVERVIEW,
    UP,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    percent_bars,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import instance

_JOB = 'job="redis_exporter"'
_APPS = 'app=~"$app"'
_SERIES = f"{_JOB}, {_APPS}"


def redis(context: Context) -> Dashboard:
    """All Redis servers of the apps chosen at the top."""
    return Dashboard(
        uid="redis",
        title="Redis",
        folder=FOLDER_OPERATIONS,
        description="Does each app's Redis work, and is its memory enough? Its Celery queues: Queue and jobs.",
        rows=(
            Row("Now", (_up(), memory_share(_APPS), _hits(), _clients())),
            Row("Over time", (_memory(), _commands(), _evicted())),
        ),
        variables=(Variable("app", "App", query='label_values(up{job="redis_exporter"}, app)', multi=True),),
        links=(
            TO_OVERVIEW,
            *([TO_JOBS] if with_queues(context) else []),
            runbook_link(context.declaration.runbook_url),
        ),
    )


def with_queues(context: Context) -> list[App]:
    """The apps whose Celery queues are counted."""
    apps = [app for app in context.declaration.apps if app.redis and app.redis.queues]
    return [app for app in apps if instance("redis_exporter", app) in context.services]


def _up() -> Panel:
    return Panel(
        "Redis answers",
        "Whether the exporter can log in to Redis. Red: docker ps -a on its host, then docker logs --tail 50 NAME of "
        "Redis; alert RedisDown has the runbook.",
        "stat",
        (Query(f"redis_up{{{_SERIES}}}", "{{app}}"),),
        values=UP,
        links=(APP_OF_SERIES,),
    )


def memory_share(apps: str) -> Panel:
    """How full Redis is; `apps` chooses apps, as PromQL's matchers without braces."""
    used, limit = (f"redis_memory_{kind}_bytes{{{_JOB}, {apps}}}" for kind in ("used", "max"))
    return percent_bars(
        "Redis memory by its limit",
        "Used memory as a share of maxmemory, or 0 without a limit. A cache that evicts keys may be full; a broker "
        "that is full takes no tasks. redis-cli --bigkeys shows what is large; alert RedisMemoryHigh has the runbook.",
        (Query(f"100 * {used} / ({limit} > 0) or 0 * {used}", "{{app}}"),),
        full("RedisMemoryHigh", "medium"),
    )


def _hits() -> Panel:
    hits, misses = (f"rate(redis_keyspace_{kind}_total{{{_SERIES}}}[5m])" for kind in ("hits", "misses"))
    return Panel(
        "Hits",
        "Share of reads that found their key, over five minutes. Lower than usual: keys expire too early, are evicted "
        "(see Evicted keys), or the cache was emptied.",
        "stat",
        (Query(f"{hits} / ({hits} + {misses} > 0)", "{{app}}"),),
        unit=SHARE,
        decimals=1,
        empty="Nothing was read in this time.",
    )


def _clients() -> Panel:
    return Panel(
        "Connected clients",
        "Connections that are open now. It climbs for days: an app opens connections and closes none; redis-cli "
        "CLIENT LIST shows whose.",
        "stat",
        (Query(f"redis_connected_clients{{{_SERIES}}}", "{{app}}"),),
        decimals=0,
    )


def queues(apps: str) -> Panel:
    """How long each Celery queue is, and where the alert begins."""
    return Panel(
        "Tasks that wait",
        "Length of each Celery queue, all priorities. It only climbs: too few workers, or one that hangs, see docker "
        "logs --tail 50 NAME of the worker; alert QueueLong has the runbook.",
        "timeseries",
        (
            Query(f"app:queue:length{{{apps}}}", "{{app}} {{queue}}"),
            Query(f"app:queue:limit{{{apps}}}", "{{app}} alert begins"),
        ),
        unit=COUNT,
        minimum=0,
        width=16,
    )


def workers(apps: str) -> Panel:
    """Whether anybody works on the queues."""
    return Panel(
        "A Celery worker listens",
        "Whether any worker is connected to Redis and takes commands. Red: docker ps -a on the app's host, then docker "
        "logs --tail 50 NAME of the worker; alert CeleryWorkerMissing has the runbook.",
        "stat",
        (Query(f"redis_pubsub_patterns{{{_JOB}, {apps}}} > bool 0 and on (app) app:queue:limit", "{{app}}"),),
        values=UP,
        width=8,
    )


def _memory() -> Panel:
    return Panel(
        "Memory",
        "What Redis holds, and its limit if it has one. A climb for days: keys without an expiry; redis-cli --bigkeys.",
        "timeseries",
        (
            Query(f"redis_memory_used_bytes{{{_SERIES}}}", "{{app}}"),
            Query(f"redis_memory_max_bytes{{{_SERIES}}} > 0", "{{app}} limit"),
        ),
        unit=BYTES,
        minimum=0,
        width=8,
        empty="No Redis has a limit (maxmemory).",
    )


def _commands() -> Panel:
    return Panel(
        "Commands",
        "Commands each second. Many more than usual with the same requests: compare with the last release; redis-cli "
        "INFO commandstats shows which.",
        "timeseries",
        (Query(f"rate(redis_commands_processed_total{{{_SERIES}}}[{RATE}])", "{{app}}"),),
        unit=OPERATIONS,
        minimum=0,
        width=8,
    )


def _evicted() -> Panel:
    return Panel(
        "Evicted keys",
        "Keys that Redis threw away each second because its memory was full. Normal for a cache, a loss for anything "
        "else: raise maxmemory; alert RedisMemoryHigh has the runbook.",
        "timeseries",
        (Query(f"rate(redis_evicted_keys_total{{{_SERIES}}}[{RATE}])", "{{app}}"),),
        unit=OPERATIONS,
        minimum=0,
        width=8,
    )
