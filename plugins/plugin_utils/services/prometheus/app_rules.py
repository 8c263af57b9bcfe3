# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules of each app, with its thresholds as literal numbers, as a pure function of the declaration.

One function per alert returns its rules; `_ALERTS` lists the functions in triage order; `_TEXTS` holds the texts.
The series `app:*` are recorded by the rules of the app's profile (profiles.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Severity
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.sentry import EVENTS, QUOTA
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.causes import FLAP, app_down
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import PROFILES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import (
    APP_LABELS,
    number,
    selector,
    up,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import (
    Figure,
    Language,
    Rule,
    Texts,
    as_prometheus,
)

# Prometheus fills in the labels, _filled placeholders such as CONTAINER.
_TEXTS: Texts = {
    "AppDown": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} is down",
            "The app is stopped or overloaded: its metrics cannot be read, and it does not answer well from outside "
            "either, if it has an address. See: sudo docker ps -a, then sudo docker logs --tail 50 CONTAINER",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 중단",
            "앱이 중단되었거나 과부하 상태입니다. 지표를 수집할 수 없고, 주소가 설정된 경우 외부 점검도 실패했습니다. "
            "확인: sudo docker ps -a 후 sudo docker logs --tail 50 CONTAINER",
        ),
    },
    "AppMetricsUnreadable": {
        "en": (
            "{{ $labels.app }}: no metrics can be read on {{ $labels.host }}",
            "From outside it answers well, so users may notice nothing. But errors, response times and exceptions are "
            "not watched: its metrics page answers with something else, or not in time. The runbook shows how to get "
            "Prometheus' own error message.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 지표 수집 불가",
            "외부 점검은 정상이므로 사용자 영향이 없을 수 있습니다. 하지만 에러, 응답 시간, 예외를 모니터링하지 "
            "못합니다. 지표 페이지가 다른 내용으로 응답하거나 제때 응답하지 않습니다. Prometheus의 에러 메시지를 "
            "확인하는 방법은 런북에 있습니다.",
        ),
    },
    "AppInstanceDown": {
        "en": (
            "Metrics of a part of {{ $labels.app }} cannot be read on {{ $labels.host }}: {{ $labels.instance }}",
            "Those of other parts can, so users may not notice yet. This part is stopped or overloaded, or its metrics "
            "page answers with something else. See the container of this address: sudo docker ps -a",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 일부 인스턴스 지표 수집 불가: {{ $labels.instance }}",
            "나머지 인스턴스는 정상이므로 아직 사용자 영향이 없을 수 있습니다. 이 인스턴스가 중단되었거나 과부하 "
            "상태이거나, 지표 페이지가 다른 내용으로 응답합니다. 이 주소의 컨테이너 확인: sudo docker ps -a",
        ),
    },
    "AppDatabaseConnectionErrors": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} cannot connect to its database",
            "The database is down, refuses the password, or has no free connection. See its container's log first.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 데이터베이스 연결 실패",
            "데이터베이스 중단, 비밀번호 오류 또는 연결 수 초과입니다. 먼저 데이터베이스 컨테이너의 로그를 확인하세요.",
        ),
    },
    "AppErrorRatioHigh": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} answers too many requests with an error",
            "Status 5xx. Usual causes: the last release, the database, a service it calls. See the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 에러율 높음",
            "5xx 응답이 너무 많습니다. 흔한 원인: 최근 배포, 데이터베이스, 연동 서비스. 앱 로그를 확인하세요.",
        ),
    },
    "AppExceptions": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} raises many more exceptions than usual",
            "Over three times the mean of the hour before. Compare the time with the last release; see the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 예외 급증",
            "직전 1시간 평균의 3배를 넘었습니다. 최근 배포 시각과 비교하고 앱 로그를 확인하세요.",
        ),
    },
    "AppLatencyHigh": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} is slow",
            "One request in 20 takes longer than the value. Look at the database and at CPU and memory of the host.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 응답 지연",
            "요청 20건 중 1건이 아래 측정값보다 오래 걸립니다(p95). 데이터베이스와 호스트의 CPU, 메모리를 확인하세요.",
        ),
    },
    "AppMetricsMissing": {
        "en": (
            "Errors and response times of {{ $labels.app }} on {{ $labels.host }} are not watched",
            "Its metrics can be read, but SERIES, which framework FRAMEWORK needs, is not among them: another "
            "framework or library, its middleware is missing, or it has had no request yet.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 에러 및 응답 시간 모니터링 불가",
            "지표는 수집되지만 framework FRAMEWORK에 필요한 SERIES 지표가 없습니다. `framework` 설정이 잘못되었거나, "
            "다른 라이브러리를 사용하거나, 미들웨어가 없거나, 아직 요청이 없었습니다.",
        ),
    },
}


