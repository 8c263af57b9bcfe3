# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of the metrics that a team declares of an app: one each, by its labels."""

from __future__ import annotations

import re

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    COUNT,
    PERCENT,
    SECONDS,
    SHARE,
    THIRD,
    WIDTH,
    Column,
    Panel,
    Query,
    Threshold,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import compared

# {unit of a declaration: Grafana's}
_UNITS = {"count": COUNT, "seconds": SECONDS, "bytes": BYTES, "ratio": SHARE, "percent": PERCENT}
_SHOWN = {
    "gauge": "Its value; of several instances the {}.",
    "counter": "How much it rose within five minutes, all instances.",
    "histogram": "p95 over five minutes, all instances: the slowest 5 % are above it.",
}


def custom_panel(metric: CustomMetric, selector: str) -> Panel:
    """The panel of a metric; `selector` are the matchers of the app, without braces."""
    shown = _SHOWN[metric.type].format("lowest" if metric.lowest_counts else "highest")
    legend = ", ".join(f"{{{{{label}}}}}" for label in metric.labels) or metric.name
    return Panel(
        metric.name,
        f"{metric.description.rstrip('.')}. {shown} Alert AppMetricOutOfRange, if declared, has the runbook.",
        "timeseries",
        (Query(compared(metric, selector, metric.labels), legend),),
        unit=unit_of(metric.unit),
        thresholds=_too_much(metric),
        width=THIRD,
        empty="The app does not export it, or counted nothing in this time; ./crowsnest verify knows which.",
        needs=metric.needs,
    )


def unit_of(declared: str) -> str:
    """Grafana's name of a declared unit: that of a currency shows all digits of a sum, in groups of three.

    https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/valueFormats.ts
    """
    if re.fullmatch("[A-Z]{3}", declared):
        return f"currency:financial:{declared} "
    return _UNITS.get(declared, f"suffix: {declared}")


def prefix_panel(prefix: str, selector: str) -> Panel:
    """A table of everything whose name begins so, summed over labels and instances; of histograms sum and count."""
    series = f'{{__name__=~"{prefix}.+", __name__!~".+_(bucket|created)", {selector}}}'
    return Panel(
        f"All of {prefix}",
        "Every metric whose name begins so, summed over its labels; of a counter since the app was started. One that "
        "matters: declare it in `custom_metrics` for a panel of its own and the alert AppMetricOutOfRange.",
        "table",
        (Query(f"sort_desc(sum by (__name__) ({series}))"),),
        width=WIDTH,
        columns={"__name__": Column("Metric"), "Value": Column("Sum", 140, COUNT)},
    )


def _too_much(metric: CustomMetric) -> tuple[Threshold, ...]:
    above = metric.alert.above if metric.alert else None
    return () if above is None else (Threshold(above, "red"),)
