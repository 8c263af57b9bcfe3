"""KPIs of a real PostgreSQL, asked by the real exporter as the role that the run makes for it, read by Prometheus.

All times are a fifth of the real ones, but the 5 seconds after which PostgreSQL ends a query.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgresql
import psycopg
import pytest
import query_exporter
import yaml
from contexts import context_of
from exporters import Ask, read
from programs import free_port, until

from ansible_collections.crowsnest.core.plugins.module_utils.http import Sample
from ansible_collections.crowsnest.core.plugins.module_utils.verify.kpis import ANSWERED_KPIS, kpi_checks
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import (
    KPI_READER,
    READERS,
    databases,
    questions,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.config import wrapped

SQL = Path(__file__).resolve().parents[2] / "files/postgresql"
PASSWORD = r"""p@ss:w/rd%41'"\$1 한"""
HURRY = 5
SHOP = ("shop", "web1")
# Of the app shop.
KPIS: dict[str, str] = {
    "orders": "SELECT COUNT(*) AS value FROM orders",
    "nothing": "SELECT MAX(id) AS value FROM orders WHERE region = 'nowhere'",
    "marks": "SELECT COUNT(*) AS value -- % :a\nFROM orders WHERE region LIKE '%서%' AND ' :a \\:b 50%%' LIKE '% :a%' "
    "AND '12:30'::time < '12:31' AND '2026-01-01'::date < now()\n;; -- the end; :c\n",
    "midnight": "SELECT EXTRACT(hour FROM '2026-01-01 00:00Z'::timestamptz) AS value",
    "slow": "SELECT 1 AS value FROM pause, pg_sleep(pause.seconds)",
    "renamed": "SELECT COUNT(*) AS value FROM baskets",
    "refused": "SELECT COUNT(*) AS value FROM wages",
    "several": "SELECT generate_series(1, rows) AS value FROM pause",
}
REGIONS = {
    "name": "by_region",
    "sql": "SELECT region, COUNT(*) AS value FROM orders GROUP BY 1",
    "labels": ["region"],
    "alert": {"above": 7, "for": "1s"},
}
# What breaks a KPI of the same name, and what mends it.
FAULTS = {
    "slow": ("UPDATE pause SET seconds = 10", "UPDATE pause SET seconds = 0"),
    "renamed": ("ALTER TABLE baskets RENAME TO carts", "ALTER TABLE carts RENAME TO baskets"),
    "refused": ("REVOKE SELECT ON wages FROM crowsnest_kpi", "GRANT SELECT ON wages TO crowsnest_kpi"),
    "several": ("UPDATE pause SET rows = 2", "UPDATE pause SET rows = 1"),
}


class Shop:
    """The server with the databases of two apps."""

    def __init__(self, server: postgresql.Server) -> None:
        self.server = server

    def run(self, *statements: str, database: str = "shop") -> list[tuple[Any, ...]]:
        """The rows of the last one, if it has any, as the superuser, who needs no password on the socket."""
        with psycopg.connect(
            host=str(self.server.sockets), port=self.server.port, user="postgres", dbname=database, autocommit=True
        ) as session:
            for statement in statements:
                done = session.execute(statement.encode())
            return done.fetchall() if done.description else []

    def working(self) -> list[tuple[Any, ...]]:
        """(database, seconds of the statement that runs or 0, application) of each connection of the exporter."""
        return self.run(
            "SELECT datname, CASE state WHEN 'active' THEN EXTRACT(epoch FROM now() - query_start)::float ELSE 0 END, "
            "application_name FROM pg_stat_activity WHERE usename = 'crowsnest_kpi'"
        )


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with postgresql.server() as server:
        it = Shop(server)
        it.run("CREATE DATABASE shop", "CREATE DATABASE till", database="postgres")
        it.run(
            "CREATE TABLE orders AS SELECT * FROM (VALUES (1, '서울'), (2, '부산'), (3, NULL)) AS o (id, region)",
            "CREATE TABLE pause AS SELECT 0 AS seconds, 1 AS rows",
            "CREATE TABLE baskets AS SELECT 1 AS id",
            "CREATE TABLE wages AS SELECT 1 AS id",
        )
        yield it


@pytest.fixture(scope="module")
def context(shop: Shop) -> Context:
    def app(name: str, *kpis: dict[str, Any], **keys: str) -> dict[str, Any]:
        address = f"127.0.0.1:{shop.server.port}"
        database = {"address": address, "name": name, "admin_user": "postgres", "admin_password": "x"}
        declared = [{"description": "What it counts", "every": "30s", **kpi} for kpi in kpis]
        return {"name": name, "database": database, "kpis": declared, **keys}

    declared = {
        "scrape_interval": "1s",
        "timezone": "Asia/Seoul",
        "ports": {"query_exporter": free_port()},
        "apps": [
            app("shop", *({"name": name, "sql": sql} for name, sql in KPIS.items()), REGIONS),
            # The same name with other labels.
            app(
                "till", {"name": "orders", "sql": "SELECT 'x' AS region, 5 AS value", "labels": ["region"]}, host="web2"
            ),
            {"name": "other", "database": {"name": "other"}},
        ],
    }
    secrets = {"database_kpi_password": PASSWORD}
    return context_of(declared, ("web1", "web2"), registry=REGISTRY, secrets=secrets, total_mib=16_000)


