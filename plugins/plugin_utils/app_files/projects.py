# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The projects in Sentry that are made for apps, whose DSN their env files get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import parse
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import monitors
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import SentryAccount
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

# {framework: what Sentry calls it}: https://docs.sentry.io/platforms/
_PLATFORMS = {
    "django": "python-django",
    "fastapi": "python-fastapi",
    "flask": "python-flask",
    "express": "node-express",
    "nestjs": "node-nestjs",
    "prom_client": "node",
    "generic": "other",
}


# File in the folder of generated secrets with what the module `sentry` returned last: a run in which Sentry does not
# answer goes on with it.
KEPT = "sentry_projects.json"


class Project(TypedDict):
    """As the module `sentry` returns it with its DSN: `alerts` is `slack`, `email` or `none`."""

    name: str
    slug: str
    id: str
    dsn: str
    dsn_digest: str
    alerts: str


def kept(secrets_directory: Path, declared: Declaration) -> dict[str, Project]:
    """{app: its project} of those that were made for apps which still have no DSN of their own."""
    made = _read(secrets_directory / KEPT, declared.sentry) if declared.sentry else {}
    return {app.name: made[app.name] for app in declared.apps if is_made(app) and app.name in made}


def _read(path: Path, account: SentryAccount) -> dict[str, Project]:
    """Nothing where the file is damaged or of another account: a run in which Sentry answers writes it anew."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if (found["url"], found["organization"]) != (account.url, account.organization):
            return {}
        return {row["name"]: _project(row) for row in found["projects"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _project(row: Mapping[str, Any]) -> Project:
    """Raises KeyError, TypeError, and ValueError for what is no DSN."""
    parse(row["dsn"])
    return cast(Project, {key: row[key] for key in Project.__annotations__})


def dsn_of(app: App, made: Mapping[str, Project]) -> str:
    """Where its backend reports errors; empty when it does not, or its project does not exist yet."""
    if app.sentry is None:
        return ""
    return app.sentry.dsn.get_secret_value() if app.sentry.dsn else made[app.name]["dsn"] if app.name in made else ""


def check_in_url(app: App, made: Mapping[str, Project], monitor: str, environment: str, status: str) -> str:
    """Where a cron monitor is told `ok` or `error`; empty while the app's project does not exist."""
    dsn = dsn_of(app, made)
    return parse(dsn).check_in(monitor, environment, status) if dsn else ""


def is_made(app: App) -> bool:
    """Whether its backend's project is one that `crowsnest_sentry` makes."""
    return app.sentry is not None and app.sentry.dsn is None


def options(declared: Declaration) -> dict[str, Any]:
    """Options of the module `sentry`; {} when there is no account, or each app has a DSN of its own."""
    account = declared.sentry
    projects = [
        {
            "name": app.name,
            "platform": _PLATFORMS[app.framework],
            "team": account.team,
            "environment": declared.environment,
            "slack_channel": account.slack_channel,
            "monitors": list(monitors(app, declared.timezone)),
        }
        for app in declared.apps
        if account and is_made(app)
    ]
    return {**login(account), "projects": projects} if account and projects else {}


def login(account: SentryAccount) -> dict[str, str]:
    """How the account is reached, as modules take it."""
    return {
        "url": account.url,
        "organization": account.organization,
        "token": account.token.get_secret_value(),
    }


def tests(declared: Declaration, made: Mapping[str, Project], server: str, name: str) -> dict[str, dict[str, str]]:
    """{host: {app: its DSN, empty where it does not exist yet}} of the app with this name, or of all.

    Raises ValueError with why there is none.
    """
    reporting = [app for app in declared.apps if app.sentry]
    found: dict[str, dict[str, str]] = {}
    for app in reporting:
        if name in ("", app.name) and app.sentry:
            frontend = app.sentry.frontend_dsn.get_secret_value() if app.sentry.frontend_dsn else ""
            found.setdefault(app.host or server, {})[app.name] = dsn_of(app, made) or frontend
    if found:
        return found
    if not reporting:
        raise ValueError("No app reports its errors to Sentry. Declare `sentry` of an app.")
    raise ValueError(f"{name} does not report to Sentry. What does: {', '.join(app.name for app in reporting)}.")
