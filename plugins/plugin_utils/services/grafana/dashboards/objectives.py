# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels of what an app declares of its business: its objective, its usual requests, its signals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import of_app
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    PER_SECOND,
    THIRD,
    UP,
    Panel,
    Query,
    Threshold,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.anomaly_rules import EDGES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.budget_rules import FAST, SLOW
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.signal_rules import WINDOWS

_EVENTS = ("failed_payments", "refunds", "rate_limited")
_NOT_YET = "It has been declared only recently, or the app had no request."


def objective_panels(app: App, of: str) -> Iterator[Panel]:
    """How the app keeps what is promised or usual; `of` are the matchers of the app."""
    if app.slo is not None:
        yield _burn_rate(of, 1 - app.slo)
    if app.anomaly:
        yield _usual(of)


def signal_panels(app: App, of: str) -> Iterator[Panel]:
    """What the app's own series say of payments, refunds, stock and others' APIs."""
    if app.signals.payment_up:
        yield _payment(of_app(app.signals.payment_up, app.name))
    if app.signals.out_of_stock:
        yield _stock(of_app(app.signals.out_of_stock, app.name), app.thresholds.out_of_stock)
    if events := [name for name in _EVENTS if getattr(app.signals, name)]:
        yield _events(of, events)


def _burn_rate(of: str, budget: float) -> Panel:
    return Panel(
        "Error budget burn rate",
        f"How many times more requests fail than the objective allows, {100 * budget:.4g} %, over one hour and over "
        f"six. At 1, what may fail in 30 days has failed after 30 days, at {FAST} after two; alert "
        "AppErrorBudgetBurning has the runbook.",
        "timeseries",
        tuple(Query(f"app:errors:ratio{span}{{{of}}} / {budget:.6g}", span) for span in ("1h", "6h")),
        unit="none",
        minimum=0,
        thresholds=(Threshold(SLOW, "yellow"), Threshold(FAST, "red")),
        width=THIRD,
        empty=_NOT_YET,
    )


def _usual(of: str) -> Panel:
    return Panel(
        "Requests, and what is usual",
        "Requests each second over one hour between the least and the most that is usual at this time of the week. "
        "Outside: alert AppRequestsUnusual has the runbook.",
        "timeseries",
        (
            Query(f"app:requests:rate1h{{{of}}}", "requests"),
            *(Query(f'app:requests:usual{{{of}, edge="{edge}"}}', f"usual, {edge}") for edge in EDGES),
        ),
        unit=PER_SECOND,
        minimum=0,
        width=THIRD,
        empty=_NOT_YET,
    )


def _payment(series: str) -> Panel:
    return Panel(
        "Payment system",
        "Whether the app says that its payment system works. Red: see the provider's status page; alert "
        "AppPaymentDown has the runbook.",
        "stat",
        (Query(f"min({series})"),),
        values=UP,
        width=THIRD,
    )


def _events(of: str, events: Sequence[str]) -> Panel:
    return Panel(
        "Payments, refunds, refused calls",
        "Failed payments and refunds within an hour, calls refused by other companies' APIs within 15 minutes. Many: "
        "alerts AppPaymentsFailing, AppRefundsHigh and AppApiLimited have runbooks.",
        "timeseries",
        tuple(
            Query(f'app:signal:increase{WINDOWS[event]}{{{of}, signal="{event}"}}', event.replace("_", " "))
            for event in events
        ),
        decimals=0,
        minimum=0,
        width=THIRD,
        empty=_NOT_YET,
    )


def _stock(series: str, limit: int) -> Panel:
    return Panel(
        "Products out of stock",
        "Products that nobody can buy. All at once: look for an import that failed; alert AppOutOfStock has the "
        "runbook.",
        "stat",
        (Query(f"sum(max without (instance) ({series}))"),),
        decimals=0,
        base="green",
        thresholds=(Threshold(limit + 1, "red"),),  # the alert begins above the limit
        width=THIRD,
    )
