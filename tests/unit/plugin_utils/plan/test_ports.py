"""Ports of containers: no two of crowsnest's own share one, and each keeps its own when apps come and go."""

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
    return {name.replace("_exporter", ""): each.port for name, each in made.services.items() if each.is_instance}


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


# --- the next run ---


def planned_after(plan: MakePlan, first: list[str], then: list[str], **declared: int) -> Plan:
    """The plan for apps `then` with ports `declared`, where that for apps `first` is in force."""
    room: dict[str, Any] = {"registry": REGISTRY, "total_mib": 3900}
    kept = plan({"apps": apps(*first)}, **room).to_keep().model_dump_json()
    return plan({"apps": apps(*then), "ports": declared}, files={"/opt/crowsnest/plan.json": kept}, **room)


def redis_ports(made: Plan) -> dict[str, int]:
    """{app: port of its exporter of Redis}."""
    return {
        name.removeprefix("redis_"): port for name, port in instance_ports(made).items() if name.startswith("redis_")
    }


# Apps of the run before and of this one: {app: port of its exporter of Redis}.
COMES_AND_GOES: list[tuple[list[str], list[str], dict[str, int]]] = [
    (["a", "b"], ["a", "new", "b"], {"a": 9121, "new": 9123, "b": 9122}),
    (["a", "b"], ["b", "a"], {"b": 9122, "a": 9121}),
    (["a", "b", "c"], ["a", "c"], {"a": 9121, "c": 9123}),
    (["a", "b", "c"], ["new", "a", "c"], {"new": 9122, "a": 9121, "c": 9123}),
]


@pytest.mark.parametrize(("first", "then", "ports"), COMES_AND_GOES)
def test_an_exporter_keeps_its_port_when_apps_come_and_go(
    plan: MakePlan, first: list[str], then: list[str], ports: dict[str, int]
) -> None:
    assert redis_ports(planned_after(plan, first, then)) == ports


def test_another_base_port_numbers_its_exporters_anew(plan: MakePlan) -> None:
    made = planned_after(plan, ["a", "b", "c"], ["b", "c"], redis_exporter=19121)
    assert redis_ports(made) == {"b": 19121, "c": 19122}
    assert instance_ports(made)["postgres_c"] == 9189


def test_a_base_port_that_is_an_exporters_port_leaves_it_to_that(plan: MakePlan) -> None:
    made = planned_after(plan, ["a", "b"], ["a", "b"], postgres_exporter=9122)
    assert instance_ports(made) == {"redis_a": 9121, "redis_b": 9122, "postgres_a": 9123, "postgres_b": 9124}
    assert made.refusals == []


@pytest.mark.parametrize("service", ["grafana", "node_exporter"])
def test_a_declared_port_that_an_exporter_has_already_is_refused(plan: MakePlan, service: str) -> None:
    assert planned_after(plan, ["a", "b"], ["a", "b"], **{service: 9122}).refusals == [
        f"crowsnest_ports.{service}: 9122 is also the port of redis_exporter_b. Allowed: a free one."
    ]


def test_a_base_port_after_which_too_few_are_left_is_refused(plan: MakePlan) -> None:
    assert planned_after(plan, [], ["a", "b"], redis_exporter=65535).refusals == [
        "crowsnest_ports.redis_exporter: 65535 is too high: each of its containers needs one from there on. "
        "Allowed: a lower one."
    ]
