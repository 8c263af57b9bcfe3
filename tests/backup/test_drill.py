# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import backups
import pytest
from backup_jobs import NOW, folder_of, settings_of, sql_of
from crowsnest_backup import drill, dump, postgres, restore, scratch
from crowsnest_backup.drill import Drilled, Skipped
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import locked
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import silent
from crowsnest_backup.settings import Database, Settings
from postgres_servers import MakeDatabase
from programs import REPOSITORY, until

SHOP = (
    "create table shop_order (id int primary key, note text)",
    "insert into shop_order select n, 'note ' || n from generate_series(1, 1000) n",
    "create index on shop_order (note)",
)

# What does not depend on where the server runs.
once = pytest.mark.parametrize("server", ["host"], indirect=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where all files of a test are: as on a host, every user may pass through it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


def backed_up(place: Path, database: Database) -> tuple[Settings, Manifest]:
    settings = settings_of(place, database)
    return settings, dump.make(settings, settings.job("shop"), NOW, 1, silent)


def rewritten(settings: Settings, manifest: Manifest, old: bytes, new: bytes) -> Manifest:
    """Changes a backup's text; the manifest that fits it."""
    text = sql_of(settings, manifest).encode().replace(old, new, 1)
    file = folder_of(settings) / manifest.file
    packed = gzip.compress(text)
    file.write_bytes(packed)
    changed = replace(manifest, sql_bytes=len(text), bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
    changed.write(folder_of(settings))
    return changed


def drilled(settings: Settings, manifest: Manifest) -> Drilled:
    with locked(settings.state):
        database = cast(Database, settings.job("shop").database)
        return drill.drill(settings, database, manifest, folder_of(settings) / manifest.file, silent)


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


def test_a_right_backup_is_proven_and_nothing_remains(make_database: MakeDatabase, place: Path) -> None:
    database = make_database(*SHOP)
    settings, manifest = backed_up(place, database)
    before = databases(database)
    found = drilled(settings, manifest)
    assert (found.counts, found.indexes) == ({"public.shop_order": 1000}, True)
    steps = ["read the file", "start a server", "restore and count", "check indexes", "remove it"]
    assert list(found.seconds) == steps
    assert found.server == manifest.server["version"]
    assert traces(settings) == []
    assert databases(database) == before


@once
def test_owners_that_only_the_live_server_has(make_database: MakeDatabase, place: Path) -> None:
    database = make_database(*SHOP)
    role = postgres.identifier(f"{database.name} \"of' 한글")
    with postgres.Session(postgres.find(database), database.name, "an administrator") as session:
        session.run(f"create role {role} superuser; alter table public.shop_order owner to {role}")
        session.run("create function public.told() returns event_trigger language plpgsql as 'begin end'")
        session.run("create event trigger each on ddl_command_end execute function public.told()")
        session.run(f"alter event trigger each owner to {role}; grant select on public.shop_order to pg_monitor")
        try:
            settings, manifest = backed_up(place, database)
            assert drilled(settings, manifest).counts == manifest.counts
        finally:
            session.run(f"drop owned by {role} cascade; drop role {role}")


def test_more_tables_than_a_usual_server_locks_at_once(make_database: MakeDatabase, place: Path) -> None:
    many = "execute format('create table t%s (id serial primary key, note text)', n)"
    settings, manifest = backed_up(place, make_database(f"do $$begin for n in 1..400 loop {many}; end loop; end$$"))
    assert len(drilled(settings, manifest).counts) == 400


# --- a backup that is not ---


@once
def test_an_empty_restore_fails(make_database: MakeDatabase, place: Path) -> None:
    _, right = backed_up(place, make_database(*SHOP))
    settings, empty = backed_up(place, make_database(SHOP[0]))
    with pytest.raises(BackupError, match=r"not the dumped one: public\.shop_order: 0 rows instead of 1000 rows"):
        drilled(settings, replace(empty, counts=right.counts))
    assert traces(settings) == []


@once
def test_an_older_file_under_the_name_of_the_newest_fails(make_database: MakeDatabase, place: Path) -> None:
    database = make_database(*SHOP)
    settings, old = backed_up(place, database)
    content = (folder_of(settings) / old.file).read_bytes()
    with postgres.Session(postgres.find(database), database.name) as session:
        session.run("insert into public.shop_order values (0, 'new')")
    _, newest = backed_up(place, database)
    (folder_of(settings) / newest.file).write_bytes(content)
    with pytest.raises(BackupError, match="is not the file that was written"):
        drilled(settings, newest)
    assert traces(settings) == []


@once
def test_one_byte_that_changed_is_found(make_database: MakeDatabase, place: Path) -> None:
    settings, manifest = backed_up(place, make_database(*SHOP))
    file = folder_of(settings) / manifest.file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BackupError, match=f"{manifest.file} is (broken|not the file that was written)"):
        drilled(settings, manifest)
    assert traces(settings) == []


LYING = (
    "create function lying(n int) returns int language sql immutable as 'select n'",
    "create table item (n int)",
    "insert into item select generate_series(1, 100)",
    "create index on item (public.lying(n))",
)


@once
def test_an_index_that_lacks_rows_fails(make_database: MakeDatabase, place: Path) -> None:
    settings, manifest = backed_up(place, make_database(*LYING))
    end = b"\n\\unrestrict"
    lie = b"\ncreate or replace function public.lying(n int) returns int language sql immutable as 'select -n';"
    with pytest.raises(BackupError, match=r"^pg_amcheck found the restored database damaged: .*item_lying_idx"):
        drilled(settings, rewritten(settings, manifest, end, lie + end))
    assert traces(settings) == []


# --- SIGKILL ---

PROGRAM = """
import sys
from pathlib import Path
from backup_jobs import folder_of, settings_of
from crowsnest_backup import drill
from crowsnest_backup.files import locked
from crowsnest_backup.manifest import manifests
from crowsnest_backup.settings import Database
place, name, port, container = sys.argv[1:]
settings = settings_of(Path(place), Database(name, "127.0.0.1", int(port), container or None))
(manifest,) = manifests(folder_of(settings))
with locked(settings.state):
    dump = folder_of(settings) / manifest.file
    drill.drill(settings, settings.job("shop").database, manifest, dump, lambda told: print(told, flush=True))
"""
BUSY = b"\nselect count(*) from generate_series(1, 1000000000000);"


@pytest.mark.parametrize("step", ["start a server", "restore and count", "building indexes"])
def test_a_killed_drill_is_swept_and_the_next_one_is_right(step: str, make_database: MakeDatabase, place: Path) -> None:
    database = make_database(*SHOP)
    settings, manifest = backed_up(place, database)
    if step == "building indexes":
        # The server is at work for hours, and asks nobody whether it is still wanted.
        rewritten(settings, manifest, b"\n\\unrestrict", BUSY + b"\n\\unrestrict")
    path = os.pathsep.join(str(REPOSITORY / folder) for folder in ("files/backup", "tests/helpers"))
    command = [sys.executable, "-c", PROGRAM, place, database.name, str(database.port), database.container or ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}) as killed:
        assert killed.stdout is not None
        assert any(step in line for line in killed.stdout)
        until(lambda: traces(settings), 10)
        killed.send_signal(signal.SIGKILL)
    assert traces(settings)
    if step == "restore and count" and not database.container:
        until(lambda: not processes(settings.state / "drill"), 10)  # on a host it ends with the program
    with locked(settings.state):
        scratch.sweep(settings.state)
    assert traces(settings) == []
    settings, manifest = backed_up(place, database)
    assert drilled(settings, manifest).counts == manifest.counts