_INSTEAD_OF_SENTRY = {
    "en": " It is told here because Sentry cannot be reached, or drops errors. See: SentryUnreachable, SentryFull",
    "ko": " Sentry에 연결할 수 없거나 Sentry가 에러를 버리고 있어 여기에서 알립니다. "
    "참고: SentryUnreachable, SentryFull",
}


def app_rules(app: App, language: Language, by_sentry: bool = False) -> list[dict[str, Any]]:
    """The rules of an app that has metrics; `by_sentry`: Sentry tells its exceptions."""
    rules = [rule for make in _ALERTS for rule in make(app)] if app.metrics else []
    return [_as_prometheus(_unless_sentry_tells(rule, app) if by_sentry else rule, app, language) for rule in rules]


def _unless_sentry_tells(rule: Rule, app: App) -> Rule:
    """AppExceptions is silent while Sentry takes errors, and did so for 10 minutes; it speaks where nobody knows."""
    if rule.alert != "AppExceptions":
        return rule
    probe = 'min_over_time(probe_success{{job="sentry", app="{}", probe="{}"}}[10m]) == 1'
    well = " and on (app) ".join(probe.format(app.name, name) for name in (EVENTS, QUOTA))
    return replace(rule, expr=f"{rule.expr} unless on (app) ({well})", instead_of_sentry=True)


def _as_prometheus(rule: Rule, app: App, language: Language) -> dict[str, Any]:
    summary, description = (_filled(text, app) for text in _TEXTS[rule.alert][language])
    description += _INSTEAD_OF_SENTRY[language] if rule.instead_of_sentry else ""
    return as_prometheus(rule, app.name, summary, description, language)


def _filled(text: str, app: App) -> str:
    values = {
        "APP": app.name,
        "CONTAINER": app.container or "CONTAINER",
        "SERIES": " / ".join(PROFILES[app.framework].needed) if app.framework in PROFILES else "",
        "FRAMEWORK": app.framework,
    }
    return re.sub("|".join(values), lambda match: values[match[0]], text)


def _down(app: App) -> list[Rule]:
    expr, wait = app_down(f', app="{app.name}"'), app.thresholds.down_for
    return [Rule("AppDown", "critical", expr, "up = 0", "up = 0", wait, keep=FLAP)]


def _metrics_unreadable(app: App) -> list[Rule]:
    """Whether the app itself is down shows within two minutes."""
    wait = max(app.thresholds.down_for, "2m", key=duration_seconds)
    expr = f"max by ({APP_LABELS}) ({up(app.name)}) == 0"
    return [Rule("AppMetricsUnreadable", "high", expr, "up = 0", "up = 0", wait)]


def _instance_down(app: App) -> list[Rule]:
    wait = app.thresholds.down_for
    expr = f"{up(app.name)} == 0 and on ({APP_LABELS}) (max by ({APP_LABELS}) ({up(app.name)}) == 1)"
    return [Rule("AppInstanceDown", "high", expr, "up = 0", "up = 0", wait)]


