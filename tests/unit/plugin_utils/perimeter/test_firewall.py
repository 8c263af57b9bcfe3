# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the firewall as text; whether they keep anybody out: tests/real/test_firewall.py."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.firewall import ruleset


def accepted(ports: list[Any], *watched: int) -> list[str]:
    """The rules that open a port."""
    declared = Declaration.model_validate({"open_ports": ports})
    text = ruleset(["eth0"], declared.open_ports, watched, "172.26.3.4", 22)
    return [line.strip() for line in text.splitlines() if " dport " in line and line.endswith(" accept")][2:]


def test_a_number_is_open_to_everybody() -> None:
    assert accepted([22, 443]) == ["tcp dport 22 accept", "tcp dport 443 accept"]


def test_a_port_with_sources_is_open_to_them_of_both_kinds() -> None:
    declared = {"port": 22, "from": ["203.0.113.4", "198.51.100.7/24", "2001:db8::/32"]}
    assert accepted([declared]) == [
        "ip saddr { 203.0.113.4/32, 198.51.100.0/24 } tcp dport 22 accept",
        "ip6 saddr { 2001:db8::/32 } tcp dport 22 accept",
    ]


def test_a_port_of_udp_is_one() -> None:
    assert accepted([{"port": 51820, "protocol": "udp"}]) == ["udp dport 51820 accept"]


def test_what_only_the_server_reads_is_open_to_it_alone() -> None:
    assert accepted([22], 9100)[:-1] == ["ip saddr { 172.26.3.4 } tcp dport 9100 accept"]


@pytest.mark.parametrize("wrong", [0, 70000, True, "ssh", {"port": 22, "from": ["office"]}, {"port": 22, "to": []}])
def test_what_is_no_port(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Declaration.model_validate({"open_ports": [wrong]})
