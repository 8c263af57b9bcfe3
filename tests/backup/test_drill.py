# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crowsnest_backup import drill, postgres, restore, scratch
from crowsnest_backup.counts import counted
from crowsnest_backup.drill import Drilled, Skipped
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import locked
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.settings import Database, Job, Keep, Settings
from postgres_servers import MakeDatabase
from programs import REPOSITORY, until

SHOP = (
    "create table shop_order (id int primary key, note text)",
    "insert into shop_order select n, 'note ' || n from generate_series(1, 1000) n",
    "create index on shop_order (note)",
)
NOW = datetime(2026, 11, 28, 4, 0, tzinfo=timezone.utc)


@pytest.fixture
def settings() -> Iterator[Settings]:
    """As on a host, where every user may pass through the folders above the state's own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        yield Settings("production", ZoneInfo("UTC"), folder / "backups", folder / "state", folder / "metrics", {}, {})


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
            " datctype as ctype, pg_get_userbyid(datdba) as owner, current_setting('server_version') as version"
            " from pg_database where datname = current_database()"
        )
        roles = [row["name"] for row in session.rows("select rolname as name from pg_roles")]
        extensions = session.rows("select extname as name, extversion as version from pg_extension")
    manifest = Manifest(
        stem="shop",
        file=file.name,
        app="shop",
        what=database.name,
        environment="production",
        started="2026-11-28T03:00:00+00:00",
        finished="2026-11-28T03:00:01+00:00",
        server={
            **of,
            "major": server.major,
            "roles": roles,
            "extensions": {each["name"]: each["version"] for each in extensions},
        },
        counts=counts,
        sql_bytes=len(text),
        sql_sha256=hashlib.sha256(text).hexdigest(),
        bytes=file.stat().st_size,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        attempts=1,
        checked="2026-11-28T03:00:01+00:00",
    )
    return file, manifest


def drilled(settings: Settings, database: Database, dump: Path, manifest: Manifest) -> Drilled:
    job = Job("shop", "03:00", Keep(7, 4, 6), database)
    told: list[str] = []
    with locked(settings.state):
        return drill.drill(settings, job, manifest, dump, told.append)


def source(database: Database) -> scratch.Source:
    return scratch.source(postgres.find(database))


def traces(settings: Settings) -> list[str]:
    """What a drill left: its folder, its processes, its containers."""
    folder = settings.state / "drill"
    containers = postgres.docker("ps", "--all", "--quiet", "--filter", f"label=crowsnest-backup-drill={settings.state}")
    return [*map(str, folder.glob("**")), *processes(folder), *containers.split()]


def processes(folder: Path) -> list[str]:
    """Processes that work in this folder, or were started with its name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in f"{(process / 'cwd').readlink()} {(process / 'cmdline').read_text()}":
                found.append(process.name)
        except OSError:
            continue
    return found


def databases(database: Database) -> list[dict[str, Any]]:
    with postgres.Session(postgres.find(database), "postgres") as session:
        return session.rows("select datname, rolname from pg_database full join pg_roles on false order by 1, 2")


# --- a backup that is right ---


