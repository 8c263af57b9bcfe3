# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`python sqlite_copy.py DATABASE SECONDS UID GID`: writes a copy of a database of SQLite to standard output.

A program of its own, which root starts and which goes on as that user: it shares neither rights nor memory with the
backup, whatever the files of a service make of SQLite.
"""

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


def become(user: int, group: int) -> None:
    """For good. Raises OSError."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def write(database: Path, seconds: float) -> None:
    """As of one moment; waits so long for a writer. Raises OSError, sqlite3.Error."""
    copy = database.with_name(f".{database.name}.copy")
    copy.unlink(missing_ok=True)  # of one that was killed
    try:
        # Not read-only: SQLite may have to make the -wal anew.
        uri = f"file:{quote(str(database))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=seconds)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("VACUUM INTO ?", (str(copy),))
        with copy.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
    finally:
        copy.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        become(int(sys.argv[3]), int(sys.argv[4]))
        write(Path(sys.argv[1]), float(sys.argv[2]))
    except (OSError, sqlite3.Error) as error:
        sys.exit(str(error))
