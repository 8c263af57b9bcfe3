# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The program as it is called on a host, with real databases."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from backups import exported, manifest, put, utc
from crowsnest_backup import postgres, recovery, settings
from crowsnest_backup.files import HeldError, locked
from crowsnest_backup.names import encoded, stem
from crowsnest_backup.progress import Progress
from crowsnest_backup.run import Runner
from crowsnest_backup.settings import Database, Remote
from object_storage import SECRET, Storage, placed
from postgres_servers import MakeDatabase
from programs import REPOSITORY, until

ORDERS = ("create table orders (id int primary key)", "insert into orders select generate_series(1, 40)")
PASSWORD = "s3cret-of-the-database"


@dataclass
class Host:
    """A host with one job, shop."""

    folder: Path
    database: Database
    remotes: list[Remote] = field(default_factory=list)

    def declare(self, **job: Any) -> None:
        """Writes the settings; `job` are changes to the job."""
        database = {key: value for key, value in asdict(self.database).items() if key != "password"}
        keep = {"daily": 7, "weekly": 4, "monthly": 6}
        row = {"name": "shop", "at": "03:00", "keep": keep, "database": database, "remote": None, "drill": "never"}
        plain = {
            "environment": "test",
            "timezone": "Asia/Seoul",
            "directory": str(self.folder / "backups"),
            "state": str(self.folder / "state"),
            "metrics": str(self.folder / "metrics"),
            "tries": 2,
            "pause_seconds": 0,
            "jobs": [{**row, **job}],
            "remotes": [
                {key: value for key, value in asdict(each).items() if key != "secret_key"} for each in self.remotes
            ],
            "stack": None,
        }
        secrets = {"databases": {"shop": self.database.password}, "push_urls": {}, "check_in_urls": {}}
        secrets["remotes"] = {each.name: each.secret_key for each in self.remotes}
        (self.folder / "metrics").mkdir(exist_ok=True)
        (self.folder / "settings.json").write_text(json.dumps(plain))
        (self.folder / "secrets.json").write_text(json.dumps(secrets))

    def command(self, verb: str, *words: str) -> list[str]:
        return [sys.executable, "-B", "-m", "crowsnest_backup", verb, "--settings", str(self.folder), *words]

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(REPOSITORY / "files" / "backup")}

    def call(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Calls the program without a terminal."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.call(*words, "--json", status=status).stdout)

    def on_a_terminal(self, *words: str, answer: str) -> str:
        """What a person sees who answers a question."""
        terminal, its = pty.openpty()
        process = subprocess.Popen(self.command(*words), env=self.environment, stdin=its, stdout=its, stderr=its)
        os.close(its)
        seen, end = b"", time.monotonic() + 60
        with suppress(OSError):  # EIO: the program has ended
            while time.monotonic() < end:
                seen += os.read(terminal, 65536)
                if b"[yes/no] " in seen and answer:
                    os.write(terminal, answer.encode() + b"\n")
                    answer = ""
        os.close(terminal)
        assert process.wait(10) == 0, seen.decode()
        return seen.decode()

    def sql(self, statement: str, database: str = "") -> Any:
        name = database or self.database.name
        with postgres.Session(postgres.find(self.database), name) as session:
            session.run("set search_path to public")
            return session.value(statement) if statement.startswith("select") else session.run(statement)

    def orders(self, database: str = "") -> int:
        return int(self.sql("select count(*) as rows from orders", database))

    def metrics(self) -> dict[str, float]:
        return exported((self.folder / "metrics" / "crowsnest_backup.prom").read_text())

    def files(self) -> list[Path]:
        return sorted((self.folder / "backups" / "test" / "shop").iterdir())


@pytest.fixture
def host(make_database: MakeDatabase, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, make_database(*ORDERS))
    made.declare()
    yield made
    with postgres.Session(postgres.find(made.database), "postgres") as session:
        for row in session.rows("select datname as name from pg_database"):
            if row["name"].startswith(made.database.name):
                session.run(f"drop database {postgres.identifier(row['name'])} with (force)")


def test_a_night_and_a_day(host: Host) -> None:
    host.call("run")
    names = [path.name for path in host.files()]
    stem = names[0].removesuffix(".json")
    assert names == [f"{stem}.json", f"{stem}.roles.sql", f"{stem}.sql.gz"]
    own = f'app="shop",database="{host.database.name}"'
    assert host.metrics()[f"ok{{{own}}}"] == 1
    assert host.metrics()[f"rows{{{own}}}"] == 40
    host.call("run")
    assert len(host.files()) == 3
    assert host.call("check").stderr == "shop: 1 whole of 1 backup on this host.\n"
    assert stem in host.call("list").stdout
    assert host.json("list")[0]["counts"] == {"public.orders": 40}
    (job,) = host.json("status")["jobs"]
    assert (job["file"], job["rows"], job["problems"], job["kept"]) == (f"{stem}.sql.gz", 40, [], {"local": 1})
    assert host.call("status").stdout.startswith("shop: well, last good ")


def test_only_root_may_read_what_it_writes(host: Host) -> None:
    os.umask(0o000)
    try:
        host.call("run")
    finally:
        os.umask(0o022)
    assert {oct(path.stat().st_mode)[-3:] for path in host.files()} == {"600"}
    folders = [host.folder / "backups", host.folder / "backups" / "test" / "shop", host.folder / "state"]
    assert {oct(path.stat().st_mode)[-3:] for path in folders} == {"700"}
    assert oct((host.folder / "metrics" / "crowsnest_backup.prom").stat().st_mode)[-3:] == "644"


def test_a_failed_night_is_told_without_a_trace(host: Host) -> None:
    host.call("run")
    lost = host.database.name
    host.sql(f'alter database "{lost}" rename to "{lost}_gone"', "postgres")
    done = host.call("backup", status=1)
    assert done.stderr == f'shop: database "{lost}" does not exist\n' or "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(host.files()) == 3


def test_a_restore_without_a_terminal_stops_before_the_swap(host: Host) -> None:
    host.call("backup", "shop")
    host.sql("delete from orders where id > 7")
    done = host.call("restore", "shop")
    assert host.orders() == 7
    (command,) = [line for line in done.stdout.splitlines() if "crowsnest-backup swap" in line]
    words = command.partition("crowsnest-backup ")[2].split()
    assert host.orders(words[2]) == 40
    swapped = host.call(*words)
    assert host.orders() == 40
    (back,) = [line for line in swapped.stdout.splitlines() if "To go back:" in line]
    host.call(*back.partition("crowsnest-backup ")[2].split())
    assert host.orders() == 7


@pytest.mark.parametrize(("answer", "rows"), [("yes", 40), ("no", 7), ("y", 7)])
def test_a_person_is_asked_before_the_swap(answer: str, rows: int, host: Host) -> None:
    host.call("backup", "shop")
    host.sql("delete from orders where id > 7")
    seen = host.on_a_terminal("restore", "shop", answer=answer)
    assert "40 rows" in seen
    assert re.search(r"\[\d:\d\d:\d\d\] loading", seen)
    assert host.orders() == rows
    assert ("is kept as" in seen) == (answer == "yes")


def test_a_database_that_is_gone_is_back_after_one_command(host: Host) -> None:
    host.call("backup", "shop")
    host.sql(f"drop database {postgres.identifier(host.database.name)} with (force)", "postgres")
    done = host.call("restore", "shop")
    assert host.orders() == 40
    assert f"{host.database.name} is there again" in done.stdout


def test_a_swap_on_request_needs_no_terminal(host: Host) -> None:
    host.call("backup", "shop")
    host.sql("delete from orders")
    done = host.json("restore", "shop", "--swap", "--yes")
    assert (host.orders(), host.orders(done["kept"])) == (40, 0)
    own = f'app="shop",database="{host.database.name}"'
    assert host.metrics()[f"kept_old_bytes{{{own}}}"] > 1e6


def test_an_older_backup_under_a_name_of_its_own(host: Host) -> None:
    (first,) = host.json("backup", "shop")
    host.sql("insert into orders values (41)")
    time.sleep(1.1)  # names tell seconds
    host.call("backup", "shop")
    name = f"{host.database.name}_look"
    for given in (first["stem"], first["file"]):
        done = host.json("restore", "shop", "--backup", given, "--as", name)
        assert (done["swapped"], host.orders(name), host.orders()) == (False, 40, 41)
        host.sql(f"drop database {name}", "postgres")


def test_the_newest_that_is_whole_is_restored(host: Host) -> None:
    (good,) = host.json("backup", "shop")
    time.sleep(1.1)
    (broken,) = host.json("backup", "shop")
    path = host.folder / "backups" / "test" / "shop" / broken["file"]
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    host.call("restore", "shop", "--as", f"{host.database.name}_look", status=1)
    assert broken["file"] in host.call("check", status=1).stderr
    assert "DAMAGED" in host.call("list").stdout
    assert "PROBLEM" in host.call("status").stdout
    done = host.json("restore", "shop", "--as", f"{host.database.name}_look")
    assert done["backup"] == good["stem"]


def test_two_at_once_make_one_backup(host: Host) -> None:
    for words in (["run"], ["backup"]):
        before = len(host.files()) if host.folder.joinpath("backups").exists() else 0
        time.sleep(1.1)  # names tell seconds
        both = [subprocess.Popen(host.command(*words), env=host.environment, stderr=subprocess.PIPE) for _ in range(2)]
        errors = [process.communicate(timeout=90)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], errors
        made = len(host.files()) - before
        assert made == 3 if words == ["run"] else made in (3, 6)
        assert host.call("check")
    assert not [path for path in host.files() if path.name.startswith(".")]


# As a terminal starts it: under `nohup` SIGHUP is ignored.
HEARS = ("env", "--default-signal=HUP")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_cleans_up(sent: signal.Signals, host: Host) -> None:
    host.sql("insert into orders select generate_series(41, 1000000)")
    command = [*HEARS, *host.command("backup")]
    with subprocess.Popen(command, env=host.environment, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: any("partial" in path.name for path in host.folder.rglob(".*")), 30)
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, host.files()) == (130, [])
    assert told == "crowsnest-backup: interrupted. What is half done is removed by the next run.\n"


