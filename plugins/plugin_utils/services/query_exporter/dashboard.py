# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Business": the KPIs of each app that declares some, and how old their answers are."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    FOLDER_BUSINESS,
    TO_OVERVIEW,
    WIDTH,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    percent_bars,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.config import apps_with_kpis
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.panels import kpi_panels


def business(context: Context) -> Dashboard:
    """A row for each app."""
    apps = apps_with_kpis(context.declaration)
    return Dashboard(
        uid="business",
        title="Business",
        folder=FOLDER_BUSINESS,
        description="What do the apps earn and sell, as their databases say?",
        rows=(*(Row(app.name, _of(app, apps)) for app in apps), Row("Answers of the databases", (_ages(),))),
        links=(TO_OVERVIEW, runbook_link(context.declaration.runbook_url)),
        since="now-24h",
    )


def _of(app: App, apps: list[App]) -> tuple[Panel, ...]:
    """Its panels; their titles name it where there are others."""
    panels = kpi_panels(app)
    return panels if len(apps) == 1 else tuple(replace(it, title=f"{it.title} ({app.name})") for it in panels)


def _ages() -> Panel:
    return percent_bars(
        "Age of the answers by their limit",
        "The ten oldest. Time since the database answered last, as a share of how long an answer counts: three times "
        "the declared `every`, at least 10 minutes and at most half an hour longer; of the first answer 10 minutes. "
        "Red: the query fails; alert KpiUnreadable has the runbook.",
        (Query("topk(10, 100 * app_kpi:unanswered:seconds / app_kpi:patience:seconds)", "{{app}} {{kpi}}"),),
        (Threshold(100, "red"),),
        width=WIDTH,
    )
