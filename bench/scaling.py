# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How long the pure part takes: from the declaration to the text of every file, for many hosts and apps."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters


def declared(names: list[str], apps: int) -> dict[str, Any]:
    """A declaration with so many Django apps, spread over the hosts, each with two processes and five probes."""
    health = {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database", "redis", "celery"]}
    return {
        "crowsnest_apps": [
            {
                "name": f"app{number}",
                "framework": "django",
                "host": names[number * 7 % len(names)],
                "url": f"https://app{number}.example.com/",
                "metrics": [":8000", ":8001"],
                "health": health,
            }
            for number in range(apps)
        ]
    }


def host_facts(number: int) -> HostFacts:
    """What the module host_facts says of a host that is large enough."""
    return {
        "address": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
        "os": {"id": "debian", "version": "13", "codename": "trixie"},
        "memory": {"total_mib": 64_000, "available_mib": 60_000, "own_mib": 0},
        "architecture": "x86_64",
        "controllers": ["memory", "pids"],
        "read_only": [],
        "sudo": True,
        "service_manager": "systemd",
        "disk": {"path": "/var/lib", "device": 1, "total_mib": 59_000, "free_mib": 50_000, "own_mib": 0},
        "images_disk": {"path": "/var/lib", "device": 1, "total_mib": 59_000, "free_mib": 50_000},
        "docker": {
            "version": None,
            "compose": None,
            "kind": "docker",
            "endpoint": "",
            "masked": False,
            "own": [],
            "images": [],
            "daemon": {},
            "bridge": "",
            "python_client": True,
            "running": [],
            "from_docker": False,
        },
        "node_exporter": {"installed": False, "flags": None, "masked": False, "own_start": ""},
        "ports": {"22": ["0.0.0.0"]},  # noqa: S104 - a fact of a made-up host
        "listeners": {},
        "published": [],
        "data": {},
        "configurations": {},
        "backups": {},
        "env_files": {},
        "google_tags": {},
        "releases": {},
        "traffic": {},
        "exported": {},
        "cron": True,
        "python": {"version": "3.13", "ensurepip": True},
        "toolbox": "",
        "ping_groups": [0, 2147483647],
        "firewall": {"rules": "", "there": False, "interfaces": ["eth0"]},
        "login": {"source": "", "port": 0},
        "units": {},
        "files": {},
    }


def warm_up() -> None:
    """Do once what only the first call does, such as reading the rule files."""
    seconds(1, 1)


def seconds(hosts: int, apps: int) -> float:
    """Time for checking the declaration, planning and making every file of every service."""
    names = [f"host{number}" for number in range(hosts)]
    variables = declared(names, apps)
    hostvars = {name: {"preflight_look": {"host": host_facts(number)}} for number, name in enumerate(names)}
    start = time.perf_counter()
    mistakes = filters.declaration_mistakes(variables, {"server": names[:1], "monitored": names}, "/nowhere")
    if mistakes:
        raise ValueError(f"the made-up declaration is refused: {mistakes[0]}")
    plan = filters.plan(variables, names[0], names, hostvars, "/nowhere", "/nowhere")
    context = plan["context"]
    written = {name: filters.service_directory(context, name) for name in plan["services"]}
    if "uptime_kuma" in plan["services"]:
        filters.service_objects(context, "uptime_kuma")
    filters.compose_project(context, {"files": {}, "data": {}})
    taken = time.perf_counter() - start
    files = written["prometheus"]["files"]
    if files["prometheus.yml"].count(":9100\n") != hosts:
        raise ValueError("the generated configuration does not have every host")
    return taken
