# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from backup_jobs import NOW, folder_of, settings_of, sql_of
from crowsnest_backup import dump
from crowsnest_backup.check import check
from crowsnest_backup.manifest import Manifest, manifests
from crowsnest_backup.settings import Database
from postgres_servers import MakeDatabase

SHOP = (
    "create table orders (id int primary key, note text)",
    "insert into orders select i, 'note ' || i from generate_series(1, 1000) i",
)


def make(folder: Path, database: Database) -> Manifest:
    settings = settings_of(folder, database)
    return dump.make(settings, settings.job("shop"), NOW, 1, lambda fragment: None)


def test_a_backup_is_a_dump_its_roles_and_its_manifest(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database(*SHOP)
    manifest = make(tmp_path, database)
    settings = settings_of(tmp_path, database)
    folder = folder_of(settings)
    stem = f"{database.name.replace('_', '=5F')}_test_20261128_030000"
    assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.json", f"{stem}.roles.sql", f"{stem}.sql.gz"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert manifests(folder) == [manifest]
    assert manifest.counts == {"public.orders": 1000}
    assert sql_of(settings, manifest).endswith("\n\n")
    check(folder, manifest)


@pytest.mark.parametrize("name", ["a=b \"한글/..\\x' %y", "postgresql://x", "-c"])
def test_any_name_of_a_database(name: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    manifest = make(tmp_path, make_database(*SHOP, name=name))
    assert manifest.what == name
    assert manifest.rows == 1000
