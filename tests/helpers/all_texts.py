# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Declarations in which every text of crowsnest's own appears, for tests of the languages.

A text that only a new capability shows needs that capability here, or the tests call its translation stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

_HEALTH = {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database"]}
_METRICS = [
    {"name": "shop_campaigns", "labels": ["region"], "description": "Campaigns.", "alert": {"above": 7}},
    {"name": "shop_stock", "description": "Stock", "alert": {"below": 7}},
    {"name": "shop_refunds_total", "type": "counter", "description": "Refunds", "unit": "KRW"},
    {"name": "shop_call_seconds", "type": "histogram", "description": "Calls", "unit": "seconds"},
]
_SIGNALS = {
    "payment_up": "up",
    "failed_payments": "payments_total",
    "refunds": "refunds_total",
    "rate_limited": "limited_total",
    "out_of_stock": "products",
}
SHOP: dict[str, Any] = {
    "name": "shop",
    "framework": "django",
    "slo": 0.995,
    "anomaly": True,
    "signals": _SIGNALS,
    "metrics_prefix": "shop_",
    "custom_metrics": _METRICS,
    "url": "https://shop.example.com/",
    "metrics": [":8000"],
    "container": "shop-web-1",
    "health": _HEALTH,
    "database": {"name": "shop"},
    "redis": {"queues": ["celery"]},
    "backup": {"remote": "offsite"},
    "jobs": [{"name": "clean-up", "every": "1d"}],
}
EVERYTHING: dict[str, Any] = {
    "apps": [
        SHOP,
        {"name": "api", "framework": "fastapi", "host": "web2", "metrics": [":8100"]},
        {"name": "node-app", "framework": "prom_client", "metrics": [":3000"]},
        {"name": "other", "metrics": [":9000"]},
        {"name": "page", "url": "https://page.example.com"},
    ],
    "environment": "staging",
    "backup_remotes": {"offsite": {"bucket": "shop-backups", "region": "ap-northeast-2"}},
    "pushgateway": {"report": "1d"},
}
SMALL = {"total_mib": 945, "used_mib": 520}


def contexts(**more: Any) -> Iterator[Context]:
    """Contexts of everything, of a host without room, of nothing declared; `more` is declared in each."""
    yield made({**EVERYTHING, **more}, hosts=["web1", "web2"], total_mib=16_000)
    yield made({**EVERYTHING, **more}, **SMALL)
    yield made(more)
    yield made({"backup_stack": False, **more})


def made(declared: Mapping[str, Any], **facts: Any) -> Context:
    """A context of all services there are, in which no series is missing."""
    return context_of(declared, registry=REGISTRY, **facts)
