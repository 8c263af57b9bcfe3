# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the query exporter asks of which database, and how Prometheus names the answers. Pure.

Its configuration: https://github.com/albertodonato/query-exporter#configuration-file-format
It makes NULL a 0 and says nothing of a query that returned no row, so the SQL around a KPI leaves out rows without a
value and adds one row that is always there. Prometheus drops that row's series; the time of the answer stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Database
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import KPI_READER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import read_sql

# A query that takes longer is ended by PostgreSQL: the exporter itself would only stop waiting for it.
STATEMENT_SECONDS = 5
# More would fill the memory of the exporter and of Prometheus.
_ROWS = 200
# Label of the row that is always there; no other row has it.
_ALWAYS = "answered"


def apps_with_kpis(declared: Declaration) -> list[App]:
    """The apps that it works for."""
    return [app for app in declared.apps if app.kpis]


def queries(context: Context) -> dict[str, Any]:
    """The series and the queries behind them. The exporter's series end with the number of their app: kpi_orders_1.

    Two apps may have a KPI of one name with other labels, which one series of the exporter cannot have.
    """
    asked = [
        (app, kpi, f"{kpi.metric.name}_{number}")
        for number, app in enumerate(apps_with_kpis(context.declaration))
        for kpi in app.kpis
    ]
    return {
        "metrics": {
            series: {
                "type": "gauge",
                "description": kpi.description,
                "labels": [_ALWAYS, *kpi.labels],
                # Otherwise the last value would stay for ever, of a label that is gone and of a query that fails.
                "expiration": kpi.valid_seconds,
            }
            for _, kpi, series in asked
        },
        "queries": {
            f"{app.name}/{kpi.name}": {
                "databases": [app.name],
                "metrics": [series],
                "interval": kpi.every_seconds,
                # What still waits for the connection when it is due again; without this, more and more would wait.
                "timeout": kpi.every_seconds,
                "sql": wrapped(app, kpi, series, read_sql(kpi, context.inventory_dir)),
            }
            for app, kpi, series in asked
        },
    }


def wrapped(app: App, kpi: Kpi, series: str, sql: str) -> str:
    """The exporter takes `:name` for a parameter unless there is a backslash before the colon.

    Of two rows with the same labels it would keep the last one. A cast of words to a number is how SQL fails.
    """
    columns = "".join(f""", coalesce(q."{label}"::text, '') AS "{label}\"""" for label in kpi.labels)
    names = ", ".join(f'a."{label}"' for label in kpi.labels)
    alike = f"count(*) OVER ({f'PARTITION BY {names}' if names else ''})"
    text = (
        f"-- KPI {kpi.name} of {app.name}\n"
        f"(SELECT CASE WHEN count(*) OVER () > {_ROWS}\n"
        f"THEN ('over {_ROWS} rows, at least ' || count(*) OVER ())::float8\n"
        f"WHEN {alike} > 1 THEN ('rows with the same labels: ' || {alike})::float8\n"
        f"ELSE a.value END AS {series}, '' AS {_ALWAYS}{f', {names}' if names else ''}\n"
        f"FROM (SELECT q.value::float8 AS value{columns}\nFROM (\n{sql}\n) AS q\n"
        f"WHERE q.value IS NOT NULL LIMIT {_ROWS + 1}) AS a)\n"
        f"UNION ALL SELECT 0, 'yes'{', NULL' * len(kpi.labels)}"
    )
    return text.replace(":", r"\:")


def databases(context: Context) -> dict[str, Any]:
    """The databases by app, with the password. One connection each, and none beside it."""
    password, timezone = context.secret("database_kpi_password"), context.declaration.timezone
    return {
        "databases": {
            app.name: {
                "dsn": _login(app.database, password, timezone),
                "connection-pool": {"size": 1, "max-overflow": 0},
            }
            for app in apps_with_kpis(context.declaration)
            if app.database
        }
    }


def _login(database: Database, password: str, timezone: str) -> dict[str, Any]:
    """https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
    host, port = host_and_port(database.address)
    settings = {
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "default_transaction_read_only": "on",
        "TimeZone": timezone,  # days begin at its midnight
    }
    return {
        "dialect": "postgresql+psycopg2",
        "user": KPI_READER,
        "password": password,
        "host": host,
        "port": port,
        "database": database.name,
        "options": {
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            "application_name": KPI_READER,
            "sslmode": "require" if database.ssl else "prefer",
            "connect_timeout": "5",
            "tcp_user_timeout": "10000",  # a server that is gone without a word
        },
    }


# Of an answer, and of each query: when it answered last, how often it is asked.
KEPT = "kpi_.+|query_(timestamp|interval)|process_.+"


def relabelled(context: Context) -> Sequence[Mapping[str, Any]]:
    """The rules by which a series gets its app, the host of that, its KPI and its name."""
    return [
        {"source_labels": [_ALWAYS], "regex": ".+", "action": "drop"},
        {"source_labels": ["database"], "regex": "(.+)", "target_label": "app"},
        {"source_labels": ["query"], "regex": "(.+)/.+", "target_label": "app"},
        {"source_labels": ["query"], "regex": ".+/(.+)", "target_label": "kpi"},
        {"source_labels": ["__name__"], "regex": "(kpi_.+)_[0-9]+", "target_label": "__name__"},
        {"regex": "database|query", "action": "labeldrop"},
        *_hosts(context),
    ]


def _hosts(context: Context) -> Iterator[Mapping[str, Any]]:
    for app in apps_with_kpis(context.declaration):
        if (host := context.plan.host_of(app)) != context.server:
            yield {"source_labels": ["app"], "regex": app.name, "target_label": "host", "replacement": host}
