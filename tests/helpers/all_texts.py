# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Declarations in which every text of crowsnest's own appears, for tests of the languages.

A text that only a new capability shows needs that capability here, or the tests call its translation stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contexts import context_of

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Traffic
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import WEEKDAYS
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table, report
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

_HEALTH = {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database"]}
_METRICS = [
    {"name": "shop_campaigns", "labels": ["region"], "description": "Campaigns.", "alert": {"above": 7}},
    {"name": "shop_stock", "description": "Stock", "alert": {"below": 7}},
    {"name": "shop_refunds_total", "type": "counter", "description": "Refunds", "unit": "KRW"},
    {"name": "shop_call_seconds", "type": "histogram", "description": "Calls", "unit": "seconds"},
]
_KPIS = [
    {"name": "orders_today", "description": "Orders", "sql": "SELECT 1 AS value", "alert": {"below": 1}},
    {"name": "low_stock", "description": "Products", "sql": "SELECT 1 AS value"},
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
    "kpis": _KPIS,
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
    "domain": "watch.example.com",
}
SMALL = {"total_mib": 945, "used_mib": 520}


def contexts(**more: Any) -> Iterator[Context]:
    """Contexts of everything, of a host without room, of nothing declared; `more` is declared in each."""
    yield made({**EVERYTHING, **more}, hosts=["web1", "web2"], total_mib=16_000)
    yield made({**EVERYTHING, **more}, hosts=["web1", "web2"], **SMALL)
    yield made(more)
    yield made({"backup_stack": False, **more})


_SERVER = {"inventory_hostname": "web1", "ansible_user": "deploy", "ansible_host": "203.0.113.10"}
_DSN = "https://{}@o1.ingest.sentry.io/{}"
_SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
_TOLD_BY_SENTRY = {"name": "told", "slug": "told", "id": "2", "dsn": _DSN.format("0" * 32, 2), "alerts": "slack"}
_WIRED: dict[str, Any] = {"env_file": "/srv/.env", "analytics": {"measurement_id": "G-ABCDE12345", "env": "GA"}}
_COUNTS = {"framework": "django", "metrics": [":8000"]}
_TRAFFIC: dict[str, Traffic] = {"own": {"requests": 2, "errors": 0.001}}


def _with_sentry(channel: str | None) -> dict[str, Any]:
    """Two apps with a DSN of their own, of which Sentry tells as it is set up, and one of which it tells in Slack."""
    own = {"dsn": _DSN.format("1" * 32, 42)}
    checked = {"url": "https://own.example.com/", "jobs": [{"name": "mail", "every": "90s", "check_in": True}]}
    database = {"database": {"name": "own"}, "backup": {"at": "03:05", "check_in": True}}
    return {
        "apps": [
            {"name": "own", **_WIRED, **_COUNTS, "sentry": own, **checked, **database},
            {"name": "set-up", **_WIRED, "sentry": {"dsn": _DSN.format("2" * 32, 43)}, "database": {"name": "own"}},
            {"name": "told", **_WIRED, **_COUNTS, "sentry": {}, "database": {"name": "x"}, "backup": False},
        ],
        "sentry": {"organization": "acme", "token": "sntryu_x", **({"slack_channel": channel} if channel else {})},
        "receivers": [{**_SLACK, "severities": ["critical"]}],
        "grafana_admin_password": "a-long-password",
    }


def reports(**more: Any) -> Iterator[list[str]]:
    """Plan tables and reports of all kinds."""
    for context in contexts(**more):
        yield plan_table(context)
        yield report(context, _SERVER, "-i inventories/x", "secrets")
    for channel in ("#errors", None):
        context = made({**_with_sentry(channel), **more}, sentry={"told": _TOLD_BY_SENTRY})
        yield plan_table(context, _TRAFFIC)
        yield report(context, {"ansible_connection": "local"}, "", "secrets")
        counted = {**_with_sentry(channel), "disabled_alerts": ["AppExceptions"], **more}
        yield report(made(counted, sentry={"told": _TOLD_BY_SENTRY}), {"ansible_connection": "x.y.z"}, "", "secrets")
    for weekday in WEEKDAYS:
        weekly = {"weekly_report": {"weekday": weekday}, "receivers": [_SLACK], **more}
        yield report(made(weekly), {"ansible_connection": "local"}, "", "secrets")
    for user in ({"name": "kim"}, {"name": "kim", "password": "correct-horse-1"}):
        yield report(
            made({"domain": "example.com", "proxy": "behind", "users": [user], **more}), _SERVER, "", "secrets"
        )
    for ports in ([22, 443], [22, {"port": 443, "from": ["10.0.0.0/8"]}]):
        yield report(made({"firewall": True, "open_ports": ports, **more}), _SERVER, "", "secrets")
    flags = {"/etc/default/prometheus-node-exporter": 'ARGS="--collector.systemd"'}
    left = made({"backup_stack": False, **more}, own={"pushgateway": 20, "grafana": 90}, files=flags)
    yield plan_table(left)
    yield report(left, {**_SERVER, "ansible_ssh_common_args": "-o ProxyCommand='sshpass -p x'"}, "", "secrets")


def held_by_services() -> Iterator[Any]:
    """Objects of Metabase and Uptime Kuma: of everything, with a subscription of each frequency."""
    frequencies = ("hour", "day", "week", "month")
    business = {"subscriptions": [{"to": ["boss@example.com"], "every": every} for every in frequencies]}
    context = made({**EVERYTHING, "apps": [{**SHOP, "business": business}]}, total_mib=16_000)
    for name in ("metabase", "uptime_kuma"):
        yield REGISTRY[name].objects(context)


def made(declared: Mapping[str, Any], **facts: Any) -> Context:
    """A context of all services there are, in which no series is missing."""
    return context_of(declared, registry=REGISTRY, **facts)
