# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which labels the series of Uptime Kuma's monitors have in Prometheus. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import (
    backup_labels,
    series_labels,
)


def monitor_labels(context: Context) -> list[dict[str, Any]]:
    """Labels `app`, `host` and `probe` as the job `probe` has them, one rule for each value of a label.

    The names are exact: a monitor that somebody makes by hand gets none of them, whatever its name.

    Kuma's other labels go: ids that change when a monitor is made again, addresses that may hold secrets, and
    one for each tag, which comes and goes.
    """
    monitors: dict[tuple[str, str], list[str]] = {}
    for name, labels in {**series_labels(context.declaration.apps), **backup_labels(context)}.items():
        for label in labels.items():
            monitors.setdefault(label, []).append(name)
    return [
        *(_labelled(label, value, names) for (label, value), names in monitors.items()),
        {
            "regex": "__name__|job|instance|environment|host|app|probe|monitor_name|monitor_type|window",
            "action": "labelkeep",
        },
    ]


def _labelled(label: str, value: str, names: Iterable[str]) -> dict[str, Any]:
    """The label for monitors of these names; a dollar stands for a part of the name unless it is written twice."""
    return {
        "source_labels": ["monitor_name"],
        "regex": "|".join(re.escape(name).replace("\\ ", " ") for name in names),
        "target_label": label,
        "replacement": value.replace("$", "$$"),
    }
