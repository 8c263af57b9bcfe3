# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of the metrics that a team declares of an app: one each, by its labels."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    COUNT,
    PERCENT,
    SECONDS,
    SHARE,
    Panel,
    Query,
    Threshold,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import compared

_UNITS = {"count": COUNT, "seconds": SECONDS, "bytes": BYTES, "ratio": SHARE, "percent": PERCENT}
_SHOWN = {
    "gauge": "Its value; of several instances the highest.",
    "counter": "How much it rose within five minutes, all instances.",
    "histogram": "p95 over five minutes, all instances: the slowest 5 % are above it.",
}


def custom_panel(metric: CustomMetric, selector: str) -> Panel:
    """The panel of a metric; `selector` are the matchers of the app, without braces."""
    legend = ", ".join(f"{{{{{label}}}}}" for label in metric.labels) or metric.name
    return Panel(
        metric.name,
        f"{metric.description.rstrip('.')}. {_SHOWN[metric.type]} Alert AppMetricOutOfRange, if declared, has the "
        "runbook.",
        "timeseries",
        (Query(compared(metric, selector, metric.labels), legend),),
        unit=_UNITS.get(metric.unit, f"suffix: {metric.unit}"),
        thresholds=_too_much(metric),
        width=8,
        empty="The app does not export it, or counted nothing in this time; ./crowsnest verify knows which.",
    )


def _too_much(metric: CustomMetric) -> tuple[Threshold, ...]:
    above = metric.alert.above if metric.alert else None
    return () if above is None else (Threshold(above, "red"),)
