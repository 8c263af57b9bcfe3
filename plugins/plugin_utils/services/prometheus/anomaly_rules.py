# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of an app with `anomaly: true`: are its requests what they were at this hour of the last four weeks?

Of each week the least and the most of two and a half hours around the same moment count, so an hour of summer time more
or less is nothing unusual. What is expected is the median of the weeks, of which three must be known, so an outage or a
campaign of one week does not become the usual. What is usual reaches three deviations from there: the median distance
of the weeks from what is expected, times 1.4826 as a standard deviation, and at least 15 % of what is expected.
1.4826: https://en.wikipedia.org/wiki/Median_absolute_deviation#Relation_to_standard_deviation
"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import (
    Figure,
    Language,
    Rule,
    Texts,
    recorded,
    with_texts,
)

_WEEKS = 4
# How long metrics must be kept for them, and for the hours around the same moment.
HISTORY = "29d"
_WEEK_MINUTES = 7 * 24 * 60
_AROUND_MINUTES = 150
EDGES = {"low": "min", "high": "max"}
# Requests each second; what is rarer goes up and down by chance.
_FEWEST_REQUESTS = 0.05

_TEXTS: Texts = {
    "AppRequestsUnusual": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} gets an unusual number of requests",
            "Far from what it was at this hour of the last four weeks. Fewer: can users reach it, is a feature "
            "broken? More: a campaign, a robot, an attack. A holiday is unusual, too.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 요청 수가 평소와 다름",
            "지난 4주 같은 시간대와 크게 다릅니다. 감소: 접속 장애 또는 기능 고장. 증가: 캠페인, 봇, 공격. 공휴일에도 "
            "발생할 수 있습니다.",
        ),
    },
}


def anomaly_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app that wants it."""
    if not app.anomaly:
        return []
    return [*_series(app.name), *with_texts([_unusual(app.name)], app.name, _TEXTS, language)]


def _series(name: str) -> list[dict[str, Any]]:
    of = f'app="{name}"'
    week, expected = f"app:requests:week{{{of}}}", f"app:requests:expected{{{of}}}"
    deviation = f"1.4826 * quantile without (week) (0.5, abs({week} - ignoring (week) group_left () {expected}))"
    spread = f"({deviation} > 0.15 * {expected} or 0.15 * {expected})"
    lowest, highest = (f'app:requests:expected{{{of}, edge="{edge}"}}' for edge in EDGES)
    return [
        recorded("app:requests:rate1h", f"avg_over_time(app:requests:rate5m{{{of}}}[1h])", app=name),
        *(_week(name, number, edge) for number in range(1, _WEEKS + 1) for edge in EDGES),
        recorded(
            "app:requests:expected",
            f"quantile without (week) (0.5, {week}) and count without (week) ({week}) >= {_WEEKS - 1}",
            app=name,
        ),
        recorded("app:requests:usual", f"clamp_min({lowest} - 3 * {spread}, 0) or {highest} + 3 * {spread}", app=name),
    ]


def _week(name: str, number: int, edge: str) -> dict[str, Any]:
    """The least (`low`) or the most (`high`) around the same moment so many weeks ago."""
    offset = number * _WEEK_MINUTES - _AROUND_MINUTES // 2
    expr = f'{EDGES[edge]}_over_time(app:requests:rate1h{{app="{name}"}}[{_AROUND_MINUTES}m] offset {offset}m)'
    return recorded("app:requests:week", expr, app=name, week=str(number), edge=edge)


def _unusual(name: str) -> Rule:
    """The mean of an hour, and of a quarter of an hour, so that it ends with its cause."""
    hour, quarter = f'app:requests:rate1h{{app="{name}"}}', f'avg_over_time(app:requests:rate5m{{app="{name}"}}[15m])'

    def beyond(sign: str, edge: str) -> str:
        usual = f'ignoring (edge) app:requests:usual{{app="{name}", edge="{edge}"}}'
        return f"({hour} {sign} {usual} and {quarter} {sign} {usual})"

    expected = f'app:requests:expected{{app="{name}", edge="low"}}'
    expr = (
        f"{beyond('<', 'low')} and ignoring (edge) {expected} > {_FEWEST_REQUESTS} "
        f"or {beyond('>', 'high')} > {_FEWEST_REQUESTS}"
    )
    # https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
    series = f"app:requests:usual{{app='{name}', host='%s', edge='EDGE'}}"
    bound = f'{{{{ range query (printf "{series}" $labels.host) }}}}{{{{ printf "%.2f" (value .) }}}}{{{{ end }}}}'
    low, high = (bound.replace("EDGE", edge) for edge in EDGES)
    now = '{{ printf "%.2f" $value }}'
    value: Figure = {"en": f"{now} / s, usual: {low} to {high} / s", "ko": f"초당 {now}건, 평소 {low}~{high}건"}
    threshold: Figure = {
        "en": f"3 deviations of {_WEEKS} weeks",
        "ko": f"최근 {_WEEKS}주의 평소 범위(편차의 3배)를 벗어남",
    }
    return Rule("AppRequestsUnusual", "medium", expr, value, threshold, "30m")
