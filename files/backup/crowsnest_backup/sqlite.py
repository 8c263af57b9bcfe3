# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Databases of SQLite: copied while their service writes to them, checked, and put back.

A copy of the file alone lacks what is still in its -wal, and a -wal that stays beside a restored file is replayed
over it: https://www.sqlite.org/howtocorrupt.html
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from crowsnest_backup import sqlite_copy
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import RESERVE, commit, no_link, private, require_room
from crowsnest_backup.placing import begin

# Seconds that a writer may hold the database against us.
BUSY_SECONDS = 60
# What belongs to a database besides its file. The shared memory is made of the rest.
_LOGS, _SHARED_MEMORY = ("-wal", "-journal"), "-shm"
# All but SQLite's own.
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
# How Uptime Kuma notes that its data is in another kind of database; how many characters of it are read.
_OTHER_ENGINE = "db-config.json"
_LONGEST = 1 << 20


def copy(source: Path, target: Path) -> dict[str, int]:
    """Writes the database, as of one moment, to a file that does not exist yet; {table: rows} of the copy.

    SQLite obeys the files beside a database: its journal may name any file to remove. So the owner of the folder, who
    can put them there, opens it, and root only what comes out. Raises BackupError, OSError.
    """
    refuse_other_engine(source)
    if source.is_symlink() or not source.is_file():
        raise BackupError(f"There is no database at {source}.", "Its service makes it when it first starts.")
    require_room(source.parent, source.stat().st_size, RESERVE)  # sqlite_copy makes its copy there
    owner = source.parent.stat()
    words = [str(source), str(BUSY_SECONDS), str(owner.st_uid), str(owner.st_gid)]
    with private(target) as file:
        done = subprocess.run(
            [sys.executable, "-I", sqlite_copy.__file__, *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
            cwd="/",
            env={},
            umask=0o077,
        )
    if done.returncode:
        raise BackupError(f"SQLite reports of {source}: {' '.join(done.stderr.decode(errors='replace').split())}.")
    return check(target)


def check(path: Path) -> dict[str, int]:
    """{table: rows} of a database that nobody writes to. Raises BackupError when it is damaged or has no tables."""
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"{path.name} is damaged: {' '.join(verdict.split())}.")
            counts = {name: _rows(connection, name) for (name,) in connection.execute(_TABLES).fetchall()}
    except sqlite3.Error as error:
        raise BackupError(f"SQLite reports of {path}: {error}.") from None
    if not counts:
        raise BackupError(f"{path.name} has no tables.")
    return counts


def refuse_other_engine(database: Path) -> None:
    """Raises BackupError when the service beside whose file this is keeps its data elsewhere.

    https://github.com/louislam/uptime-kuma/wiki/Environment-Variables
    """
    try:
        with os.fdopen(no_link(database.with_name(_OTHER_ENGINE)), encoding="utf-8") as file:
            engine = json.loads(file.read(_LONGEST))["type"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if engine != "sqlite":
        raise BackupError(
            f"The service of {database.parent} keeps its data in {engine}, not in SQLite ({_OTHER_ENGINE} says so).",
            "Only SQLite is backed up for it.",
        )


def place(source: Path, target: Path, ending: str) -> Path | None:
    """Puts a database where its service, which must not run, finds it. Raises OSError.

    It belongs to the owner of the folder. What was there is kept beside it with this ending: the returned path.
    """
    begun, kept = begin(source, target), Path(f"{target}{ending}")
    # Everything is kept before anything is removed: after a crash in between, a second try finds all of it.
    for log in ("", *_LOGS):
        with suppress(FileNotFoundError):
            os.link(f"{target}{log}", f"{kept}{log}", follow_symlinks=False)
    for log in (*_LOGS, _SHARED_MEMORY):
        Path(f"{target}{log}").unlink(missing_ok=True)
    commit(begun, target)
    return kept if kept.exists() else None


def _rows(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    (count,) = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    return int(count)
