# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What `./crowsnest alert-drill` stops, and why it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import container_name

# Beyond the wait of an alert: reading, judging, gathering the alerts of a group (1 min for high), and some patience.
_PATIENCE = 300
# The wait of PrometheusTargetMissing, and what Uptime Kuma waits for a monitor and its retry.
_STACK_WAITS = 120


def refusal(declaration: Declaration, server: str, app: str, agreed: bool) -> str:
    """Why there is no drill, in one sentence; empty when there may be one."""
    apps = {each.name: each for each in declaration.apps}
    if not declaration.receivers:
        return "No receiver is declared, so no alert goes anywhere. Declare crowsnest_receivers."
    if app and app not in apps:
        return f"There is no app {app}. Declared are: {', '.join(apps) or 'none'}."
    if app and not apps[app].container:
        return f"The app {app} declares no `container`, so it is not known what to stop."
    if app and not apps[app].metrics:
        return f"The app {app} declares no `metrics`, so no alert tells that it is down."
    if app and (apps[app].host or server) != server:
        return f"The app {app} runs on {apps[app].host}; the drill stops containers of the server {server} only."
    if declaration.environment == "production" and not agreed:
        return (
            "crowsnest_environment is production, and the drill stops services there. Drill on a staging host, or "
            "repeat the command with --yes."
        )
    return ""


def drills(declaration: Declaration, app: str) -> list[dict[str, Any]]:
    """Options of the module `alert_drill`, a fault each."""
    stack = [
        {"name": name, "container": container_name(service), "wait": _STACK_WAITS + _PATIENCE, "by_kuma": by_kuma}
        for name, service, by_kuma in (
            ("Uptime Kuma", "uptime_kuma", False),
            ("blackbox exporter", "blackbox", False),
            ("Alertmanager", "alertmanager", True),
        )
    ]
    return stack + [
        {
            "name": f"app {each.name}",
            "container": each.container,
            "wait": duration_seconds(each.thresholds.down_for) + _PATIENCE,
            "by_kuma": False,
        }
        for each in declaration.apps
        if each.name == app
    ]


def announcement(server: str, faults: Sequence[Mapping[str, Any]]) -> str:
    """What is about to happen."""
    names = ", ".join(fault["name"] for fault in faults)
    minutes = sum(2 * fault["wait"] for fault in faults) // 60
    return (
        f"Stops on {server}, one after the other: {names}. Each is started again as soon as its alert was sent, which "
        f"takes about 4 min; {minutes} min for all at most. Real messages go to your receivers. If the run is cut off, "
        "a timer on the host starts what was stopped."
    )