@pytest.mark.parametrize("rounds", [3, None])
def test_a_container_that_docker_is_still_making_is_swept(
    rounds: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker lists it before it can be removed: until then `rm --force` removes nothing and says nothing."""
    tried: list[str] = []

    def docker(*words: str) -> str:
        if words[0] == "rm":
            tried.append(words[-1])
        return "" if len(tried) == rounds else "ea7cc7dd6efa\n"

    monkeypatch.setattr(scratch, "docker", docker)
    monkeypatch.setattr(scratch, "_SWEEP_SECONDS", 0.2)
    if rounds:
        scratch.sweep(tmp_path)
        assert tried == ["ea7cc7dd6efa"] * rounds
    else:
        with pytest.raises(BackupError, match="does not remove the container ea7cc7dd6efa"):
            scratch.sweep(tmp_path)


# --- the live server is not disturbed ---


def told(session: postgres.Session, command: str) -> list[str]:
    """What a command prints that the server starts, as a restored function could."""
    session.run(f"create temporary table line (told text); copy line from program {postgres.literal(command)}")
    lines = [row["told"].strip() for row in session.rows("select told from pg_temp.line")]
    session.run("drop table pg_temp.line")
    return lines


def test_the_server_has_no_network_and_goes_first(server: Database, place: Path) -> None:
    with scratch.cluster(place, source(server)) as found, postgres.Session(found, "postgres") as session:
        assert [line.partition(":")[0] for line in told(session, "tail -n +3 /proc/net/dev")] == ["lo"]
        assert told(session, "cat /proc/self/oom_score_adj") == ["1000"]
        assert session.value("select current_setting('listen_addresses') as none") == ""


def test_what_a_backup_makes_the_server_do_cannot_reach_the_live_one(host_server: Database, place: Path) -> None:
    with postgres.Session(postgres.find(host_server), "postgres") as live:
        data = live.value("select current_setting('data_directory') as folder")
        process = live.value("select pg_backend_pid() as process")
        with scratch.cluster(place, source(host_server)) as found, postgres.Session(found, "postgres") as session:
            assert told(session, "id -un") == [scratch.USER]
            for attempt in (f"cat {data}/PG_VERSION", f"kill -0 {process}", f"ls /proc/{process}/root/"):
                assert re.search("[Pp]ermission denied|not permitted", str(told(session, f"{attempt} 2>&1 || true")))


def test_a_container_for_a_drill_is_kept_small(container_server: Database, place: Path) -> None:
    with scratch.cluster(place, source(container_server)) as found:
        asked = "{{json .HostConfig.Memory}} {{json .HostConfig.NanoCpus}} {{json .HostConfig.PidsLimit}} {{.Image}}"
        told = postgres.docker("inspect", "--format", asked, str(found.container)).split()
    live = postgres.docker("inspect", "--format", "{{.Image}}", str(container_server.container)).strip()
    assert told == [str(384 << 20), "500000000", "100", live]


def test_libraries_that_an_extension_needs_are_preloaded(server: Database, place: Path) -> None:
    name = "pg_stat_statements"
    with scratch.cluster(place, source(server), [name]) as found:
        with postgres.Session(found, "postgres") as session:
            session.run(f"create extension {name} with schema public; select from public.{name}")
        needed = backups.manifest(NOW, server={"extensions": {"plpgsql": "1.0", name: "1.10"}})
        other = backups.manifest(NOW, server={"extensions": {"plpgsql": "1.0"}})
        assert (drill._libraries(found, needed), drill._libraries(found, other)) == ([name], [])


# --- where it runs, or why it does not ---


def test_a_remote_server_is_restored_into_what_this_host_has(host_server: Database) -> None:
    installed = postgres.find(host_server)
    remote = replace(installed, kind="remote")
    assert scratch.source(remote).folder == installed.folder
    assert scratch.source(replace(remote, folder="")).folder == installed.folder
    assert scratch.source(replace(remote, folder="", major=99, image="postgres:99")).image == "postgres:99"
    with pytest.raises(BackupError, match=r"no server programs of PostgreSQL 99\. Install the package postgresql-99"):
        scratch.source(replace(remote, folder="", major=99))


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("MEMORY_LEAST", r"^Only \d+ MiB of memory are available; a drill needs 1048576\.$"),
        ("DISK_SPARE", r"^Only \d+ MiB are free in /\S+; a drill of this backup needs 1048576\.$"),
    ],
)
def test_no_room_is_a_reason_to_skip(
    limit: str, told: str, make_database: MakeDatabase, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, manifest = backed_up(place, make_database())
    monkeypatch.setattr(drill, limit, 1 << 40)
    with pytest.raises(Skipped, match=told):
        drilled(settings, manifest)
    assert traces(settings) == []


@once
def test_an_extension_that_only_the_live_server_has(make_database: MakeDatabase, place: Path) -> None:
    settings, manifest = backed_up(place, make_database())
    wanting = replace(manifest, server={**manifest.server, "extensions": {"plpgsql": "1.0", "no such": "1.0"}})
    with pytest.raises(Skipped, match=r"^The extension no such is not part of the (image|programs)"):
        drilled(settings, wanting)
    assert traces(settings) == []


def test_a_live_server_that_is_not_there(server: Database, place: Path) -> None:
    gone = replace(server, container="crowsnest-no-such") if server.container else replace(server, port=1)
    settings = settings_of(place, gone)
    with pytest.raises(Skipped, match=r"no container crowsnest-no-such|No such file or directory"):
        drilled(settings, backups.manifest(NOW))


def test_without_amcheck_it_is_said(container_server: Database, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = restore.load

    def load(server: postgres.Server, *words: Any) -> dict[str, int]:
        extensions = "/usr/share/postgresql/17/extension"
        postgres.docker("exec", "--user", "root", str(server.container), "rm", f"{extensions}/amcheck.control")
        return loaded(server, *words)

    monkeypatch.setattr(restore, "load", load)
    settings, manifest = backed_up(place, container_server)
    found = drilled(settings, manifest)
    assert found.indexes is False
    assert "Not checked: no amcheck is installed." in drill.evidence(found, manifest, NOW)


@pytest.mark.parametrize(
    ("text", "available"), [("MemTotal: 9 kB\nMemAvailable:   204800 kB\n", 200 << 20), ("MemTotal: 9 kB\n", 0)]
)
def test_available_memory(text: str, available: int) -> None:
    assert drill.available(text) == available


# --- which one, and what can be shown ---


def test_every_fourth_drill_takes_the_oldest() -> None:
    old, middle, new = (backups.manifest(NOW + timedelta(days=day)) for day in range(3))
    assert [drill.choose([old, middle, new], done) for done in range(8)] == [new, new, new, old] * 2


def test_the_evidence_names_what_was_proven() -> None:
    steps = {"start a server": 1.23, "restore and count": 2.34}
    found = Drilled("shop", "17.12", "the image sha256:ef", steps, {"public.orders": 1234, "public.a|<b>": 1}, True)
    backup = backups.manifest(
        NOW, what="shop|<b>", server={"version": "17.11"}, sql_bytes=56789, bytes=4321, sha256="ab"
    )
    assert drill.evidence(found, backup, NOW + timedelta(hours=1)) == EVIDENCE


EVIDENCE = """\
# Restore of <code>shop&#124;&lt;b&gt;</code>, proven

| Fact | Value |
| --- | --- |
| Database | <code>shop&#124;&lt;b&gt;</code> of shop, test |
| Backup | <code>shop_test_20261128_030000.sql.gz</code>, 4,321 bytes |
| SHA-256 | <code>ab</code> |
| Taken | 2026-11-28T03:00:00+00:00, from PostgreSQL 17.11 |
| Restored | 2026-11-28T04:00:00+00:00, into PostgreSQL 17.12 |
| Server for it | A new and empty one without a network, from the image sha256:ef; removed afterwards |

| Proof | Result |
| --- | --- |
| Content | The 56,789 bytes of SQL are those that were dumped, by their SHA-256. |
| Restore | All statements succeeded, in one transaction. |
| Rows | 1,235 in 2 tables, as in the dump's own snapshot. |
| Indexes | pg_amcheck found each row in each index. |

| Step | Seconds |
| --- | --- |
| start a server | 1.2 |
| restore and count | 2.3 |

| Table | Rows |
| --- | --- |
| <code>public.orders</code> | 1,234 |
| <code>public.a&#124;&lt;b&gt;</code> | 1 |
"""
