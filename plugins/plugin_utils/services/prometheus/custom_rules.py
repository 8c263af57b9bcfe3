# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules of the metrics and KPIs that a team declares of an app, and PromQL of what is compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomAlert, CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import (
    APP_LABELS,
    increase,
    number,
    up,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import (
    Language,
    Rule,
    as_prometheus,
    duration,
)

WINDOW = "5m"
# Its `for` of a minute, and time to scrape and to evaluate.
_UNTIL_UNREADABLE_FIRES = 180
_SUMMARIES: Mapping[Language, Mapping[str, str]] = {
    "en": {"above": "{} is above {}", "below": "{} is below {}"},
    "ko": {"above": "{} 값이 {} 초과", "below": "{} 값이 {} 미만"},
}
_THRESHOLDS: Mapping[Language, Mapping[str, str]] = {
    "en": {"above": "> {}", "below": "< {}"},
    "ko": {"above": "{} 초과", "below": "{} 미만"},
}
# Where: a label and its value, and all of them.
_LABELS: Mapping[Language, str] = {"en": "{} {{{{ $labels.{} }}}}", "ko": "{}={{{{ $labels.{} }}}}"}
_PLACES: Mapping[Language, str] = {"en": " ({})", "ko": "({})"}


@dataclass(frozen=True)
class _Kind:
    """Where what is compared comes from: its alert, the label with its name, how that begins in series, what to do."""

    alert: str
    label: str
    prefix: str
    advice: Mapping[Language, str]


_METRIC = _Kind(
    "AppMetricOutOfRange",
    "metric",
    "",
    {
        "en": "Declared by your team. The dashboard of the app shows its past.",
        "ko": "팀에서 설정한 지표입니다. 앱 대시보드에서 추이를 확인하세요.",
    },
)
_KPI = _Kind(
    "KpiOutOfRange",
    "kpi",
    "kpi_",
    {
        "en": "Declared by your team. The dashboard Business shows its past.",
        "ko": '팀에서 설정한 KPI입니다. "비즈니스 현황" 대시보드에서 추이를 확인하세요.',
    },
)


def custom_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app with metrics that alert."""
    selector = f'job="app", app="{app.name}"'
    return [_rule(app, it, it.alert, language, _METRIC, selector) for it in app.custom_metrics if it.alert]


def kpi_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app with KPIs that alert."""
    selector = of_kpis(app.name)
    return [_rule(app, kpi.metric, kpi.alert, language, _KPI, selector, _keep(kpi)) for kpi in app.kpis if kpi.alert]


def _keep(kpi: Kpi) -> str:
    """From when a last answer counts no longer until KpiUnreadable has fired: what is unknown is not resolved."""
    return f"{kpi.patience_seconds - kpi.valid_seconds + _UNTIL_UNREADABLE_FIRES}s"


def of_kpis(app: str) -> str:
    """Matchers of the KPIs of the app of this name."""
    return f'job="query_exporter", app="{app}"'


def compared(metric: CustomMetric, selector: str, by: Iterable[str]) -> str:
    """PromQL of the value of a metric by labels: a gauge as it is, of a counter its increase, of a histogram its p95.

    Several instances may export the same gauge, read from one database, so the one that is nearest to an alert counts.
    """
    labels, series = ", ".join(by), f"{metric.name}{{{selector}}}"
    if metric.type == "gauge":
        return f"{'min' if metric.lowest_counts else 'max'} by ({labels}) ({series})"
    if metric.type == "counter":
        return f"sum by ({labels}) ({increase(series, WINDOW)})"
    buckets = f"{metric.name}_bucket{{{selector}}}"
    return f"histogram_quantile(0.95, sum by ({', '.join(['le', *by])}) (rate({buckets}[{WINDOW}])))"


def _rule(
    app: App,
    metric: CustomMetric,
    alert: CustomAlert,
    language: Language,
    kind: _Kind,
    selector: str,
    keep: str | None = None,
) -> dict[str, Any]:
    ((side, bound),) = (
        (it, bound) for it, bound in {"above": alert.above, "below": alert.below}.items() if bound is not None
    )
    sign = {"above": ">", "below": "<"}[side]
    value, name = compared(metric, selector, [APP_LABELS, *metric.labels]), metric.name.removeprefix(kind.prefix)
    if metric.type == "counter" and metric.lowest_counts and not metric.labels:
        # Before its first event a labelled counter does not exist: the app counted none.
        value = f"({value} or 0 * max by ({APP_LABELS}) ({up(app.name)}))"
    rule = Rule(
        kind.alert,
        alert.severity,
        f"{value} {sign} {number(bound)}",
        _shown(metric, "$value", language),
        _THRESHOLDS[language][side].format(_shown(metric, number(bound), language)),
        alert.wait,
        labels={kind.label: name},
        keep=keep,
    )
    summary = f"{{{{ $labels.app }}}}: {_SUMMARIES[language][side].format(name, number(bound))}"
    place = ", ".join(_LABELS[language].format(label, label) for label in metric.labels)
    return as_prometheus(
        rule,
        app.name,
        summary + (_PLACES[language].format(place) if place else ""),
        f"{metric.description.rstrip('.')}. {kind.advice[language]}",
        language,
    )


# https://prometheus.io/docs/prometheus/latest/configuration/template_reference/#numbers
_TEMPLATES = {
    "seconds": "{{{{ {} | humanizeDuration }}}}",
    "bytes": "{{{{ {} | humanize1024 }}}}B",
    "ratio": "{{{{ {} | humanizePercentage }}}}",
}
_COUNTED: Mapping[Language, str] = {"en": "{} / {}", "ko": "{1}간 {0}"}


def _shown(metric: CustomMetric, figure: str, language: Language) -> str:
    """A Prometheus template of `$value` or of a bound as people write it; of the latter all digits, where it can be."""
    unit = "" if metric.unit == "count" else f" {metric.unit}"
    plain = (f"{{{{ {figure} | humanize }}}}" if figure == "$value" else figure) + unit
    text = _TEMPLATES[metric.unit].format(figure) if metric.unit in _TEMPLATES else plain
    return _COUNTED[language].format(text, duration(WINDOW, language)) if metric.type == "counter" else text
