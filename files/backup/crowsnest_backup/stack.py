# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of the stack's own services, in one archive. What a run makes again is not in it.

Each name in it begins with the compose service that the file belongs to:

    grafana/grafana.db, uptime_kuma/kuma.db   databases of SQLite, each as of one moment
    uptime_kuma/upload/                       what people uploaded
    metabase/                                 a backup of Metabase's own database, as an app's is
    alertmanager/silences.json                what Alertmanager's API takes
    prometheus/<ULID>/                        metrics, only where that is declared
    secrets.tar.gz.age                        for a person with the key: a restore leaves it alone
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from crowsnest_backup import age, blocks, dump, local, silences, sqlite
from crowsnest_backup.archive import pack
from crowsnest_backup.check import read_back
from crowsnest_backup.counts import key
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import RESERVE, partial, require_room
from crowsnest_backup.manifest import Manifest, publish
from crowsnest_backup.names import ARCHIVE, PARTIAL, stem
from crowsnest_backup.progress import Say
from crowsnest_backup.settings import STACK, Job, Settings, Stack

METABASE, SILENCES, BLOCKS, SECRETS = "metabase", "alertmanager/silences.json", "prometheus", "secrets.tar.gz.age"
_LEFT_OUT = (
    "The secrets of the stack are not in the backup, as it has no remote with `encrypt_to`:"
    " keep a copy of the inventory's folder with the secrets."
)


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Writes and checks an archive. Raises BackupError; then nothing has its final name.

    `counts` of its manifest: {"grafana.dashboard": rows, "metabase.public.report_card": rows, "alertmanager.silences":
    how many, "prometheus.blocks": how many}. `server`: `warnings` for people. `sql_bytes` is the size of its tar.
    """
    stack, folder, begun = declared(settings), local.folder(settings, job), time.monotonic()
    name = stem(STACK, settings.environment, now)
    path = folder / f"{name}{ARCHIVE}"
    try:
        with tempfile.TemporaryDirectory(prefix=".", suffix=PARTIAL, dir=folder) as work, _blocks(stack) as metrics:
            live: list[str | Path] = [*stack.sqlite.values(), *stack.folders.values(), *([metrics] if metrics else [])]
            require_room(folder, 2 * sum(_bytes_in(Path(each)) for each in live), RESERVE)  # copies, and the archive
            state = _State(Path(work), say)
            state.databases(stack)
            if stack.metabase:
                state.metabase(settings, metabase_job(job, stack), now, attempt)
            state.silences(stack.alertmanager)
            if metrics:
                state.metrics(metrics)
            recipients = settings.remotes[job.remote].encrypt_to if job.remote else ()
            if recipients:
                state.secrets(stack.secrets, recipients)
            say("archiving")
            text, file = pack(partial(path), state.parts)
        ended = (now + timedelta(seconds=time.monotonic() - begun)).isoformat()
        manifest = Manifest(
            stem=name,
            file=path.name,
            app=job.name,
            what=STACK,
            environment=settings.environment,
            started=now.isoformat(),
            finished=ended,
            server={"warnings": [_LEFT_OUT] if stack.secrets and not recipients else []},
            counts=state.counts,
            sql_bytes=text.bytes,
            bytes=file.bytes,
            sha256=file.sha256,
            attempts=attempt,
            checked=ended,
        )
        say("reading the file back")
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


def metabase_job(job: Job, stack: Stack) -> Job:
    """The backup of Metabase's own database, as that of an app."""
    return replace(job, database=stack.metabase)


@dataclass
class _State:
    """What goes into an archive, {name: file or folder}, and what was counted; `work` is a folder for copies."""

    work: Path
    say: Say
    parts: dict[str, Path] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def databases(self, stack: Stack) -> None:
        """Those of SQLite, and the folders of people."""
        for service, path in stack.sqlite.items():
            self.say(f"copying the database of {service}")
            copy = self.work / f"{service}.db"
            self.counts |= {key(service, table): rows for table, rows in sqlite.copy(Path(path), copy).items()}
            self.parts[name_in_archive(service, path)] = copy
        self.parts |= {name: Path(path) for name, path in stack.folders.items()}

    def metabase(self, settings: Settings, job: Job, now: datetime, attempt: int) -> None:
        """A backup of its own, with its manifest."""
        below = replace(settings, directory=self.work)
        dumped = dump.make(below, job, now, attempt, self.say)
        self.counts |= {f"{METABASE}.{table}": rows for table, rows in dumped.counts.items()}
        self.parts[METABASE] = local.folder(below, job)

    def silences(self, url: str) -> None:
        """As Alertmanager takes them."""
        self.say("reading silences")
        held = silences.read(url)
        self.counts["alertmanager.silences"] = len(held)
        self.parts[SILENCES] = self.work / "silences.json"
        self.parts[SILENCES].write_text(json.dumps(held, indent=1, ensure_ascii=False), encoding="utf-8")

    def metrics(self, links: Path) -> None:
        """Prometheus' blocks."""
        self.counts["prometheus.blocks"] = len(list(links.iterdir()))
        self.parts[BLOCKS] = links

    def secrets(self, paths: Sequence[str], recipients: Sequence[str]) -> None:
        """Only encrypted."""
        plain, self.parts[SECRETS] = self.work / "secrets.tar.gz", self.work / SECRETS
        pack(plain, {each.lstrip("/"): Path(each) for each in paths})
        age.encrypt(plain, self.parts[SECRETS], recipients)


def _blocks(stack: Stack) -> AbstractContextManager[Path | None]:
    return blocks.linked(Path(stack.blocks)) if stack.blocks else nullcontext()


def _bytes_in(path: Path) -> int:
    """Size of a file, or of all files in a folder; 0 where there is none."""
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())
