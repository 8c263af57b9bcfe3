# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from crowsnest_backup.counts import key
from crowsnest_backup.errors import BackupError
from crowsnest_backup.stream import Stream
from hypothesis import given
from hypothesis import strategies as some

BEGIN = "--\n-- PostgreSQL database dump\n--\n\n"
END = "--\n-- PostgreSQL database dump complete\n--\n\n"
VERSION = "-- Dumped from database version 17.12\n-- Dumped by pg_dump version 17.12 (Debian)\n\n"
# What looks like something else where it is not looked at closely.
NASTY = some.lists(
    some.sampled_from(
        ["'", '"', "$$", "$_$", "--", "\n", "\\.", "\\.\n", "a", " ", "\\", "한", "COPY a.b (c) FROM stdin;\n", END]
    )
).map("".join)
NAME = NASTY.filter(bool)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def row(value: str) -> str:
    """A row of COPY with this value."""
    return value.replace("\\", "\\\\").replace("\n", "\\n") + "\n"


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def dollars(value: str) -> str:
    """As pg_dump quotes the body of a function: with a tag that is not in it."""
    tag = "$"
    for letter in ["", *"_XXXXXXX" * 9]:
        tag += letter
        if tag not in value:
            break
    return f"{tag}$".join(["", value, ""]) if tag + "$" not in value else text(value)


STATEMENTS = some.one_of(
    NASTY.map(lambda value: f"COMMENT ON TABLE a IS {text(value)};\n\n"),
    NASTY.map(lambda value: f"CREATE FUNCTION f() AS {dollars(value)};\n\n"),
    NAME.map(lambda name: f"CREATE TABLE public.{quoted(name)} (\n    x integer\n);\n\n"),
    NASTY.map(lambda value: f"--\n-- Name: {value.replace(chr(10), ' ')}; Type: TABLE\n--\n\n"),
)
TABLES = some.dictionaries(some.tuples(NAME, NAME), some.tuples(some.lists(NAME, max_size=3), some.lists(NASTY)))


@some.composite
def dumps(draw: some.DrawFn) -> tuple[str, dict[str, int]]:
    """A whole dump, and the rows of its tables."""
    tables = draw(TABLES)
    parts = [*draw(some.lists(STATEMENTS))]
    for (schema, table), (columns, rows) in tables.items():
        listed = f"({', '.join(map(quoted, columns))})" if columns else ""
        parts.append(f"COPY {quoted(schema)}.{quoted(table)} {listed} FROM stdin;\n{''.join(map(row, rows))}\\.\n\n\n")
        parts += draw(some.lists(STATEMENTS, max_size=2))
    key_of = draw(some.sampled_from(["", "aB3"]))
    begin, end = (f"\\restrict {key_of}\n\n", f"\\unrestrict {key_of}\n\n") if key_of else ("", "")
    sql = BEGIN + begin + VERSION + "".join(parts) + END + end
    return sql, {key(*name): len(rows) for name, (_columns, rows) in tables.items()}


def blocks(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def read(data: bytes, sizes: Sequence[int] = ()) -> Stream:
    stream = Stream()
    for block in blocks(data, sizes):
        stream.feed(block)
    return stream


@given(dumps(), some.lists(some.integers(0, 60), max_size=60))
def test_rows_of_every_table_wherever_blocks_end(dump: tuple[str, dict[str, int]], sizes: list[int]) -> None:
    sql, rows = dump
    stream = read(sql.encode(), sizes)
    assert stream.rows == rows
    assert stream.whole
    assert stream.bytes == len(sql.encode())


@given(dumps(), some.data())
def test_a_dump_that_ends_early_is_not_whole(dump: tuple[str, dict[str, int]], data: some.DataObject) -> None:
    sql = dump[0].encode()
    cut = data.draw(some.integers(0, len(sql) - 1))
    assert not read(sql[:cut]).whole


def test_rows_that_look_like_the_end_are_not_the_end() -> None:
    sql = f"{BEGIN}COPY public.a (b) FROM stdin;\n{END}"
    assert not read(sql.encode()).whole


def test_keys_that_differ_are_not_of_one_dump() -> None:
    assert read(f"{BEGIN}\\restrict a\n\n{END}\\unrestrict a\n\n".encode()).whole
    assert not read(f"{BEGIN}\\restrict a\n\n{END}\\unrestrict b\n\n".encode()).whole
    assert not read(f"{BEGIN}\\restrict a\n\n{END}".encode()).whole


def test_something_behind_the_end_is_no_dump() -> None:
    assert not read(f"{BEGIN}{END}select 1;\n".encode()).whole


def test_names_in_the_encoding_of_the_dump() -> None:
    stream = Stream("latin-1")
    stream.feed('COPY public."é" (a) FROM stdin;\n\\.\n'.encode("latin-1"))
    assert stream.rows == {"public.é": 0}


def test_rows_in_an_unknown_form_are_refused_before_they_fill_the_memory() -> None:
    stream = Stream()
    with pytest.raises(BackupError, match="form that this program does not know"):
        for _ in range(100):
            stream.feed(b"COPY public.a (b) FROM stdin WITH (NEW);\n" + b"x\n" * 100_000)
