"""Ports that other programs hold: refused on every host before anything is changed, with who it is and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contexts import declaration_of, variables_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan, Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.taken_ports import port_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY

MakePlan = Callable[..., Plan]
Facts = Callable[..., dict[str, Any]]
UPSTREAM = {"pid": 812, "program": "/usr/local/bin/node_exporter", "unit": "node_exporter.service"}
OURS = {"pid": 900, "program": "/usr/bin/prometheus-node-exporter", "service": "node_exporter"}


def fleet(facts: Facts, declared: dict[str, Any] | None = None, **further: Any) -> list[str]:
    """Refusals of a plan for a server web1 and a further host worker1 at 10.0.0.2, with facts of the latter."""
    declaration = declaration_of(declared)
    addresses = {"web1": "10.0.0.1", "worker1": "10.0.0.2"}
    seen = {"web1": facts(), "worker1": facts(**further)}
    return make_plan(declaration, "web1", addresses, seen, REGISTRY, images()).refusals


def refusals_of(facts: dict[str, Any], services: dict[str, int], watched: dict[str, str], port: int) -> list[str]:
    """`port_refusals` of a server web1 for `{service: its port}`, where node exporter listens on `port`."""
    planned = {
        name: Planned(name=name, service=name, image="", port=number, user=1, need_mib=1, limit_mib=1, external_url="")
        for name, number in services.items()
    }
    return port_refusals(facts, "web1", planned, watched, {**services, "node_exporter": port})


def test_another_node_exporter_on_a_further_host_is_refused_with_both_ways_out(facts: Facts) -> None:
    assert fleet(facts, ports={"9100": ["0.0.0.0"]}, listeners={"9100": UPSTREAM}) == [
        "worker1, port 9100: node_exporter (pid 812, /usr/local/bin/node_exporter, node_exporter.service) listens "
        "on it, and crowsnest's node_exporter needs it. Stop it (`systemctl disable --now node_exporter.service`), or "
        "declare another port: crowsnest_ports: {node_exporter: 19100}."
    ]


def test_with_another_port_both_may_run(facts: Facts) -> None:
    declared = {"ports": {"node_exporter": 9101}}
    assert fleet(facts, declared, ports={"9100": ["0.0.0.0"]}, listeners={"9100": UPSTREAM}) == []


def test_the_other_port_is_checked_on_every_host_as_well(facts: Facts) -> None:
    declared = {"ports": {"node_exporter": 9101}}
    (refusal,) = fleet(facts, declared, ports={"9101": ["10.0.0.2"]}, listeners={"9101": UPSTREAM})
    assert refusal.startswith("worker1, port 9101: node_exporter (pid 812")


# Who listens on port 9090 of the server: who it is and how to stop it.
WHO: dict[str, tuple[dict[str, Any], str, str]] = {
    "a service": (
        {"program": "/usr/sbin/nginx", "unit": "nginx.service"},
        "nginx (pid 812, /usr/sbin/nginx, nginx.service)",
        "Stop it (`systemctl disable --now nginx.service`)",
    ),
    "a program that somebody started": (
        {"program": "/usr/bin/python3.13"},
        "python3.13 (pid 812, /usr/bin/python3.13)",
        "Stop it",
    ),
    "a container with the host's network": (
        {"program": "/bin/prometheus", "container": "old-prometheus"},
        "container old-prometheus",
        "Stop it (`docker stop old-prometheus`)",
    ),
    "Docker, for a container": (
        {"program": "/usr/bin/docker-proxy", "unit": "docker.service"},
        "container shop-web-1",
        "Stop it (`docker stop shop-web-1`)",
    ),
    "a socket whose service starts when somebody calls": (
        {"pid": 1, "program": "/usr/lib/systemd/systemd"},
        "a socket of systemd (`systemctl list-sockets | grep :9090` names it)",
        "Stop it with `systemctl disable --now NAME.socket`",
    ),
    "the first process, which is not systemd": (
        {"pid": 1, "program": "/usr/sbin/nginx"},
        "nginx (pid 1, /usr/sbin/nginx)",
        "Stop it",
    ),
    "the kernel": (
        {"pid": 0, "program": ""},
        "another program",
        "Stop it (`ss -ltnp sport = :9090` on the host may name it)",
    ),
}


@pytest.mark.parametrize("case", WHO)
def test_who_listens_is_named_with_the_command_that_stops_it(facts: Facts, case: str) -> None:
    row, who, todo = WHO[case]
    published = [{"container": "shop-web-1", "address": "0.0.0.0", "port": 9090}]
    here = facts(ports={"9090": ["0.0.0.0"]}, listeners={"9090": row}) | {"published": published}
    assert refusals_of({"web1": here}, {"prometheus": 9090}, {"web1": "127.0.0.1"}, 9100) == [
        f"web1, port 9090: {who} listens on it, and crowsnest's prometheus needs it. {todo}, or declare another port: "
        "crowsnest_ports: {prometheus: 19090}."
    ]


# (who listens on 9090 of the server, services that run): whether it is in the way.
OWN: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    "a stranger": ({}, [], True),
    "a stranger while the service runs elsewhere": ({}, ["prometheus"], True),
    "the service itself": ({"service": "prometheus"}, ["prometheus"], False),
    "a service that moves to another port in this run": ({"service": "grafana"}, ["grafana"], False),
    "node exporter, which moves": (OURS, [], False),
    "nobody who can be seen, and the service runs": ({"pid": 0}, ["prometheus"], False),
    "nobody who can be seen": ({"pid": 0}, [], True),
}


@pytest.mark.parametrize("case", OWN)
def test_what_is_crowsnests_own_is_not_in_the_way(plan: MakePlan, case: str) -> None:
    row, own, refused = OWN[case]
    made = plan(
        ports={"9090": ["127.0.0.1"]}, listeners={"9090": row}, own=dict.fromkeys(own, 1), docker="26", compose="2.26"
    )
    assert bool(made.refusals) is refused


# (who listens, what Docker says of its version, whether it listens on node exporter's port): whether it is refused.
SILENT: dict[str, tuple[dict[str, Any], str | None, bool, bool]] = {
    "a container, and the engine is stopped": ({"contained": True}, "", False, False),
    "a container of another engine": ({"contained": True}, None, False, True),
    "a container that the engine knows": ({"contained": True, "container": "old"}, "28.2.2", False, True),
    "a program, and the engine is stopped": ({}, "", False, True),
    "a container on the port of node exporter, which is a package": ({"contained": True}, "", True, True),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_container_is_not_judged_while_the_engine_does_not_answer(facts: Facts, case: str) -> None:
    row, version, node, refused = SILENT[case]
    here = facts(docker=version, ports={"9090": ["127.0.0.1"]}, listeners={"9090": row})
    services, port = ({}, 9090) if node else ({"prometheus": 9090}, 9100)
    assert bool(refusals_of({"web1": here}, services, {"web1": "127.0.0.1"}, port)) is refused


@pytest.mark.parametrize("row", [{"contained": True}, {"program": "/usr/bin/docker-proxy", "unit": "docker.service"}])
def test_a_container_without_a_name_is_found_with_docker_ps(facts: Facts, row: dict[str, Any]) -> None:
    here = facts(docker="", ports={"9100": ["0.0.0.0"]}, listeners={"9100": row})
    (refusal,) = refusals_of({"w": here}, {}, {"w": "10.0.0.2"}, 9100)
    assert refusal.startswith("w, port 9100: a container (pid 812, /usr/bin/") and "Stop it (`docker ps`" in refusal


def test_a_package_that_runs_is_ours_and_one_that_is_only_installed_is_not(facts: Facts) -> None:
    assert fleet(facts, ports={"9100": ["::"]}, listeners={"9100": OURS}, node_exporter=True) == []
    assert len(fleet(facts, ports={"9100": ["::"]}, listeners={"9100": UPSTREAM}, node_exporter=True)) == 1


# (address somebody listens on, address that is needed): whether the two exclude each other.
ADDRESSES = {
    ("0.0.0.0", "127.0.0.1"): True,
    ("127.0.0.1", "127.0.0.1"): True,
    ("::", "127.0.0.1"): True,
    ("::ffff:127.0.0.1", "127.0.0.1"): True,
    ("172.26.3.4", "127.0.0.1"): False,
    ("::1", "127.0.0.1"): False,
    ("127.0.0.53", "127.0.0.1"): False,
    ("127.0.0.1", "10.0.0.2"): False,
    ("10.0.0.2", "10.0.0.2"): True,
    ("10.0.0.3", "10.0.0.2"): False,
    ("0.0.0.0", "[fd00::7]"): False,
    ("::", "[fd00::7]"): True,
    ("fd00::7", "[fd00::7]"): True,
    ("0.0.0.0", "worker1.internal"): True,
    ("127.0.0.1", "worker1.internal"): False,
}


@pytest.mark.parametrize("case", ADDRESSES, ids=str)
def test_only_a_listener_on_the_same_address_takes_a_port(facts: Facts, case: tuple[str, str]) -> None:
    taken, wanted = case
    here = facts(ports={"9100": ["192.0.2.9", taken]})
    assert bool(refusals_of({"w": here}, {}, {"w": wanted}, 9100)) is ADDRESSES[case]


@given(busy=st.sets(st.integers(19085, 19105)), port=st.integers(9080, 9105))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_port_that_is_proposed_is_free(facts: Facts, busy: set[int], port: int) -> None:
    here = facts(ports={str(it): ["127.0.0.1"] for it in {*busy, port}})
    (refusal,) = refusals_of({"web1": here}, {"prometheus": port}, {"web1": "127.0.0.1"}, 1)
    proposed = int(refusal.rpartition(": ")[2].rstrip("}."))
    assert proposed >= 19080 and proposed not in busy


def test_a_high_port_is_replaced_by_a_possible_one(plan: MakePlan) -> None:
    (refusal,) = plan({"ports": {"prometheus": 60000}}, ports={"60000": ["0.0.0.0"]}).refusals
    assert refusal.endswith("{prometheus: 20000}.")


EXPORTER = {"program": "/usr/bin/redis_exporter"}


def with_another_exporter(plan: MakePlan, taken: int, *names: str, **ports: int) -> list[str]:
    """Refusals for apps with Redis where the team runs an exporter, and something else on 19122."""
    listening = {str(port): ["127.0.0.1"] for port in (taken, 19122)}
    declared = {"apps": [{"name": name, "redis": {}} for name in names], "ports": ports}
    assert declaration_mistakes(variables_of(declared), {"monitored": ["web1"], "server": ["web1"]}, "") == []
    return plan(declared, registry=REGISTRY, ports=listening, listeners={str(taken): EXPORTER}).refusals


def test_an_exporter_of_the_team_moves_the_service_and_not_one_container(plan: MakePlan) -> None:
    assert with_another_exporter(plan, 9121, "shop") == [
        "web1, port 9121: redis_exporter (pid 812, /usr/bin/redis_exporter) listens on it, and crowsnest's "
        "redis_exporter_shop needs it. Stop it, or declare another port: crowsnest_ports: {redis_exporter: 19121}."
    ]
    assert with_another_exporter(plan, 9121, "shop", redis_exporter=19121) == []


@pytest.mark.parametrize("taken", [9121, 9122])
def test_what_is_proposed_has_room_for_each_container_of_the_service(plan: MakePlan, taken: int) -> None:
    (refusal,) = with_another_exporter(plan, taken, "shop", "blog", "wiki")
    assert refusal.endswith(
        "or declare another port, from which redis_exporter's 3 containers are numbered: "
        "crowsnest_ports: {redis_exporter: 19123}."
    )
    assert with_another_exporter(plan, taken, "shop", "blog", "wiki", redis_exporter=19123) == []


def test_a_host_that_does_not_answer_is_not_judged(facts: Facts) -> None:
    silent = make_plan(
        declaration_of(), "web1", {"web1": "10.0.0.1", "w": "10.0.0.2"}, {"web1": facts()}, REGISTRY, images()
    )
    assert silent.refusals == []