def _database_connection_errors(app: App) -> list[Rule]:
    if app.framework != "django":
        return []
    expr = f'app:database_connection_errors:increase1m{{app="{app.name}"}} > 10'
    value: Figure = {"en": '{{ printf "%.0f" $value }} / 1 min', "ko": '1분간 {{ printf "%.0f" $value }}회'}
    threshold: Figure = {"en": "10 / 1 min", "ko": "1분간 10회 초과"}
    # The burst of a restart of 20 s stays in the 1 min of the rate for 80 s.
    return [Rule("AppDatabaseConnectionErrors", "critical", expr, value, threshold, "90s")]


def _error_ratio(app: App) -> list[Rule]:
    if app.framework not in PROFILES:
        return []
    ratio, wait = app.thresholds.error_ratio, app.thresholds.error_for
    selector = f'{{app="{app.name}"}}'
    # At night a single error is a high share: it takes five within the window.
    expr = f"app:errors:ratio5m{selector} > {number(ratio)} and app:errors:increase5m{selector} >= 5"
    percent = number(100 * ratio)
    threshold: Figure = {"en": f"{percent} % and 5 / 5 min", "ko": f"{percent}% 초과, 5분간 5건 이상"}
    return [Rule("AppErrorRatioHigh", "critical", expr, "{{ $value | humanizePercentage }}", threshold, wait)]


def counts_exceptions(app: App) -> bool:
    """Whether it exports how many exceptions it raised, or how many requests failed because nobody caught one."""
    return bool(app.metrics) and (app.framework in PROFILES or app.signals.exceptions is not None)


def _exceptions(app: App) -> list[Rule]:
    if not counts_exceptions(app):
        return []
    of = f'app="{app.name}"'
    declared = f'app:signal:increase5m{{{of}, signal="exceptions"}}'
    now = declared if app.signals.exceptions else f"app:exceptions:increase5m{{{of}}}"
    expr = f"{now} > 10 unless {now} <= 3 * avg_over_time({now}[1h] offset 5m)"
    value: Figure = {"en": '{{ printf "%.0f" $value }} / 5 min', "ko": '5분간 {{ printf "%.0f" $value }}건'}
    threshold: Figure = {"en": "10 / 5 min, x 3 / 1 h", "ko": "5분간 10건 초과, 직전 1시간 평균의 3배 초과"}
    return [Rule("AppExceptions", "high", expr, value, threshold, "2m")]


def _latency(app: App) -> list[Rule]:
    if app.framework not in PROFILES:
        return []
    thresholds = app.thresholds
    return [
        _slow(app, "high", thresholds.latency_p95_high_seconds, "5m"),
        _slow(app, "medium", thresholds.latency_p95_medium_seconds, "10m"),
    ]


def _slow(app: App, severity: Severity, seconds: float, wait: str) -> Rule:
    limit, value = number(seconds), '{{ printf "%.2f" $value }}'
    return Rule(
        "AppLatencyHigh",
        severity,
        f'app:latency_p95:seconds{{app="{app.name}"}} > {limit}',
        {"en": f"{value} s", "ko": f"{value}초"},
        {"en": f"{limit} s", "ko": f"{limit}초 초과"},
        wait,
    )


def _metrics_missing(app: App) -> list[Rule]:
    if app.framework not in PROFILES:
        return []
    series = " or ".join(selector(series, f'app="{app.name}"') for series in PROFILES[app.framework].needed)
    expr = f"max by ({APP_LABELS}) ({up(app.name)}) == 1 unless on ({APP_LABELS}) ({series})"
    return [Rule("AppMetricsMissing", "medium", expr, "0", "0", "15m")]


_ALERTS: tuple[Callable[[App], list[Rule]], ...] = (
    _down,
    _metrics_unreadable,
    _instance_down,
    _database_connection_errors,
    _error_ratio,
    _exceptions,
    _latency,
    _metrics_missing,
)
