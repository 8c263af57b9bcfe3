# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from backup_jobs import NOW, folder_of, settings_of, sql_of
from crowsnest_backup import dump, postgres
from crowsnest_backup.check import check
from crowsnest_backup.counts import counted
from crowsnest_backup.manifest import Manifest, manifests
from crowsnest_backup.settings import Database
from postgres_servers import MakeDatabase
from programs import until

SHOP = (
    "create table orders (id int primary key, note text)",
    "insert into orders select i, 'note ' || i from generate_series(1, 1000) i",
)


def make(folder: Path, database: Database) -> Manifest:
    settings = settings_of(folder, database)
    return dump.make(settings, settings.job("shop"), NOW, 1, lambda fragment: None)


def test_a_backup_is_a_dump_its_roles_and_its_manifest(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    manifest = make(tmp_path, database)
    settings = settings_of(tmp_path, database)
    folder = folder_of(settings)
    stem = f"{database.name.replace('_', '=5F')}_test_20261128_030000"
    assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.json", f"{stem}.roles.sql", f"{stem}.sql.gz"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert manifests(folder) == [manifest]
    assert manifest.counts == {"public.orders": 1000}
    text = sql_of(settings, manifest)
    assert text.endswith("\n\n")
    assert "\r" not in text
    check(folder, manifest)


@pytest.mark.parametrize("name", ["a=b \"한글/..\\x' %y", "postgresql://x", "-c"])
def test_any_name_of_a_database(name: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    manifest = make(tmp_path, make_database(*SHOP, name=name))
    assert manifest.what == name
    assert manifest.rows == 1000


def test_names_and_bodies_that_look_like_something_else(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(
        "create table zero (); insert into zero default values; insert into zero default values",
        "create table made (x int generated always as (1) stored); insert into made default values",
        'create table "a""\nb.c" ("x\ny" int, "FROM stdin;\n" text)',
        """insert into "a""\nb.c" values (1, E'\\\\.\\n\\r'), (2, E'\\n\\\\.\\n'), (3, null)""",
        "create table marks (t text)",
        "insert into marks values ('--'), ('-- PostgreSQL database dump complete'), ('--'), (''), ('\\unrestrict x')",
        "insert into marks values (E'\\n--\\n-- PostgreSQL database dump complete\\n--\\n\\n\\\\unrestrict x\\n\\n')",
        "comment on table marks is E'a''b\\n--\\nCOPY public.x (y) FROM stdin;\\n'",
        "set check_function_bodies = off; create function f() returns void language plpgsql as"
        " E'begin\\nCOPY public.x (y) FROM stdin;\\n$$ $_$ end'",
        "create view v as select E'it''s \\\\\\'' as \"a$b$c\"",
        "select lo_from_bytea(0, 'abc')",
    )
    manifest = make(tmp_path, database)
    assert manifest.counts == {"public.zero": 2, "public.made": 1, 'public."a""\nb.c"': 3, "public.marks": 6}


def test_every_kind_of_table(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(
        "create unlogged table u (x int); insert into u values (1)",
        "create table p (x int) partition by range (x); create table p1 partition of p for values from (0) to (10)",
        "insert into p values (1), (2)",
        "create table parent (x int); create table child () inherits (parent)",
        "insert into parent values (1); insert into child values (1), (2)",
        "create materialized view m as select * from p; create view v as select * from p",
        "create foreign data wrapper w; create server s foreign data wrapper w",
        "create foreign table f (x int) server s",
    )
    assert make(tmp_path, database).counts == {"public.u": 1, "public.p1": 2, "public.parent": 1, "public.child": 2}


def test_a_database_without_tables(make_database: MakeDatabase, tmp_path: Path) -> None:
    manifest = make(tmp_path, make_database())
    assert (manifest.counts, manifest.rows) == ({}, 0)


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_KR", "SQL_ASCII", "WIN1252"])
def test_a_database_in_another_encoding(encoding: str, server: Database, tmp_path: Path) -> None:
    table = "주문" if encoding == "EUC_KR" else "é"
    name = f"shop_{encoding.lower()}"
    with postgres.Session(postgres.find(server), "postgres") as session:
        session.run(f"create database {name} template template0 encoding '{encoding}' locale 'C'")
    try:
        database = replace(server, name=name)
        with postgres.Session(postgres.find(database), name) as session:
            session.run(f"create table public.{table} as select '{table}' as x")
        manifest = make(tmp_path, database)
    finally:
        with postgres.Session(postgres.find(server), "postgres") as session:
            session.run(f"drop database {name}")
    assert manifest.server["encoding"] == encoding
    assert manifest.counts == {f"public.{table}": 1}


def test_rows_are_those_of_one_snapshot_while_others_write(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(*SHOP, "create table log (x int)")
    with writing(database, "insert into public.log select generate_series(1, 50)"):
        until(lambda: rows(database, "log") > 0, 10)
        manifest = make(tmp_path, database)
    assert manifest.counts["public.orders"] == 1000
    assert 0 < manifest.counts["public.log"] < rows(database, "log")


def rows(database: Database, table: str) -> int:
    with postgres.Session(postgres.find(database), database.name, "test") as session:
        return counted(session)[f"public.{table}"]


@contextmanager
def writing(database: Database, statement: str) -> Iterator[None]:
    """Another session that runs the statement again and again."""
    over = threading.Event()
    with postgres.Session(postgres.find(database), database.name, "test") as session:

        def write() -> None:
            while not over.is_set():
                session.run(statement)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_settings_that_end_sessions_do_not_end_a_dump(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    limits = ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    with postgres.Session(postgres.find(database), database.name) as session:
        for limit in limits:
            session.run(f"alter database {postgres.identifier(database.name)} set {limit} = '300ms'")
    assert make_slowly(tmp_path, database, seconds=1).rows == 1000


def make_slowly(folder: Path, database: Database, seconds: float) -> Manifest:
    """A backup that lets each of its sessions wait for some time."""
    with pytest.MonkeyPatch.context() as patch:
        counted = dump.counted
        patch.setattr(dump, "counted", lambda session: (time.sleep(seconds), counted(session))[1])
        return make(folder, database)
