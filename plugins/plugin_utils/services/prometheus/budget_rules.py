# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of an app with a service level objective (`slo`): how fast it uses up its error budget.

The error budget is the share of requests that may fail, 1 - slo. A burn rate of 1 uses it up in exactly the time that
the objective is for, 30 days; 14.4 uses up 2 % of it in an hour, 6 uses up 5 % in six hours. A short window beside the
long one lets the alert end soon after the errors: https://sre.google/workbook/alerting-on-slos/#6-multiwindow-multi-burn-rate-alerts

Counts of an hour and of six add up one count of five minutes each minute, so each request is counted five times.
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

# Burn rates at which alerts begin.
FAST, SLOW = 14.4, 6
# At night one error is a high share: fewer never tell that the budget burns.
_FEWEST_ERRORS = 5
# Requests each second below which five errors may not come together in an hour, even if most requests fail.
_FEW_REQUESTS = 0.5

_TEXTS: Texts = {
    "AppErrorBudgetBurning": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} fails so often that it will miss its objective",
            "The share of requests that end with a 5xx status is many times what the objective allows. Usual causes: "
            "the last release, the database, a service it calls. See the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 에러 예산 급속 소진",
            "5xx 응답 비율이 서비스 수준 목표(SLO)의 허용치를 크게 넘었습니다. 흔한 원인: 최근 배포, 데이터베이스, "
            "연동 서비스. 앱 로그를 확인하세요.",
        ),
    },
    "AppErrorsTrickle": {
        "en": (
            "Few requests reach {{ $labels.app }} on {{ $labels.host }}, and many of them fail",
            "Too few requests for the other alerts on errors, but over six hours more of them failed than its "
            "objective allows. See the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 요청은 적으나 에러 다수",
            "요청이 적어 다른 에러 알림은 발생하지 않지만, 6시간 동안의 에러율이 서비스 수준 목표(SLO)의 허용치를 "
            "넘었습니다. 앱 로그를 확인하세요.",
        ),
    },
}


def budget_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app that has an objective."""
    if app.slo is None:
        return []
    alerts = [*_burning(app.name, 1 - app.slo), _trickle(app.name, 1 - app.slo)]
    return [*_series(app.name), *with_texts(alerts, app.name, _TEXTS, language)]


def _series(name: str) -> list[dict[str, Any]]:
    """Requests and errors of an hour and of six, and their share of 30 minutes, an hour, six; none without requests."""
    of = f'{{app="{name}"}}'
    return [
        *(recorded(f"app:errors:increase{span}", _errors(of, span), app=name) for span in ("1h", "6h")),
        *(
            recorded(f"app:errors:ratio{span}", f"{_errors(of, span)} / ({_requests(of, span)} > 0)", app=name)
            for span in ("30m", "1h", "6h")
        ),
    ]


def _errors(of: str, span: str) -> str:
    return f"sum_over_time(app:errors:increase5m{of}[{span}:1m]) / 5"


def _requests(of: str, span: str) -> str:
    return f"sum_over_time(app:requests:rate5m{of}[{span}:1m]) * 60"


def _burning(name: str, budget: float) -> list[Rule]:
    """At two speeds. The slower one ends with the errors as the faster one does: `ratio5m` shows that they go on."""
    of, value = f'{{app="{name}"}}', "{{ $value | humanizePercentage }}"
    fast, slow = (f"{speed * budget:.6g}" for speed in (FAST, SLOW))
    return [
        Rule(
            "AppErrorBudgetBurning",
            "critical",
            f"app:errors:ratio1h{of} > {fast} and app:errors:ratio5m{of} > {fast} "
            f"and app:errors:increase1h{of} >= {_FEWEST_ERRORS}",
            value,
            {
                "en": f"{_percent(FAST * budget)} % and {_FEWEST_ERRORS} / 1 h",
                "ko": f"{_percent(FAST * budget)}% 초과, 1시간 동안 {_FEWEST_ERRORS}건 이상",
            },
            "2m",
        ),
        Rule(
            "AppErrorBudgetBurning",
            "high",
            f"app:errors:ratio6h{of} > {slow} and app:errors:ratio30m{of} > {slow} "
            f"and app:errors:ratio5m{of} > {budget:.6g} and app:errors:increase1h{of} >= {_FEWEST_ERRORS}",
            value,
            {
                "en": f"{_percent(SLOW * budget)} % / 6 h and {_FEWEST_ERRORS} / 1 h",
                "ko": f"6시간 동안 {_percent(SLOW * budget)}% 초과, 1시간 동안 {_FEWEST_ERRORS}건 이상",
            },
            "15m",
        ),
    ]


def _trickle(name: str, budget: float) -> Rule:
    """Where the floor of the others was never reached in these hours, so that one fault is not told twice."""
    of, slow = f'{{app="{name}"}}', SLOW * budget
    expr = (
        f"app:errors:ratio6h{of} > {slow:.6g} and app:errors:increase6h{of} >= {_FEWEST_ERRORS} "
        f"and avg_over_time(app:requests:rate5m{of}[6h]) < {_FEW_REQUESTS} "
        f"and app:errors:increase1h{of} > 0 unless max_over_time(app:errors:increase1h{of}[6h]) >= {_FEWEST_ERRORS}"
    )
    threshold: Figure = {
        "en": f"{_percent(slow)} % and {_FEWEST_ERRORS} / 6 h",
        "ko": f"{_percent(slow)}% 초과, 6시간 동안 {_FEWEST_ERRORS}건 이상",
    }
    return Rule("AppErrorsTrickle", "medium", expr, "{{ $value | humanizePercentage }}", threshold, "5m")


def _percent(share: float) -> str:
    return f"{100 * share:.4g}"
