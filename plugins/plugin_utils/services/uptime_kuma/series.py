# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which labels the series of Uptime Kuma's monitors have in Prometheus. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context


def monitor_labels(context: Context) -> list[dict[str, Any]]:
    """Labels `app`, `host` and `probe` as the job `probe` has them, from the names that uptime/monitors.py gives.

    A port has the label of the component of its name, so that one fault of both is told once.

    Kuma's other labels go: ids that change when a monitor is made again, addresses with what may be secret in them, and
    one for each tag, which comes and goes.
    """
    apps = context.declaration.apps
    names, components = _any_of(app.name for app in apps), _any_of(it for app in apps for it in app.health.components)
    part = {"url": "website", "health": "health", "$2": f"({components})( port)?" if components else ""}
    return [
        *([_labelled("app", f"({names})(: .+)?", "$1")] if names else []),
        *(_labelled("host", f"{app.name}(: .+)?", app.host) for app in apps if app.host),
        *(_labelled("probe", f"({names}): {pattern}", value) for value, pattern in part.items() if names and pattern),
        {
            "regex": "__name__|job|instance|environment|host|app|probe|monitor_name|monitor_type|window",
            "action": "labelkeep",
        },
    ]


def _labelled(label: str, name: str, value: str) -> dict[str, Any]:
    return {"source_labels": ["monitor_name"], "regex": name, "target_label": label, "replacement": value}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words)))