def test_a_connection_that_is_lost_at_the_question_changes_nothing(host: Host) -> None:
    host.call("backup")
    words = [*HEARS, *host.command("restore", "shop")]
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(words[0], words, host.environment)  # noqa: S606
    seen = b""
    while b"[yes/no] " not in seen:
        seen += os.read(terminal, 65536)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert host.orders() == 40
    host.call("backup")


def test_a_restore_does_not_wait_for_a_backup(host: Host) -> None:
    host.call("backup")
    with locked(host.folder / "state"):
        refused = host.call("restore", "shop", "--as", "shop_look", status=1).stderr
        assert "already at work on this host" in refused
        assert f"kill {os.getpid()}" in refused


class Busy(Progress):
    """Somebody who says yes, on a host where another program takes the lock whenever it is free."""

    def __init__(self, state: Path) -> None:
        super().__init__()
        self.state, self.taken = state, list[str]()

    def tell(self, line: str) -> None:
        with suppress(HeldError), locked(self.state):
            self.taken.append(line)

    def ask(self, question: str) -> bool:
        taken = threading.Event()
        threading.Thread(target=self._work, args=[taken]).start()
        assert taken.wait(10)
        return question.startswith("Put ")

    def _work(self, taken: threading.Event) -> None:
        with locked(self.state):
            taken.set()
            time.sleep(0.5)


