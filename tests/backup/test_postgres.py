# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from dataclasses import replace

import pytest
from crowsnest_backup import postgres
from crowsnest_backup.errors import BackupError
from crowsnest_backup.settings import Database
from postgres_servers import MakeDatabase

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
