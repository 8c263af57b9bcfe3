# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which declared series apps do not export: what needs one of them is left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App


def not_exported(
    apps: Sequence[App], found: Mapping[str, Mapping[str, bool]], before: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """{app: declared series that it lacks}.

    `found` is the fact `exported` of the server, `before` what the last run decided. That stays where nobody can tell,
    so that a Prometheus that is silent for one run changes nothing.
    """
    lacking = {
        app.name: [
            series
            for metric in app.custom_metrics
            for series in metric.needs
            if not found.get(app.name, {}).get(series, series not in before.get(app.name, []))
        ]
        for app in apps
    }
    return {app: series for app, series in lacking.items() if series}
