# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of an app's KPIs: a number, or a line for each value of its labels."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.custom import unit_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    HEIGHT,
    Color,
    Panel,
    Query,
    Threshold,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import compared, of_kpis

_NUMBER_HEIGHT = 5
# All digits, in groups of three; and units without fractions: https://en.wikipedia.org/wiki/ISO_4217#Minor_unit_fractions
_GROUPED, _WHOLE = "locale", ("count", "KRW", "JPY")


def kpi_panels(app: App) -> tuple[Panel, ...]:
    """A panel for each KPI of the app: numbers, 6 columns wide, and then lines, 12 wide, each in the declared order."""
    return tuple(_panel(app, kpi) for kpi in sorted(app.kpis, key=lambda kpi: bool(kpi.labels)))


def _panel(app: App, kpi: Kpi) -> Panel:
    metric, (base, thresholds) = kpi.metric, _colors(kpi)
    legend = ", ".join(f"{{{{{label}}}}}" for label in kpi.labels)
    alert = " Red: alert KpiOutOfRange has the runbook." if kpi.alert else ""
    return Panel(
        kpi.shown_title,
        f"{kpi.description.rstrip('.')}. KPI {kpi.name}, asked every {kpi.every}.{alert} None although there should be "
        "one: alert KpiUnreadable has the runbook.",
        "timeseries" if kpi.labels else "stat",
        (Query(compared(metric, of_kpis(app.name), kpi.labels), legend),),
        unit=_GROUPED if kpi.unit == "count" else unit_of(kpi.unit),
        decimals=0 if kpi.unit in _WHOLE else None,
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
