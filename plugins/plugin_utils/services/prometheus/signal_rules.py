# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules on an app's own series that tell how its business does (`signals`), with its thresholds as numbers.

Counters are recorded as `app:signal:increase<window>{signal}`; without any series, where the app answers, that is 0.
The alert on exceptions is in app_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Severity
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import name_of, of_app
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import (
    APP_LABELS,
    increase,
    up,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import (
    Figure,
    Language,
    Rule,
    Texts,
    duration,
    recorded,
    with_texts,
)

# Window in which the events of a counter are counted.
WINDOWS = {"failed_payments": "1h", "refunds": "1h", "rate_limited": "15m", "exceptions": "5m"}
_BY = f"by ({APP_LABELS})"

_TEXTS: Texts = {
    "AppPaymentDown": {
        "en": (
            "The payment system of {{ $labels.app }} on {{ $labels.host }} does not work",
            "The app itself says so: nobody can pay. See the status page of the payment provider, then the app's log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 결제 시스템 장애",
            "앱이 직접 보고한 상태이며, 결제가 불가능합니다. 결제 대행사의 상태 페이지와 앱 로그를 확인하세요.",
        ),
    },
    "AppPaymentsFailing": {
        "en": (
            "Many payments of {{ $labels.app }} on {{ $labels.host }} fail",
            "Usual causes: the payment provider, an expired key, the last release. See its status page and the app's "
            "log.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 결제 실패 다수",
            "흔한 원인: 결제 대행사 장애, 만료된 키, 최근 배포. 대행사의 상태 페이지와 앱 로그를 확인하세요.",
        ),
    },
    "AppRefundsHigh": {
        "en": (
            "{{ $labels.app }} on {{ $labels.host }} makes many more refunds than usual",
            "Over three times the mean of the day before. A wrong price, a broken product, fraud, or a job that runs "
            "twice.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 환불 급증",
            "직전 하루 평균의 3배를 넘었습니다. 잘못된 가격, 불량 상품, 부정 사용 또는 중복 실행된 작업일 수 있습니다.",
        ),
    },
    "AppOutOfStock": {
        "en": (
            "Many products of {{ $labels.app }} on {{ $labels.host }} are out of stock",
            "Nobody can buy them. Order them again; if all went at once, look for an import that failed.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 품절 상품 다수",
            "고객이 구매할 수 없는 상품입니다. 재입고하세요. 한꺼번에 품절되었다면 재고 연동이 실패했는지 확인하세요.",
        ),
    },
    "AppApiLimited": {
        "en": (
            "Another company's API refuses calls of {{ $labels.app }} on {{ $labels.host }}",
            "It made more calls than it may. What needs the answer is late or missing. See the app's log for which "
            "API.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} 외부 API 호출 한도 초과",
            "허용된 호출 수를 넘어, 응답이 필요한 작업이 지연되거나 누락됩니다. 어느 API인지 앱 로그에서 확인하세요.",
        ),
    },
    "AppSignalMissing": {
        "en": (
            "{{ $labels.signal }} of {{ $labels.app }} on {{ $labels.host }} is not watched",
            "The app's metrics can be read, but the series declared in `signals` is not among them.",
        ),
        "ko": (
            "{{ $labels.host }}의 {{ $labels.app }} {{ $labels.signal }} 모니터링 불가",
            "앱 지표는 수집되지만 `signals`에 설정한 시계열이 없습니다.",
        ),
    },
}


def signal_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app that names signals."""
    return [*_series(app), *with_texts(_rules(app), app.name, _TEXTS, language)]


def _declared(app: App) -> dict[str, str]:
    """{signal: selector of its series}."""
    return {name: of_app(series, app.name) for name, series in app.signals.model_dump(exclude_none=True).items()}


def _series(app: App) -> Iterator[dict[str, Any]]:
    for name, series in _declared(app).items():
        if name in WINDOWS:
            window = WINDOWS[name]
            yield recorded(f"app:signal:increase{window}", _increase(app, series, window), app=app.name, signal=name)


def _increase(app: App, series: str, window: str) -> str:
    return f"sum {_BY} {increase(series, window, app.name)} or 0 * max {_BY} ({up(app.name)})"


def _rules(app: App) -> Iterator[Rule]:
    limits, declared = app.thresholds, _declared(app)
    if "payment_up" in declared:
        expr = f"min {_BY} ({declared['payment_up']}) == 0"
        yield Rule("AppPaymentDown", "critical", expr, "0", "0", "2m")
    if "failed_payments" in declared:
        yield _counted(app, "AppPaymentsFailing", "critical", "failed_payments", limits.failed_payments_per_hour)
    if "refunds" in declared:
        now = _counted(app, "AppRefundsHigh", "critical", "refunds", limits.refunds_per_hour)
        series = f'app:signal:increase1h{{app="{app.name}", signal="refunds"}}'
        yield replace(
            now,
            expr=f"{now.expr} unless {series} <= 3 * avg_over_time({series}[1d] offset 1h)",
            threshold={
                "en": f"{limits.refunds_per_hour} / 1 h, x 3 / 1 d",
                "ko": f"1시간 동안 {limits.refunds_per_hour}건 초과, 직전 1일 평균의 3배 초과",
            },
        )
    if "out_of_stock" in declared:
        expr = f"sum {_BY} (max without (instance) ({declared['out_of_stock']})) > {limits.out_of_stock}"
        value, limit = '{{ printf "%.0f" $value }}', limits.out_of_stock
        products: Figure = {"en": value, "ko": f"{value}개"}
        yield Rule("AppOutOfStock", "high", expr, products, {"en": f"{limit}", "ko": f"{limit}개 초과"}, "5m")
    if "rate_limited" in declared:
        yield _counted(app, "AppApiLimited", "medium", "rate_limited", limits.rate_limited_per_15m)
    yield from _missing(app)


def _counted(app: App, alert: str, severity: Severity, signal: str, limit: int) -> Rule:
    """More than `limit` events in the window of the signal."""
    window = WINDOWS[signal]
    expr = f'app:signal:increase{window}{{app="{app.name}", signal="{signal}"}} > {limit}'
    value = '{{ printf "%.0f" $value }}'
    english, korean = duration(window, "en"), duration(window, "ko")
    return Rule(
        alert,
        severity,
        expr,
        {"en": f"{value} / {english}", "ko": f"{korean} 동안 {value}건"},
        {"en": f"{limit} / {english}", "ko": f"{korean} 동안 {limit}건 초과"},
    )


def _missing(app: App) -> Iterator[Rule]:
    """Gauges only: a counter with labels may wait for its first event.

    Any series of a gauge's name will do: with GROUP BY, one with labels is missing while it has nothing to count.
    """
    gauges = {"payment_up": app.signals.payment_up, "out_of_stock": app.signals.out_of_stock}
    absent = [
        f"label_replace(max {_BY} ({up(app.name)}) == 1 unless on (app) {of_app(name_of(series), app.name)}"
        f', "signal", "{signal}", "", "")'
        for signal, series in gauges.items()
        if series
    ]
    if absent:
        yield Rule("AppSignalMissing", "medium", " or ".join(absent), "0", "0", "15m")
