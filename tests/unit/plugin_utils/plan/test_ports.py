"""Ports of containers: no two of crowsnest's own share one, however many apps have exporters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY

MakePlan = Callable[..., Plan]


def apps(*names: str) -> list[dict[str, Any]]:
    """Apps that declare their Redis and their database; each gets two exporters."""
    return [{"name": name, "redis": {}, "database": {"name": name}} for name in names]


def instance_ports(made: Plan) -> dict[str, int]:
    """{exporter: port}, as `redis_shop`."""
    return {name.replace("_exporter", ""): each.port for name, each in made.services.items() if name != each.service}


def test_exporters_are_numbered_from_the_port_of_their_service(plan: MakePlan) -> None:
    assert instance_ports(plan({"apps": apps("shop", "blog")}, registry=REGISTRY, total_mib=3900)) == {
        "postgres_shop": 9187,
        "postgres_blog": 9188,
        "redis_shop": 9121,
        "redis_blog": 9122,
    }


# Declared ports whose next one is another service's usual or declared port.
CLOSE = [{}, {"redis_exporter": 9186}, {"redis_exporter": 9099}, {"grafana": 9122}, {"node_exporter": 9188}]


@pytest.mark.parametrize("declared", CLOSE, ids=str)
@pytest.mark.parametrize("count", [2, 100])
def test_no_two_containers_share_a_port(plan: MakePlan, declared: dict[str, int], count: int) -> None:
    many = apps(*(f"app{number}" for number in range(count)))
    made = plan({"apps": many, "ports": declared}, registry=REGISTRY, total_mib=64_000)
    used = [made.node_exporter_port, *(each.port for each in made.services.values())]
    assert len(made.services) >= 5 + 2 * count
    assert len(set(used)) == len(used)
    assert made.refusals == []


def test_a_service_keeps_its_port_though_the_exporters_before_it_would_reach_it(plan: MakePlan) -> None:
    many = apps(*(f"app{number}" for number in range(100)))
    made = instance_ports(plan({"apps": many}, registry=REGISTRY, total_mib=64_000))
    assert made["postgres_app0"] == REGISTRY["postgres_exporter"].port
