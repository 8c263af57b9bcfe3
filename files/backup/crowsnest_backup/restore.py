# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A backup becomes a database again: beside the live one, in one transaction, and compared with what was dumped."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from isal import igzip, igzip_lib

from crowsnest_backup.counts import counted, differing
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.postgres import Server, Session, identifier, literal, reason

Say = Callable[[str], None]

_BLOCK = 1 << 20
# pg_database.datlocprovider, as CREATE DATABASE names it, and the option for the provider's own locale.
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
# The first server that knows LOCALE_PROVIDER, and the first that knows transaction_timeout.
_PROVIDER_SINCE, _TIMEOUT_SINCE = 15, 17
# Only in the head of a dump, before any row.
_TIMEOUT = re.compile(rb"\A((?:(?:--|\\restrict |SET )[^\n]*\n|\n)*?)SET transaction_timeout = 0;\n")


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
    with tempfile.TemporaryFile() as errors:
        psql = server.start(
            "psql",
            *("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"),
            database=database,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        written = _fed(psql, _text(dump, manifest, server.major, say))
        if psql.wait() or not written:
            errors.seek(0)
            raise BackupError(f"The restore stopped: {reason(errors.read().decode(errors='replace'))}.")
    say("counting rows")
    with Session(server, database) as session:
        found = counted(session)
    if differences := differing(manifest.counts, found):
        raise BackupError(f"The restored database is not the dumped one: {'; '.join(differences)}.")
    return found


def _fed(psql: subprocess.Popen[bytes], blocks: Iterator[bytes]) -> bool:
    """Whether psql took all of the text. It is killed when the text cannot be read: then nothing is committed."""
    pipe = cast(IO[bytes], psql.stdin)
    try:
        for block in blocks:
            pipe.write(block)
        pipe.close()
    except BrokenPipeError:
        return False
    except BaseException:
        psql.kill()
        psql.wait()
        raise
    return True


def _text(dump: Path, manifest: Manifest, major: int, say: Say) -> Iterator[bytes]:
    """The dump as one transaction for a server of this major version. Raises BackupError before the commit."""
    digest, size = hashlib.sha256(), 0
    yield b"begin;\n"
    for block in _blocks(dump):
        digest.update(block)
        yield block if size or major >= _TIMEOUT_SINCE else _TIMEOUT.sub(rb"\1", block)
        size += len(block)
        say(f"loading, {size * 100 // max(manifest.sql_bytes, size)} %")
    if digest.hexdigest() != manifest.sql_sha256:
        raise BackupError(f"{dump} does not hold what was dumped.", "Take another backup.")
    yield b"commit;\n"
    say("building indexes and constraints")


def _blocks(dump: Path) -> Iterator[bytes]:
    """The text of a dump in blocks of 1 MiB; the first one holds its whole head."""
    try:
        with igzip.open(dump, "rb") as file:  # type: ignore[no-untyped-call]
            while block := file.read(_BLOCK):
                yield block
    except (OSError, EOFError, igzip_lib.IsalError) as error:  # type: ignore[misc]
        raise BackupError(f"{dump} cannot be read: {error}.", "Take another backup.") from None
