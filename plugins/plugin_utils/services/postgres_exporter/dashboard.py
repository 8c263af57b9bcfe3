# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "PostgreSQL": connections, queries and sizes of the apps' databases."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import full
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    APP_OF_SERIES,
    BYTES,
    FOLDER_OPERATIONS,
    OPERATIONS,
    RATE,
    SECONDS,
    SHARE,
    TO_OVERVIEW,
    UP,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    Variable,
    percent_bars,
    runbook_link,
)

_JOB = 'job="postgres_exporter"'
_APPS = 'app=~"$app"'
_SERIES = f"{_JOB}, {_APPS}"
# Every database of the server but those that PostgreSQL brings along.
_DATABASES = f'{_SERIES}, datname!~"template.*|postgres"'


def postgresql(context: Context) -> Dashboard:
    """The databases of the apps chosen at the top."""
    return Dashboard(
        uid="postgresql",
        title="PostgreSQL",
        folder=FOLDER_OPERATIONS,
        description="Does each app's PostgreSQL work, has it free connections, what is slow and what grows?",
        rows=(
            Row("Now", (_up(), connections(_APPS), longest(_APPS), _hits())),
            Row("Over time", (states(_APPS), _transactions(), _deadlocks())),
            Row("Sizes", (_sizes(), tables(_APPS))),
        ),
        variables=(Variable("app", "App", query='label_values(up{job="postgres_exporter"}, app)', multi=True),),
        links=(TO_OVERVIEW, runbook_link(context.declaration.runbook_url)),
    )


def _up() -> Panel:
    return Panel(
        "PostgreSQL answers",
        "Whether the exporter can log in. Red: docker ps -a on its host, then docker logs --tail 50 NAME of "
        "PostgreSQL; alert PostgresDown has the runbook.",
        "stat",
        (Query(f"pg_up{{{_SERIES}}}", "{{app}}"),),
        values=UP,
        links=(APP_OF_SERIES,),
    )


def connections(apps: str) -> Panel:
    """How many connections are left; `apps` chooses apps, as PromQL's matchers without braces."""
    return percent_bars(
        "Connections by their limit",
        "Open connections of all databases of the server as a share of max_connections. Full: nobody can connect any "
        "more; alert PostgresConnectionsHigh has the runbook.",
        (
            Query(
                f"100 * sum by (app) (pg_stat_activity_count{{{_JOB}, {apps}}})"
                f" / max by (app) (pg_settings_max_connections{{{_JOB}, {apps}}})",
                "{{app}}",
            ),
        ),
        full("PostgresConnectionsHigh", "high"),
    )


def longest(apps: str) -> Panel:
    """The oldest transaction that is open."""
    return Panel(
        "Longest transaction",
        "How long the longest transaction has been open, a running query or one that waits for its app. Red: alert "
        "PostgresTransactionLong has the runbook, with the query behind it.",
        "stat",
        (Query(f"app:database_transaction:seconds{{{apps}}}", "{{app}}"),),
        unit=SECONDS,
        base="green",
        thresholds=(Threshold(threshold("PostgresTransactionLong", "medium") * 60, "red"),),
    )


def _hits() -> Panel:
    hit, read = (
        f"sum by (app) (rate(pg_stat_database_blks_{kind}_total{{{_SERIES}}}[5m]))" for kind in ("hit", "read")
    )
    return Panel(
        "Reads from memory",
        "Share of blocks that were in PostgreSQL's own memory, over five minutes. Under 95 % for long: shared_buffers "
        "is small, or a query reads whole tables: EXPLAIN (ANALYZE, BUFFERS) of the slow ones tells.",
        "stat",
        (Query(f"{hit} / ({hit} + {read} > 0)", "{{app}}"),),
        unit=SHARE,
        decimals=1,
        empty="Nothing was read in this time.",
    )


def states(apps: str) -> Panel:
    """What the connections do."""
    return Panel(
        "Connections by state",
        "Open connections: active ones run a query, idle ones wait for their app. Many in state 'idle in transaction': "
        "an app begins transactions and does something else; pg_stat_activity shows which query was its last.",
        "timeseries",
        (Query(f"sum by (app, state) (pg_stat_activity_count{{{_JOB}, {apps}}}) > 0", "{{app}} {{state}}"),),
        decimals=0,
        minimum=0,
        stacked=True,
        width=8,
    )


def _transactions() -> Panel:
    return Panel(
        "Transactions",
        "Transactions each second, committed and rolled back. Many rolled back: errors of the app, docker logs --tail "
        "50 NAME shows them.",
        "timeseries",
        tuple(
            Query(
                f"sum by (app) (rate(pg_stat_database_xact_{kind}_total{{{_DATABASES}}}[{RATE}]))",
                f"{{{{app}}}} {kind}",
            )
            for kind in ("commit", "rollback")
        ),
        unit=OPERATIONS,
        minimum=0,
        width=8,
    )


def _deadlocks() -> Panel:
    return Panel(
        "Deadlocks",
        "Transactions that PostgreSQL ended because they waited for each other, each hour. Any: two places of the app "
        "lock the same rows in another order; PostgreSQL's log has both queries.",
        "timeseries",
        (Query(f"sum by (app) (increase(pg_stat_database_deadlocks_total{{{_DATABASES}}}[1h]))", "{{app}}"),),
        decimals=0,
        minimum=0,
        width=8,
    )


def _sizes() -> Panel:
    return Panel(
        "Size of databases",
        "Bytes on disk. It grows faster than the business: see the largest tables beside it, and the disk on the "
        "host's dashboard.",
        "timeseries",
        (Query(f"max by (app, datname) (pg_database_size_bytes{{{_DATABASES}}})", "{{app}} {{datname}}"),),
        unit=BYTES,
        minimum=0,
        width=12,
    )


def tables(apps: str) -> Panel:
    """What takes the most space."""
    sizes = " + ".join(f"pg_stat_user_tables_{part}_size_bytes{{{_JOB}, {apps}}}" for part in ("table", "index"))
    return Panel(
        "Ten largest tables",
        "With their indexes. One that should not grow: does its clean-up run? Many dead rows: see pg_stat_user_tables.",
        "bars",
        (Query(f"topk(10, sum by (app, schemaname, relname) ({sizes}))", "{{app}} {{schemaname}}.{{relname}}"),),
        unit=BYTES,
        minimum=0,
        width=12,
        empty="The databases have no tables yet.",
    )
