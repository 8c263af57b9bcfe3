"""What the exporter tells of a real PostgreSQL, to which it logs in by the role that the run makes for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from contexts import context_of, declaration_of
from exporters import Ask, watched
from postgresql import started
from programs import free_port, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import (
    MONITOR,
    READERS,
    databases,
    questions,
)

SQL = Path(__file__).resolve().parents[2] / "files/postgresql"
PASSWORD = r"""p'a":\@%w$1"""


class Server:
    """A PostgreSQL that can be stopped for good."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self.port, self.sockets = self._running.enter_context(started())

    def stop(self) -> None:
        """Without waiting for anybody's connection."""
        self._running.close()

    def connect(self, database: str, user: str = "postgres", **options: str) -> psycopg.Connection:
        """A session over the socket, which wants no password."""
        login = {"host": str(self.sockets), "port": self.port, "dbname": database, "user": user, **options}
        return psycopg.connect(**login, autocommit=True, cursor_factory=psycopg.ClientCursor)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    it = Server()
    with it.connect("postgres") as session:
        session.execute("CREATE DATABASE shop")
    with it.connect("shop") as session:
        session.execute("CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
        session.execute("CREATE TABLE hush AS SELECT 'a secret'::text AS word")
    yield it
    it.stop()


@pytest.fixture(scope="module")
def context(server: Server) -> Context:
    database = {"address": f"127.0.0.1:{server.port}", "name": "shop", "admin_user": "postgres", "admin_password": "x"}
    declared = {
        "scrape_interval": "4s",  # it tries twice, so it takes two seconds to say that PostgreSQL is gone
        "ports": {"postgres_exporter": free_port()},
        "apps": [{"name": "shop", "database": database, "thresholds": {"dependency_down_for": "1h"}}],
    }
    secrets = {"database_monitor_password": PASSWORD}
    return context_of(declared, registry=REGISTRY, secrets=secrets, total_mib=16_000)


@pytest.fixture(scope="module")
def role(server: Server, context: Context) -> None:
    """What the role database_reader makes of the options that it gets for the exporters."""
    (wanted,) = databases(context.declaration, READERS["postgres_exporter"])
    (question,) = questions([wanted], {})
    given = question["parameters"]
    missing, repair = ((SQL / f"reader_{name}.sql").read_text() for name in ("missing", "repair"))
    with server.connect("shop") as session:
        session.execute(f"CREATE ROLE {MONITOR} LOGIN CONNECTION LIMIT {wanted['connections']}")
        session.execute(f"ALTER ROLE {MONITOR} PASSWORD %s", (PASSWORD,))
        session.execute(f"CREATE TEMPORARY VIEW reader_missing AS {missing}", given)
        session.execute(repair)
        left = session.execute("SELECT sentence FROM reader_missing WHERE kind = 'wrong'").fetchall()
    assert left == []


@pytest.fixture(scope="module")
def ask(server: Server, context: Context, role: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with watched(context, "postgres_exporter_shop", tmp_path_factory.mktemp("postgres")) as it:
        yield it


def test_it_logs_in_and_its_series_belong_to_the_app(ask: Ask) -> None:
    until(lambda: ask("pg_up") == {("shop", "web1"): 1}, 30)


def test_it_sees_sizes_and_settings_but_cannot_read_a_table(ask: Ask, server: Server) -> None:
    until(lambda: ask("pg_stat_user_tables_table_size_bytes").get(("shop", "web1", "orders"), 0) > 0, 30)
    limits = ("max", "superuser_reserved")
    assert [{*ask(f"pg_settings_{name}_connections").values()} for name in limits] == [{100}, {3}]
    assert ask('count({__name__=~"pg_settings_.+"})') == {(): 2}
    with (
        server.connect("shop", MONITOR, host="127.0.0.1", password=PASSWORD) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute("SELECT * FROM hush")


def test_every_panel_has_data(ask: Ask, context: Context) -> None:
    (dashboard,) = (it for it in dashboards(context) if it.uid == "postgresql")
    asked = [query.expr for query in queries(dashboard, "20s")]
    until(lambda: [expr for expr in asked if not ask(expr)] == [], 60)


def test_a_transaction_that_its_app_does_not_end_is_seen(ask: Ask, server: Server) -> None:
    with server.connect("shop") as session:
        session.execute("BEGIN")
        session.execute("SELECT 1")
        until(lambda: ask("app:database_transaction:seconds > 3"), 30)
    until(lambda: ask("app:database_transaction:seconds < 1"), 30)


def test_connections_are_counted_against_their_limit(ask: Ask, server: Server) -> None:
    pending = 'ALERTS{alertname="PostgresConnectionsHigh"}'
    assert ask(pending) == {}
    with ExitStack() as stack:
        for _ in range(85):
            stack.enter_context(server.connect("postgres"))
        until(lambda: ask(pending), 30)
    until(lambda: not ask(pending), 30)


def test_memory_is_within_what_the_plan_counts(ask: Ask) -> None:
    used = max(ask('process_resident_memory_bytes{job="postgres_exporter"}').values())
    assert used < REGISTRY["postgres_exporter"].need_mib * 1024 * 1024


def test_a_server_that_is_gone_is_told_and_nothing_else_is(ask: Ask, server: Server) -> None:
    server.stop()
    until(lambda: ask("pg_up") == {("shop", "web1"): 0}, 30)
    until(lambda: ask('ALERTS{alertname="PostgresDown"}'), 30)
    until(lambda: not ask("pg_stat_activity_count"), 30)
    assert ask('ALERTS{alertname!="PostgresDown"}') == {}


def test_a_database_that_two_apps_share_has_one_role_and_an_exporter_for_each() -> None:
    apps = [{"name": name, "database": {"name": "shop"}} for name in ("web", "till")]
    (wanted,) = databases(declaration_of({"apps": apps}), READERS["postgres_exporter"])
    assert (wanted["schemas"], wanted["memberships"]) == ([], ["pg_monitor"])
    planned = context_of({"apps": apps}, registry=REGISTRY, total_mib=16_000).services
    assert {"postgres_exporter_web", "postgres_exporter_till"} <= set(planned)
