# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""All dashboards of a plan."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.app import app_dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.host import host
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.overview import overview
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.probes import (
    probed_apps,
    probes,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.stack import stack
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.uptime import uptime


def dashboards(plan: Plan) -> list[Dashboard]:
    """What Grafana shows: only dashboards and panels for what runs and is measured."""
    return [
        overview(plan),
        host(plan),
        stack(plan),
        *([probes(plan)] if probed_apps(plan) else []),
        *([uptime(plan)] if "uptime_kuma" in plan.services else []),
        *(app_dashboard(plan, app) for app in plan.settings.apps if app.metrics),
    ]