@pytest.fixture(scope="module")
def role(shop: Shop, context: Context) -> None:
    """What the role database_reader makes of the options that it gets for the exporter."""
    wanted = databases(context.declaration, READERS["query_exporter"])
    assert [(each["dbname"], each["connections"]) for each in wanted] == [("shop", 4), ("till", 4)]
    quoted = PASSWORD.replace("'", "''")
    shop.run(f"CREATE ROLE {KPI_READER} LOGIN CONNECTION LIMIT 4", f"ALTER ROLE {KPI_READER} PASSWORD '{quoted}'")
    missing, repair = ((SQL / f"reader_{name}.sql").read_text() for name in ("missing", "repair"))
    for each, question in zip(wanted, questions(wanted, {}), strict=True):
        login = {"host": str(shop.server.sockets), "port": shop.server.port, "dbname": each["dbname"]}
        with psycopg.connect(**login, user="postgres", autocommit=True, cursor_factory=psycopg.ClientCursor) as session:
            session.execute(f"CREATE TEMPORARY VIEW reader_missing AS {missing}", question["parameters"])
            session.execute(repair)
            assert session.execute("SELECT sentence FROM reader_missing WHERE kind = 'wrong'").fetchall() == []


@pytest.fixture(scope="module")
def log(context: Context, role: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    planned, service = context.services["query_exporter"], context.definition("query_exporter")
    ((name, text),) = service.files(context, planned).items()
    asked = yaml.safe_load(text)
    for metric in asked["metrics"].values():
        metric["expiration"] //= HURRY
    for query in asked["queries"].values():
        query["interval"] //= HURRY
        query["timeout"] //= HURRY
    folder = tmp_path_factory.mktemp("exporter")
    with query_exporter.running(context, folder, {name: yaml.safe_dump(asked, allow_unicode=True)}) as it:
        yield it


@pytest.fixture(scope="module")
def ask(log: Path, context: Context, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    hurried = {"600": str(600 // 6 // HURRY), "for: 1m": "for: 1s"}
    with read(context, "query_exporter", tmp_path_factory.mktemp("prometheus"), hurried) as it:
        until(lambda: len(it("query_timestamp")) == len(KPIS) + 2, 30)
        yield it


def firing(ask: Ask) -> dict[tuple[str, ...], float]:
    return ask('count by (app, host) (ALERTS{alertname="KpiUnreadable", alertstate="firing"})')


def test_a_start_is_silent(ask: Ask) -> None:
    until(lambda: len(ask("app_kpi:unanswered:seconds")) == len(KPIS) + 2, 30)
    assert ask('ALERTS{alertname="KpiUnreadable"}') == {}


def test_a_value_is_that_of_its_app_and_of_its_host(ask: Ask) -> None:
    assert ask("kpi_orders") == {SHOP: 3, ("till", "web2", "x"): 5}


def test_null_is_no_series_and_never_0(ask: Ask) -> None:
    assert ask("kpi_nothing") == {}
    assert ask('query_timestamp{kpi="nothing"}')


def test_labels_may_be_korean_and_null(ask: Ask) -> None:
    assert ask("kpi_by_region") == {(*SHOP, "서울"): 1, (*SHOP, "부산"): 1, SHOP: 1}


def test_marks_of_sql_mean_what_they_mean_in_sql(ask: Ask) -> None:
    assert ask("kpi_marks") == {SHOP: 1}


def test_days_begin_at_midnight_of_the_declared_time_zone(ask: Ask) -> None:
    assert ask("kpi_midnight") == {SHOP: 9}


def test_no_other_series_is_kept(ask: Ask) -> None:
    names = ask('count by (kpi) (label_replace({job="query_exporter", kpi=""}, "kpi", "$1", "__name__", "(.+)"))')
    kept = {name for (name,) in names if not name.startswith(("process_", "kpi_", "scrape_"))}
    assert kept == {"up"}
    assert ask('{answered!=""}') == ask('{database!=""}') == {}


def test_every_panel_of_what_has_a_value_has_data(ask: Ask, context: Context) -> None:
    (dashboard,) = (it for it in dashboards(context) if it.uid == "business")
    asked = {query.panel: query.expr for query in queries(dashboard, "20s")}
    assert [panel for panel, expr in asked.items() if not ask(expr)] == ["Nothing (shop)"]


def test_a_label_that_is_gone_leaves_nothing(ask: Ask, shop: Shop) -> None:
    shop.run("DELETE FROM orders WHERE region = '부산'")
    until(lambda: ask("kpi_by_region") == {(*SHOP, "서울"): 1, SHOP: 1}, 40)
    shop.run("INSERT INTO orders VALUES (2, '부산')")
    until(lambda: ask("kpi_by_region") == {(*SHOP, "서울"): 1, (*SHOP, "부산"): 1, SHOP: 1}, 15)


def test_what_fails_is_told_once_and_the_others_stay_right(ask: Ask, shop: Shop, context: Context) -> None:
    longest, most, wanted = 0.0, 0, context.definition("query_exporter").expected(context)["kpis"]
    shop.run(*(broken for broken, _ in FAULTS.values()))
    end = time.monotonic() + 70
    while not (told := firing(ask)) and time.monotonic() < end:
        found = shop.working()
        longest = max(longest, *(seconds for _, seconds, _ in found))
        most = max(most, *(sum(row[0] == name for row in found) for name in ("shop", "till")))
        assert {name for _, _, name in found} == {KPI_READER}
        time.sleep(0.1)
    assert 4 < longest < 6, "the server itself ends a query after 5 seconds"
    assert most == 1
    assert told == {SHOP: 1}
    until(
        lambda: (
            ask("count by (app) (app_kpi:unanswered:seconds > app_kpi:patience:seconds)") == {("shop",): len(FAULTS)}
        ),
        30,
    )
    assert firing(ask) == {SHOP: 1}
    until(lambda: not any(ask(f"kpi_{name}") for name in FAULTS), 30)
    assert ask("kpi_orders") == {SHOP: 3, ("till", "web2", "x"): 5}
    samples = [Sample({"app": app, "kpi": kpi}, 1) for app, _, kpi in ask(ANSWERED_KPIS)]
    checks = [check for check in kpi_checks(wanted, samples, 3600) if check.status == "WARN"]
    assert sorted(check.name for check in checks) == [f"shop: {name}" for name in sorted(FAULTS)]
    shop.run(*(mended for _, mended in FAULTS.values()))
    until(lambda: not firing(ask) and all(ask(f"kpi_{name}") == {SHOP: 1} for name in FAULTS), 60)


def test_postgresql_s_answer_is_in_the_log_above_the_name_of_the_kpi(ask: Ask, log: Path) -> None:
    """As the advice of verify and the runbook look for it."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("sqlalchemy") or "-- KPI" in line]
    for answer, name in {
        'relation "baskets" does not exist': "renamed",
        "permission denied for table wages": "refused",
        "canceling statement due to statement timeout": "slow",
        "rows with the same labels: 2": "several",
    }.items():
        assert f"-- KPI {name} of shop" in lines[next(i for i, line in enumerate(lines) if answer in line) + 1]


def asked_alone(shop: Shop, context: Context, sql: str, labels: list[str]) -> list[tuple[Any, ...]]:
    """The rows of a KPI as the exporter asks for it, without that which is always there."""
    kpi = Kpi.model_validate({"name": "x", "sql": sql, "labels": labels, "description": "x"})
    text = wrapped(context.declaration.apps[0], kpi, "kpi_x_0", sql).replace(r"\:", ":")
    return [row for row in shop.run(text) if not row[1]]


def test_an_answer_of_too_many_rows_or_of_two_with_the_same_labels_is_none(shop: Shop, context: Context) -> None:
    many = "SELECT i AS region, i AS value FROM generate_series(1, {}) AS i"
    assert len(asked_alone(shop, context, many.format(200), ["region"])) == 200
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="over 200 rows, at least 201"):
        asked_alone(shop, context, many.format(201), ["region"])
    pair = "SELECT * FROM (VALUES (NULL, 'a', 1), ('', {}, 2)) AS v (region, kind, value)"
    assert asked_alone(shop, context, pair.format("'b'"), ["region", "kind"]) == [(1, "", "", "a"), (2, "", "", "b")]
    for kind, labels in (("'a'", ["region", "kind"]), ("'b'", ["region"]), ("'b'", [])):
        with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="rows with the same labels: 2"):
            asked_alone(shop, context, pair.format(kind), labels)


def test_a_database_that_is_down_is_told_once_for_each_app_and_the_end_too(ask: Ask, shop: Shop) -> None:
    shop.server.stop()
    until(lambda: firing(ask) == {SHOP: 1, ("till", "web2"): 1}, 70)
    until(lambda: not ask('{__name__=~"kpi_.+"}'), 40)
    shop.server.start()
    until(lambda: not firing(ask) and ask("kpi_orders") == {SHOP: 3, ("till", "web2", "x"): 5}, 60)


def test_the_password_is_nowhere_but_in_its_file(ask: Ask, log: Path) -> None:
    text = log.read_text()
    assert "OperationalError" in text, "it wrote what failed"
    assert not [part for part in (PASSWORD, "p@ss", "p%40ss", "rd%41") if part in text]


def test_memory_is_within_what_the_plan_counts(ask: Ask) -> None:
    (used,) = ask('process_resident_memory_bytes{job="query_exporter"}').values()
    assert used < REGISTRY["query_exporter"].need_mib * 1024 * 1024
