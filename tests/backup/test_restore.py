# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from backup_jobs import NOW, folder_of, settings_of
from crowsnest_backup import dump, postgres, restore
from crowsnest_backup.errors import BackupError
from crowsnest_backup.postgres import Server, Session, identifier, literal
from crowsnest_backup.progress import silent
from crowsnest_backup.settings import Database
from crowsnest_backup.swap import swap
from postgres_servers import MakeDatabase
from programs import until

SHOP = (
    "create table shop_order (id int primary key, note text)",
    r"insert into shop_order select n, 'note \. ' || n from generate_series(1, 1000) n",
    "create table item (shop_order int references shop_order)",
    "insert into item select n from generate_series(1, 300) n",
)
ROWS = {"public.shop_order": 1000, "public.item": 300}


class Case:
    """A database, a backup of it, and what the tests do with them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.settings = settings_of(folder, database)
        self.job, self.live = self.settings.job("shop"), database.name
        self.server = postgres.find(database)
        self.manifest = dump.make(self.settings, self.job, NOW, 1, silent)
        self.file = folder_of(self.settings) / self.manifest.file
        self.unfinished = restore._unfinished(self.settings, self.job)

    def rewrite(self, old: bytes, new: bytes) -> None:
        """Changes the text of the dump, and the manifest with it."""
        before = gzip.decompress(self.file.read_bytes())
        text = before.replace(old, new, 1)
        assert text != before
        self.file.write_bytes(gzip.compress(text))
        self.manifest = replace(self.manifest, sha256=hashlib.sha256(self.file.read_bytes()).hexdigest())

    def restore(self, name: str, create_roles: bool = False) -> restore.Restored:
        return restore.restore(self.settings, self.job, self.manifest, self.file, name, create_roles, silent)

    def load(self, name: str) -> dict[str, int]:
        restore.create(self.server, name, self.manifest)
        return restore.load(self.server, name, self.file, self.manifest, silent)

    def databases(self) -> set[str]:
        with Session(self.server, "postgres") as session:
            return {row["datname"] for row in session.rows("select datname from pg_database")}

    def value(self, database: str, query: str) -> Any:
        with Session(self.server, database) as session:
            return session.value(query)


@pytest.fixture
def case(make_database: MakeDatabase, tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path, make_database(*SHOP))
    yield made
    restore.sweep(made.settings, made.job)


@pytest.fixture
def target(server: Database) -> Iterator[str]:
    """Name of a database that is not there yet, with what names may hold; it is removed after the test."""
    name = "new =\"한글' \\x"
    yield name
    with Session(postgres.find(server), "postgres") as session:
        session.run(f"drop database if exists {identifier(name)} with (force)")


# --- load ---


def test_a_dump_becomes_the_same_database(case: Case, target: str) -> None:
    assert case.load(target) == ROWS
    assert case.value(target, "select note from public.shop_order where id = 7") == r"note \. 7"


def test_the_first_error_undoes_everything(case: Case, target: str) -> None:
    case.rewrite(b"ADD CONSTRAINT item", b"ADD NOTHING item")
    with pytest.raises(BackupError, match=r'^The restore stopped: syntax error at or near "FOREIGN"\.$'):
        case.load(target)
    assert case.value(target, "select count(*) as n from pg_class where relname = 'shop_order'") == 0


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "doubled": lambda whole: whole + whole,
    "another": lambda whole: gzip.compress(b"select 1;"),
    "its text cut": lambda whole: gzip.compress(gzip.decompress(whole)[:-900]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_that_was_not_checked_is_never_committed(how: str, case: Case, target: str) -> None:
    case.file.write_bytes(BROKEN[how](case.file.read_bytes()))
    with pytest.raises(BackupError, match=r"ends in the middle|behind its end|is not the file that was written"):
        case.load(target)
    assert case.value(target, "select count(*) as n from pg_class where relname = 'shop_order'") == 0


def test_rows_that_differ_are_named(case: Case, target: str) -> None:
    case.manifest = replace(case.manifest, counts={**ROWS, "public.item": 301})
    with pytest.raises(BackupError, match=r"not the dumped one: public\.item: 300 rows instead of 301 rows\.$"):
        case.load(target)


def test_a_dump_of_a_newer_postgresql_into_an_older_one(
    container_server: Database, host_server: Database, tmp_path: Path
) -> None:
    newer, older, line = postgres.find(container_server), postgres.find(host_server), "SET transaction_timeout = 0;"
    assert newer.major >= 17 > older.major
    with Session(newer, "shop") as session:
        session.run(f"create table public.note as select {literal(line)} as text")
    try:
        newer_case = Case(tmp_path, container_server)
        older_settings = settings_of(tmp_path, host_server)
        manifest = replace(newer_case.manifest, server={**newer_case.manifest.server, "owner": "postgres", "acl": []})
        newer_case.manifest = manifest
        text = gzip.decompress(newer_case.file.read_bytes())
        assert text.count(line.encode()) == 2
        newer_case.rewrite(b"OWNER TO shop", b"OWNER TO postgres")
        manifest = replace(newer_case.manifest, server={**manifest.server, "roles": []})
        told = restore.restore(
            older_settings, older_settings.job("shop"), manifest, newer_case.file, "from_newer", False, silent
        )
        assert told.notes == (
            "The backup is of PostgreSQL 17 and the server is 15: what is newer makes it stop.",
            "SET transaction_timeout was left out, as PostgreSQL 15 does not know it.",
        )
        with Session(older, "from_newer") as session:
            assert session.value("select text from public.note") == line
    finally:
        with Session(newer, "shop") as session:
            session.run("drop table public.note")
        with Session(older, "postgres") as session:
            session.run("drop database if exists from_newer")


# --- the whole restore ---

SAME = (
    "select to_jsonb(d) - '{oid,datname,datfrozenxid,datminmxid,dattablespace}'::text[] || jsonb_build_object("
    "'comment', shobj_description(oid, 'pg_database'), 'settings', (select jsonb_agg(setrole || ' ' || setconfig::text"
    " order by setrole) from pg_db_role_setting where setdatabase = oid)) as facts"
    " from pg_database d where datname = current_database()"
)


@pytest.fixture
def roles(server: Database) -> Iterator[tuple[str, str]]:
    """An owner and a reader, who has a password; they and what they own are removed after the test."""
    names = ('own "er', "rea'der")
    found = postgres.find(server)
    with Session(found, "postgres") as session:
        for name in names:
            session.run(f"create role {identifier(name)} login password 'secret'")
    yield names
    with Session(found, "postgres") as session:
        for row in session.rows("select datname from pg_database where datname like 'role\\_%'"):
            session.run(f"drop database {identifier(row['datname'])} with (force)")
        for name in names:
            session.run(f"drop role if exists {identifier(name)}")


def options_of(kind: str, server: Server) -> str:
    """Options of CREATE DATABASE."""
    if kind == "own":
        icu = "locale_provider icu icu_locale 'ko' lc_collate 'C' lc_ctype 'C.UTF-8' encoding 'UTF8'"
        return (
            icu if server.major < 17 else "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C' encoding 'UTF8'"
        )
    return "lc_collate 'C' lc_ctype 'C' encoding 'EUC_KR'"


@pytest.mark.parametrize("locale", ["own", "Korean"])
def test_owner_rights_settings_locale_and_comment_survive(
    locale: str, server: Database, roles: tuple[str, str], tmp_path: Path
) -> None:
    found, (owner, reader) = postgres.find(server), roles
    with Session(found, "postgres") as session:
        options = options_of(locale, found)
        session.run(f"create database role_live template template0 {options} owner {identifier(owner)}")
        session.run("revoke all on database role_live from public")
        session.run(f"grant connect on database role_live to {identifier(reader)} with grant option")
        session.run("alter database role_live set search_path to 'a b', public")
        session.run(f"alter role {identifier(reader)} in database role_live set work_mem = '5MB'")
        session.run("comment on database role_live is 'it''s \\ shop'")
    with Session(found, "role_live") as session:
        session.run(f"set role {identifier(owner)}; create table public.t as select '가게' as name")
    own = replace(server, name="role_live")
    case = Case(tmp_path, own)
    restored = case.restore("role_new")
    assert (restored.counts, restored.notes) == ({"public.t": 1}, ())
    assert case.value("role_new", SAME) == case.value("role_live", SAME)
    owners = "select tableowner from pg_tables where tablename = 't'"
    assert case.value("role_new", owners) == owner
    assert case.value("role_new", "select reltuples from pg_class where relname = 't'") == 1
    assert case.value("role_new", "select name from public.t") == "가게"
    swap(found, "role_live", "role_new", NOW, silent)
    assert case.value("role_live", SAME)["settings"]


def test_missing_roles_are_listed_and_made_on_demand(server: Database, roles: tuple[str, str], tmp_path: Path) -> None:
    found, (owner, reader) = postgres.find(server), roles
    with Session(found, "postgres") as session:
        session.run(f"create database role_live owner {identifier(owner)}")
    with Session(found, "role_live") as session:
        session.run(f"create table public.t (); grant select on public.t to {identifier(reader)}")
    case = Case(tmp_path, replace(server, name="role_live"))
    password = "select max(rolpassword) as secret from pg_authid where rolname = 'rea''der'"
    before = case.value("postgres", password)
    with Session(found, "postgres") as session:
        session.run("drop database role_live")
        session.run(f"drop role {identifier(owner)}; drop role {identifier(reader)}")
    with pytest.raises(BackupError, match=r"""roles that the backup needs: own "er, rea'der\. .* --create-roles"""):
        case.restore("role_new")
    assert case.restore("role_new", create_roles=True).counts == {"public.t": 0}
    assert case.value("postgres", password) == before


