# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backups there are, on which host each is made, and which app has none for what reason. Pure.

The roles, the report, verify, the alerts and the monitors all read it here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.backup import Keep, Schedule
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK

MIB = 1024 * 1024
# The job for the stack's own state; STACK in files/backup/crowsnest_backup/settings.py.
STACK = "stack"


@dataclass(frozen=True)
class BackupJob:
    """One nightly backup. `name` is that of the app, or STACK; `host` the inventory name of the host that makes it.

    `database` is the database's name, None for the stack. The rest is as declared.
    """

    name: str
    host: str
    database: str | None
    at: str
    keep: Keep
    remote: str | None
    drill: str


def backup_jobs(declared: Declaration, server: str) -> list[BackupJob]:
    """All jobs, in the order of the apps, that of the stack last. An app's database is backed up from its own host."""
    jobs = [
        _job(app.name, app.host or server, app.database.name, app.backup, app.backup.drill)
        for app in _firsts(declared.apps)
        if app.database and app.backup
    ]
    if declared.backup_stack:
        jobs.append(_job(STACK, server, None, declared.backup_stack, "never"))
    return jobs


def _job(name: str, host: str, database: str | None, backup: Schedule, drill: str) -> BackupJob:
    return BackupJob(name, host, database, backup.at, backup.keep, backup.remote, drill)


@dataclass(frozen=True)
class BackupSize:
    """What the backups of a job take on its host, in bytes: the newest one, all that are there, all that may come."""

    newest: int
    now: int
    at_most: int


def backup_sizes(declared: Declaration, server: str, facts: Mapping[str, HostFacts]) -> dict[str, BackupSize]:
    """{job: its sizes}, of jobs that have a backup already; `facts` is {host that answers: its facts}.

    While one is made, another one is there. What grows is not foreseen: an alert judges that from the metrics.
    """
    sizes = {}
    for job in backup_jobs(declared, server):
        there = facts[job.host]["backups"].get(f"{declared.environment}/{job.name}") if job.host in facts else None
        if there:
            now = sum(there)
            sizes[job.name] = BackupSize(there[-1], now, max(now, there[-1] * (job.keep.total + 1)))
    return sizes


def mib_to_come(declared: Declaration, server: str, sizes: Mapping[str, BackupSize]) -> int:
    """What backups may take of the server's disk on top of those that are there."""
    known = [sizes[job.name] for job in backup_jobs(declared, server) if job.host == server and job.name in sizes]
    return math.ceil(sum(size.at_most - size.now for size in known) / MIB)


def backup_hosts(declared: Declaration, server: str) -> list[str]:
    """Hosts that make backups, each once."""
    return list(dict.fromkeys(job.host for job in backup_jobs(declared, server)))


def jobs_of(declared: Declaration, server: str, name: str) -> list[BackupJob]:
    """The job of an app or of STACK, or all jobs when the name is empty. Raises ValueError with why there is none."""
    jobs = backup_jobs(declared, server)
    found = [job for job in jobs if name in ("", job.name)]
    if found:
        return found
    known = ", ".join(job.name for job in jobs)
    if not known:
        raise ValueError("Nothing is backed up: no app has a `database`, and crowsnest_backup_stack is switched off.")
    if name in (reasons := not_backed_up(declared)):
        raise ValueError(f"{name} is not backed up: {reasons[name]}. What is: {known}.")
    raise ValueError(f"{name} is not backed up: no app of this name has a `database`. What is: {known}.")


def not_backed_up(declared: Declaration) -> dict[str, str]:
    """{app with a database: why it has no backup of its own}, where the declaration itself is the reason."""
    first = {_place(app): app.name for app in _firsts(declared.apps)}
    return {
        app.name: f"its database is that of {first[_place(app)]}, which is backed up"
        if app.backup
        else "its `backup` is switched off"
        for app in declared.apps
        if app.database and not (app.backup and first[_place(app)] == app.name)
    }


def _firsts(apps: Sequence[App]) -> list[App]:
    """Apps whose database is backed up: of those that share one, the first."""
    found: dict[tuple[str, str], App] = {}
    for app in apps:
        if app.database and app.backup:
            found.setdefault(_place(app), app)
    return list(found.values())


def _place(app: App) -> tuple[str, str]:
    """What makes two databases the same: address and name. All names of the loopback mean the server."""
    if app.database is None:
        return "", ""
    return LOOPBACK.sub("127.0.0.1", app.database.address), app.database.name
