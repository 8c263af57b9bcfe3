"""The role database_reader against a real PostgreSQL: a role that reads what is declared and can do nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgresql
import programs
import psycopg
import pytest
import yaml
from psycopg import errors

ROOT = Path(__file__).resolve().parents[2]
READER, PASSWORD, ADMIN_PASSWORD = "crowsnest_ro", "read-Only 'pa%ss\\word", "postgres"  # as weak as in development
# Another number than the one that is declared for Metabase: the role takes what it is given.
CONNECTIONS = 4


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that wants passwords on loopback and none on its socket."""

    port: int
    sockets: Path

    def run(self, database: str, *statements: str, user: str = "postgres", password: str = "") -> list[Any]:
        """Run statements as this user, in one session, each its own transaction; the rows of the last one."""
        host = "127.0.0.1" if password else str(self.sockets)
        login = {"host": host, "port": self.port, "dbname": database, "user": user, "password": password}
        with psycopg.connect(**login, autocommit=True, connect_timeout=5) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def read(self, database: str, *statements: str) -> list[Any]:
        """Run statements as the reader."""
        return self.run(database, *statements, user=READER, password=PASSWORD)

    def database(self, app: str, **different: Any) -> dict[str, Any]:
        """An element of database_reader_databases."""
        return {
            "name": f"reader of {app}",
            "app": app,
            "host": "127.0.0.1",
            "port": self.port,
            "dbname": app,
            "schemas": ["public"],
            "admin_user": "postgres",
            "admin_password": ADMIN_PASSWORD,
            "reader": READER,
            "password": PASSWORD,
            "memberships": [],
            "sslmode": "prefer",
            "connections": CONNECTIONS,
        } | different


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Databases shop (of the superuser) and warehouse (of a role that is none), in which no reader is yet."""
    with postgresql.started() as (port, sockets):
        it = Server(port, sockets)
        it.run("postgres", f"ALTER ROLE postgres PASSWORD '{ADMIN_PASSWORD}'", *SERVER)
        it.run("shop", *SHOP)
        it.run("warehouse", *WAREHOUSE)
        yield it


SERVER = (
    "CREATE DATABASE shop",
    "CREATE ROLE keeper LOGIN CREATEROLE PASSWORD 'keep-it-5afe'",
    "CREATE ROLE auditor",
    "CREATE DATABASE warehouse OWNER keeper",
)
SHOP = (
    "CREATE TABLE orders (id serial PRIMARY KEY, total int)",
    "INSERT INTO orders (total) VALUES (7)",
    "CREATE VIEW big_orders AS SELECT * FROM orders",
    "CREATE MATERIALIZED VIEW totals AS SELECT sum(total) FROM orders",
    'CREATE TABLE "Odd, name" (id int)',
    "CREATE SCHEMA reports",
    "CREATE TABLE reports.daily (id int)",
    "CREATE SCHEMA staff",
    "CREATE TABLE staff.salaries (id int)",
)
WAREHOUSE = ("SET ROLE keeper", "CREATE TABLE public.stock (id int)", "INSERT INTO stock VALUES (1)")


@dataclass(frozen=True)
class Run:
    """What a run of the role printed."""

    output: str

    @property
    def facts(self) -> Any:
        """[database_reader_failed, database_reader_notes]; empty lists when they were not set."""
        found = re.search(r"<<<(.*)>>>", " ".join(self.output.split()))
        return json.loads(found[1]) if found else [[], []]

    def count(self, word: str) -> int:
        """A number of the recap, such as ok or changed."""
        found = re.search(rf"localhost .*{word}=(\d+)", self.output)
        assert found, self.output
        return int(found[1])


def play(tmp_path: Path, databases: list[dict[str, Any]], *arguments: str, **variables: Any) -> Run:
    """Run the role on this machine; it must not fail."""
    wanted = {
        "database_reader_databases": databases,
        "__crowsnest_host": {"toolbox": "3.11-abc", "sudo": False},
        "__crowsnest_toolbox_python": sys.executable,
        "ansible_python_interpreter": sys.executable,
        "ansible_pipelining": True,
    }
    after = {
        "name": "Show the facts",
        "ansible.builtin.debug": {"msg": "<<<{{ [database_reader_failed, database_reader_notes] | to_json }}>>>"},
        "when": "database_reader_failed is defined",
    }
    content = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": ["database_reader"]}
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([content | {"post_tasks": [after], "vars": wanted | variables}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-v", *arguments, path],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return Run(output)


MISSING = (ROOT / "files/postgresql/reader_missing.sql").read_text()
REPAIR = (ROOT / "files/postgresql/reader_repair.sql").read_text()


def query(server: Server, database: str, sql: str, **wanted: Any) -> list[Any]:
    """Run SQL of files/postgresql with its parameters, as the reader or as another user."""
    user = wanted.pop("user", READER)
    values = {
        "reader": READER,
        "admin": "postgres",
        "connections": CONNECTIONS,
        "schemas": ["public"],
        "memberships": [],
        "settings": {"statement_timeout": "60s"},
    } | wanted
    given = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in values.items()}
    login = {"host": str(server.sockets), "port": server.port, "dbname": database, "user": user}
    with psycopg.connect(**login, cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.execute(sql, given)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def wrong(server: Server, database: str = "shop", **wanted: Any) -> list[str]:
    """What the reader finds wrong, as sentences."""
    return [sentence for kind, sentence, _ in query(server, database, MISSING, **wanted) if kind == "wrong"]


def repair(server: Server, **wanted: Any) -> None:
    """What the role's administrator does in the database shop."""
    query(server, "shop", f"CREATE TEMPORARY VIEW reader_missing AS {MISSING};{REPAIR}", user="postgres", **wanted)


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The first run: two databases that work, and three that do not."""
    return play(
        tmp_path_factory.mktemp("first"),
        [
            server.database("refused", dbname="shop", reader="other_ro", admin_password="wr0ng-passw0rd"),
            server.database("shop", schemas=["public", "reports"]),
            server.database("absent"),
            server.database("warehouse", reader="keeper_ro", admin_user="keeper", admin_password="keep-it-5afe"),
            server.database("down", port=programs.free_port()),
        ],
        "-vvv",
    )


@pytest.mark.usefixtures("first")
def test_from_postgresql_16_an_administrator_that_may_create_roles_may_not_grant_any(server: Server) -> None:
    made = f"CREATE TEMPORARY VIEW reader_missing AS {MISSING};{REPAIR};SELECT current_setting('crowsnest.refused')"
    wanted = {"user": "keeper", "reader": "keeper_ro", "admin": "keeper", "memberships": ["pg_monitor"]}
    assert query(server, "warehouse", made, **wanted) == [('permission denied to grant role "pg_monitor"',)]


def test_check_mode_predicts_on_a_fresh_host(tmp_path: Path, server: Server) -> None:
    run = play(
        tmp_path,
        [server.database("shop")],
        "--check",
        __crowsnest_host={"toolbox": ""},
        __crowsnest_toolbox_python="/nowhere/python",
    )
    assert (run.count("changed"), run.count("failed")) == (1, 0)


def test_the_first_run_serves_what_it_can_and_tells_the_rest(first: Run, server: Server) -> None:
    assert first.count("changed") == 2
    failed = {it["app"]: it["message"] for it in first.facts[0]}
    assert list(failed) == ["refused", "absent", "down"]
    assert failed["refused"] == (
        f"other_ro cannot read all that is declared in database shop at 127.0.0.1:{server.port}. The answer to "
        'postgres: password authentication failed for user "postgres". Give the right password of postgres, then run '
        "again."
    )
    assert 'answer to postgres: database "absent" does not exist. Make this database' in failed["absent"]
    assert "answer to postgres: Connection refused. Start the server, or give its right address" in failed["down"]


def test_no_password_is_shown(first: Run) -> None:
    shown = [word for word in (PASSWORD, "ssw\\word", "wr0ng-passw0rd", "keep-it-5afe") if word in first.output]
    assert shown == []


def test_the_second_run_asks_and_does_nothing(first: Run, server: Server, tmp_path: Path) -> None:
    databases = [
        server.database("shop", schemas=["public", "reports"]),
        server.database("warehouse", reader="keeper_ro", admin_user="keeper", admin_password="never asked"),
    ]
    for mode in ([], ["--check"]):
        run = play(tmp_path, databases, *mode)
        # ok=2: the check of the role's own variables, and the question.
        assert (run.count("ok"), run.count("changed"), run.count("ignored")) == (2, 0, 0)


def test_it_reads_tables_views_and_what_is_made_later(first: Run, server: Server) -> None:
    server.run("shop", "CREATE TABLE made_later (id int)", "CREATE VIEW reports.later AS SELECT 1")
    names = ["orders", "big_orders", "totals", '"Odd, name"', "made_later", "reports.daily", "reports.later"]
    for name in names:
        server.read("shop", f"TABLE {name}")
    assert wrong(server, schemas=["public", "reports"]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO orders (total) VALUES (1)",
        "UPDATE orders SET total = 1",
        "DELETE FROM orders",
        "TRUNCATE orders",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "DROP TABLE orders",
        "SELECT nextval('orders_id_seq')",
        "SELECT * FROM staff.salaries",
        "SELECT * FROM orders_id_seq",
        "COPY orders TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE ROLE friend",
        "SET ROLE postgres",
    ],
)
def test_nothing_else_is_possible_even_when_read_only_is_switched_off(
    first: Run, server: Server, statement: str
) -> None:
    with pytest.raises((errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)):
        server.read("shop", statement)
    with pytest.raises(errors.InsufficientPrivilege):
        server.read("shop", "SET default_transaction_read_only = off", statement)


def test_its_sessions_are_limited(first: Run, server: Server) -> None:
    names = [
        "default_transaction_read_only",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
    ]
    values = [server.read("shop", f"SHOW {name}")[0][0] for name in names]
    assert values == ["on", "1min", "1min", "5s"]
    with pytest.raises(errors.ReadOnlySqlTransaction):
        server.read("shop", "CREATE TEMPORARY TABLE mine (id int)")
    with pytest.raises(errors.QueryCanceled):
        server.read("shop", "SET statement_timeout = '50ms'", "SELECT pg_sleep(5)")


def test_it_has_as_many_connections_as_it_is_given(first: Run, server: Server) -> None:
    login = {"host": "127.0.0.1", "port": server.port, "dbname": "shop", "user": READER, "password": PASSWORD}
    with ExitStack() as stack, pytest.raises(psycopg.OperationalError, match="too many connections"):
        for number in range(CONNECTIONS + 1):
            stack.enter_context(psycopg.connect(**login))
            assert number < CONNECTIONS


def test_undeclaring_an_app_while_its_exporter_is_connected_ends_well(server: Server, tmp_path: Path) -> None:
    def limit() -> int:
        return int(server.run("shop", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'kpi_ro'")[0][0])

    def declared(connections: int, *schemas: str) -> list[dict[str, Any]]:
        return [server.database("shop", reader="kpi_ro", connections=connections, schemas=list(schemas))]

    play(tmp_path, declared(4, "public"))
    assert limit() == 4
    login = {"host": "127.0.0.1", "port": server.port, "dbname": "shop", "user": "kpi_ro", "password": PASSWORD}
    with psycopg.connect(**login), psycopg.connect(**login):
        run = play(tmp_path, declared(2, "public", "reports"))
        assert (run.facts[0], limit()) == ([], 4)
        assert play(tmp_path, declared(2, "public", "reports")).count("changed") == 0
    play(tmp_path, declared(6, "public", "reports"))
    assert limit() == 6


DRIFT = {
    f"ALTER ROLE {READER} SUPERUSER": "the role is a superuser",
    f"ALTER ROLE {READER} CREATEDB": "the role may make databases",
    f"ALTER ROLE {READER} IN DATABASE shop SET statement_timeout = 0": (
        "it has settings of its own in this database: statement_timeout=0"
    ),
    f"GRANT pg_write_all_data TO {READER}": "it is a member of pg_write_all_data",
    f"GRANT CREATE ON DATABASE shop TO {READER}": "it has CREATE on database shop",
    f"GRANT CREATE ON SCHEMA public TO {READER}": "it has CREATE on schema public",
    f"GRANT INSERT ON orders TO {READER}": "it has INSERT on table public.orders",
    f"GRANT SELECT ON orders TO {READER} WITH GRANT OPTION": (
        "it has SELECT with the right to pass it on on table public.orders"
    ),
    f"GRANT UPDATE (total) ON orders TO {READER}": "it has UPDATE on column total of table public.orders",
    f"GRANT USAGE ON SEQUENCE orders_id_seq TO {READER}": "it has USAGE on sequence public.orders_id_seq",
    f"GRANT SELECT ON staff.salaries TO {READER}": "it has SELECT on table staff.salaries",
    f"ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO {READER}": "it would have INSERT on future tables of postgres",
}


def test_what_was_given_by_hand_is_named_and_taken_away(first: Run, server: Server) -> None:
    wanted = {"schemas": ["public", "reports"]}
    server.run("shop", *DRIFT)
    assert sorted(wrong(server, **wanted)) == sorted(DRIFT.values())
    repair(server, **wanted)
    assert wrong(server, **wanted) == []


LACK = {
    f"ALTER ROLE {READER} NOLOGIN": "the role may not log in",
    "REVOKE SELECT ON orders FROM crowsnest_ro": "table public.orders of postgres cannot be read",
    f"REVOKE USAGE ON SCHEMA reports FROM {READER}": "schema reports cannot be used",
    "REVOKE CONNECT ON DATABASE shop FROM PUBLIC": "it may not connect to database shop",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA reports REVOKE SELECT ON TABLES FROM crowsnest_ro": (
        "future tables of postgres in schema reports could not be read"
    ),
}


def test_what_was_taken_by_hand_is_named_and_given_back(first: Run, server: Server) -> None:
    wanted = {"schemas": ["public", "reports"]}
    server.run("shop", *LACK)
    assert sorted(wrong(server, user="postgres", **wanted)) == sorted(LACK.values())
    repair(server, **wanted)
    assert wrong(server, **wanted) == []


def test_what_was_hidden_by_a_superuser_is_given_in_the_same_run(first: Run, server: Server) -> None:
    server.run("shop", f"ALTER ROLE {READER} SUPERUSER", "REVOKE SELECT ON orders FROM crowsnest_ro")
    repair(server, schemas=["public", "reports"])
    assert wrong(server, schemas=["public", "reports"]) == []


def test_names_may_be_any_text(server: Server, tmp_path: Path) -> None:
    database, schema, admin = '가게 "1"; --', "매출 50% 'a' {b}", 'chief "관리자"'
    quoted = [name.replace('"', '""') for name in (database, schema, admin)]
    server.run("postgres", f'CREATE DATABASE "{quoted[0]}"')
    server.run("postgres", f"CREATE ROLE \"{quoted[2]}\" SUPERUSER LOGIN PASSWORD '{ADMIN_PASSWORD}'")
    server.run(database, f'CREATE SCHEMA "{quoted[1]}"', f'CREATE TABLE "{quoted[1]}"."총액" ("Total revenue" int)')
    wanted = server.database("odd", dbname=database, schemas=[schema], admin_user=admin, reader="odd_ro")
    run = play(tmp_path, [wanted])
    assert (run.facts[0], run.count("changed")) == ([], 2)
    server.run(database, f'TABLE "{quoted[1]}"."총액"', user="odd_ro", password=PASSWORD)


def test_membership_is_as_declared(first: Run, server: Server) -> None:
    wanted = {"schemas": ["public", "reports"], "memberships": ["pg_monitor"]}
    assert wrong(server, **wanted) == ["it is no member of pg_monitor"]
    repair(server, **wanted)
    assert wrong(server, **wanted) == []
    repair(server, schemas=["public", "reports"])
    assert wrong(server, schemas=["public", "reports"]) == []


def test_the_table_of_an_extension_is_left_to_it(first: Run, server: Server) -> None:
    server.run(
        "shop",
        "SET ROLE auditor",
        "RESET ROLE",
        "CREATE TABLE of_extension (id int)",
        f"REVOKE ALL ON of_extension FROM {READER}",
        "ALTER TABLE of_extension OWNER TO auditor",
        "ALTER EXTENSION plpgsql ADD TABLE of_extension",
    )
    assert wrong(server, schemas=["public", "reports"]) == []


def test_what_it_owns_and_other_privileges_are_named(first: Run, server: Server) -> None:
    server.run(
        "shop",
        "CREATE TABLE its_own (id int)",
        f"ALTER TABLE its_own OWNER TO {READER}",
        f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO {READER}",
    )
    wanted = {"schemas": ["public", "reports"]}
    repair(server, **wanted)
    assert wrong(server, **wanted) == ["it has privileges on function pg_ls_dir(text)", "it owns table its_own"]
    server.run("shop", "DROP TABLE its_own", f"REVOKE EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) FROM {READER}")
    assert wrong(server, **wanted) == []


def test_rights_of_every_role_are_told_and_left(first: Run, server: Server) -> None:
    server.run("shop", "GRANT CREATE ON SCHEMA reports TO PUBLIC", "GRANT INSERT, DELETE ON orders TO PUBLIC")
    rows = query(server, "shop", MISSING, schemas=["public", "reports"])
    assert [(kind, repair) for kind, _, repair in rows] == [
        ("note", "REVOKE CREATE ON SCHEMA reports FROM PUBLIC"),
        ("note", "REVOKE DELETE, INSERT ON TABLE public.orders FROM PUBLIC"),
    ]
    server.run("shop", *[repair for _, _, repair in rows])


@pytest.fixture
def su(tmp_path: Path) -> Path:
    """A `su` that stays the present user, as others may not run this Python, and keeps a list of who was wanted."""
    path = tmp_path / "su"
    path.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/asked\nexec /bin/sh -c "$3"\n')
    path.chmod(0o755)
    return path


def test_the_next_run_puts_right_what_changed(first: Run, server: Server, tmp_path: Path, su: Path) -> None:
    server.run(
        "shop",
        f"ALTER ROLE {READER} SUPERUSER PASSWORD 'of a person' CONNECTION LIMIT 3",
        f"ALTER ROLE {READER} SET statement_timeout = 0",
        "REVOKE SELECT ON orders FROM crowsnest_ro",
    )
    server.run(
        "warehouse",
        "CREATE TABLE audit (id int)",
        "ALTER TABLE audit OWNER TO auditor",
        "REVOKE SELECT ON stock FROM keeper_ro",
    )
    databases = [
        # By the socket; reports is no longer declared.
        server.database("shop", admin_password=""),
        server.database("warehouse", reader="keeper_ro", admin_user="keeper", admin_password="keep-it-5afe"),
    ]
    # Debian's PostgreSQL has its socket where the role looks; this one has it elsewhere.
    sockets = ("-e", f"__database_reader_socket_directory={server.sockets}")
    predicted = play(tmp_path, databases, "--check", *sockets, ansible_become_exe=str(su))
    # ok=4: the check of the role's own variables, the question, the file that puts right, the prediction.
    assert (predicted.count("changed"), predicted.count("ok")) == (1, 4)

    run = play(tmp_path, databases, *sockets, ansible_become_exe=str(su))
    assert (run.count("changed"), run.count("ignored")) == (2, 0)
    assert set((tmp_path / "asked").read_text().split()) == {"postgres"}
    assert wrong(server) == []
    assert server.read("shop", "SELECT total FROM orders") == [(7,)]
    assert server.read("shop", "SHOW statement_timeout") == [("1min",)]
    with pytest.raises(errors.InsufficientPrivilege):
        server.read("shop", "SELECT * FROM reports.daily")

    # keeper is no superuser and may not give away what is auditor's.
    assert server.run("warehouse", "SELECT has_table_privilege('keeper_ro', 'stock', 'SELECT')") == [(True,)]
    ((failed,), notes) = run.facts
    assert (failed["app"], notes) == ("warehouse", [])
    assert "table public.audit of auditor cannot be read" in failed["message"]
    assert "PostgreSQL answered keeper: permission denied for table audit" in failed["message"]
    assert "Run as a superuser, or as the owner: " in failed["message"]
    assert "GRANT SELECT ON TABLE public.audit TO keeper_ro;" in failed["message"]


def test_only_a_change_is_called_one(first: Run, server: Server) -> None:
    server.run(
        "warehouse",
        "CREATE TABLE closed (id int)",
        "ALTER TABLE closed OWNER TO auditor",
        "REVOKE SELECT ON stock FROM keeper_ro",
    )
    keeper = {"reader": "keeper_ro", "admin": "keeper", "user": "keeper"}
    said = "SELECT current_setting('crowsnest.changed'), current_setting('crowsnest.refused') LIKE '%%table closed%%'"
    sql = f"CREATE TEMPORARY VIEW reader_missing AS {MISSING};{REPAIR};{said}"
    for changed in ("true", "false"):
        assert query(server, "warehouse", sql, **keeper) == [(changed, True)]
