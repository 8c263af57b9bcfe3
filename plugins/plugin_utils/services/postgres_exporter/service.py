# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of PostgreSQL as a service of the stack.

Its options: https://github.com/prometheus-community/postgres_exporter#flags. Options about collectors change from one
release to the next, so none is used, and series that nobody needs are dropped by Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Database
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import Container, environment_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Scrape,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import MONITOR
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import LOGIN_FILE, app_labels, instance
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.postgres_exporter.dashboard import postgresql

_NAME = "postgres_exporter"
# It exports over 600 series of an empty server, 250 of them settings. These are what panels and alerts use.
_KEPT = (
    "pg_(up|settings_(max|superuser_reserved)_connections|stat_activity_(count|max_tx_duration)|database_size_bytes|locks_count"
    "|stat_database_(numbackends|xact_commit|xact_rollback|blks_hit|blks_read|deadlocks)"
    "|stat_user_tables_(table_size_bytes|index_size_bytes|n_live_tup|n_dead_tup)"
    "|scrape_collector_success)|process_.+"
)
# Counters without the ending by which Prometheus knows counters.
_COUNTERS = "(pg_stat_database_(?:xact_commit|xact_rollback|blks_hit|blks_read|deadlocks))"


def _counters_named(_context: Context) -> Sequence[Mapping[str, Any]]:
    return [
        {"source_labels": ["__name__"], "regex": _COUNTERS, "target_label": "__name__", "replacement": "${1}_total"}
    ]


def _instances(declaration: Declaration) -> Mapping[str, Database]:
    """{name of a container: what it watches}."""
    return {instance(_NAME, app): app.database for app in declaration.apps if app.database}


def _container(_context: Context, planned: Planned) -> Container:
    return Container(
        go=True,
        configured=False,
        command=[f"--web.listen-address=127.0.0.1:{planned.port}"],
        env_file=[f"{planned.config_directory}/current/{LOGIN_FILE}"],
    )


def _secret_files(context: Context, planned: Planned) -> Files:
    password = context.secret("database_monitor_password")
    return {LOGIN_FILE: environment_text(_variables(_instances(context.declaration)[planned.name], password))}


def _variables(database: Database, password: str) -> dict[str, str]:
    """Its driver knows no sslmode that tries TLS first."""
    mode = "require" if database.ssl else "disable"
    return {
        "DATA_SOURCE_URI": f"{database.address}/{quote(database.name, safe='')}?sslmode={mode}",
        "DATA_SOURCE_USER": MONITOR,
        "DATA_SOURCE_PASS": password,
    }


def _dashboards(context: Context) -> list[Dashboard]:
    return [postgresql(context)]


POSTGRES_EXPORTER = Service(
    name=_NAME,
    port=9187,
    need_mib=25,
    limit_mib=64,
    wanted=lambda declaration: bool(_instances(declaration)),
    instances=lambda declaration: list(_instances(declaration)),
    container=_container,
    secret_files=_secret_files,
    generated_secrets=(GeneratedSecret("database_monitor_password", replaceable=True),),
    scrape=Scrape(kept=_KEPT, relabel=_counters_named, labels=app_labels),
    dashboards=_dashboards,
    without="; connections, slow queries and sizes of the app's PostgreSQL are not watched",
)
