# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of the stack's own services, in one archive. What a run makes again is not in it.

Each name in it begins with the compose service that the file belongs to:

    grafana/grafana.db, uptime_kuma/kuma.db   databases of SQLite, each as of one moment
    uptime_kuma/upload/                       what people uploaded
    metabase/                                 a backup of Metabase's own database, as an app's is
    alertmanager/silences.json                what Alertmanager's API takes
    prometheus/<ULID>/                        metrics, only where that is declared
    secrets.tar.age                           for a person with the key: a restore leaves it alone
"""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crowsnest_backup import age, blocks, dump, local, silences, sqlite
from crowsnest_backup.archive import Archive, add
from crowsnest_backup.check import read_back
from crowsnest_backup.counts import key
from crowsnest_backup.dump import RESERVE
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import partial
from crowsnest_backup.manifest import Manifest, publish
from crowsnest_backup.names import ARCHIVE, PARTIAL, stem
from crowsnest_backup.progress import Say, size
from crowsnest_backup.settings import STACK, Job, Settings, Stack

METABASE, SILENCES, BLOCKS, SECRETS = "metabase", "alertmanager/silences.json", "prometheus", "secrets.tar.age"
_LEFT_OUT = (
    "The secrets of the stack are not in the backup, as no remote has `encrypt_to`:"
    " keep a copy of the inventory's folder with the secrets."
)


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Writes and checks an archive. Raises BackupError; then nothing has its final name.

    `counts` of its manifest: {"grafana.dashboard": rows, "metabase.public.report_card": rows}. `server`: `silences` and
    `blocks`, how many there are; `secrets`, whether they are in it; `warnings` for people. `sql_bytes` is of its tar.
    """
    stack, folder, began = declared(settings), local.folder(settings, job), time.monotonic()
    name = stem(STACK, settings.environment, now)
    path = folder / f"{name}{ARCHIVE}"
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".", suffix=PARTIAL, dir=folder) as work,
            Archive(partial(path)) as archive,
        ):
            filling = _Filling(archive, Path(work), say)
            counts, server = filling.fill(settings, job, stack, now, attempt)
        finished = now + timedelta(seconds=time.monotonic() - began)
        manifest = Manifest(
            stem=name,
            file=path.name,
            app=job.name,
            what=STACK,
            environment=settings.environment,
            started=now.isoformat(),
            finished=finished.isoformat(),
            server=server,
            counts=counts,
            sql_bytes=archive.text.bytes,
            bytes=archive.file.bytes,
            sha256=archive.file.sha256,
            attempts=attempt,
            checked=finished.isoformat(),
        )
        say(f"reading back {size(manifest.bytes)}")
        read_back(partial(path), manifest)
        publish(folder, manifest, path.name)
    except OSError as error:
        raise BackupError(f"The state of the stack cannot be archived: {error}.") from None
    finally:
        partial(path).unlink(missing_ok=True)
    return manifest


def declared(settings: Settings) -> Stack:
    """Raises BackupError on a host without the stack."""
    if settings.stack is None:
        raise BackupError("The stack does not run on this host.", "Its state is backed up on the server.")
    return settings.stack


def name_in_archive(service: str, database: str) -> str:
    """`grafana/grafana.db`: the name of a database of SQLite, from its service and path."""
    return f"{service}/{Path(database).name}"


def require_room(folder: Path, needed: int) -> None:
    """Raises BackupError when so many more bytes would leave too few free on the disk."""
    free = max(0, shutil.disk_usage(folder).free - RESERVE)
    if free < needed:
        raise BackupError(
            f"{folder} needs {size(needed)} more, and {size(free)} may be used there.",
            "Make room, or keep fewer backups (`keep`).",
        )


def metabase_job(job: Job, stack: Stack) -> Job:
    """The backup of Metabase's own database, as that of an app."""
    return replace(job, database=stack.metabase)


@dataclass(frozen=True)
class _Filling:
    """Puts one part after the other into the archive; `work` is a folder on the same disk, for what is copied first."""

    archive: Archive
    work: Path
    say: Say

    def fill(
        self, settings: Settings, job: Job, stack: Stack, now: datetime, attempt: int
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """All of it; `counts` and `server` of the manifest. Raises BackupError, OSError."""
        counts = self.databases(stack)
        for name, path in stack.folders.items():
            self.archive.add(name, Path(path))
        if stack.metabase:
            counts |= self.metabase(settings, metabase_job(job, stack), now, attempt)
        self.say("reading silences")
        held = silences.read(stack.alertmanager)
        self.archive.add_bytes(SILENCES, json.dumps(held, indent=1, ensure_ascii=False).encode(), now)
        encrypted = self.secrets(stack, _recipients(settings, job))
        return counts, {
            "silences": len(held),
            "blocks": self.blocks(Path(stack.blocks)) if stack.blocks else 0,
            "secrets": encrypted,
            "warnings": [] if encrypted or not stack.secrets else [_LEFT_OUT],
        }

    def databases(self, stack: Stack) -> dict[str, int]:
        """Those of SQLite, one copy after the other, as they take room."""
        counts: dict[str, int] = {}
        for service, path in stack.sqlite.items():
            self.say(f"copying the database of {service}")
            copy = self.work / Path(path).name
            require_room(self.work, 2 * _bytes_in(Path(path)))
            counts |= {key(service, table): rows for table, rows in sqlite.copy(Path(path), copy).items()}
            self.archive.add(name_in_archive(service, path), copy)
            copy.unlink()
        return counts

    def metabase(self, settings: Settings, job: Job, now: datetime, attempt: int) -> dict[str, int]:
        """A backup of its own, with its manifest."""
        below = replace(settings, directory=self.work)
        dumped = dump.make(below, job, now, attempt, self.say)
        self.archive.add(METABASE, local.folder(below, job))
        return {f"{METABASE}.{table}": rows for table, rows in dumped.counts.items()}

    def blocks(self, data: Path) -> int:
        """Prometheus' finished blocks; how many."""
        self.say("archiving metrics")
        with blocks.linked(data) as links:
            require_room(self.work, _bytes_in(links))
            self.archive.add(BLOCKS, links)
            return len(list(links.iterdir()))

    def secrets(self, stack: Stack, recipients: tuple[str, ...]) -> bool:
        """Whether there is somebody to encrypt them for."""
        if not (stack.secrets and recipients):
            return False
        plain, encrypted = self.work / "secrets.tar", self.work / SECRETS
        with tarfile.open(plain, "w") as tar:
            for each in stack.secrets:
                add(tar, each.lstrip("/"), Path(each))
        age.encrypt(plain, encrypted, recipients)
        self.archive.add(SECRETS, encrypted)
        return True


def _bytes_in(path: Path) -> int:
    """Size of a file, or of all files in a folder; 0 where there is none."""
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())


def _recipients(settings: Settings, job: Job) -> tuple[str, ...]:
    """Of the job's remote, else of the first one that has some."""
    own = [settings.remotes[job.remote]] if job.remote else []
    return next((each.encrypt_to for each in [*own, *settings.remotes.values()] if each.encrypt_to), ())