OF_THE_ADMINISTRATOR = {
    "owner": "create table public.t ()",
    "right": "create table public.t (); alter table public.t owner to shopkeeper; grant select on public.t to shop",
    "default": "alter default privileges for role shop grant select on tables to shopkeeper",
    "nothing": "create extension hstore with schema public",
}


@pytest.mark.parametrize("what", OF_THE_ADMINISTRATOR)
def test_the_first_administrator_is_a_role_of_what_names_it(
    what: str, container_server: Database, tmp_path: Path
) -> None:
    """The image's own administrator is `shop`: initdb made it, and PostgreSQL records no dependency on it."""
    found = postgres.find(container_server)
    with Session(found, "postgres") as session:
        session.run("create role shopkeeper; create database role_live owner shopkeeper")
    try:
        with Session(found, "role_live") as session:
            session.run(OF_THE_ADMINISTRATOR[what])
        case = Case(tmp_path, replace(container_server, name="role_live"))
        names = {"nothing": ["shopkeeper"]}.get(what, ["shop", "shopkeeper"])
        assert case.manifest.server["roles"] == names
    finally:
        with Session(found, "postgres") as session:
            session.run("drop database role_live")
            session.run("drop role shopkeeper")


def test_what_is_missing_is_told_before_anything_is_made(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, before = case.manifest, case.databases()
    monkeypatch.setattr(restore, "create", None)
    needs_extension = {**whole.server, "extensions": {"plpgsql": "1.0", "no_such": "1.0"}}
    for manifest, name, told in [
        (replace(whole, server=needs_extension), "x", r"lacks extensions that the backup needs: no_such\."),
        (
            replace(whole, sql_bytes=10**15),
            "x",
            r"takes about 2600000\.0 GB of disk, and the server has [\d.]+ [MG]B free",
        ),
        (whole, case.live, rf"There is a database {case.live} already"),
        (whole, "가" * 22, "is too long"),
        (replace(whole, sha256="0" * 64), "x", "SHA-256"),
    ]:
        case.manifest = manifest
        with pytest.raises(BackupError, match=told):
            case.restore(name)
    case.file.with_name(f"{whole.stem}.roles.sql").unlink()
    case.manifest = whole
    with pytest.raises(BackupError, match="roles are not there"):
        case.restore("x", create_roles=True)
    assert case.databases() == before


# As psql 16.2, which does not know \restrict, ends with status 0 after such a dump, and restores it all the same.
UNKNOWING = """#!/bin/sh
for word; do shift; set -- "$@" "$(printf %s "$word" | sed s/restrict/restrict_unknown/)"; done
exec "{folder}/psql" "$@"
"""


@pytest.mark.parametrize("server", ["host"], indirect=True)
def test_a_psql_from_before_restrict_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    psql = tmp_path / "psql"
    psql.write_text(UNKNOWING.format(folder=case.server.folder))
    psql.chmod(0o755)
    old = Server("remote", case.server.variables, folder=str(tmp_path), major=case.server.major)
    monkeypatch.setattr(postgres, "find", lambda database: old)
    before = case.databases()
    with pytest.raises(BackupError, match=r"too old for the backup: it does not know \\restrict"):
        case.restore("x")
    assert case.databases() == before


def test_a_restore_that_fails_leaves_nothing(case: Case) -> None:
    before = case.databases()
    case.rewrite(b"ADD CONSTRAINT item", b"ADD NOTHING item")
    with pytest.raises(BackupError, match="The restore stopped"):
        case.restore("x")
    assert case.databases() == before


# --- SIGKILL ---


def killed(case: Case, target: str, when: Callable[[], object]) -> None:
    process = get_context("fork").Process(target=case.restore, args=(target,))
    process.start()
    when()
    process.kill()
    process.join()


def test_sigkill_while_rows_are_loaded(case: Case, target: str) -> None:
    whole, text = case.manifest, case.file.read_bytes()
    case.rewrite(b"ALTER TABLE ONLY public.item", b"select pg_sleep(600);\nALTER TABLE ONLY public.item")
    asleep = "select count(*) as n from pg_stat_activity where wait_event = 'PgSleep'"
    killed(case, target, lambda: until(lambda: case.value("postgres", asleep), 20))
    assert case.unfinished in case.databases()
    assert case.value(case.live, "select count(*) as n from public.shop_order") == 1000
    restore.sweep(case.settings, case.job)
    assert not {case.unfinished, target} & case.databases()
    case.manifest = whole
    case.file.write_bytes(text)
    assert case.restore(target).counts == ROWS


@pytest.mark.parametrize("part", [0.15, 0.45, 0.75])
def test_sigkill_at_any_moment(part: float, case: Case, target: str) -> None:
    begun = time.monotonic()
    case.restore(target)
    seconds = time.monotonic() - begun
    with Session(case.server, "postgres") as session:
        session.run(f"drop database {identifier(target)} with (force)")  # the restore's own session may still end
    killed(case, target, lambda: time.sleep(part * seconds))
    assert case.value(case.live, "select count(*) as n from public.shop_order") == 1000

    def swept() -> bool:
        """In a container psql lives on for a moment: it may be about to create that database."""
        restore.sweep(case.settings, case.job)
        return case.unfinished not in case.databases()

    until(swept, 10)
    if target not in case.databases():
        case.restore(target)
    assert case.value(target, "select count(*) as n from public.item") == 300


def test_only_the_leftover_of_this_job_is_removed(case: Case, make_database: MakeDatabase) -> None:
    other = settings_of(case.settings.directory, None)
    names = {
        make_database(name=restore._unfinished(replace(other, environment="staging"), case.job)).name,
        make_database(name=restore._unfinished(other, replace(case.job, name="store"))).name,
    }
    restore.create(case.server, case.unfinished, case.manifest)
    restore.sweep(case.settings, case.job)
    assert names < case.databases()
    assert case.unfinished not in case.databases()
