# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what backups refer to: databases, remotes, names. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    entries,
    entry,
    mapping,
    names,
    nearest,
    shown,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import STACK


def backup_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`."""
    remotes = names(mapping(variables.get("crowsnest_backup_remotes")))
    for index, app in enumerate(mapping(app) for app in entries(variables.get("crowsnest_apps"))):
        path = entry("crowsnest_apps", index, app, "name")
        yield from _remote_mistakes(f"{path}.backup", app.get("backup"), remotes)
        if app.get("backup") and not app.get("database"):
            yield f"{path}.backup: the app has no `database` to back up. Needs `database` in the same app."
        if app.get("database") and app.get("backup") is not False and app.get("name") == STACK:
            yield (
                f"{path}.name: the backup of the stack's own state has this name. Allowed: another name, or "
                "`backup: false`."
            )
    yield from _remote_mistakes("crowsnest_backup_stack", variables.get("crowsnest_backup_stack"), remotes)


def _remote_mistakes(path: str, backup: Any, remotes: list[str]) -> Iterator[str]:
    remote = mapping(backup).get("remote")
    if isinstance(remote, str) and remote not in remotes:
        allowed = ", ".join(remotes) or "none, as crowsnest_backup_remotes is empty"
        close = nearest(remote, remotes)
        yield f"{path}.remote: {shown(remote)} is not in crowsnest_backup_remotes.{close} Allowed: {allowed}."