@pytest.mark.parametrize("yes", [True, False])
def test_no_backup_keeps_a_restore_from_its_swap(host: Host, yes: bool) -> None:
    """Of data that somebody emptied, it would be the newest, and the next restore would take it."""
    host.call("backup", "shop")
    host.sql("delete from orders")
    runner = Runner(settings.read(host.folder))
    busy = Busy(runner.settings.state)
    done = recovery.restored(runner, busy, runner.settings.job("shop"), recovery.Wish(yes=yes))
    assert (done["swapped"], host.orders()) == (True, 40)
    if yes:
        assert busy.taken == []


def test_a_swap_that_is_refused_can_be_done_later(host: Host) -> None:
    host.call("backup", "shop")
    host.sql("delete from orders")
    host.sql("create subscription a connection '' publication b with (connect = false, slot_name = none)")
    refused = host.call("restore", "shop", "--yes", status=1).stderr
    assert "the subscription a would stay with the old database" in refused
    host.sql("drop subscription a")
    host.call(*refused.strip().rpartition("When that is mended:  crowsnest-backup ")[2].split())
    assert host.orders() == 40


@pytest.mark.parametrize("declared", ["plain", "encrypted"])
def test_a_night_without_the_remote_is_made_good(
    declared: str, host_server: Database, ministack_server: Storage, tmp_path: Path
) -> None:
    place = placed(ministack_server, tmp_path, encrypted=declared == "encrypted")
    host = Host(tmp_path, host_server)
    host.sql("create table orders (id int); insert into orders select generate_series(1, 40)")
    host.sql(f"alter database {postgres.identifier(host_server.name)} set app.key to 'of-the-app'")
    try:
        host.remotes = [replace(place.remote, endpoint_url="http://127.0.0.1:9")]
        host.declare(remote="offsite")
        assert "cannot be reached at http://127.0.0.1:9" in host.call("run").stderr
        own = f'app="shop",database="{host_server.name}"'
        assert host.metrics()[f"ok{{{own}}}"] == 1
        assert host.metrics()[f'remote_missing{{{own},remote="offsite"}}'] == 1
        assert "Not all is at the remote offsite. The remote offsite cannot" in host.call("status").stdout
        host.remotes = [place.remote]
        host.declare(remote="offsite")
        host.call("sync")
        assert host.metrics()[f'remote_missing{{{own},remote="offsite"}}'] == 0
        assert host.call("status").stdout.startswith("shop: well")
        assert "1 backup at the remote offsite" in host.call("list", "--from", "offsite").stdout
        assert "1 whole of 1 backup at the remote offsite" in host.call("check", "--from", "offsite").stderr
        assert "shop on the remote offsite:" in host.call("prune", "--dry-run").stdout
        for path in host.files():
            path.unlink()
        words = ["restore", "shop", "--as", "shop_from_afar"]
        if declared == "encrypted":
            assert "is encrypted.\nGive --identity FILE." in host.call(*words, status=1).stderr
            words += ["--identity", str(place.identity)]
        host.call(*words)
        assert host.orders("shop_from_afar") == 40
        assert host.sql("select current_setting('app.key') as key", "shop_from_afar") == "of-the-app"
        assert host.json("list") == []  # nothing of this host
        place.put(place.objects()[-1], b"damaged")
        assert "is damaged: it is not what was sent" in host.call("check", "--from", "offsite", status=1).stderr
        told = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "secrets.json"]
        assert not [text for text in told if SECRET.encode() in text]
    finally:
        host.sql("drop table orders")
        host.sql(f"alter database {postgres.identifier(host_server.name)} reset app.key")
        host.sql("drop database if exists shop_from_afar", "postgres")


