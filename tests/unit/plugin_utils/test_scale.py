"""The generators are quick and linear: 1,000 hosts and 100 apps in about a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters

Facts = Callable[..., dict[str, Any]]


def seconds(facts: Facts, hosts: int, apps: int) -> float:
    """Seconds of the processor from the declaration to all files, the better of two runs."""
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
    times = []
    for _ in range(2):
        start = time.process_time()
        assert filters.declaration_mistakes(declared, groups, "/nowhere") == []
        plan = filters.plan(declared, names[0], names, hostvars, "/nowhere", "/nowhere")
        context = plan["context"]
        written = {name: filters.service_directory(context, name) for name in plan["services"] if name != "grafana"}
        objects = filters.service_objects(context, "uptime_kuma")
        filters.compose_project(context, {"files": {}, "data": {}})
        files = written["prometheus"]["files"]
        times.append(time.process_time() - start)
    assert files["prometheus.yml"].count(":9100\n") == hosts
    assert files["rules/app.yml"].count("name: app_") == apps
    assert len(objects["monitors"]) == 6 * apps + 4
    return min(times)


def test_time_grows_with_hosts_and_apps_and_not_faster(facts: Facts) -> None:
    base, larger = seconds(facts, 1000, 100), seconds(facts, 4000, 400)
    print(f"1,000 hosts and 100 apps: {base:.2f} s; 4,000 and 400: {larger:.2f} s")
    assert base < 3
    assert larger < 8 * base
