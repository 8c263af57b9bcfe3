# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of an app's KPIs: a number, or a line for each value of its labels."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.custom import UNITS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    COUNT,
    HEIGHT,
    Color,
    Panel,
    Query,
    Threshold,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import compared, of_kpis

_NUMBER_HEIGHT = 5


def kpi_panels(app: App) -> tuple[Panel, ...]:
    """A panel for each KPI of the app, in the declared order; numbers are 6 columns wide, lines 12."""
    return tuple(_panel(app, kpi) for kpi in app.kpis)


def kpi_title(name: str) -> str:
    """`revenue_today` → "Revenue today"."""
    return name.replace("_", " ").capitalize()


def _panel(app: App, kpi: Kpi) -> Panel:
    metric, (base, thresholds) = kpi.metric, _colors(kpi)
    legend = ", ".join(f"{{{{{label}}}}}" for label in kpi.labels)
    alert = " Red: alert KpiOutOfRange has the runbook." if kpi.alert else ""
    return Panel(
        kpi_title(kpi.name),
        f"{kpi.description.rstrip('.')}. KPI {kpi.name}, asked every {kpi.every}.{alert} None although there should be "
        "one: alert KpiUnreadable has the runbook.",
        "timeseries" if kpi.labels else "stat",
        (Query(compared(metric, of_kpis(app.name), kpi.labels), legend),),
        unit=UNITS.get(kpi.unit, f"suffix: {kpi.unit}"),
        decimals=0 if UNITS.get(kpi.unit) == COUNT else None,
        width=12 if kpi.labels else 6,
        height=HEIGHT if kpi.labels else _NUMBER_HEIGHT,
        base=base,
        thresholds=thresholds,
        empty="The query gave no value, or failed: alert KpiUnreadable knows the latter.",
    )


def _colors(kpi: Kpi) -> tuple[Color, tuple[Threshold, ...]]:
    """The colour below all thresholds, and these: red is where the alert fires."""
    if kpi.alert is None:
        return "blue", ()
    if kpi.alert.above is not None:
        return "green", (Threshold(kpi.alert.above, "red"),)
    return "red", (Threshold(kpi.alert.below or 0, "green"),)