def test_a_new_host_backs_up_nothing_before_something_is_restored(
    host: Host, ministack_server: Storage, tmp_path: Path
) -> None:
    """A look at a backup, a no, and a way back are no restore: what is here would be the newest at the remote."""
    host.remotes = [placed(ministack_server, tmp_path, encrypted=False).remote]
    host.declare(remote="offsite")
    host.call("backup")
    for path in host.files():
        path.unlink()
    host.sql("delete from orders")
    runner = Runner(settings.read(host.folder))
    shop, look = runner.settings.job("shop"), f"{host.database.name}_look"
    assert not runner.series(shop)
    host.call("restore", "shop", "--as", look)
    assert not runner.series(shop)
    host.on_a_terminal("restore", "shop", answer="no")
    assert not runner.series(shop)
    swapped = host.json("swap", "shop", look, "--yes")
    host.call("swap", "shop", swapped["kept"], "--yes")
    assert not runner.series(shop)
    host.call("restore", "shop", "--yes")
    assert runner.series(shop)
    (first,) = host.json("list")
    assert first["counts"] == {"public.orders": 40}
    assert not runner.state(shop).restored


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["restore", "office"], "Nothing named office is backed up on this host.\nThere are: shop."),
        (["restore", "shop"], "There is no backup of "),
        (["restore", "shop", "--backup", "shop_test_1"], "There is no backup shop_test_1 of shop on this host."),
        (["restore", "shop", "--from", "offsite"], "There is no remote offsite.\nThere are: none."),
        (["sync", "shop"], "shop: No remote is declared for its backups."),
        (["drill", "shop"], "shop: There is no backup to prove. Make one: crowsnest-backup backup shop"),
        (["swap", "shop", "nothing", "--yes"], "There is no database nothing"),
    ],
)
def test_mistakes_of_a_person(words: list[str], told: str, host_server: Database, tmp_path: Path) -> None:
    host = Host(tmp_path, host_server)
    host.declare()
    assert told in host.call(*words, status=1).stderr


