# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL in every phase of a dump, and two runs at once: no half backup has a name, and the next run is right."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import Event, Process
from pathlib import Path

import pytest
from backup_jobs import LATER, NOW, folder_of, names_in, settings_of
from crowsnest_backup import dump, files, manifest, postgres
from crowsnest_backup.check import check
from crowsnest_backup.files import HeldError, locked
from crowsnest_backup.manifest import manifests
from crowsnest_backup.postgres import APPLICATION, Session
from crowsnest_backup.progress import Say, silent
from crowsnest_backup.settings import Database, Settings
from postgres_servers import MakeDatabase
from programs import until

LARGE = ("create table orders as select n, repeat(md5(n::text), 8) as note from generate_series(1, 30000) n",)


class Case:
    """A database that has one backup already; the second one is killed."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.settings, self.database = settings_of(folder, database), database
        self.folder = folder_of(self.settings)
        self.first = self.make(NOW, silent)
        self.before = names_in(self.folder)

    def make(self, now: object, say: Say) -> manifest.Manifest:
        return dump.make(self.settings, self.settings.job("shop"), now, 1, say)  # type: ignore[arg-type]

    def killed(self, phrase: str, prepare: Callable[[], object] = lambda: None) -> None:
        """A backup is killed when it tells this, or by what `prepare` makes of it."""

        def say(fragment: str) -> None:
            if phrase and fragment.startswith(phrase):
                os.kill(os.getpid(), signal.SIGKILL)

        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                prepare()
                self.make(LATER, say)
            os._exit(0)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "it was not killed"

    def right_again(self) -> None:
        """The next run sweeps, and its backup is right; nothing of the killed one is left on the server."""
        files.sweep(self.folder)
        assert names_in(self.folder) == self.before
        until(lambda: not self.at_work(), 10)
        made = self.make(LATER, silent)
        assert manifests(self.folder) == [self.first, made]
        assert made.counts == self.first.counts
        check(self.folder, made)

    def connections(self) -> list[dict[str, str]]:
        """Those of backups to this database."""
        with Session(postgres.find(self.database), "postgres", "test") as session:
            found = session.rows("select datname, application_name as name, wait_event_type from pg_stat_activity")
        return [row for row in found if row["datname"] == self.database.name and row["name"].startswith(APPLICATION)]

    def at_work(self) -> list[object]:
        """What reads this database: connections and pg_dump, also in a container."""
        return [*self.connections(), *dumps(self.database.name)]


def dumps(database: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            ours = f"PGDATABASE={database}\0".encode() in (process / "environ").read_bytes()
            if ours and (process / "comm").read_text().strip() == "pg_dump":
                yield process.name


@pytest.fixture
def case(make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(dump, "_SAID", dump.BLOCK)
    return Case(tmp_path, make_database(*LARGE))


@pytest.mark.parametrize("phrase", ["counting rows", "dumping", "reading the file back"])
def test_a_killed_dump_reads_no_further_and_has_no_name(phrase: str, case: Case) -> None:
    case.killed(phrase)
    assert [name for name in names_in(case.folder) if not name.startswith(".")] == case.before
    assert manifests(case.folder) == [case.first]
    until(lambda: not case.at_work(), 10)
    case.right_again()


@pytest.mark.parametrize("server", ["container"], indirect=True)
def test_a_killed_dump_that_waits_in_a_container_is_ended(case: Case) -> None:
    """It writes nothing meanwhile, and so would not notice that nobody reads."""
    with Session(postgres.find(case.database), case.database.name, "a migration") as holder:
        holder.run("create table public.parent (x int) partition by range (x); begin; lock table public.parent")
        child = Process(target=case.make, args=(LATER, silent), daemon=True)
        child.start()
        until(lambda: "Lock" in [row["wait_event_type"] for row in case.connections()], 30)
        child.kill()
        child.join()
        until(lambda: not case.at_work(), 20)
    case.right_again()


def dies_at(call: int) -> Callable[[], None]:
    """Makes the process end instead of the rename with this number, from 0."""

    def prepare() -> None:
        commit, calls = files.commit, iter(range(10))

        def dying(begun: Path, path: Path) -> None:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            commit(begun, path)

        manifest.commit = dying  # type: ignore[attr-defined]

    return prepare


@pytest.mark.parametrize("server", ["host"], indirect=True)
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_backup_that_was_killed_between_its_renames_is_none(call: int, case: Case) -> None:
    case.killed("", dies_at(call))
    assert manifests(case.folder) == [case.first]
    assert len(names_in(case.folder)) > len(case.before)
    case.right_again()


# --- two at once ---


def hold(settings: Settings, has: Event, over: Event) -> None:  # type: ignore[valid-type]
    with locked(settings.state):
        has.set()  # type: ignore[attr-defined]
        over.wait()  # type: ignore[attr-defined]


def test_two_processes_never_work_at_once_and_a_killed_one_holds_nothing_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, None)
    has, over = Event(), Event()
    other = Process(target=hold, args=(settings, has, over), daemon=True)
    other.start()
    assert has.wait(10)
    with (
        pytest.raises(HeldError, match=rf"already at work on this host \(process {other.pid}\)"),
        locked(settings.state),
    ):
        pass
    other.kill()
    other.join()
    with locked(settings.state):
        pass
