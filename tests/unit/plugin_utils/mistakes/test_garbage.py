"""No declaration whatsoever breaks the check of the declaration, and what it passes can be built."""

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan

GROUPS = {"server": ["web1"], "monitored": ["web1", "web2"]}
SECRET = "https://hooks.slack.com/services/T0/B0/hush"

VALID: dict[str, Any] = {
    "crowsnest_environment": "staging",
    "crowsnest_retention_size_mib": 1024,
    "crowsnest_scrape_interval": "5s",
    "crowsnest_ports": {"prometheus": 19090},
    "crowsnest_images": {"blackbox": "prom/blackbox-exporter:v0.28.0"},
    "crowsnest_external_urls": {"alertmanager": "https://example.com/alerts/"},
    "crowsnest_rule_files": ["own.yml"],
    "crowsnest_disabled_alerts": ["HostDown"],
    "crowsnest_heartbeat_url": "https://hc-ping.com/uuid",
    "crowsnest_office_hours": {"weekdays": "monday:friday", "start": "09:00", "end": "18:00"},
    "crowsnest_apps": [
        {
            "name": "shop",
            "framework": "django",
            "url": "https://shop.example.com/",
            "metrics": [":8000/metrics"],
            "health": {"basic": "/health/", "detailed": "/d/", "components": ["database"]},
            "thresholds": {"error_ratio": 0.1, "down_for": "1m"},
            "tcp": {"queue": "127.0.0.1:5672"},
            "jobs": [{"name": "backup", "every": "1d", "grace": "1h"}],
        },
        {"name": "blog", "host": "web2", "metrics": [":8000"]},
    ],
    "crowsnest_receivers": [
        {"type": "slack", "webhook_url": SECRET},
        {"type": "discord", "webhook_url": SECRET, "severities": ["low"]},
        {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"},
    ],
    "crowsnest_monitors": [
        {"name": "Net", "type": "group", "group": "shop"},
        {"name": "Router", "type": "ping", "hostname": "10.0.0.1", "group": "Net", "tags": {"team": "net"}},
        {
            "name": "API",
            "type": "json-query",
            "url": "https://api.example.com/",
            "query": "a",
            "expected": "1",
            "headers": {"Authorization": "Bearer x"},
        },
        {"name": "DB", "type": "docker", "container": "db", "engine": "tcp://127.0.0.1:2375", "interval": "5m"},
        {"name": "Cron", "type": "push"},
    ],
    "crowsnest_maintenance": [
        {"title": "Move", "start": "2026-12-01 02:00", "end": "2026-12-02 03:00", "apps": ["shop"]},
        {"title": "Nightly", "start": "02:00", "end": "03:00", "weekdays": "monday:friday"},
    ],
    "crowsnest_status_pages": [
        {"slug": "status", "title": "Status", "domains": ["status.example.com"]},
        {
            "slug": "own",
            "title": "Own",
            "groups": [{"name": "All", "monitors": ["Router", "shop: website"]}],
            "incident": {"title": "Slow", "content": "We are on it."},
        },
    ],
}
GARBAGE: list[Any] = [
    *(None, True, 0, -1, 10**30, 0.5, float("nan"), float("inf")),
    *("", " ", "x", "\0", "\n", "\ud800", "가", "$x", "{{ x }}", "5m", "a" * 5000),
    *("https://example.com", "http://[", ":8000", "web2", "slack"),
    *([], ["x"], [[]], [None], {}, {"": None}, {1: 2}, {"name": "x"}, {"type": "slack"}, {"a": {"b": {"c": []}}}),
    *({"x": datetime.date(2026, 1, 1)}, datetime.datetime(2026, 1, 1), b"bytes", {"set"}, object()),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [place for key, inner in items for place in [(value, key), *places(inner)]]


def mutated(chance: random.Random) -> dict[str, Any]:
    """The valid declaration with one to four values, keys or entries replaced by garbage."""
    declared = copy.deepcopy(VALID)
    for _ in range(chance.randint(1, 4)):
        container, key = chance.choice(places(declared))
        match chance.randrange(4):
            case 0 if isinstance(container, dict) and container is not declared:
                container[chance.choice([*map(str, GARBAGE[:20]), "name", "type", 5])] = container.pop(key)
            case 1 if isinstance(container, list):
                container.append(copy.deepcopy(chance.choice(GARBAGE)))
            case 2:
                del container[key]
            case _:
                container[key] = copy.deepcopy(chance.choice(GARBAGE))
    return declared


@pytest.mark.parametrize("seed", range(8))
def test_nothing_makes_the_check_fail_and_what_it_passes_can_be_built(
    seed: int, tmp_path: Path, facts: Callable[..., dict[str, Any]]
) -> None:
    (tmp_path / "own.yml").write_text("groups: []\n")
    chance = random.Random(seed)  # noqa: S311 - the same garbage in every run
    passed = 0
    for _ in range(75):
        declared = mutated(chance)
        lines = filters.declaration_mistakes(declared, GROUPS, str(tmp_path))
        assert not any("\n" in line for line in lines)
        assert "hush" not in "".join(lines)
        if not lines:
            passed += 1
            build(declared, str(tmp_path), facts())
    assert passed, "garbage that is never taken tests only half"


def build(declared: dict[str, Any], folder: str, facts: dict[str, Any]) -> None:
    """Everything that is made of a declaration."""
    hostvars = {"web1": {"preflight_look": {"host": facts}}, "web2": {"ansible_host": "203.0.113.2"}}
    plan = filters.plan(declared, "web1", ["web1", "web2"], hostvars, folder, f"{folder}/secrets")
    context = plan["context"]
    held = filters.context_of(context)
    assert Plan.model_validate_json(held.plan.model_dump_json()) == held.plan
    for name in plan["services"]:
        filters.service_directory(context, name)
        if held.definition(name).objects:
            filters.service_objects(context, name)
    if "uptime_kuma" in plan["services"]:
        keys = [each["key"] for each in filters.service_objects(context, "uptime_kuma")["monitors"]]
        assert len(set(keys)) == len(keys)
    filters.compose_project(context, {"files": {}, "data": {}})
    filters.expectations(context, hostvars)
    filters.run_report(context, {"inventory_hostname": "web1"}, [folder], f"{folder}/secrets")
