# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which firewall each host gets, and which declarations would lock out whoever makes the run."""

from __future__ import annotations

from typing import Any

import pytest
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.firewall import firewall_refusals, firewalls


def declared(*ports: Any, **more: Any) -> Declaration:
    return Declaration.model_validate({"firewall": True, **({"open_ports": ports} if ports else {}), **more})


def host(source: str = "203.0.113.7", port: int = 22, interfaces: tuple[str, ...] = ("eth0",)) -> HostFacts:
    own = {"rules": "", "there": False, "interfaces": list(interfaces)}
    return HostFacts(**{**host_facts(), "firewall": own, "login": {"source": source, "port": port}})


def test_the_server_alone_reads_metrics_of_the_other_hosts() -> None:
    apps = [{"name": "shop", "host": "web2", "metrics": [":8000/metrics"]}, {"name": "blog", "metrics": [":9000/m"]}]
    rules = firewalls(declared(apps=apps), {"web1": host(), "web2": host()}, "web1", "172.26.3.4", 9100)
    assert [line.strip() for line in rules["web2"].splitlines() if "172.26.3.4" in line] == [
        "ip saddr { 172.26.3.4 } tcp dport 8000 accept",
        "ip saddr { 172.26.3.4 } tcp dport 9100 accept",
    ]
    assert "saddr {" not in rules["web1"].replace("{ ip saddr limit", "")


def test_undeclared_there_is_none() -> None:
    assert firewalls(Declaration(), {"web1": host()}, "web1", "172.26.3.4", 9100) == {"web1": ""}
    assert list(firewall_refusals(Declaration(), {"web1": host(port=2222, interfaces=())})) == []


def test_ssh_is_limited_at_the_port_of_this_run() -> None:
    rules = firewalls(declared(2222), {"web1": host(port=2222), "web2": host(port=0)}, "web1", "172.26.3.4", 9100)
    assert "tcp dport 2222 ct state new" in rules["web1"]
    assert "tcp dport 22 ct state new" in rules["web2"], "not reached over SSH"


@pytest.mark.parametrize(
    ("ports", "source", "port"),
    [
        ((22,), "203.0.113.7", 22),
        ((443, {"port": 22, "from": ["203.0.113.0/24"]}), "203.0.113.7", 22),
        (({"port": 22, "from": ["2001:db8::/32"]},), "2001:db8::7", 22),
        ((443,), "", 0),  # on the host itself
    ],
)
def test_whoever_is_let_in_is_not_refused(ports: tuple[Any, ...], source: str, port: int) -> None:
    assert list(firewall_refusals(declared(*ports), {"web1": host(source, port)})) == []


@pytest.mark.parametrize(
    ("ports", "source", "port"),
    [
        ((80, 443), "203.0.113.7", 22),
        ((22,), "203.0.113.7", 2222),
        (({"port": 22, "from": ["198.51.100.0/24"]},), "203.0.113.7", 22),
        (({"port": 22, "from": ["203.0.113.0/24"]},), "2001:db8::7", 22),
        (({"port": 22, "protocol": "udp"},), "203.0.113.7", 22),
    ],
)
def test_whoever_would_be_locked_out_is_told_what_to_add(ports: tuple[Any, ...], source: str, port: int) -> None:
    (line,) = firewall_refusals(declared(*ports), {"web1": host(source, port)})
    assert line == (
        f"crowsnest_open_ports: port {port} of web1 is not open to {source}, from where this run logs in over SSH, so "
        f"nobody here could log in any more. Add {port}, or {{port: {port}, from: [{source}]}}."
    )


def test_a_host_without_a_way_to_the_internet_has_nothing_to_close() -> None:
    (line,) = firewall_refusals(declared(22), {"web1": host(interfaces=())})
    assert line.startswith("crowsnest_firewall: web1 has no default route")
