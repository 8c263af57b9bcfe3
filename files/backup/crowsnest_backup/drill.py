# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A drill proves a backup: restored into a server of its own, compared with what was dumped, its indexes checked."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crowsnest_backup import postgres, restore, scratch
from crowsnest_backup.check import check
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.postgres import Server, Session, docker, identifier, reason
from crowsnest_backup.progress import Say
from crowsnest_backup.scratch import Source
from crowsnest_backup.settings import Database, Settings

# One drill of so many takes the oldest backup that is kept, all others the newest.
OLDEST_EVERY = 4
# Bytes of memory without which no drill begins: what its server needs, and some for the live one.
MEMORY_LEAST = 200 << 20
# Bytes on the disk for one byte of SQL: rows and indexes; seen with three indexes are 1.6, and more is better here.
DISK_PER_BYTE = 2.6
# Bytes on the disk that an empty server and its log take, and that stay free for the live one.
DISK_SPARE = 1 << 30
_DATABASE = "drill"


class Skipped(BackupError):  # noqa: N818 - nothing went wrong with the backup
    """A drill that could not be made, which says nothing about the backup."""


@dataclass(frozen=True)
class Drilled:
    """A drill that went well.

    `seconds`: {step: how long}, in order. `counts`: {"schema.table": rows} as restored. `server`: the version that
    restored it, `place`: what it ran from. `indexes`: whether pg_amcheck compared them with the rows.
    """

    stem: str
    server: str
    place: str
    seconds: Mapping[str, float]
    counts: Mapping[str, int]
    indexes: bool


def choose(manifests: Sequence[Manifest], drills_done: int) -> Manifest:
    """The backup to restore next, of these from the oldest to the newest."""
    return manifests[0 if drills_done % OLDEST_EVERY == OLDEST_EVERY - 1 else -1]


def drill(settings: Settings, database: Database, manifest: Manifest, dump: Path, say: Say) -> Drilled:
    """Restores a backup of a database and compares it with its manifest. Only under the lock.

    Raises Skipped: no room, or no server of this kind can be had. Raises BackupError: the backup is not proven.
    """
    live, source = _live(database)
    _room(settings.state, source, manifest)
    libraries = _libraries(live, manifest)
    seconds: dict[str, float] = {}
    with _timed("read the file", seconds, say):
        # Of a damaged one PostgreSQL would only tell that it understands nothing.
        check(dump.parent, manifest)
    with ExitStack() as stack:
        with _timed("start a server", seconds, say):
            server = stack.enter_context(scratch.cluster(settings.state, source, libraries))
        version = _prepare(server, manifest, source)
        with _timed("restore and count", seconds, say):
            restore.create(server, _DATABASE, manifest)
            counts = restore.load(server, _DATABASE, dump, manifest, say)
        with _timed("check indexes", seconds, say):
            indexes = _indexes_checked(server)
        with _timed("remove it", seconds, say):
            stack.close()
    return Drilled(manifest.stem, version, str(source), seconds, counts, indexes)


@contextmanager
def _timed(step: str, seconds: dict[str, float], say: Say) -> Iterator[None]:
    say(f"drill: {step}")
    begun = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - begun, 2)


def _live(database: Database) -> tuple[Server, Source]:
    """The live server and what it runs from. Raises Skipped."""
    try:
        live = postgres.find(database)
        return live, scratch.source(live)
    except BackupError as error:
        raise Skipped(error.message, error.advice) from None


def _room(state: Path, source: Source, manifest: Manifest) -> None:
    """Raises Skipped when a drill could take what the live server needs."""
    memory = available(Path("/proc/meminfo").read_text(encoding="ascii"))
    if memory < MEMORY_LEAST:
        raise Skipped(f"Only {memory >> 20} MiB of memory are available; a drill needs {MEMORY_LEAST >> 20}.")
    place = Path(docker("info", "--format", "{{.DockerRootDir}}").strip()) if source.image else state.parent
    free, needed = shutil.disk_usage(place).free, int(manifest.sql_bytes * DISK_PER_BYTE) + DISK_SPARE
    if free < needed:
        raise Skipped(f"Only {free >> 20} MiB are free in {place}; a drill of this backup needs {needed >> 20}.")


