# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from crowsnest_backup import postgres, restore
from crowsnest_backup.counts import counted
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.postgres import identifier
from crowsnest_backup.settings import Database
from postgres_servers import MakeDatabase

SHOP = (
    "create table shop_order (id int primary key, note text)",
    r"insert into shop_order select n, 'note \. ' || n from generate_series(1, 1000) n",
    "create table item (shop_order int references shop_order)",
    "insert into item select n from generate_series(1, 300) n",
)


def silent(_: str) -> None:
    pass


def dumped(database: Database, folder: Path, change: tuple[bytes, bytes] = (b"", b"")) -> tuple[Path, Manifest]:
    """A dump by pg_dump alone, its text changed, with a manifest that fits it."""
    server = postgres.find(database)
    text = server.run("pg_dump", database=database.name).stdout.encode().replace(*change, 1)
    file = folder / "shop.sql.gz"
    file.write_bytes(gzip.compress(text))
    with postgres.Session(server, database.name) as session:
        counts = counted(session)
        (of,) = session.rows(
            "select pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datcollate as collate,"
            " datctype as ctype, pg_get_userbyid(datdba) as owner from pg_database"
            " where datname = current_database()"
        )
    manifest = Manifest(
        stem="shop",
        file=file.name,
        app="shop",
        what=database.name,
        environment="production",
        started="2026-11-28T03:00:00+00:00",
        finished="2026-11-28T03:00:01+00:00",
        server={**of, "major": server.major},
        counts=counts,
        sql_bytes=len(text),
        sql_sha256=hashlib.sha256(text).hexdigest(),
        bytes=file.stat().st_size,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        attempts=1,
        checked="2026-11-28T03:00:01+00:00",
    )
    return file, manifest


@pytest.fixture
def target(server: Database) -> Iterator[str]:
    """Name of a database that is not there yet, with what names may hold; it is removed after the test."""
    name = "new =\"한글' \\x"
    yield name
    with postgres.Session(postgres.find(server), "postgres") as session:
        session.run(f"drop database if exists {identifier(name)} with (force)")


def loaded(server: postgres.Server, name: str, dump: Path, manifest: Manifest) -> dict[str, int]:
    restore.create(server, name, manifest)
    return restore.load(server, name, dump, manifest, silent)


def tables(server: postgres.Server, name: str) -> int:
    with postgres.Session(server, name) as session:
        return int(session.value("select count(*) as n from pg_class where relname in ('shop_order', 'item')"))


def test_a_dump_becomes_the_same_database(make_database: MakeDatabase, target: str, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    server = postgres.find(database)
    dump, manifest = dumped(database, tmp_path)
    assert loaded(server, target, dump, manifest) == {"public.shop_order": 1000, "public.item": 300}
    with postgres.Session(server, target) as session:
        assert session.value("select note from shop_order where id = 7") == r"note \. 7"


def test_the_first_error_undoes_everything(make_database: MakeDatabase, target: str, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    server = postgres.find(database)
    dump, manifest = dumped(database, tmp_path, (b"ADD CONSTRAINT item", b"ADD NOTHING item"))
    with pytest.raises(BackupError, match=r'^The restore stopped: syntax error at or near "FOREIGN"\.$'):
        loaded(server, target, dump, manifest)
    assert tables(server, target) == 0


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda whole: whole[: len(whole) // 2], "cannot be read"),
        (lambda whole: whole + bytes(100_000), ""),
        (lambda whole: whole + whole, "does not hold what was dumped"),
        (lambda whole: gzip.compress(b"select 1;"), "does not hold what was dumped"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:-900]), "does not hold what was dumped"),
    ],
    ids=["cut", "zeroes behind it", "doubled", "another", "text cut"],
)
def test_a_broken_file_changes_nothing(
    broken: Callable[[bytes], bytes], told: str, make_database: MakeDatabase, target: str, tmp_path: Path
) -> None:
    database = make_database(*SHOP)
    server = postgres.find(database)
    dump, manifest = dumped(database, tmp_path)
    dump.write_bytes(broken(dump.read_bytes()))
    restore.create(server, target, manifest)
    if not told:
        # Only a check of the whole file knows: the text in it is right.
        assert restore.load(server, target, dump, manifest, silent) == manifest.counts
        return
    with pytest.raises(BackupError, match=told):
        restore.load(server, target, dump, manifest, silent)
    assert tables(server, target) == 0


def test_rows_that_differ_are_named(make_database: MakeDatabase, target: str, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    dump, manifest = dumped(database, tmp_path)
    other = replace(manifest, counts={**manifest.counts, "public.item": 301})
    with pytest.raises(BackupError, match=r"not the dumped one: public\.item: 300 rows instead of 301 rows\.$"):
        loaded(postgres.find(database), target, dump, other)
