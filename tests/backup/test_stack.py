# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole state of a stack, with a real Alertmanager and a real PostgreSQL; only compose is played."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyrage
import pytest
from crowsnest_backup import files, local, placing, postgres, recovery, silences, stack, stack_restore
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest, manifests
from crowsnest_backup.progress import Progress
from crowsnest_backup.run import Runner
from crowsnest_backup.settings import STACK, Database, Job, Keep, Remote, Settings, Stack
from postgres_servers import MakeDatabase
from programs import free_port, running

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(minutes=5)
KEPT = f"before_{LATER:%Y%m%d_%H%M%S}"
GRAFANA, KUMA = 12345, 12346
SITE = "Now run `./crowsnest site`: services get their new keys for each other."
# Compose is played: what it is told and which files are there is written down. Everything else is Docker's own.
DOCKER = """#!/bin/sh
if [ "$1" != compose ]; then exec {real} "$@"; fi
echo "$* | $(cd {data}/grafana && ls | tr '\\n' ' ')" >> {log}
"""


def nothing(_fragment: str) -> None:
    pass


@dataclass
class Host:
    """A host with the data of a stack, and how its backups are declared."""

    folder: Path
    settings: Settings

    @property
    def job(self) -> Job:
        return self.settings.job(STACK)

    @property
    def declared(self) -> Stack:
        return stack.declared(self.settings)

    @property
    def backups(self) -> Path:
        return local.folder(self.settings, self.job)

    @property
    def composed(self) -> list[str]:
        log = self.folder / "compose.log"
        return log.read_text().splitlines() if log.exists() else []

    def declare(self, **changes: object) -> None:
        self.settings = replace(self.settings, stack=replace(self.declared, **changes))  # type: ignore[arg-type]

    def make(self, say: Callable[[str], None] = nothing) -> Manifest:
        return stack.make(self.settings, self.job, NOW, 1, say)

    def restore(self, manifest: Manifest, say: Callable[[str], None] = nothing) -> list[str]:
        return stack_restore.restore(self.settings, manifest, self.backups / manifest.file, LATER, say)

    def backups_swept(self) -> None:
        """As at the next start of the program."""
        files.sweep(self.backups)

    def names(self, manifest: Manifest) -> list[str]:
        """What `tar` lists."""
        command = ["tar", "-tzf", self.backups / manifest.file]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def database(path: Path, owner: int, table: str, *names: str) -> None:
    """A service's folder, with its database in the form that services use."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"CREATE TABLE {table} (name TEXT)")
        connection.executemany(f"INSERT INTO {table} VALUES (?)", [(name,) for name in names])  # noqa: S608
        connection.commit()
    for each in (path.parent, path):
        os.chown(each, owner, owner)
    path.parent.chmod(0o750)


def column(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute(f"SELECT name FROM {table} ORDER BY 1")]  # noqa: S608


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    words = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with running("alertmanager", folder, *words) as url:
        yield url


@pytest.fixture
def silence(alertmanager: str) -> Iterator[None]:
    """One silence is in force; none after the test."""
    matcher = {"name": "app", "value": "shop", "isRegex": False, "isEqual": True}
    times = {"startsAt": NOW.isoformat(), "endsAt": (NOW + timedelta(hours=1)).isoformat()}
    silences.post(alertmanager, {"matchers": [matcher], "createdBy": "kim", "comment": "planned work", **times})
    yield
    end_silences(alertmanager)


def end_silences(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/v2/silences", timeout=10) as answer:  # noqa: S310
        found = json.load(answer)
    for each in found:
        if each["status"]["state"] != "expired":
            delete = urllib.request.Request(f"{url}/api/v2/silence/{each['id']}", method="DELETE")  # noqa: S310
            urllib.request.urlopen(delete, timeout=10).close()  # noqa: S310


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that services reach, as on a host."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def host(place: Path, alertmanager: str, monkeypatch: pytest.MonkeyPatch) -> Host:
    data = place / "data"
    database(data / "grafana" / "grafana.db", GRAFANA, "user", "kim", "lee")
    database(data / "uptime_kuma" / "kuma.db", KUMA, "monitor", "shop")
    (data / "uptime_kuma" / "db-config.json").write_text('{"type": "sqlite"}')
    (data / "uptime_kuma" / "upload").mkdir()
    (data / "uptime_kuma" / "upload" / "logo1.png").write_bytes(b"logo")
    release = place / "opt" / "grafana" / "releases" / "1" / "secrets"
    release.mkdir(parents=True)
    (release / "admin_password").write_text("a-Long-Secret-1")
    (place / "opt" / "grafana" / "current").symlink_to("releases/1")
    programs = place / "programs"
    programs.mkdir()
    text = DOCKER.format(real=shutil.which("docker"), data=data, log=place / "compose.log")
    (programs / "docker").write_text(text)
    (programs / "docker").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    declared = Stack(
        compose_file="/opt/crowsnest/compose.yaml",
        sqlite={"grafana": f"{data}/grafana/grafana.db", "uptime_kuma": f"{data}/uptime_kuma/kuma.db"},
        alertmanager=alertmanager,
        folders={"uptime_kuma/upload": f"{data}/uptime_kuma/upload"},
        secrets=(f"{place}/opt/grafana/current/secrets", f"{place}/opt/metabase/api_key"),
    )
    job = Job(STACK, "03:00", Keep(7, 4, 6), drill="never")
    written = place / "backups", files.private_folder(place / "state"), place / "metrics"
    return Host(place, Settings("test", ZoneInfo("UTC"), *written, {STACK: job}, {}, stack=declared))


def test_an_archive_that_a_person_can_open(host: Host, silence: None) -> None:
    made = host.make()
    assert host.names(made) == [
        "grafana/grafana.db",
        "uptime_kuma/kuma.db",
        "uptime_kuma/upload/logo1.png",
        "alertmanager/silences.json",
    ]
    assert made.counts == {"grafana.user": 2, "uptime_kuma.monitor": 1, "alertmanager.silences": 1}
    assert manifests(host.backups) == [made]
    left = {path.name: path.stat().st_mode & 0o777 for path in host.backups.iterdir()}
    assert left == {made.file: 0o600, f"{made.stem}.json": 0o600}
    (host.folder / "by hand").mkdir()
    subprocess.run(["tar", "-xzf", host.backups / made.file, "-C", host.folder / "by hand"], check=True)
    assert column(host.folder / "by hand" / "grafana" / "grafana.db", "user") == ["kim", "lee"]


def lose(host: Host) -> None:
    """A new host: the services made empty data of their own."""
    data = host.folder / "data"
    shutil.rmtree(data)
    database(data / "grafana" / "grafana.db", GRAFANA, "user", "admin")
    database(data / "uptime_kuma" / "kuma.db", KUMA, "monitor")
    (data / "uptime_kuma" / "upload").mkdir()
    end_silences(host.declared.alertmanager)


def test_what_was_lost_comes_back(host: Host, silence: None) -> None:
    made = host.make()
    lose(host)
    told = host.restore(made)
    grafana, kuma = host.folder / "data" / "grafana", host.folder / "data" / "uptime_kuma"
    assert column(grafana / "grafana.db", "user") == ["kim", "lee"]
    assert column(kuma / "kuma.db", "monitor") == ["shop"]
    assert (kuma / "upload" / "logo1.png").read_bytes() == b"logo"
    assert [each["comment"] for each in silences.read(host.declared.alertmanager)] == ["planned work"]
    owners = {
        path.name: (path.stat().st_uid, path.stat().st_mode & 0o777)
        for path in (grafana / "grafana.db", kuma / "kuma.db")
    }
    assert owners == {"grafana.db": (GRAFANA, 0o640), "kuma.db": (KUMA, 0o640)}
    # What was there can be had back.
    assert column(grafana / f"grafana.db.{KEPT}", "user") == ["admin"]
    assert (kuma / f"upload.{KEPT}").is_dir()
    assert told == [
        f"grafana has its database back; the one before is {grafana}/grafana.db.{KEPT}.",
        f"uptime_kuma has its database back; the one before is {kuma}/kuma.db.{KEPT}.",
        "uptime_kuma/upload is back.",
        "Silences that are in force again: 1.",
        SITE,
    ]
    compose = "compose -f /opt/crowsnest/compose.yaml"
    assert host.composed == [
        f"{compose} stop grafana uptime_kuma | grafana.db ",
        f"{compose} start grafana uptime_kuma | grafana.db grafana.db.{KEPT} ",
    ]
    assert [path.name for path in host.backups.iterdir() if path.name.startswith(".")] == []


def test_a_second_restore_doubles_no_silence(host: Host, silence: None) -> None:
    made = host.make()
    assert "Silences that are in force again: 0." in host.restore(made)
    assert len(silences.read(host.declared.alertmanager)) == 1


def test_metrics_are_in_it_where_that_is_declared(host: Host) -> None:
    block, head = host.folder / "data" / "prometheus" / ("0" * 26), host.folder / "data" / "prometheus" / "wal"
    for folder, name in ((block / "chunks", "000001"), (head, "00000000")):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"values")
    (block / "meta.json").write_text("{}")
    host.declare(blocks=str(block.parent))
    made = host.make()
    assert made.counts["prometheus.blocks"] == 1
    kept = [name for name in host.names(made) if name.startswith("prometheus")]
    assert kept == [f"prometheus/{block.name}/chunks/000001", f"prometheus/{block.name}/meta.json"]
    shutil.rmtree(block)
    assert "Blocks of metrics that Prometheus has again: 1." in host.restore(made)
    assert (block / "chunks" / "000001").read_bytes() == b"values"
    assert host.composed[0].split()[4:7] == ["grafana", "uptime_kuma", "prometheus"]


def test_metabases_database_comes_back_by_a_swap(host: Host, make_database: MakeDatabase) -> None:
    live = make_database(
        "create table report_card (id int primary key, name text)",
        "insert into report_card select g, 'question ' || g from generate_series(1, 40) g",
    )
    host.declare(metabase=live)
    made = host.make()
    assert made.counts["metabase.public.report_card"] == 40
    with postgres.Session(postgres.find(live), live.name) as session:
        session.run("delete from public.report_card")
    killed_at("stopping", lambda say: host.restore(made, say))  # its database is loaded then, and waits
    host.backups_swept()
    told = host.restore(made)
    with postgres.Session(postgres.find(live), live.name) as session:
        assert session.value("select count(*) as rows from public.report_card") == 40
        assert session.value("select name from public.report_card where id = 7") == "question 7"
    kept = f"{live.name}_{KEPT}"
    assert told[3] == f"metabase has its database back; the one before is called {kept}."
    assert host.composed[0].startswith("compose -f /opt/crowsnest/compose.yaml stop grafana uptime_kuma metabase |")
    with postgres.Session(postgres.find(live), "postgres") as session:
        session.run(f"drop database {postgres.identifier(kept)}")
        left = session.rows("select datname as name from pg_database where datname ~ 'unfinished|restored'")
    assert left == []


# --- secrets ---


def test_without_a_key_secrets_stay_out_and_this_is_told(host: Host) -> None:
    made = host.make()
    assert stack.SECRETS not in host.names(made)
    (warning,) = made.server["warnings"]
    assert "The secrets of the stack are not in the backup" in warning


def test_secrets_are_in_it_for_whoever_has_the_key(host: Host) -> None:
    identity = pyrage.x25519.Identity.generate()
    remotes = {"offsite": Remote("offsite", "b", "r", encrypt_to=(str(identity.to_public()),))}
    host.settings = replace(host.settings, remotes=remotes, jobs={STACK: replace(host.job, remote="offsite")})
    made = host.make()
    assert made.server["warnings"] == []
    with tarfile.open(host.backups / made.file) as archive:
        for member in archive:
            content = archive.extractfile(member).read()  # type: ignore[union-attr]
            assert b"a-Long-Secret-1" not in content, member.name
    encrypted = content  # the last one
    with tarfile.open(fileobj=io.BytesIO(pyrage.decrypt(encrypted, [identity])), mode="r:gz") as secrets:
        (name,) = secrets.getnames()
        assert name == f"{host.folder}/opt/grafana/current/secrets/admin_password".lstrip("/")
        assert secrets.extractfile(name).read() == b"a-Long-Secret-1"  # type: ignore[union-attr]
    told = host.restore(made)
    assert told[-2].startswith("The secrets in it are left alone")
    assert list(host.folder.rglob("secrets.tar*")) == []


# --- faults ---


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("alertmanager", "Alertmanager does not answer"),
        ("mariadb", "keeps its data in mariadb"),
        ("grafana", "There is no database at .*grafana.db"),
        ("link", "uptime_kuma/upload is a link"),
        ("disk", "No space left on device"),
        ("metabase", "no container crowsnest-no-such"),
    ],
)
def test_a_part_that_fails_fails_the_backup(fault: str, told: str, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.make()
    data = host.folder / "data"
    if fault == "alertmanager":
        host.declare(alertmanager=f"http://127.0.0.1:{free_port()}")
    if fault == "mariadb":
        (data / "uptime_kuma" / "db-config.json").write_text('{"type": "mariadb"}')
    if fault == "grafana":
        (data / "grafana" / "grafana.db").unlink()
    if fault == "link":
        shutil.rmtree(data / "uptime_kuma" / "upload")
        (data / "uptime_kuma" / "upload").symlink_to(host.folder / "opt")
    if fault == "metabase":
        host.declare(metabase=Database("metabase", "127.0.0.1", 5434, container="crowsnest-no-such"))
    if fault == "disk":
        full = OSError(28, os.strerror(28))
        monkeypatch.setattr(stack.silences, "read", lambda _url: (_ for _ in ()).throw(full))
    with pytest.raises(BackupError, match=told):
        stack.make(host.settings, host.job, LATER, 1, nothing)
    assert sorted(path.name for path in host.backups.iterdir()) == [f"{before.stem}.json", before.file]


def test_a_disk_that_would_be_full_is_left_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(host.folder)._replace(free=stack.RESERVE + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(BackupError, match=r"needs .* kB more, and 1\.0 kB may be used there"):
        host.make()


def test_a_damaged_archive_stops_before_anything_is_stopped(host: Host) -> None:
    made = host.make()
    content = bytearray((host.backups / made.file).read_bytes())
    content[len(content) // 2] ^= 1
    (host.backups / made.file).write_bytes(content)
    with pytest.raises(BackupError, match="Do not restore it"):
        host.restore(made)
    assert host.composed == []
    assert column(host.folder / "data" / "grafana" / "grafana.db", "user") == ["kim", "lee"]


@pytest.mark.parametrize(
    ("fault", "told"), [("mariadb", "keeps its data in mariadb"), ("folder", "There is no folder .*grafana")]
)
def test_a_host_that_cannot_take_it_is_told_before_anything_is_stopped(fault: str, told: str, host: Host) -> None:
    made, data = host.make(), host.folder / "data"
    if fault == "mariadb":
        (data / "uptime_kuma" / "db-config.json").write_text('{"type": "mariadb"}')
    else:
        shutil.rmtree(data / "grafana")
    with pytest.raises(BackupError, match=told):
        host.restore(made)
    assert host.composed == []


def test_services_run_again_when_a_restore_fails(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    made = host.make()

    def refuse(_source: Path, target: Path, _rights: os.stat_result) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(placing, "_copy", refuse)
    with pytest.raises(BackupError, match=r"cannot be restored: .*Permission denied"):
        host.restore(made)
    assert [line.split()[3] for line in host.composed] == ["stop", "start"]


def test_a_service_that_never_started_is_told(host: Host) -> None:
    shutil.rmtree(host.folder / "data" / "uptime_kuma")
    with pytest.raises(BackupError, match=r"There is no database at .*/kuma\.db\. Its service makes it"):
        host.make()


def test_a_service_that_is_not_declared_here_is_left_out(host: Host) -> None:
    made = host.make()
    host.declare(sqlite={"grafana": host.declared.sqlite["grafana"]}, folders={})
    told = host.restore(made)
    assert told[-2] == "uptime_kuma does not run here: its part is left in the archive."
    assert "uptime_kuma" not in " ".join(host.composed)


def test_without_a_service_compose_is_not_called(host: Host) -> None:
    made = host.make()
    host.declare(sqlite={}, folders={})
    host.restore(made)
    assert host.composed == []


def test_a_host_without_the_stack_is_told(host: Host) -> None:
    host.settings = replace(host.settings, stack=None)
    with pytest.raises(BackupError, match="does not run on this host"):
        stack.make(host.settings, host.job, NOW, 1, nothing)


# --- killed ---


def killed_at(phrase: str, step: Callable[[Callable[[str], None]], object]) -> None:
    """Does a step in a process that is killed when it tells this."""
    child = os.fork()
    if child == 0:

        def say(fragment: str) -> None:
            if phrase in fragment:
                os.kill(os.getpid(), signal.SIGKILL)

        step(say)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it never told {phrase!r}"


@pytest.mark.parametrize(
    "phrase", ["database of grafana", "database of uptime_kuma", "silences", "archiving", "reading the file back"]
)
def test_a_backup_that_is_killed_leaves_nothing_of_value(phrase: str, host: Host) -> None:
    killed_at(phrase, host.make)
    assert manifests(host.backups) == []
    assert not [path for path in host.backups.iterdir() if not path.name.startswith(".")]
    files.sweep(host.backups)
    assert list(host.backups.iterdir()) == []
    assert manifests(host.backups) == [] != [host.make()]


def test_a_new_host_may_back_up_what_was_restored(host: Host) -> None:
    host.make()
    runner = Runner(host.settings)
    recovery.restored(runner, Progress(), host.job, recovery.Wish())
    assert not runner.state(host.job).restored
    recovery.restored(runner, Progress(), host.job, recovery.Wish(yes=True))
    assert runner.state(host.job).restored


@pytest.mark.parametrize(("phrase", "started"), [("unpacking", 0), ("stopping", 1), ("starting", 1)])
def test_services_that_a_killed_restore_has_stopped_are_started_by_the_next_run(
    phrase: str, started: int, host: Host
) -> None:
    made = host.make()
    killed_at(phrase, lambda say: host.restore(made, say))
    host.settings.metrics.mkdir()
    runner = Runner(host.settings)
    with files.locked(host.settings.state):  # a restore is at work
        runner._start_again()
    assert not [line for line in host.composed if line.split()[3] == "start"]
    for _ in range(2):
        assert runner.everything_due()
    assert len([line for line in host.composed if line.split()[3] == "start"]) == started


@pytest.mark.parametrize("phrase", ["unpacking", "stopping", "starting"])
def test_a_restore_that_is_killed_is_done_again(phrase: str, host: Host) -> None:
    made = host.make()
    lose(host)
    killed_at(phrase, lambda say: host.restore(made, say))
    files.sweep(host.backups)
    stack_restore.restore(host.settings, made, host.backups / made.file, LATER + timedelta(minutes=1), nothing)
    assert column(host.folder / "data" / "grafana" / "grafana.db", "user") == ["kim", "lee"]
    kept = sorted((host.folder / "data" / "grafana").glob("grafana.db.before_*"))
    assert column(kept[0], "user") == ["admin"]
    assert host.composed[-1].split()[3] == "start"
