# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is declared in the laboratory, what comes of it, and further declarations that tests make."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

ROOT = Path(__file__).resolve().parents[2]
SHOP: dict[str, Any]
WORKER: dict[str, Any]
SHOP, WORKER = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/apps.yml").read_text())["crowsnest_apps"]
SHOP_IMAGE = "crowsnest/lab-shop:1"
SHOP_COMPOSE = "docker compose --file /srv/shop/compose.yaml"
ZONE = ZoneInfo("Asia/Seoul")
# {name: kind} of Uptime Kuma's monitors.
MONITORS = {
    "shop": "group",
    "shop: website": "http",
    "shop: health": "http",
    "shop: database": "json-query",
    "shop: redis": "json-query",
    "shop: celery": "json-query",
    "shop: database port": "port",
    "shop: redis port": "port",
    "shop: job clean-up": "push",
    "shop: backup": "push",
    "stack: backup": "push",
    "Alerting path": "group",
    "Alerting path: heartbeat": "push",
    "Alerting path: Prometheus": "http",
    "Alerting path: Alertmanager": "http",
}
# Names of Metabase's questions about the shop.
QUESTIONS = [
    question["name"]
    for question in (
        *yaml.safe_load((ROOT / "files/business/starter.yml").read_text()),
        *SHOP["business"]["questions"],
    )
]
DASHBOARDS = {
    "overview": "folder-overview",
    "business": "folder-business",
    "host": "folder-operations",
    "containers": "folder-operations",
    "stack": "folder-operations",
    "alerts": "folder-operations",
    "backups": "folder-operations",
    "probes": "folder-operations",
    "uptime": "folder-operations",
    "postgresql": "folder-operations",
    "redis": "folder-operations",
    "batch-jobs": "folder-operations",
    "app-shop": "folder-development",
    "app-shop-worker": "folder-development",
}

OTHER = {"name": "other", "framework": "generic", "metrics": ["127.0.0.1:9115/metrics"]}
# In the shop's own server, without the shop's tables.
DEPOT = {"name": "depot", "database": {**SHOP["database"], "name": "postgres"}}
UNREACHABLE = {
    "name": "attic",
    "database": {"address": "127.0.0.1:5499", "name": "attic", "admin_user": "attic", "admin_password": "hush-Hush-1"},
    "business": {"starter": False},
}
# A window on this day of the week is not now.
FAR_DAY = f"{datetime.now(ZONE) + timedelta(days=3):%A}".lower()
STOCK = {
    "name": "Stock",
    "type": "json-query",
    "url": "http://127.0.0.1:8000/health/detailed/",
    "query": "status",
    "expected": "healthy",
}
UPTIME: dict[str, list[dict[str, Any]]] = {
    "crowsnest_monitors": [
        {"name": "Partners", "type": "group"},
        {"name": "Search", "type": "keyword", "url": "http://127.0.0.1:8000/", "keyword": "shop", "group": "Partners"},
        {**STOCK, "tags": {"team": "stock", "tier": "1"}, "accepted_status": ["200-299", "503"]},
        {"name": "SSH", "type": "port", "address": "127.0.0.1:22"},
        {"name": "Itself", "type": "ping", "hostname": "127.0.0.1"},
        {"name": "Name", "type": "dns", "hostname": "localhost", "server": "127.0.0.53", "paused": True},
        {"name": "Import", "type": "push", "interval": "1d"},
        {"name": "Engine", "type": "docker", "container": "shop-web-1", "engine": "tcp://127.0.0.1:2375"},
    ],
    "crowsnest_status_pages": [
        {"slug": "status", "title": "Status"},
        {"slug": "partners", "title": "For partners", "description": "Since 2026", "domains": ["partners.example.com"],
         "groups": [{"name": "Search", "monitors": ["Search", "shop: website"]}],
         "incident": {"title": "Slow search", "content": "We are on it.", "style": "info"}},
    ],
    "crowsnest_maintenance": [
        {"title": "Weekly", "start": "02:00", "end": "04:00", "weekdays": FAR_DAY},
        {"title": "New disk", "start": "2026-12-24 22:00", "end": "2026-12-25 02:00", "apps": ["shop"]},
    ],
}  # fmt: skip


def shop(**changes: Any) -> dict[str, Any]:
    """The laboratory's app with something of its own."""
    return {**SHOP, **changes}


def shop_with(**thresholds: Any) -> list[dict[str, Any]]:
    """All apps: the laboratory's, the shop with other thresholds."""
    return [shop(thresholds={**SHOP["thresholds"], **thresholds}), WORKER]


def one_line(output: str) -> str:
    """Text whose lines are as long as they like."""
    return " ".join(output.split())
