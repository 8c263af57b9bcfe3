# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The projects in Sentry that are made for apps, whose DSN their env files get. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import SentryAccount
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

# {framework: what Sentry calls it}: https://docs.sentry.io/platforms/
_PLATFORMS = {"django": "python-django", "fastapi": "python-fastapi", "prom_client": "node", "generic": "other"}


def options(declared: Declaration) -> dict[str, Any]:
    """Options of the module `sentry`; {} when there is no account, or each app has a DSN of its own."""
    account = declared.sentry
    projects = [
        {
            "name": app.name,
            "platform": _PLATFORMS[app.framework],
            "team": account.team,
            "environment": declared.environment,
            **({"notify": {"slack_channel": account.slack_channel}} if account.slack_channel else {}),
        }
        for app in declared.apps
        if account and app.sentry and not app.sentry.dsn
    ]
    return {**login(account), "projects": projects} if account and projects else {}


def login(account: SentryAccount) -> dict[str, str]:
    """How the account is reached, as modules take it."""
    return {
        "url": account.url,
        "organization": account.organization,
        "token": account.token.get_secret_value(),
    }


def tests(declared: Declaration, server: str, name: str) -> dict[str, dict[str, str]]:
    """{host: {app: its DSN, empty for one that is made}} of the app with this name, or of all.

    Raises ValueError with why there is none.
    """
    reporting = [app for app in declared.apps if app.sentry]
    found: dict[str, dict[str, str]] = {}
    for app in reporting:
        if name in ("", app.name) and app.sentry:
            dsn = app.sentry.dsn or app.sentry.frontend_dsn
            found.setdefault(app.host or server, {})[app.name] = dsn.get_secret_value() if dsn else ""
    if found:
        return found
    if not reporting:
        raise ValueError("No app reports its errors to Sentry. Declare `sentry` of an app.")
    raise ValueError(f"{name} does not report to Sentry. What does: {', '.join(app.name for app in reporting)}.")
