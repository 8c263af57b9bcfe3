# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The projects in Sentry that are made for apps, whose DSN their env files get. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

# {framework: what Sentry calls it}: https://docs.sentry.io/platforms/
_PLATFORMS = {"django": "python-django", "fastapi": "python-fastapi", "prom_client": "node", "generic": "other"}


def options(declared: Declaration) -> dict[str, Any] | None:
    """Options of the module `sentry`; None when there is no account, or each app has a DSN of its own."""
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
    if not account or not projects:
        return None
    return {
        "url": account.url,
        "organization": account.organization,
        "token": account.token.get_secret_value(),
        "projects": projects,
    }
