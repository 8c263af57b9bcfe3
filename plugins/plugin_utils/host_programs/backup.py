# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The program that makes and restores backups, crowsnest-backup: what a host gets of it. Pure.

Its settings are what files/backup/crowsnest_backup/settings.py reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    BACKUP_COMMAND,
    BACKUPS,
    COMPOSE_FILE,
    CONFIG_ROOT,
    KEYS_DIRECTORY,
    TOOLBOX_PYTHON,
    data_directory,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import backup_slug
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import check_in_url
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds, host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import CRON_DIRECTORY
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import STACK, BackupJob, backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, HEADER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import container_name
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import backup_urls

DIRECTORY = f"{CONFIG_ROOT}/backup"
STATE = data_directory("backup")
CRON_FILE = f"{CRON_DIRECTORY}/crowsnest-backup"
# Debian's cron knows no time zones: it asks every quarter of an hour, and the program knows what is due.
MINUTES = "*/15 * * * *"


def program_files(context: Context, host: str) -> dict[str, str]:
    """{relative path: text} of the program and its settings on a host."""
    sources = sorted((FILES / "backup").glob("crowsnest_backup/*.py"))
    return {
        **{f"crowsnest_backup/{path.name}": path.read_text() for path in sources},
        "settings.json": _json(settings(context, host)),
    }


def program_secrets(context: Context, host: str) -> dict[str, str]:
    """{relative path: text} of what only root may read."""
    return {"secrets.json": _json(secrets(context, host))}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def starter_files() -> dict[str, tuple[str, str]]:
    """{absolute path: (text, mode)} of the command and of the line for cron."""
    return {BACKUP_COMMAND: (_command(), "0755"), CRON_FILE: (_cron_file(), "0644")}


def _command() -> str:
    return f"""\
#!/bin/sh
{HEADER}[ "$(id -u)" -eq 0 ] || {{ echo "crowsnest-backup: run it as root: sudo crowsnest-backup $*" >&2; exit 1; }}
PYTHONPATH={DIRECTORY}/current exec {TOOLBOX_PYTHON} -B -m crowsnest_backup "$@"
"""


def _cron_file() -> str:
    """It runs when nothing else needs the processor or the disk. Messages go to the log, not into a mail."""
    command = f"chrt --idle 0 ionice --class idle {BACKUP_COMMAND} run 2>&1 | logger -t crowsnest-backup"
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{HEADER}{path}\n{MINUTES} root {command}\n"


# --- settings.json and secrets.json -----------------------------------------------------------------------------------


def settings(context: Context, host: str) -> dict[str, Any]:
    """What the program must know on this host; it holds no secret."""
    declared = context.declaration
    jobs = [job for job in backup_jobs(declared, context.server) if job.host == host]
    return {
        "environment": declared.environment,
        "timezone": declared.timezone,
        "directory": BACKUPS,
        "state": STATE,
        "metrics": declared.textfile_directory,
        "tries": declared.backup_tries,
        "pause_seconds": duration_seconds(declared.backup_pause),
        "jobs": [_job(job, declared) for job in jobs],
        "remotes": _remotes(declared),
        "stack": _stack(context) if any(job.name == STACK for job in jobs) else None,
    }


def _job(job: BackupJob, declared: Declaration) -> dict[str, Any]:
    return {
        "name": job.name,
        "at": job.at,
        "keep": job.keep.model_dump(),
        "database": _app_database(job.name, declared) if job.database else None,
        "remote": job.remote,
        "drill": job.drill,
    }


def _app_database(name: str, declared: Declaration) -> dict[str, Any]:
    database = next(app.database for app in declared.apps if app.name == name and app.database)
    host, port = host_and_port(database.address)
    return _place(database.name, host, port, database.container, database.admin_user, database.ssl)


def _remotes(declared: Declaration) -> list[dict[str, Any]]:
    return [
        {"name": name, **remote.model_dump(exclude={"secret_key"})} for name, remote in declared.backup_remotes.items()
    ]


def _stack(context: Context) -> dict[str, Any]:
    """Where the state of the services is; a file or folder with secrets may not exist."""
    services = {name: (planned, context.definition(name)) for name, planned in context.services.items()}
    declared = context.declaration.backup_stack
    return {
        "compose_file": COMPOSE_FILE,
        "sqlite": {
            name: f"{planned.data_directory}/{service.sqlite}"
            for name, (planned, service) in services.items()
            if service.sqlite
        },
        "folders": {
            f"{name}/{folder}": f"{planned.data_directory}/{folder}"
            for name, (planned, service) in services.items()
            for folder in service.folders
        },
        "alertmanager": context.services["alertmanager"].url,
        "metabase": _metabase_database(context),
        "secrets": [
            *(
                f"{planned.config_directory}/current/secrets"
                for name, (planned, _) in services.items()
                if context.secret_files(name)
            ),
            *(f"{context.services[name].config_directory}/api_key" for name in ("metabase",) if name in services),
            KEYS_DIRECTORY,
        ],
        "blocks": context.services["prometheus"].data_directory if declared and declared.metrics else None,
    }


def _metabase_database(context: Context) -> dict[str, Any] | None:
    """Metabase's own data; its container lets in who is in it, a declared server wants the password."""
    declared = context.declaration.metabase_database
    if "metabase" not in context.services:
        return None
    if declared:
        host, port = host_and_port(declared.address)
        return _place(declared.name, host, port, None, declared.user)
    port = context.services["metabase_database"].port
    return _place("metabase", "127.0.0.1", port, container_name("metabase_database"), None)


def _place(
    name: str, host: str, port: int, container: str | None, user: str | None, tls: bool = False
) -> dict[str, Any]:
    return {"name": name, "host": host, "port": port, "container": container, "user": user, "tls": tls}


def secrets(context: Context, host: str) -> dict[str, Mapping[str, Any]]:
    """Passwords of databases by job, secret keys by remote, and where each job reports a success, or how it ended."""
    declared = context.declaration
    jobs = {job.name: job for job in backup_jobs(declared, context.server) if job.host == host}
    passwords = {
        app.name: app.database.admin_password.get_secret_value()
        for app in declared.apps
        if app.name in jobs and app.database and app.database.admin_password
    }
    if STACK in jobs and declared.metabase_database:
        passwords[STACK] = declared.metabase_database.password.get_secret_value()
    keys = {
        name: remote.secret_key.get_secret_value()
        for name, remote in declared.backup_remotes.items()
        if remote.secret_key and any(job.remote for job in jobs.values())
    }
    urls = {name: url for name, url in backup_urls(context).items() if name in jobs}
    check_ins = {app.name: _check_in_urls(context, app) for app in declared.apps if app.name in jobs}
    return {
        "databases": passwords,
        "remotes": keys,
        "push_urls": urls,
        "check_in_urls": {name: urls for name, urls in check_ins.items() if urls},
    }


def _check_in_urls(context: Context, app: App) -> dict[str, str]:
    """{"ok": url, "error": url}, where Sentry is told."""
    if not app.backup or not app.backup.check_in:
        return {}
    place = app, context.sentry, backup_slug(app.name), context.declaration.environment
    return {status: url for status in ("ok", "error") if (url := check_in_url(*place, status))}
