# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from crowsnest_backup import placing, sqlite
from crowsnest_backup.errors import BackupError
from programs import until

# Writes the next number each millisecond, in transactions of three rows, and never checkpoints.
WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA wal_autocheckpoint = 0")
database.execute("CREATE TABLE IF NOT EXISTS beat (number INTEGER PRIMARY KEY, text TEXT)")
while True:
    database.execute("INSERT INTO beat (text) VALUES (?), (?), (?)", [str(time.time())] * 3)
    time.sleep(0.001)
"""
NOBODY = 65534
KEPT = ".before_20261128_031500"


@contextmanager
def written_to(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process writes to the database in the block; then it is killed, so that its -wal stays."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(database)])
    try:
        until(lambda: database.exists() and _has_rows(database), 30)
        yield writer
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()


def _has_rows(database: Path) -> bool:
    try:
        return rows(database) > 100
    except sqlite3.OperationalError:
        return False


def rows(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM beat").fetchone()
    return int(count)


def made(path: Path, *numbers: int) -> Path:
    """A database with these rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE beat (number INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO beat VALUES (?, 'made')", [(number,) for number in numbers])
        connection.commit()
    return path


def test_a_copy_is_of_one_moment_while_the_service_writes(tmp_path: Path) -> None:
    live, copy = tmp_path / "live.db", tmp_path / "copy.db"
    with written_to(live):
        before = rows(live)
        counts = sqlite.copy(live, copy)
        until(lambda: rows(live) > counts["beat"], 30)  # the writer was not stopped
    assert counts == {"beat": rows(copy)}
    assert counts["beat"] >= before
    assert counts["beat"] % 3 == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT max(number) FROM beat").fetchone() == (counts["beat"],)
    # What a copy of the file alone would have lost.
    shutil.copy(live, tmp_path / "naive.db")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        rows(tmp_path / "naive.db")


def test_a_service_can_still_write_after_root_read_its_database(tmp_path: Path) -> None:
    live = made(tmp_path / "live.db", 1)
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    os.chown(live, 12345, 12345)
    with closing(sqlite3.connect(live)) as reading:  # so that the files of the log stay
        reading.execute("SELECT * FROM beat").fetchall()
        sqlite.copy(live, tmp_path / "copy.db")
        owners = {path.name: path.stat().st_uid for path in tmp_path.glob("live.db*")}
    assert owners == {"live.db": 12345, "live.db-wal": 12345, "live.db-shm": 12345}


@pytest.fixture
def compromised() -> Iterator[Path]:
    """The database of a service that somebody took over, in its folder; the way there is open to all, as on a host."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "uptime_kuma"
        folder.mkdir(mode=0o750)
        live = made(folder / "kuma.db", 1)
        for path in (folder, live):
            os.chown(path, NOBODY, NOBODY)
        Path(place).chmod(0o755)
        yield live


def hot_journal(names: Path) -> bytes:
    """Of a transaction over several databases: SQLite removes the file that it names once it has rolled back.

    https://www.sqlite.org/fileformat.html#the_rollback_journal
    """
    magic, name = bytes.fromhex("d9d505f920a163d7"), os.fsencode(names)
    header = magic + struct.pack(">5I", 0, 0, 2, 512, 4096)
    return header.ljust(512, b"\0") + struct.pack(f">I{len(name)}sII", 0, name, len(name), sum(name)) + magic


def test_a_service_cannot_use_the_rights_of_root(compromised: Path, tmp_path: Path) -> None:
    precious, journal = tmp_path / "precious", Path(f"{compromised}-journal")
    precious.write_text("of root")
    journal.write_bytes(hot_journal(precious))
    os.chown(journal, NOBODY, NOBODY)
    with suppress(BackupError):  # its own database is its own to spoil
        sqlite.copy(compromised, tmp_path / "copy.db")
    assert precious.read_text() == "of root"


def test_a_copy_is_roots_and_leaves_nothing_beside_the_database(compromised: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("of root")
    compromised.with_name(".kuma.db.copy").symlink_to(precious)
    assert sqlite.copy(compromised, tmp_path / "copy.db") == {"beat": 1}
    found = (tmp_path / "copy.db").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)
    assert list(compromised.parent.iterdir()) == [compromised]
    assert precious.read_text() == "of root"


def test_a_note_on_the_kind_of_database_that_is_a_link_is_not_read(compromised: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"type": "a-Long-Secret-1"}')
    compromised.with_name("db-config.json").symlink_to(tmp_path / "secret.json")
    assert sqlite.copy(compromised, tmp_path / "copy.db") == {"beat": 1}


def test_names_of_tables_hold_anything(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a ?#%20.db")) as connection:
        connection.executescript("""CREATE TABLE "a""b '한글" (x); INSERT INTO "a""b '한글" VALUES (1)""")
    assert sqlite.check(tmp_path / "a ?#%20.db") == {"a\"b '한글": 1}


def test_damage_is_told(tmp_path: Path) -> None:
    path = made(tmp_path / "grafana.db", *range(10000))
    content = bytearray(path.read_bytes())
    content[20000:24000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(BackupError, match=r"grafana\.db is damaged"):
        sqlite.check(path)


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "has no tables"), (b"no database at all" * 100, "file is not a database")]
)
def test_what_is_no_database_is_no_backup(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "grafana.db").write_bytes(content)
    with pytest.raises(BackupError, match=told):
        sqlite.copy(tmp_path / "grafana.db", tmp_path / "copy.db")


def test_a_missing_database_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"There is no database at .*kuma\.db"):
        sqlite.copy(tmp_path / "kuma.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_uptime_kuma_with_mariadb_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "kuma.db", 1)
    kept = {"type": "mariadb", "hostname": "db1", "password": "secret"}
    (tmp_path / "db-config.json").write_text(json.dumps(kept))
    with pytest.raises(BackupError, match="keeps its data in mariadb") as refused:
        sqlite.copy(tmp_path / "kuma.db", tmp_path / "copy.db")
    assert "secret" not in str(refused.value)
    (tmp_path / "db-config.json").write_text('{"type": "sqlite"}')
    assert sqlite.copy(tmp_path / "kuma.db", tmp_path / "copy.db") == {"beat": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service's folder, as a run makes it."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o750)
    os.chown(folder, 12345, 12346)
    return folder


def test_nothing_of_the_log_that_was_there_gets_into_a_restored_database(folder: Path, tmp_path: Path) -> None:
    archived = made(tmp_path / "archived.db", 1, 2)
    live = folder / "kuma.db"
    with written_to(live):
        before = rows(live)
    assert (folder / "kuma.db-wal").stat().st_size > 0
    kept = sqlite.place(archived, live, KEPT)
    assert sorted(path.name for path in folder.iterdir()) == [
        "kuma.db",
        "kuma.db.before_20261128_031500",
        "kuma.db.before_20261128_031500-wal",
    ]
    assert sqlite.check(live) == {"beat": 2}
    assert rows(live) == 2
    assert kept is not None
    assert rows(kept) >= before  # with its log, so a wrong restore can be undone


def test_a_restored_database_belongs_to_its_service(folder: Path, tmp_path: Path) -> None:
    assert sqlite.place(made(tmp_path / "archived.db", 1), folder / "kuma.db", KEPT) is None
    found = (folder / "kuma.db").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12346, 0o640)


def test_a_link_in_the_folder_of_a_service_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("of root")
    for name in ("kuma.db", ".kuma.db.partial"):
        (folder / name).symlink_to(precious)
    sqlite.place(made(tmp_path / "archived.db", 1), folder / "kuma.db", KEPT)
    assert precious.read_text() == "of root"
    assert precious.stat().st_uid == 0
    assert not (folder / "kuma.db").is_symlink()
    with pytest.raises(BackupError, match="There is no database"):
        (folder / "link.db").symlink_to(made(tmp_path / "other.db", 1))
        sqlite.copy(folder / "link.db", tmp_path / "copy.db")


def test_a_restore_that_was_cut_off_can_be_done_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived, live = made(tmp_path / "archived.db", 1, 2), folder / "kuma.db"
    with written_to(live):
        before = rows(live)

    def cut_off(*_paths: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sqlite, "commit", cut_off)
        sqlite.place(archived, live, KEPT)
    sqlite.place(archived, live, ".before_20261128_032000")
    assert rows(live) == 2
    assert rows(folder / f"kuma.db{KEPT}") >= before


def test_a_link_is_replaced_by_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "archived").mkdir()
    (folder / "upload").symlink_to("nowhere")
    placing.replace_folder(tmp_path / "archived", folder / "upload", folder / "kept")
    assert (folder / "upload").is_dir()


def test_a_folder_is_replaced_as_a_whole(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "archived" / "deep").mkdir(parents=True)
    (tmp_path / "archived" / "deep" / "logo.png").write_bytes(b"new")
    (folder / "upload").mkdir()
    (folder / "upload" / "old.png").write_bytes(b"old")
    placing.replace_folder(tmp_path / "archived", folder / "upload", folder / "kept")
    assert (folder / "kept" / "old.png").read_bytes() == b"old"
    placed = [folder / "upload", folder / "upload" / "deep", folder / "upload" / "deep" / "logo.png"]
    assert sorted((folder / "upload").rglob("*")) == placed[1:]
    rights = [(path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) for path in placed]
    assert rights == [(12345, 12346, 0o750), (12345, 12346, 0o750), (12345, 12346, 0o640)]
