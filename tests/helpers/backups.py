# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Backups as values and as small files, for the tests of what is done with them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crowsnest_backup import local, names
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.settings import Database, Job, Keep, Remote, Settings

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    """A moment in UTC of `2026-11-28 03:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def manifest(start: datetime, job: str = "shop", **changes: Any) -> Manifest:
    """A backup of the database shop that took two seconds."""
    stem = names.stem("shop", "test", start)
    content = stem.encode()
    values: dict[str, Any] = {
        "stem": stem,
        "file": f"{stem}.sql.gz",
        "app": job,
        "what": "shop",
        "environment": "test",
        "started": start.isoformat(),
        "finished": (start + timedelta(seconds=2)).isoformat(),
        "server": {},
        "counts": {"public.orders": 40, "public.customers": 2},
        "sql_bytes": 100,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "attempts": 1,
        "checked": start.isoformat(),
    }
    return Manifest(**{**values, **changes})


def put(folder: Path, backup: Manifest) -> Manifest:
    """Writes its file, which holds its stem, and its manifest."""
    (folder / backup.file).write_bytes(backup.stem.encode())
    backup.write(folder)
    return backup


def settings(folder: Path, *jobs: Job, **changes: Any) -> Settings:
    """Settings with all files below this folder; without a job, one for the shop."""
    (folder / "metrics").mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "environment": "test",
        "timezone": SEOUL,
        "directory": folder / "backups",
        "state": folder / "state",
        "metrics": folder / "metrics",
        "jobs": {each.name: each for each in jobs or [job()]},
        "remotes": {"offsite": Remote("offsite", "bucket", "eu-central-1")},
        "pause_seconds": 300,
    }
    return Settings(**{**values, **changes})


def job(name: str = "shop", **changes: Any) -> Job:
    """A nightly backup of the database shop at 03:00."""
    values: dict[str, Any] = {"database": Database("shop", "127.0.0.1", 5432), "keep": Keep(7, 4, 6)}
    return Job(name, "03:00", **{**values, **changes})


def stems(settings: Settings, name: str = "shop") -> list[str]:
    """Stems of the backups that are there, the oldest first."""
    return [each.stem for each in local.backups(settings, settings.jobs[name])]


def exported(text: str) -> dict[str, float]:
    """{metric and labels: value} of the file for node exporter, without the prefix."""
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("crowsnest_backup_"): float(value) for name, _, value in rows}