def available(meminfo: str) -> int:
    """Bytes of memory that can be had without swapping, of /proc/meminfo (proc_meminfo(5))."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _libraries(live: Server, manifest: Manifest) -> list[str]:
    """Libraries that the live server preloads for an extension of the database, such as timescaledb."""
    with Session(live, "postgres") as session:
        found = session.rows("select setting from pg_settings where name = 'shared_preload_libraries'")
    named = re.findall(r"\w+", found[0]["setting"]) if found else []
    return [name for name in named if name in manifest.server["extensions"]]


def _prepare(server: Server, manifest: Manifest, source: Source) -> str:
    """Makes the roles that the dump names; the version of the server. Raises Skipped when an extension is missing.

    The roles are superusers: who may own what depends on memberships that are not part of a dump.
    """
    with Session(server, "postgres") as session:
        names = {row["name"] for row in session.rows("select name from pg_available_extensions")}
        if missing := sorted(set(manifest.server["extensions"]) - names):
            raise Skipped(f"The extension {', '.join(missing)} is not part of {source}.")
        for role in sorted({*manifest.server["roles"], manifest.server["owner"]} - {"postgres"}):
            if not role.startswith("pg_"):  # PostgreSQL's own
                session.run(f"create role {identifier(role)} superuser")
        return str(session.value("select current_setting('server_version') as version"))


def _indexes_checked(server: Server) -> bool:
    """Whether pg_amcheck is there and found each index to hold each row. Raises BackupError with what it found."""
    try:
        server.run("pg_amcheck", "--version")
        with Session(server, _DATABASE) as session:
            session.run("create extension amcheck with schema pg_catalog")
    except BackupError:
        return False
    checking = server.start(
        *("pg_amcheck", "--heapallindexed", "--no-password"),
        database=_DATABASE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    told, _ = checking.communicate()
    if checking.returncode:
        raise BackupError(f"pg_amcheck found the restored database damaged: {reason(told.decode(errors='replace'))}.")
    return True


def evidence(drilled: Drilled, manifest: Manifest, at: datetime) -> str:
    """A page in Markdown that shows what was proven, and when."""
    facts = {
        "Database": f"{_code(manifest.what)} of {manifest.app}, {manifest.environment}",
        "Backup": f"{_code(manifest.file)}, {manifest.bytes:,} bytes",
        "SHA-256": _code(manifest.sha256),
        "Taken": f"{manifest.started}, from PostgreSQL {manifest.server['version']}",
        "Restored": f"{at.isoformat(timespec='seconds')}, into PostgreSQL {drilled.server}",
        "Server for it": f"A new and empty one without a network, from {drilled.place}; removed afterwards",
    }
    indexes = "pg_amcheck found each row in each index." if drilled.indexes else "Not checked: no amcheck is installed."
    proven = {
        "Content": f"The {manifest.sql_bytes:,} bytes of SQL are those that were dumped, by their SHA-256.",
        "Restore": "All statements succeeded, in one transaction.",
        "Rows": f"{sum(drilled.counts.values()):,} in {len(drilled.counts)} tables, as in the dump's own snapshot.",
        "Indexes": indexes,
    }
    return "\n".join(
        [
            f"# Restore of {_code(manifest.what)}, proven",
            "",
            *_table(("Fact", "Value"), facts),
            "",
            *_table(("Proof", "Result"), proven),
            "",
            *_table(("Step", "Seconds"), {step: f"{taken:.1f}" for step, taken in drilled.seconds.items()}),
            "",
            *_table(("Table", "Rows"), {_code(name): f"{rows:,}" for name, rows in drilled.counts.items()}),
            "",
        ]
    )


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> list[str]:
    return [f"| {head[0]} | {head[1]} |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]


def _code(text: str) -> str:
    """A name as code in a cell, whatever it holds."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>"