@pytest.mark.parametrize("words", [["status"], ["list"], ["check"], ["prune", "--dry-run"], ["backup"], ["sync"]])
def test_answers_as_json(words: list[str], host_server: Database, tmp_path: Path) -> None:
    host = Host(tmp_path, host_server)
    host.declare()
    found = host.json(*words)
    rows = found["jobs"] if words == ["status"] else found
    assert [row.get("name", "shop") for row in rows] == ["shop"] * (words != ["list"])


def test_what_pruning_would_do(host: Host) -> None:
    folder = host.folder / "backups" / "test" / "shop"
    folder.mkdir(parents=True)
    name = host.database.name
    for day in ("24", "25", "26"):
        own = stem(name, "test", utc(f"2026-11-{day} 18:00"))
        put(folder, replace(manifest(utc(f"2026-11-{day} 18:00")), stem=own, file=f"{own}.sql.gz", what=name))
    host.declare(keep={"daily": 1, "weekly": 0, "monthly": 0})
    assert host.call("prune", "--dry-run").stdout.splitlines() == [
        "shop on this host:",
        f"  keep    {encoded(name)}_test_20261126_180000  daily 1 of 1, the newest good one",
        f"  delete  {encoded(name)}_test_20261125_180000  not the newest of one of 1 days, 0 weeks or 0 months",
        f"  delete  {encoded(name)}_test_20261124_180000  not the newest of one of 1 days, 0 weeks or 0 months",
    ]
    assert "2 of 3 backups of shop on this host would be deleted" in host.call("prune", status=1).stderr
    host.call("prune", "--yes")
    assert len(host.files()) == 2


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    done = Host(tmp_path, Database("shop", "127.0.0.1", 1)).call("status", status=1)
    assert done.stderr.startswith(f"crowsnest-backup: The settings in {tmp_path} cannot be read:")


@pytest.mark.parametrize("words", [["--help"], ["restore", "--help"]])
def test_help_needs_no_settings(words: list[str], host_server: Database) -> None:
    command = [sys.executable, "-B", "-m", "crowsnest_backup", *words]
    environment = {"PYTHONPATH": str(REPOSITORY / "files" / "backup"), "PATH": os.environ["PATH"]}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "crowsnest-backup" in told


def test_object_storage_is_loaded_only_for_a_remote(host: Host) -> None:
    program = (
        "import sys\nfrom crowsnest_backup.cli import main\n"
        f"status = main(['run', '--settings', {str(host.folder)!r}])\n"
        "print(status, 'boto3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=host.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 False\n", done.stderr
