# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules of the metrics that a team declares of an app, and PromQL of what is compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomAlert, CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import (
    APP_LABELS,
    increase,
)

ALERT = "AppMetricOutOfRange"
WINDOW = "5m"
# {language: (above or below and the bound, what to do)}
_WORDS = {
    "en": (
        {
            "above": "{{{{ $labels.app }}}}: {name} is above {bound}",
            "below": "{{{{ $labels.app }}}}: {name} is below {bound}",
        },
        "Declared by your team. The dashboard of the app shows its past.",
    ),
    "ko": (
        {
            "above": "{{{{ $labels.app }}}}: {name} 값이 {bound} 초과",
            "below": "{{{{ $labels.app }}}}: {name} 값이 {bound} 미만",
        },
        "팀에서 선언한 지표입니다. 앱 대시보드에서 추이를 확인하십시오.",
    ),
}


def custom_rule_groups(apps: Iterable[App], language: str) -> list[dict[str, Any]]:
    """One rule group per app with metrics that alert; texts in `language`, without the runbook's address.

    https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
    """
    groups = [
        {
            "name": f"custom_{app.name}",
            "rules": [_rule(app, metric, metric.alert, language) for metric in app.custom_metrics if metric.alert],
        }
        for app in apps
    ]
    return [group for group in groups if group["rules"]]


def compared(metric: CustomMetric, selector: str, by: Iterable[str], highest: bool = True) -> str:
    """PromQL of the value of a metric by labels: a gauge as it is, of a counter its increase, of a histogram its p95.

    Several instances may export the same gauge, read from one database, so the highest counts, or the lowest.
    """
    labels, series = ", ".join(by), f"{metric.name}{{{selector}}}"
    if metric.type == "gauge":
        return f"{'max' if highest else 'min'} by ({labels}) ({series})"
    if metric.type == "counter":
        return f"sum by ({labels}) ({increase(series, WINDOW)})"
    buckets = f"{metric.name}_bucket{{{selector}}}"
    return f"histogram_quantile(0.95, sum by ({', '.join(['le', *by])}) (rate({buckets}[{WINDOW}])))"


def _rule(app: App, metric: CustomMetric, alert: CustomAlert, language: str) -> dict[str, Any]:
    side, sign, bound = ("above", ">", alert.above) if alert.above is not None else ("below", "<", alert.below)
    by = [APP_LABELS, *metric.labels]
    value = compared(metric, f'job="app", app="{app.name}"', by, highest=side == "above")
    summaries, advice = _WORDS[language]
    place = ", ".join(f"{label} {{{{ $labels.{label} }}}}" for label in metric.labels)
    return {
        "alert": ALERT,
        "expr": f"{value} {sign} {bound:g}",
        "for": alert.wait,
        "labels": {"severity": alert.severity, "app": app.name, "metric": metric.name},
        "annotations": {
            "summary": summaries[side].format(name=metric.name, bound=f"{bound:g}") + (f" ({place})" if place else ""),
            "description": f"{metric.description.rstrip('.')}. {advice}",
            "value": _value(metric),
            "threshold": f"{side} {bound:g}{_unit(metric)}, {alert.wait}",
        },
    }


# https://prometheus.io/docs/prometheus/latest/configuration/template_reference/#numbers
_VALUES = {
    "seconds": "{{ $value | humanizeDuration }}",
    "bytes": "{{ $value | humanize1024 }}B",
    "ratio": "{{ $value | humanizePercentage }}",
}


def _value(metric: CustomMetric) -> str:
    """A Prometheus template of the value as people write it; a unit of its own stands behind the number."""
    if metric.unit in _VALUES:
        return _VALUES[metric.unit] + (" / 5 min" if metric.type == "counter" else "")
    return "{{ $value | humanize }}" + _unit(metric)


def _unit(metric: CustomMetric) -> str:
    unit = "" if metric.unit == "count" else f" {metric.unit}"
    return f"{unit} / 5 min" if metric.type == "counter" else unit
