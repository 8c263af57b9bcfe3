# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A backup becomes a database again: beside the live one, in one transaction, and compared with what was dumped."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from crowsnest_backup import postgres
from crowsnest_backup.check import check, unpacked
from crowsnest_backup.counts import counted, differing
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.names import ROLES
from crowsnest_backup.postgres import PROLOGUE, PSQL, Server, Session, end, identifier, literal
from crowsnest_backup.progress import Say, size
from crowsnest_backup.settings import Database, Job, Settings
from crowsnest_backup.swap import NAME_BYTES, rename

# Bytes on the server's disk for each byte of the dump's text: tables, indexes and WAL of a measured restore.
_SPACE = 2.6
# Seconds between two looks at whether the server still makes a database.
_PAUSE_SECONDS = 0.1
# pg_database.datlocprovider, as CREATE DATABASE names it.
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
# The first server that knows LOCALE_PROVIDER, and the first that knows transaction_timeout.
_PROVIDER_SINCE, _TIMEOUT_SINCE = 15, 17
# Only in the head of a dump, where no row is.
_TIMEOUT = re.compile(rb"\A((?:(?:--|\\restrict |SET )[^\n]*\n|\n)*?)SET transaction_timeout = 0;\n")
_RESTRICT = re.compile(rb"\A(?:--[^\n]*\n|\n)*\\restrict ")


@dataclass(frozen=True)
class Restored:
    """A restored database: {"schema.table": rows}, and what a person should know about it."""

    counts: Mapping[str, int]
    notes: tuple[str, ...]


def restore(
    settings: Settings, job: Job, manifest: Manifest, dump: Path, name: str, create_roles: bool, say: Say
) -> Restored:
    """Makes the database `name` out of a backup; the live one is not touched. Raises BackupError.

    Until it is whole it has a name that only this job gives: what an end of this program leaves is known by it, and
    removed at the next start. Only under the lock.
    """
    server = postgres.find(cast(Database, job.database))
    unfinished = _unfinished(settings, job)
    say("checking the backup and the server")
    notes = prepare(server, manifest, dump, name, create_roles)
    drop(server, unfinished)
    if create_roles:
        _script(server, _roles_file(dump, manifest).read_text(encoding="utf-8"))
    try:
        create(server, unfinished, manifest)
        counts = load(server, unfinished, dump, manifest, say)
        _complete(server, unfinished, manifest, say)
        rename(server, [(unfinished, name)])
    except BaseException:
        with suppress(BackupError):
            drop(server, unfinished)
        raise
    return Restored(counts, tuple(notes))


def sweep(settings: Settings, job: Job) -> None:
    """Removes what a killed restore of this job left on its server. Only under the lock. Raises BackupError."""
    drop(postgres.find(cast(Database, job.database)), _unfinished(settings, job))


def _unfinished(settings: Settings, job: Job) -> str:
    """`crowsnest_unfinished_1a2b3c4d5e6f`: another one for each job of each environment, as they may share a server."""
    whose = hashlib.sha256(f"{settings.environment}/{job.name}".encode()).hexdigest()
    return f"crowsnest_unfinished_{whose[:12]}"


def drop(server: Server, name: str) -> None:
    """Removes a database, whoever is connected, if it is there. Raises BackupError.

    Where a restore was killed, the server may still be making it, and would have it a moment later.
    """
    making = f"query like 'create database%' and strpos(query, {literal(identifier(name))}) > 0 and state = 'active'"
    with Session(server, "postgres") as session:
        while end(session, making):
            time.sleep(_PAUSE_SECONDS)
        session.run(f"drop database if exists {identifier(name)} with (force)")


def _complete(server: Server, name: str, manifest: Manifest, say: Say) -> None:
    """Statistics, and what pg_dump leaves out: rights on the database, its settings and comment. Raises BackupError."""
    say("collecting statistics")
    with Session(server, name) as session:
        session.run("analyze")
    of = manifest.server
    comment = f"comment on database {identifier(name)} is {literal(of['comment'])}" if of["comment"] else ""
    _script(server, ";\n".join([*of["acl"], *of["settings"], comment]), name)


def _script(server: Server, sql: str, database: str = "") -> None:
    """Runs SQL as one transaction of psql, whose variable `database` is this name. Raises BackupError."""
    server.run(
        *(*PSQL, f"--set=database={database}", "--single-transaction", "--file=-"),
        database="postgres",
        sql=f"{PROLOGUE}set client_encoding to utf8;\n{sql}",
    )


# --- before anything is changed ---


def prepare(server: Server, manifest: Manifest, dump: Path, name: str, create_roles: bool) -> list[str]:
    """What a person should know of this restore, when all that can be known beforehand is well. Raises BackupError."""
    check(dump.parent, manifest)
    head = next(unpacked(dump, manifest))
    if _RESTRICT.match(head):
        _require_restrict(server)
    with Session(server, "postgres") as session:
        _require_free_name(session, name)
        extensions = session.rows("select name from pg_available_extensions")
        advice = "Install them there, or use the image that the database had."
        _require("extensions", manifest.server["extensions"], extensions, advice)
        if not create_roles:
            roles = session.rows("select rolname as name from pg_roles")
            _require("roles", manifest.server["roles"], roles, "Create them, or restore with --create-roles.")
        elif not (path := _roles_file(dump, manifest)).is_file():
            raise BackupError(f"The backup's roles are not there: {path} is missing.", "Create the roles by hand.")
        _require_space(server, session, manifest.sql_bytes)
    return _notes(server.major, manifest.server["major"], head)


