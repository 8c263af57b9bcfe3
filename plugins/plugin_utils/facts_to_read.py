# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read of a host before anything is decided: files and units whose state shows what is left to do.

A file that is right is not written again, a unit that runs is not started again, and what the last run put into force
is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    BACKUP_COMMAND,
    COMPOSE_FILE,
    NODE_EXPORTER_DEFAULTS,
    PLAN_FILE,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.backup import CRON_FILE
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import looked_for, paths_of, units_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import plain
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY

EVERY_HOST_FILES = (NODE_EXPORTER_DEFAULTS, BACKUP_COMMAND, CRON_FILE)
SERVER_FILES = (COMPOSE_FILE, PLAN_FILE)


def facts_to_read(
    groups: Sequence[str],
    apps: Sequence[Mapping[str, Any]] = (),
    host: str = "",
    ports: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """Options of the module `host_facts` on a host that is in these groups.

    `apps` and `ports` are all that are declared, which was found right.
    """
    server = "server" in groups
    own = [app for app in apps if app.get("host", host if server else None) == host]
    programs = [program for program in HOST_PROGRAMS.values() if server or program.everywhere]
    of_programs = [path for program in programs for path in (*paths_of(program), *looked_for(program))]
    return {
        "files": [*EVERY_HOST_FILES, *(SERVER_FILES if server else ()), *of_programs],
        "units": [unit for program in programs for unit in units_of(program)],
        "released_apps": {
            app["name"]: {"compose": app["compose"], "service": _service(sentry)}
            for app in own
            if (sentry := app.get("sentry") or {}).get("release") in ("git", "image")
        },
        "prometheus_url": f"http://127.0.0.1:{ports.get('prometheus', REGISTRY['prometheus'].port)}",
        "measured_apps": [app["name"] for app in apps if server and app.get("sentry") is not None],
        "declared_series": {app["name"]: series for app in apps if server and (series := _series(app))},
    }


def _series(app: Mapping[str, Any]) -> list[str]:
    """What panels of an app need."""
    metrics = [CustomMetric.model_validate(metric) for metric in plain(app.get("custom_metrics", []))]
    return [series for metric in metrics for series in metric.needs]


def _service(sentry: Mapping[str, Any]) -> str:
    """Of an app's compose file, the service whose image is its release."""
    return str(sentry["restart"][0]) if sentry["release"] == "image" else ""
