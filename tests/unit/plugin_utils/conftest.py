"""A host and a plan to start from; each test says only in what its own differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import Plan, make_plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images


def host_facts(
    total_mib: int = 1950,
    used_mib: int = 200,
    disk_mib: int = 59_000,
    free_mib: int = 50_000,
    data_mib: int = 0,
    own: Mapping[str, int] | None = None,
    docker: str | None = None,
    compose: str | None = None,
    node_exporter: bool = False,
    ports: Mapping[str, Sequence[str]] | None = None,
    address: str = "172.26.3.4",
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What module host_facts says of a host. `own` is {service of ours that runs: its MiB}."""
    own = own or {}
    available = total_mib - used_mib - sum(own.values())
    return {
        "address": address,
        "os": {"id": "debian", "version": "13", "codename": "trixie"},
        "memory": {"total_mib": total_mib, "available_mib": available, "own_mib": sum(own.values())},
        "disk": {"path": "/var/lib", "total_mib": disk_mib, "free_mib": free_mib, "own_mib": data_mib},
        "docker": {"version": docker, "compose": compose, "own": sorted(own), "images": [], "daemon": {}},
        "node_exporter": {"installed": node_exporter, "flags": None},
        "ports": ports or {"22": ["0.0.0.0", "::"]},
        "files": files or {},
    }


def plan_of(declared: Mapping[str, Any] | None = None, hosts: Sequence[str] = ("web1",), **facts: Any) -> Plan:
    """The plan of `{"apps": …}` (names without `crowsnest_`) on a server web1 with these facts."""
    variables = {f"crowsnest_{name}": value for name, value in (declared or {}).items()}
    addresses = {name: f"203.0.113.{number}" for number, name in enumerate(hosts, 1)}
    return make_plan(variables, "web1", addresses, {"web1": host_facts(**facts)}, images())


@pytest.fixture
def facts() -> Callable[..., dict[str, Any]]:
    """`host_facts` of this file."""
    return host_facts


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """`plan_of` of this file."""
    return plan_of
