# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a backup may take: the part `backup` of the benchmark, with PostgreSQL 18 and the program as it is called."""

from __future__ import annotations

import os
import sys

import pytest
from programs import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # where the package `bench` is

from bench import backup

MB = 10**6 / 2**20  # in MiB
# With --long so much that what is the same for each backup, half a second, no longer counts.
LONG = bool(os.environ.get("CROWSNEST_TEST_LONG"))
SIZE, ROWS = ("1 GB", backup.ROWS["1 GB"]) if LONG else ("5 MB", 27_000)


def test_a_backup_stays_within_its_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "ROWS", {SIZE: ROWS})
    found = {figure.name.rpartition(",")[0]: figure.values[0] for figure in backup.backup(None, 1)}
    print(found)
    assert found["Backup: memory"] < 64 * MB
    assert found["Upload: memory"] < 96 * MB
    if LONG:
        assert found["Swap: longest time without an answer of 20 clients"] < 0.5
        assert found["Backup: CPU as a part of pg_dump | gzip -6 and gzip -t"] < 0.35
        assert found["Restore: time as a part of that"] < 1.2
