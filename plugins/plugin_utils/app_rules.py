# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules of each app, with its thresholds as literal numbers, as a pure function of the declaration.

One function per alert returns its rules; `_ALERTS` lists the functions in triage order; `_TEXTS` holds the words.
The series `app:*` are recorded by files/rules/profile_<framework>.yml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import App, Severity

Language = Literal["en", "ko"]


@dataclass(frozen=True)
class Rule:
    """One alert rule before its texts; `value` is a Prometheus template, `wait` the rule's `for`."""

    alert: str
    severity: Severity
    expr: str
    value: str
    threshold: str
    wait: str = "0s"


# A series that every app of the framework exports from its start, or from its first request (prom_client).
_OWN_SERIES = {
    "django": "django_http_requests_before_middlewares_total",
    "fastapi": "http_request_duration_highr_seconds_count",
    "prom_client": "http_requests_total",
}

# alert: {language: (summary, description)}. The labels are filled in by Prometheus.
_TEXTS: dict[str, dict[Language, tuple[str, str]]] = {
    "AppDown": {
        "en": (
            "{{ $labels.app }} is down on {{ $labels.host }}",
            "No process of the app answers. See: sudo docker ps -a, then sudo docker logs --tail 50 CONTAINER",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 서비스 중단",
            "앱의 모든 프로세스가 응답하지 않습니다. 확인: sudo docker ps -a 후 sudo docker logs --tail 50 CONTAINER",
        ),
    },
    "AppInstanceDown": {
        "en": (
            "A part of {{ $labels.app }} is down on {{ $labels.host }}: {{ $labels.instance }}",
            "Other parts still answer, users may not notice yet. See the container of this address: sudo docker ps -a",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 일부 중단: {{ $labels.instance }}",
            "나머지는 응답하므로 아직 사용자 영향이 없을 수 있습니다. 이 주소의 컨테이너 확인: sudo docker ps -a",
        ),
    },
    "AppDatabaseConnectionErrors": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} cannot connect to its database",
            "The database is down, refuses the password, or has no free connection. See its container's log first.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 데이터베이스 연결 실패",
            "데이터베이스 중단, 비밀번호 거부 또는 연결 수 초과입니다. 먼저 해당 컨테이너의 로그를 확인하십시오.",
        ),
    },
    "AppErrorRatioHigh": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} answers too many requests with an error",
            "Status 5xx. Usual causes: the last release, the database, a service it calls. See the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 오류 응답 비율 높음",
            "5xx 응답입니다. 주된 원인: 최근 배포, 데이터베이스, 외부 서비스. 앱 로그를 확인하십시오.",
        ),
    },
    "AppExceptions": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} raises many more exceptions than usual",
            "Over three times the mean of the hour before. Compare the time with the last release; see the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 예외 급증",
            "직전 1시간 평균의 3배를 넘었습니다. 최근 배포 시각과 비교하고 앱 로그를 확인하십시오.",
        ),
    },
    "AppLatencyHigh": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} is slow",
            "One request in 20 takes longer than the value. Look at the database and at CPU and memory of the host.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 응답 지연",
            "요청 20건 중 1건이 표시된 값보다 오래 걸립니다. 데이터베이스와 호스트의 CPU, 메모리를 확인하십시오.",
        ),
    },
    "AppMetricsMissing": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} does not export the metrics of its framework",
            "Its errors and response times are not watched: wrong framework declared, or its middleware is missing.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 프레임워크 지표 없음",
            "오류와 응답 시간을 감시하지 못합니다. 선언한 framework가 잘못되었거나 미들웨어가 설치되지 않았습니다.",
        ),
    },
}


def app_rule_groups(apps: Iterable[App], language: Language) -> list[dict[str, Any]]:
    """One rule group per app that has metrics; the texts are in `language`, the runbook's address is not yet there.

    https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
    """
    return [
        {"name": f"app_{app.name}", "rules": [_as_prometheus(rule, app, language) for rule in _rules(app)]}
        for app in apps
        if app.metrics
    ]


def _rules(app: App) -> list[Rule]:
    return [rule for make in _ALERTS for rule in make(app)]


