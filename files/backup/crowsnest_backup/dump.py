# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One backup of a database: dumped in one snapshot with the rows that are counted there, read back, then named.

psql exports the snapshot and counts; it stays open while pg_dump reads the same snapshot.
"""

from __future__ import annotations

import codecs
import errno
import os
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

from isal import isal_zlib

from crowsnest_backup import local, postgres
from crowsnest_backup.check import BLOCK, GZIP, LEVEL, read_back
from crowsnest_backup.counts import counted, differing
from crowsnest_backup.errors import BackupError
from crowsnest_backup.facts import facts, roles_sql
from crowsnest_backup.files import RESERVE, Digested, partial, private, write_partial
from crowsnest_backup.guard import guarded
from crowsnest_backup.manifest import Manifest, publish
from crowsnest_backup.names import DUMP, ROLES, stem
from crowsnest_backup.postgres import APPLICATION, Server, Session, identifier
from crowsnest_backup.progress import Say, size
from crowsnest_backup.settings import Database, Job, Settings
from crowsnest_backup.stream import Stream

# Seconds that a dump waits for a table that another session has locked.
LOCK_SECONDS = 60
# Progress is told whenever so many bytes more have been read.
_SAID = 64 * BLOCK


@dataclass(frozen=True)
class Content:
    """A dump on the disk: its text and its file; what a restore must know of the database; SQL of its roles."""

    text: Stream
    file: Digested
    facts: Mapping[str, Any]
    roles: str


def make(settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
    """Makes a backup of a job's database: all of it, or nothing.

    `now` is when it is begun, `attempt` which try this is, from 1. Raises BackupError with the cause.
    """
    begun = time.monotonic()
    database = cast(Database, job.database)
    server = postgres.find(database)
    folder = local.folder(settings, job)
    name = stem(database.name, settings.environment, now)
    file, roles = folder / f"{name}{DUMP}", folder / f"{name}{ROLES}"
    try:
        content = _dumped(server, database.name, partial(file), say)
        manifest = Manifest(
            stem=name,
            file=file.name,
            app=job.name,
            what=database.name,
            environment=settings.environment,
            started=now.isoformat(),
            finished=now.isoformat(),
            server=content.facts,
            counts=content.text.rows,
            sql_bytes=content.text.bytes,
            bytes=content.file.bytes,
            sha256=content.file.sha256,
            attempts=attempt,
            checked=now.isoformat(),
        )
        say("reading the file back")
        read_back(partial(file), manifest)
        ended = (now + timedelta(seconds=time.monotonic() - begun)).isoformat()
        manifest = replace(manifest, finished=ended, checked=ended)
        write_partial(roles, content.roles.encode())
        publish(folder, manifest, file.name, roles.name)
    except OSError as error:
        raise _cannot_write(folder, error) from None
    finally:
        for each in (file, roles):
            partial(each).unlink(missing_ok=True)
    return manifest


def _dumped(server: Server, database: str, path: Path, say: Say) -> Content:
    """Dumps a database to this file, as one snapshot shows it. Raises BackupError, OSError."""
    name = f"{APPLICATION} {uuid.uuid4().hex[:12]}"
    ours = replace(server, variables={**server.variables, "PGAPPNAME": name})
    try:
        with guarded(server, database, name), Session(ours, database, name) as session:
            snapshot = _snapshot(session)
            say("counting rows")
            known, counts = facts(session), counted(session)
            roles = roles_sql(session, known["roles"])
            text = Stream(_codec(known["encoding"]))
            file = _packed(ours, database, snapshot, text, path, say)
    except BackupError as error:
        raise _explained(error, server, database) from None
    if not text.whole:
        raise BackupError("What pg_dump wrote has no end, although it reported success.")
    if differences := differing(counts, text.rows):
        raise BackupError(f"The dump does not hold the rows of its own snapshot: {'; '.join(differences)}.")
    return Content(text, file, known, roles)


def _snapshot(session: Session) -> str:
    """Begins a transaction that sees nothing change any more; the name of its snapshot, as long as it is open."""
    session.run(f"set lock_timeout = '{LOCK_SECONDS}s'; begin isolation level repeatable read read only")
    return str(session.value("select pg_export_snapshot() as name"))


def _packed(server: Server, database: str, snapshot: str, text: Stream, path: Path, say: Say) -> Digested:
    """Writes what pg_dump gives to a file, as one member of gzip. Raises BackupError, OSError."""
    words = [f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_SECONDS}s", "--no-password"]
    with (
        private(path) as file,
        server.running("pg_dump", *words, database=database, stdout=subprocess.PIPE) as pg_dump,
    ):
        packer, packed = isal_zlib.compressobj(LEVEL, wbits=GZIP), Digested(file)
        while block := cast(IO[bytes], pg_dump.stdout).read(BLOCK):
            text.feed(block)
            packed.write(packer.compress(block))
            _leave_room(file)
            if text.bytes % _SAID == 0:
                say(f"dumping, {size(text.bytes)}")
        packed.write(packer.flush())
    return packed


def _leave_room(file: IO[bytes]) -> None:
    """Raises BackupError when the disk is nearly full."""
    disk = os.fstatvfs(file.fileno())
    if disk.f_bavail * disk.f_frsize < RESERVE:
        raise BackupError(
            f"The disk has less than {size(RESERVE)} left, and the backup is not finished.",
            "Make room, or keep fewer backups (`keep`): a full disk would stop the database as well.",
        )


def _codec(encoding: str) -> str:
    """Python's name of an encoding of PostgreSQL, in which tables' names are written; UTF-8 where it has none."""
    try:
        return codecs.lookup(encoding.replace("WIN", "cp")).name
    except LookupError:
        return "utf-8"


# --- what went wrong ---

# A part of what PostgreSQL reports, and what to do. `role` is the one that the backup connects as.
_ADVICE = {
    "large object": "Make it a member of the role that owns the large objects: GRANT owner TO {role}.",
    "row-level security": "Let it read every row: ALTER ROLE {role} BYPASSRLS.",
    "permission denied": "Let it read everything: GRANT pg_read_all_data TO {role}.",
}


def _explained(error: BackupError, server: Server, database: str) -> BackupError:
    """The same, with what to do where that is known."""
    if "lock timeout" in error.message:
        return _locked(server, database)
    advice = next((advice for part, advice in _ADVICE.items() if part in error.message), "")
    told = advice.format(role=identifier(server.variables["PGUSER"]))
    return BackupError(f"{error.message.rstrip('.')}.", error.advice or told)


_LOCKS = """
select l.relation::regclass::text as table, l.pid, coalesce(nullif(a.application_name, ''), a.usename, '?') as who
from pg_locks l join pg_stat_activity a using (pid)
where l.mode = 'AccessExclusiveLock' and l.granted and l.locktype = 'relation' and a.datname = current_database()
order by a.xact_start limit 1
"""


def _locked(server: Server, database: str) -> BackupError:
    """Which table could not be read as another session has locked it."""
    with Session(server, database) as session:
        held = session.rows(_LOCKS)
    which = "".join(f": {row['table']} by process {row['pid']} of PostgreSQL ({row['who']})" for row in held)
    return BackupError(
        f"A table was locked for more than {LOCK_SECONDS} seconds{which}.",
        "Run migrations at another time than backups; a transaction that was forgotten: pg_terminate_backend.",
    )


def _cannot_write(folder: Path, error: OSError) -> BackupError:
    advice = "Make room, or keep fewer backups (`keep`)." if error.errno == errno.ENOSPC else ""
    return BackupError(f"The backup cannot be written to {folder}: {error.strerror}.", advice)
