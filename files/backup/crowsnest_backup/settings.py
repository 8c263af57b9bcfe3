# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the declaration says about the backups of this host, as `settings.json` and `secrets.json` hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crowsnest_backup.errors import BackupError

# The job for the stack's own state; an app cannot have this name.
STACK = "stack"


@dataclass(frozen=True)
class Keep:
    """How many backups are kept of each kind: the newest of a day, of an ISO week, of a month. 0: none of that kind."""

    daily: int
    weekly: int
    monthly: int


@dataclass(frozen=True)
class Database:
    """Where a database is. Without `container` the one that publishes the port, else this host, else over the network.

    `user` None: over the socket, as the container's own administrator or the system user postgres.
    """

    name: str
    host: str
    port: int
    container: str | None = None
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: bool = False


@dataclass(frozen=True)
class Job:
    """One nightly backup. `name` is that of the app, or STACK, which has no `database`.

    `at`: hour:minute in the declared time zone. `remote`: a name in `Settings.remotes`, or None. `drill`: weekly,
    monthly or never. `push_url`: requested after each success, empty where nothing listens. `check_in_urls`: {"ok",
    "error"}, requested when it ended so; empty unless Sentry is to be told.
    """

    name: str
    at: str
    keep: Keep
    database: Database | None = None
    remote: str | None = None
    drill: str = "weekly"
    push_url: str = field(default="", repr=False)
    check_in_urls: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Remote:
    """Object storage that speaks S3. Without `access_key` the host's role counts; `encrypt_to` are age recipients."""

    name: str
    bucket: str
    region: str
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str = field(default="", repr=False)
    encrypt_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stack:
    """Where the state of the stack's services is on this host.

    `sqlite`: {compose service: path of its database of SQLite}, `compose_file` that of the project. `folders`: {name in
    the archive, which begins with the compose service: path of a folder with files of people}. `alertmanager`: its URL.
    `metabase`: Metabase's own database, None where there is none. `secrets`: files and folders with secrets that are
    archived only where they can be encrypted. `blocks`: the folder of Prometheus' blocks, None where metrics are not
    backed up.
    """

    compose_file: str
    sqlite: Mapping[str, str]
    alertmanager: str
    folders: Mapping[str, str] = field(default_factory=dict)
    metabase: Database | None = None
    secrets: tuple[str, ...] = ()
    blocks: str | None = None


@dataclass(frozen=True)
class Settings:
    """All of it. `directory` holds the backups, `state` what the program remembers; node exporter reads `metrics`.

    `tries` and `pause_seconds`: how often a failed backup is tried in a row, and how long it waits in between.
    """

    environment: str
    timezone: ZoneInfo
    directory: Path
    state: Path
    metrics: Path
    jobs: Mapping[str, Job]
    remotes: Mapping[str, Remote]
    stack: Stack | None = None
    tries: int = 3
    pause_seconds: int = 300

    def job(self, name: str) -> Job:
        """The job of this name. Raises BackupError with the names there are."""
        if name in self.jobs:
            return self.jobs[name]
        names = ", ".join(self.jobs) or "none"
        raise BackupError(f"Nothing named {name} is backed up on this host.", f"There are: {names}.")


def read(folder: Path) -> Settings:
    """The settings in this folder. Raises BackupError."""
    try:
        plain = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        secrets = json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
        return _settings(plain, secrets)
    except (OSError, ValueError, KeyError, TypeError) as error:
        advice = "Run it as root. If that does not help, run `./crowsnest site` again."
        raise BackupError(f"The settings in {folder} cannot be read: {error}.", advice) from None


def _settings(plain: Mapping[str, Any], secrets: Mapping[str, Any]) -> Settings:
    """`secrets` is {"databases": {job: password}, "remotes": {name: secret key}, "push_urls": {job: URL},
    "check_in_urls": {job: {status: URL}}}.

    The job STACK has the password of Metabase's own database.
    """
    jobs = {}
    for row in plain["jobs"]:
        name = row["name"]
        own = {"keep": Keep(**row["keep"]), "database": _database(row["database"], secrets["databases"].get(name, ""))}
        told = {"push_url": secrets["push_urls"].get(name, ""), "check_in_urls": secrets["check_in_urls"].get(name, {})}
        jobs[name] = Job(**{**row, **own, **told})
    remotes = {
        row["name"]: Remote(
            **{**row, "encrypt_to": tuple(row.get("encrypt_to", ()))},
            secret_key=secrets["remotes"].get(row["name"], ""),
        )
        for row in plain["remotes"]
    }
    return Settings(
        environment=plain["environment"],
        timezone=ZoneInfo(plain["timezone"]),
        directory=Path(plain["directory"]),
        state=Path(plain["state"]),
        metrics=Path(plain["metrics"]),
        jobs=jobs,
        remotes=remotes,
        stack=_stack(plain.get("stack"), secrets["databases"].get(STACK, "")),
        tries=plain["tries"],
        pause_seconds=plain["pause_seconds"],
    )


def _stack(row: Mapping[str, Any] | None, password: str) -> Stack | None:
    if row is None:
        return None
    own = {"metabase": _database(row.get("metabase"), password), "secrets": tuple(row.get("secrets", ()))}
    return Stack(**{**row, **own})


def _database(row: Mapping[str, Any] | None, password: str) -> Database | None:
    return Database(**row, password=password) if row else None