def _as_prometheus(rule: Rule, app: App, language: Language) -> dict[str, Any]:
    summary, description = _TEXTS[rule.alert][language]
    description = description.replace("CONTAINER", app.container or "CONTAINER")
    texts = {"summary": summary, "description": description, "value": rule.value, "threshold": rule.threshold}
    labels = {"severity": rule.severity}
    return {"alert": rule.alert, "expr": rule.expr, "for": rule.wait, "labels": labels, "annotations": texts}


def _up(app: App) -> str:
    return f'up{{job="app", app="{app.name}"}}'


def _down(app: App) -> list[Rule]:
    wait = app.thresholds.down_for
    expr = f"max by (app, host, environment) ({_up(app)}) == 0"
    return [Rule("AppDown", "critical", expr, "up = 0", f"up = 0, {wait}", wait)]


def _instance_down(app: App) -> list[Rule]:
    wait = app.thresholds.down_for
    expr = f"{_up(app)} == 0 and on (app, host, environment) (max by (app, host, environment) ({_up(app)}) == 1)"
    return [Rule("AppInstanceDown", "high", expr, "up = 0", f"up = 0, {wait}", wait)]


def _database_connection_errors(app: App) -> list[Rule]:
    if app.framework != "django":
        return []
    expr = f'app:database_connection_errors:increase1m{{app="{app.name}"}} > 10'
    value = '{{ printf "%.0f" $value }} / 1 min'
    # The burst of a restart of 20 s stays in the 1 min of the rate for 80 s.
    return [Rule("AppDatabaseConnectionErrors", "critical", expr, value, "10 / 1 min, 90s", "90s")]


def _error_ratio(app: App) -> list[Rule]:
    if app.framework not in _OWN_SERIES:
        return []
    ratio, wait = app.thresholds.error_ratio, app.thresholds.error_for
    selector = f'{{app="{app.name}"}}'
    # At night a single error is a high share: it takes five within the window.
    expr = f"app:errors:ratio5m{selector} > {ratio:g} and app:errors:increase5m{selector} >= 5"
    value, threshold = "{{ $value | humanizePercentage }}", f"{100 * ratio:g} % and 5 / 5 min, {wait}"
    return [Rule("AppErrorRatioHigh", "critical", expr, value, threshold, wait)]


def _exceptions(app: App) -> list[Rule]:
    if app.framework != "django":
        return []
    now = f'app:exceptions:increase5m{{app="{app.name}"}}'
    expr = f"{now} > 10 unless {now} <= 3 * avg_over_time({now}[1h] offset 5m)"
    value = '{{ printf "%.0f" $value }} / 5 min'
    return [Rule("AppExceptions", "high", expr, value, "10 / 5 min, x 3 / 1 h", "2m")]


def _latency(app: App) -> list[Rule]:
    if app.framework not in _OWN_SERIES:
        return []
    p95, value = f'app:latency_p95:seconds{{app="{app.name}"}}', '{{ printf "%.2f" $value }} s'
    high, medium = app.thresholds.latency_p95_high_seconds, app.thresholds.latency_p95_medium_seconds
    return [
        Rule("AppLatencyHigh", "high", f"{p95} > {high:g}", value, f"{high:g} s, 5m", "5m"),
        Rule("AppLatencyHigh", "medium", f"{p95} > {medium:g}", value, f"{medium:g} s, 10m", "10m"),
    ]


def _metrics_missing(app: App) -> list[Rule]:
    if app.framework not in _OWN_SERIES:
        return []
    series = f'{_OWN_SERIES[app.framework]}{{job="app", app="{app.name}"}}'
    expr = f"max by (app, host, environment) ({_up(app)}) == 1 unless on (app, host, environment) {series}"
    return [Rule("AppMetricsMissing", "medium", expr, "0", "0, 15m", "15m")]


_ALERTS: tuple[Callable[[App], list[Rule]], ...] = (
    _down,
    _instance_down,
    _database_connection_errors,
    _error_ratio,
    _exceptions,
    _latency,
    _metrics_missing,
)
