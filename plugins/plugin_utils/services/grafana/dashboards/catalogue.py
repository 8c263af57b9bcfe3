# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""All dashboards of a plan."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.language import ENGLISH, translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.app import app_dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.backups import backups
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.containers import containers
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.history import history
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.host import host
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.jobs import jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.overview import overview
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    Dashboard,
    with_data,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.stack import stack
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.texts import with_texts


def dashboards(context: Context) -> list[Dashboard]:
    """What Grafana shows, in the declared language: only dashboards and panels for what runs and is measured."""
    lacking, language = context.plan.not_exported, context.declaration.language
    shown = [with_data(dashboard, lacking.get(dashboard.app, [])) for dashboard in _all(context)]
    if language == ENGLISH:
        return shown
    return [with_texts(dashboard, lambda text, part: translated(text, language, part)) for dashboard in shown]


def _all(context: Context) -> list[Dashboard]:
    return [
        overview(context),
        host(context),
        containers(context),
        stack(context),
        history(context),
        *jobs(context),
        *backups(context),
        *(dashboard for service in context.running for dashboard in service.dashboards(context)),
        *(app_dashboard(context, app) for app in context.declaration.apps if app.metrics),
    ]
