# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a backup and a restore take, however large the database is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_servers import MakeDatabase
from programs import REPOSITORY

MEGABYTES = 1000 if os.environ.get("CROWSNEST_TEST_LONG") else 100
# One row is 1,000 bytes of text.
ORDERS = "create table orders as select repeat(md5(n::text), 31) as note from generate_series(1, ROWS) n"
LIMIT_KB = 64 * 1024
PROGRAM = """
import sys
from pathlib import Path
from backup_jobs import NOW, folder_of, settings_of
from crowsnest_backup import check, dump, restore
from crowsnest_backup.settings import Database
place, name, port = sys.argv[1:]
settings = settings_of(Path(place), Database(name, "127.0.0.1", int(port)))
job = settings.job("shop")
made = dump.make(settings, job, NOW, 1, lambda fragment: None)
check.check(folder_of(settings), made)
restored = restore.restore(settings, job, made, folder_of(settings) / made.file, f"{name}_x", False, lambda told: None)
print(made.sql_bytes, sum(restored.counts.values()))
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.parametrize("server", ["host"], indirect=True)
def test_a_large_database_takes_little_memory(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(ORDERS.replace("ROWS", str(MEGABYTES * 1000)))
    path = os.pathsep.join(str(REPOSITORY / folder) for folder in ("files/backup", "tests/helpers"))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), database.name, str(database.port)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    sql_bytes, rows, memory = map(int, done.stdout.split())
    print(f"{sql_bytes / 1e6:.0f} MB of SQL, {memory / 1024:.0f} MB of memory")
    assert sql_bytes > MEGABYTES * 990_000
    assert rows == MEGABYTES * 1000
    assert memory < LIMIT_KB