def test_a_right_backup_is_proven_and_nothing_remains(
    make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    database = make_database(*SHOP)
    dump, manifest = dumped(database, tmp_path)
    before = databases(database)
    found = drilled(settings, database, dump, manifest)
    assert (found.counts, found.indexes) == ({"public.shop_order": 1000}, True)
    assert list(found.seconds) == ["start a server", "restore and count", "check indexes", "remove it"]
    assert found.server == manifest.server["version"]
    assert traces(settings) == []
    assert databases(database) == before


def test_owners_that_only_the_live_server_has(make_database: MakeDatabase, settings: Settings, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    role = postgres.identifier(f"{database.name} \"of' 한글")
    with postgres.Session(postgres.find(database), database.name) as session:
        session.run(f"create role {role} superuser; alter table shop_order owner to {role}")
        session.run("create function told() returns event_trigger language plpgsql as 'begin end'")
        session.run("create event trigger each on ddl_command_end execute function told()")
        session.run(f"alter event trigger each owner to {role}; grant select on shop_order to pg_monitor")
    dump, manifest = dumped(database, tmp_path)
    try:
        assert drilled(settings, database, dump, manifest).counts == manifest.counts
    finally:
        with postgres.Session(postgres.find(database), database.name) as session:
            session.run(f"drop owned by {role} cascade; drop role {role}")


def test_more_tables_than_a_usual_server_locks_at_once(
    make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    many = "execute format('create table t%s (id serial primary key, note text)', n)"
    database = make_database(f"do $$begin for n in 1..400 loop {many}; end loop; end$$")
    dump, manifest = dumped(database, tmp_path)
    assert len(drilled(settings, database, dump, manifest).counts) == 400


# --- a backup that is not ---


def test_an_empty_restore_fails(make_database: MakeDatabase, settings: Settings, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    _, manifest = dumped(database, tmp_path)
    empty, of_empty = dumped(make_database(SHOP[0]), tmp_path)
    wrong = replace(of_empty, counts=manifest.counts)
    with pytest.raises(BackupError, match=r"not the dumped one: public\.shop_order: 0 rows instead of 1000 rows"):
        drilled(settings, database, empty, wrong)
    assert traces(settings) == []


def test_an_older_file_under_the_name_of_the_newest_fails(
    make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    database = make_database(*SHOP)
    dump, _ = dumped(database, tmp_path)
    old = dump.read_bytes()
    with postgres.Session(postgres.find(database), database.name) as session:
        session.run("insert into shop_order values (0, 'new')")
    dump, manifest = dumped(database, tmp_path)
    dump.write_bytes(old)
    with pytest.raises(BackupError, match="does not hold what was dumped"):
        drilled(settings, database, dump, manifest)
    assert traces(settings) == []


def test_one_byte_that_changed_is_found(make_database: MakeDatabase, settings: Settings, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    dump, manifest = dumped(database, tmp_path)
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    with pytest.raises(BackupError):
        drilled(settings, database, dump, manifest)
    assert traces(settings) == []


LYING = (
    "create function lying(n int) returns int language sql immutable as 'select n'",
    "create table item (n int)",
    "insert into item select generate_series(1, 100)",
    "create index on item (public.lying(n))",
)


def test_an_index_that_lacks_rows_fails(make_database: MakeDatabase, settings: Settings, tmp_path: Path) -> None:
    database = make_database(*LYING)
    end = b"\n\\unrestrict"
    lie = b"\ncreate or replace function public.lying(n int) returns int language sql immutable as 'select -n';"
    dump, manifest = dumped(database, tmp_path, (end, lie + end))
    with pytest.raises(BackupError, match=r"^pg_amcheck found the restored database damaged: .*item_lying_idx"):
        drilled(settings, database, dump, manifest)
    assert traces(settings) == []


# --- SIGKILL ---

PROGRAM = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from crowsnest_backup import drill, manifest
from crowsnest_backup.files import locked
from crowsnest_backup.settings import Database, Job, Keep, Settings
state, dump, name, port, container = sys.argv[1:]
settings = Settings("production", ZoneInfo("UTC"), Path(state), Path(state), Path(state), {}, {})
job = Job("shop", "03:00", Keep(7, 4, 6), Database(name, "127.0.0.1", int(port), container or None))
with locked(settings.state):
    of = manifest.parse(Path(dump).with_suffix(".json").read_text(), dump)
    drill.drill(settings, job, of, Path(dump), lambda told: print(told, flush=True))
"""


@pytest.mark.parametrize("step", ["start a server", "restore and count", "check indexes"])
def test_a_killed_drill_leaves_nothing_that_the_next_start_does_not_remove(
    step: str, make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    database = make_database(*SHOP)
    dump, manifest = dumped(database, tmp_path)
    dump.with_suffix(".json").write_text(manifest.text())
    words = (settings.state, dump, database.name, database.port, database.container or "")
    path = {"PYTHONPATH": str(REPOSITORY / "files" / "backup")}
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | path) as killed:
        assert killed.stdout is not None
        assert any(step in line for line in killed.stdout)
        until(lambda: traces(settings), 10)
        killed.send_signal(signal.SIGKILL)
    if not database.container:
        until(lambda: not processes(settings.state / "drill"), 10)
    with locked(settings.state):
        scratch.sweep(settings.state)
    assert traces(settings) == []
    assert drilled(settings, database, dump, manifest).counts == manifest.counts


# --- the live server is not disturbed ---


def test_the_server_has_no_network_and_goes_first(server: Database, settings: Settings) -> None:
    with scratch.cluster(settings.state, source(server)) as found, postgres.Session(found, "postgres") as session:
        session.run("create table line (told text)")

        def told(command: str) -> list[str]:
            session.run(f"truncate line; copy line from program {postgres.literal(command)}")
            return [row["told"].strip() for row in session.rows("select told from line")]

        assert [line.partition(":")[0] for line in told("tail -n +3 /proc/net/dev")] == ["lo"]
        assert told("cat /proc/self/oom_score_adj") == ["1000"]
        assert session.value("select current_setting('listen_addresses') as none") == ""


def test_a_container_for_a_drill_is_kept_small(container_server: Database, settings: Settings) -> None:
    with scratch.cluster(settings.state, source(container_server)) as found:
        asked = "{{json .HostConfig.Memory}} {{json .HostConfig.NanoCpus}} {{json .HostConfig.PidsLimit}} {{.Image}}"
        told = postgres.docker("inspect", "--format", asked, str(found.container)).split()
        live = postgres.docker("inspect", "--format", "{{.Image}}", str(container_server.container)).strip()
    assert told == [str(384 << 20), "500000000", "100", live]


def test_libraries_that_an_extension_needs_are_preloaded(
    server: Database, settings: Settings, make_database: MakeDatabase, tmp_path: Path
) -> None:
    name = "pg_stat_statements"
    with scratch.cluster(settings.state, source(server), [name]) as found:
        with postgres.Session(found, "postgres") as session:
            session.run(f"create extension {name}")
            assert session.value(f"select count(*) > 0 as works from {name}") is True
        _, manifest = dumped(make_database(), tmp_path)
        needed = replace(manifest, server={**manifest.server, "extensions": {name: "1.10"}})
        assert (drill._libraries(found, needed), drill._libraries(found, manifest)) == ([name], [])


# --- skipped ---


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("MEMORY_LEAST", r"^Only \d+ MiB of memory are available; a drill needs 1048576\.$"),
        ("DISK_SPARE", r"^Only \d+ MiB are free in /\S+; a drill of this backup needs 1048576\.$"),
    ],
)
def test_no_room_is_a_reason_to_skip(
    limit: str,
    told: str,
    make_database: MakeDatabase,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = make_database()
    dump, manifest = dumped(database, tmp_path)
    monkeypatch.setattr(drill, limit, 1 << 40)
    with pytest.raises(Skipped, match=told):
        drilled(settings, database, dump, manifest)
    assert traces(settings) == []


def test_an_extension_that_only_the_live_server_has(
    make_database: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    database = make_database()
    dump, manifest = dumped(database, tmp_path)
    wanting = replace(manifest, server={**manifest.server, "extensions": {"plpgsql": "1.0", "no such": "1.0"}})
    with pytest.raises(Skipped, match=r"^The extension no such is not part of the (image|programs)"):
        drilled(settings, database, dump, wanting)
    assert traces(settings) == []


def test_a_live_server_that_is_not_there(server: Database, settings: Settings, tmp_path: Path) -> None:
    gone = replace(server, container="crowsnest-no-such") if server.container else replace(server, port=1)
    dump, manifest = dumped(server, tmp_path)
    with pytest.raises(Skipped, match="no container crowsnest-no-such|No such file or directory"):
        drilled(settings, gone, dump, manifest)


def test_without_amcheck_it_is_said(
    container_server: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = restore.load

    def load(server: postgres.Server, *words: Any) -> dict[str, int]:
        extensions = "/usr/share/postgresql/17/extension"
        postgres.docker("exec", "--user", "root", str(server.container), "rm", f"{extensions}/amcheck.control")
        return loaded(server, *words)

    monkeypatch.setattr(restore, "load", load)
    dump, manifest = dumped(container_server, tmp_path)
    found = drilled(settings, container_server, dump, manifest)
    assert found.indexes is False
    assert "Not checked: no amcheck is installed." in drill.evidence(found, manifest, NOW)


@pytest.mark.parametrize(
    ("text", "bytes_"), [("MemTotal: 9 kB\nMemAvailable:   204800 kB\n", 200 << 20), ("MemTotal: 9 kB\n", 0)]
)
def test_available_memory(text: str, bytes_: int) -> None:
    assert drill.available(text) == bytes_


# --- which, and what one can show ---


def a_manifest(stem: str, **known: Any) -> Manifest:
    return Manifest(
        stem,
        f"{stem}.sql.gz",
        "shop",
        "a|b<c>",
        "production",
        "2026-11-28T03:00:00+00:00",
        "2026-11-28T03:00:01+00:00",
        {"version": "17.12"},
        {"public.shop_order": 1234},
        5678,
        "ab",
        910,
        "cd",
        1,
        "2026-11-28T03:00:01+00:00",
    )


def test_every_fourth_drill_takes_the_oldest() -> None:
    kept = [a_manifest("old"), a_manifest("middle"), a_manifest("new")]
    assert [drill.choose(kept, done).stem for done in range(8)] == ["new", "new", "new", "old"] * 2


def test_nothing_to_drill_yet() -> None:
    with pytest.raises(Skipped, match="no backup yet"):
        drill.choose([], 0)


def test_the_evidence_names_what_was_proven() -> None:
    of = Drilled("shop", "17.12", "the image sha256:ef", {"restore and count": 2.34}, {"public.shop_order": 1234}, True)
    page = drill.evidence(of, a_manifest("shop"), NOW)
    assert page == (REPOSITORY / "tests" / "backup" / "evidence.md").read_text(encoding="utf-8")
