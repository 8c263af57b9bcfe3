"""The generators are linear: four times as many hosts and apps take four times the work. Seconds: bench/scaling.py."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters

Facts = Callable[..., dict[str, Any]]


def calls(facts: Facts, hosts: int, apps: int) -> int:
    """How many function calls it takes from the declaration to all files."""
    names = [f"web{number}" for number in range(hosts)]
    health = {"detailed": "/health/detailed/", "components": ["database", "redis", "celery"]}
    declared = {
        "crowsnest_apps": [
            {
                "name": f"app{number}",
                "framework": "django",
                "host": names[number * 7 % hosts],
                "url": f"https://app{number}.example.com/",
                "metrics": [":8000", ":8001"],
                "health": {"basic": "/health/", **health},
            }
            for number in range(apps)
        ]
    }
    hostvars = {name: {"preflight_look": {"host": facts(total_mib=64_000)}} for name in names}
    groups = {"server": names[:1], "monitored": names}
    with cProfile.Profile() as profile:
        assert filters.declaration_mistakes(declared, groups, "/nowhere") == []
        plan = filters.plan(declared, names[0], names, hostvars, "/nowhere", "/nowhere")
        context = plan["context"]
        written = {name: filters.service_directory(context, name) for name in plan["services"] if name != "grafana"}
        objects = filters.service_objects(context, "uptime_kuma")
        filters.compose_project(context, {"files": {}, "data": {}})
        files = written["prometheus"]["files"]
    assert files["prometheus.yml"].count(":9100\n") == hosts
    assert files["rules/app.yml"].count("name: app_") == apps
    assert len(objects["monitors"]) == 6 * apps + 5
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def test_the_work_grows_with_hosts_and_apps_and_not_faster(facts: Facts) -> None:
    calls(facts, 1, 1)  # what only the first one does, such as reading the rule files
    base, larger = calls(facts, 50, 10), calls(facts, 200, 40)
    assert larger < 4.2 * base
