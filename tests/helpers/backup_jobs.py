# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a host with one job, and texts out of a backup."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from crowsnest_backup.manifest import Manifest
from crowsnest_backup.settings import Database, Job, Keep, Settings

NOW = datetime(2026, 11, 28, 3, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def settings_of(folder: Path, database: Database | None) -> Settings:
    """Those of a host that backs up one database, as the app shop, below this folder."""
    job = Job("shop", "03:00", Keep(7, 4, 6), database)
    return Settings(
        "test", ZoneInfo("UTC"), folder / "backups", folder / "state", folder / "metrics", {job.name: job}, {}
    )


def folder_of(settings: Settings) -> Path:
    return settings.directory / settings.environment / "shop"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sql_of(settings: Settings, manifest: Manifest) -> str:
    """The text of a dump."""
    return gzip.decompress((folder_of(settings) / manifest.file).read_bytes()).decode()
