# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from dataclasses import replace

import pytest
from crowsnest_backup import postgres, restore
from crowsnest_backup.errors import BackupError
from crowsnest_backup.settings import Database
from postgres_servers import PASSWORD, MakeDatabase, connected
from psycopg.errors import RaiseException

NAMES = ["plain", "a=b \"한글/..\\x' %y", "postgresql://x", "Ünïcode ", "-c"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_database_reaches_it(name: str, make_database: MakeDatabase) -> None:
    database = make_database(name=name)
    with postgres.Session(postgres.find(database), database.name) as session:
        assert session.value("select current_database() as name") == name


@pytest.mark.parametrize("text", ["it's", "back\\slash", "two\nlines", 'a "quote"', "한글"])
def test_a_text_comes_back_as_it_was(text: str, make_database: MakeDatabase) -> None:
    database = make_database()
    with postgres.Session(postgres.find(database), database.name) as session:
        assert session.value(f"select {postgres.literal(text)}::text as told") == text


def test_a_mistake_is_told_with_postgresqls_own_words(make_database: MakeDatabase) -> None:
    database = make_database()
    server = postgres.find(database)
    with (
        postgres.Session(server, database.name) as session,
        pytest.raises(BackupError, match=r'^relation "nothing" does not exist$'),
    ):
        session.run("select * from nothing")


def test_a_server_that_is_not_there(server: Database) -> None:
    gone = replace(server, container="crowsnest-no-such") if server.container else replace(server, port=1)
    with pytest.raises(BackupError, match=r"no container crowsnest-no-such|No such file or directory"):
        postgres.find(gone)


def test_the_programs_are_of_the_servers_own_version(server: Database) -> None:
    found = postgres.find(server)
    assert found.run("pg_dump", "--version").split()[2].partition(".")[0] == str(found.major)
    with postgres.Session(found, "postgres") as session:
        assert session.value("select current_setting('server_version')").startswith(str(found.major))


@pytest.mark.parametrize("over_network", [False, True])
def test_a_server_that_is_too_old(over_network: bool, server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server that old is there for tests, so that the oldest one is declared to be newer than all."""
    monkeypatch.setattr(postgres, "OLDEST", 99)
    monkeypatch.setattr(postgres, "_publishing", lambda _port: None)
    user = ("shop" if server.container else "postgres") if over_network else None
    asked = replace(server, container=None, user=user, password=PASSWORD) if over_network else server
    with pytest.raises(BackupError, match=r"^The server is PostgreSQL \d+, and backups need 99 or newer\."):
        postgres.find(asked)


TRAP = """
create function public.{name} returns {returns} language plpgsql as $$
begin raise 'called as %', current_user; end $$
"""


def test_no_function_of_an_owner_is_run_by_the_administrator(make_database: MakeDatabase) -> None:
    traps = {"to_jsonb(record)": "jsonb", "set_config(text, text, boolean)": "text", "lower(text)": "text"}
    database = make_database(*(TRAP.format(name=name, returns=returns) for name, returns in traps.items()))
    with connected(database, "postgres") as connection:
        name = postgres.identifier(database.name)
        connection.execute(f"alter database {name} set search_path to public, pg_catalog")
    with connected(database, database.name) as connection, pytest.raises(RaiseException, match="called as"):
        connection.execute("select lower('X'::text)")
    with postgres.Session(postgres.find(database), database.name) as session:
        assert session.value("select lower('X'::text) as name") == "x"


@pytest.mark.parametrize("limit", ["statement_timeout", "idle_in_transaction_session_timeout"])
def test_no_limit_of_a_role_ends_what_the_administrator_does(limit: str, server: Database) -> None:
    found = postgres.find(server)
    with connected(server, "postgres") as connection:
        connection.execute(f"alter role current_user set {limit} = '200ms'")
        try:
            restore._script(found, "select pg_sleep(0.5)")
            with postgres.Session(found, "postgres") as session:
                session.run("begin; select pg_sleep(0.5)")
                time.sleep(0.5)
                assert session.value("select 1 as one") == 1
        finally:
            connection.execute(f"set statement_timeout = 0; alter role current_user reset {limit}")


class Hanging(postgres.Server):
    """As `docker exec` whose container started anew: it takes everything and answers nothing."""

    def command(self, program: str, *words: str) -> list[str]:
        return ["sleep", "60"]


def test_a_client_that_hangs_holds_no_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_END_SECONDS", 0.2)
    begun = time.monotonic()
    with (
        pytest.raises(BackupError, match="the container is gone"),
        postgres.Session(Hanging("remote", {}), "shop") as session,
        postgres.meanwhile(lambda: session.run("select 1"), 0.01),
    ):
        time.sleep(0.1)
        raise BackupError("the container is gone")
    assert time.monotonic() - begun < 20