def _notes(major: int, dumped: int, head: bytes) -> list[str]:
    notes = []
    if major < dumped:
        notes.append(f"The backup is of PostgreSQL {dumped} and the server is {major}: what is newer makes it stop.")
    if major < _TIMEOUT_SINCE and _TIMEOUT.match(head):
        notes.append(f"SET transaction_timeout was left out, as PostgreSQL {major} does not know it.")
    return notes


def _require_restrict(server: Server) -> None:
    try:
        server.run("psql", "--no-psqlrc", "--no-password", r"--command=\restrict a", database="postgres")
    except BackupError as error:
        if "invalid command" not in error.message:
            raise
        raise BackupError(
            r"The psql of this server is too old for the backup: it does not know \restrict.",
            "Update PostgreSQL to the newest release of its version (13.22, 14.19, 15.14, 16.10, 17.6 or later).",
        ) from None


def _require_free_name(session: Session, name: str) -> None:
    if len(name.encode()) > NAME_BYTES:
        raise BackupError(f"The name {name} is too long.", f"PostgreSQL takes {NAME_BYTES} bytes of UTF-8.")
    if session.rows(f"select datname from pg_database where datname = {literal(name)}"):
        raise BackupError(f"There is a database {name} already.", "Give another name, or drop it.")


def _require(kind: str, wanted: Iterable[str], found: Iterable[Mapping[str, Any]], advice: str) -> None:
    if missing := sorted(set(wanted) - {row["name"] for row in found}):
        raise BackupError(f"The server lacks {kind} that the backup needs: {', '.join(missing)}.", advice)


def _roles_file(dump: Path, manifest: Manifest) -> Path:
    return dump.with_name(f"{manifest.stem}{ROLES}")


def _require_space(server: Server, session: Session, sql_bytes: int) -> None:
    free, needed = _free(server, session), sql_bytes * _SPACE
    if free is not None and free < needed:
        raise BackupError(
            f"The restore takes about {size(needed)} of disk, and the server has {size(free)} free.",
            "Free some, for instance by dropping a database that an earlier swap kept.",
        )


def _free(server: Server, session: Session) -> int | None:
    """Free bytes where the server keeps its data; None where this host cannot know."""
    rows = session.rows("select setting from pg_settings where name = 'data_directory'")
    if not rows or server.kind == "remote":
        return None
    folder = rows[0]["setting"]
    if server.kind == "host":
        return shutil.disk_usage(folder).free
    return int(server.run("df", "-Pk", folder).splitlines()[-1].split()[3]) * 1024


# --- the database itself ---


def create(server: Server, name: str, manifest: Manifest) -> None:
    """An empty database with the encoding, locale and owner that the dumped one had. Raises BackupError."""
    with Session(server, "postgres") as session:
        session.run(f"create database {identifier(name)} {_options(manifest.server, server.major)}")


def _options(of: Mapping[str, Any], major: int) -> str:
    """Options of CREATE DATABASE. From template0: what was added to template1 is in the dump, too."""
    options = {
        "template": "template0",
        "owner": identifier(of["owner"]),
        "encoding": literal(of["encoding"]),
        "lc_collate": literal(of["collate"]),
        "lc_ctype": literal(of["ctype"]),
    }
    provider = _PROVIDERS[of["provider"]]
    if major >= _PROVIDER_SINCE:
        options["locale_provider"] = provider
    if provider != "libc":
        options[f"{provider}_locale"] = literal(of["icu_locale"])
    return " ".join(f"{option} {value}" for option, value in options.items())


def load(server: Server, database: str, dump: Path, manifest: Manifest, say: Say) -> dict[str, int]:
    """Restores a dump into an empty database: all of it, or nothing. {"schema.table": rows} as found afterwards.

    psql is told to commit after the last byte, when the text is known to be the dumped one: an end in the middle, of
    this program too, rolls everything back. Raises BackupError: the dump is broken, PostgreSQL refuses a statement,
    the rows are not those of the manifest.
    """
    with server.running(
        *PSQL, database=database, title="The restore stopped", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as psql:
        for block in _text(dump, manifest, server.major, say):
            cast(IO[bytes], psql.stdin).write(block)
    say("counting rows")
    with Session(server, database) as session:
        found = counted(session)
    if differences := differing(manifest.counts, found):
        raise BackupError(f"The restored database is not the dumped one: {'; '.join(differences)}.")
    return found


def _text(dump: Path, manifest: Manifest, major: int, say: Say) -> Iterator[bytes]:
    """The dump as one transaction for a server of this major version. Raises BackupError before the commit."""
    done = 0
    yield f"{PROLOGUE}begin;\n".encode()
    for block in unpacked(dump, manifest):
        yield block if done or major >= _TIMEOUT_SINCE else _TIMEOUT.sub(rb"\1", block)
        done += len(block)
        say(f"loading, {done * 100 // max(manifest.sql_bytes, done)} %")
    yield b"commit;\n"
    say("building indexes and constraints")
