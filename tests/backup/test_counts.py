# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from crowsnest_backup import postgres
from crowsnest_backup.counts import counted, differing
from postgres_servers import MakeDatabase


def test_rows_of_every_table_that_a_dump_holds(make_database: MakeDatabase) -> None:
    database = make_database(
        "create table a (x int); insert into a select generate_series(1, 3)",
        'create schema "s.""1"; create unlogged table "s.""1"."한글 =" (x int)',
        "create table p (x int) partition by range (x); create table p1 partition of p for values from (0) to (10)",
        "insert into p values (1), (2)",
        "create table parent (x int); create table child () inherits (parent)",
        "insert into parent values (1); insert into child values (1), (2)",
        "create materialized view m as select * from a; create view v as select * from a",
        "create temporary table t (x int)",
    )
    with postgres.Session(postgres.find(database), database.name) as session:
        found = counted(session)
    assert found == {
        "public.a": 3,
        '"s.""1".한글 =': 0,
        "public.p1": 2,
        "public.parent": 1,
        "public.child": 2,
    }


def test_differences_are_told_in_words() -> None:
    assert differing({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 1, "d": 0}) == [
        "b: 1 row instead of 2 rows",
        "c: no table instead of 3 rows",
        "d: 0 rows instead of no table",
    ]
