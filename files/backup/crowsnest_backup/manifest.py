# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The manifest beside each backup: what it holds and what was proven of it. Without a manifest there is no backup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import commit, partial, write_partial, write_whole
from crowsnest_backup.names import MANIFEST

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """One backup.

    `stem` is its name without an ending, `file` the name of its file; `what` the real name of the database, or "stack".
    `started` and `finished` are UTC in ISO 8601. `server` is what a restore must know of the database: `version` as
    text, `major`, `encoding`, `provider`, `collate`, `ctype`, `icu_locale`, `owner`, `comment`, `acl` (SQL of REVOKE
    and GRANT), `settings` (SQL of ALTER DATABASE and ALTER ROLE … IN DATABASE), `extensions` ({name: version}), `roles`
    (names that the dump mentions). Statements of `acl` and `settings` call the database :"database", a variable of
    psql, as a restored one may have another name.
    `counts`: {"schema.table": rows} of the dump's own snapshot. `sql_bytes` is the length of the text, `bytes` and
    `sha256` are of the file. `attempts`: the try that succeeded, from 1.
    `checked`: when the file was last read back whole. `drilled`: when it was last restored and compared, or None.
    `remote`: {name of the remote: {"key", "bytes", "sha256", "version", "time"}} of its copies. Encrypted ones also
    have "roles" and "manifest", the SHA-256 of those as sent; the readable one there lacks `settings` and `comment`.
    """

    stem: str
    file: str
    app: str
    what: str
    environment: str
    started: str
    finished: str
    server: Mapping[str, Any]
    counts: Mapping[str, int]
    sql_bytes: int
    bytes: int
    sha256: str
    attempts: int
    checked: str
    drilled: str | None = None
    remote: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def start(self) -> datetime:
        """When it was begun."""
        return datetime.fromisoformat(self.started)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (datetime.fromisoformat(self.finished) - self.start).total_seconds()

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(self.counts.values())

    def text(self) -> str:
        """Its file's text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """Puts it beside its backup, by one rename. Raises OSError."""
        write_whole(folder / f"{self.stem}{MANIFEST}", self.text().encode())


def publish(folder: Path, manifest: Manifest, *names: str) -> None:
    """Gives the files of a backup, of which the partial ones are whole, their names, and at last the manifest its.

    An end in between leaves the manifest's partial file, by which files.sweep knows the others. Raises OSError.
    """
    path = folder / f"{manifest.stem}{MANIFEST}"
    waiting = write_partial(path, manifest.text().encode())
    for name in names:
        commit(partial(folder / name), folder / name)
    commit(waiting, path)


def parse(text: str | bytes, source: str) -> Manifest:
    """The manifest of this text; keys of a later version are ignored. Raises BackupError that names `source`."""
    try:
        found = json.loads(text)
        known = {each.name for each in fields(Manifest)}
        return Manifest(**{key: value for key, value in found.items() if key in known})
    except (ValueError, TypeError, AttributeError):
        raise BackupError(f"{source} is no manifest of a backup.") from None


def manifests(folder: Path) -> list[Manifest]:
    """All backups of a folder that have a readable manifest and a file, the oldest first; names sort by time."""
    found = []
    for path in sorted(folder.glob(f"*{MANIFEST}")) if folder.is_dir() else []:
        try:
            manifest = parse(path.read_bytes(), str(path))
        except (OSError, BackupError):
            continue
        if manifest.stem == path.name.removesuffix(MANIFEST) and (folder / manifest.file).is_file():
            found.append(manifest)
    return found
