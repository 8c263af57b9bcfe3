# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The firewall's rules in the real kernel: a host between the internet and its containers, in network namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from namespaces import Place, link, listening, made

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.firewall import TABLE, ruleset

# A stranger on the internet, the host, a container. {namespace: its addresses}
STRANGER, HOST, CONTAINER = "198.51.100.2", "198.51.100.1", "172.18.0.2"
STRANGER_6, HOST_6 = "2001:db8::2", "2001:db8::1"
SERVER = "198.51.100.9"  # another host of the team, at the stranger's interface
# As Docker publishes a port of a container at all addresses of the host, and at its loopback.
DOCKER = f"""
table ip nat
delete table ip nat
table ip nat {{
  chain PREROUTING {{
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local tcp dport 8080 dnat to {CONTAINER}:80
  }}
  chain POSTROUTING {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 172.18.0.0/24 oifname != "br0" masquerade
  }}
}}
"""


class Net(NamedTuple):
    stranger: Place
    host: Place
    container: Place

    def closed_but(self, *open_ports: int) -> None:
        """What a stranger reaches of everything that listens there, at both kinds of addresses."""
        assert [port for port in (22, 80, 443, 8080, 9100) if self.stranger.reaches(HOST, port)] == list(open_ports)
        # Docker's rules above are those for IPv4.
        found = [port for port in (22, 80, 443, 9100) if self.stranger.reaches(HOST_6, port)]
        assert found == [port for port in open_ports if port != 8080]


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with ExitStack() as stack:
        places = Net(*(stack.enter_context(made(name)) for name in ("cn-net", "cn-host", "cn-ctr")))
        link(places.stranger, f"{STRANGER}/24", places.host, f"{HOST}/24", "eth0")
        link(places.container, f"{CONTAINER}/24", places.host, "172.18.0.1/24", "br0")
        places.stranger.do("ip", "addr", "add", f"{SERVER}/24", "dev", "out")
        for place, address in ((places.stranger, STRANGER_6), (places.host, HOST_6)):
            device = "out" if place is places.stranger else "eth0"
            place.do("ip", "addr", "add", f"{address}/64", "dev", device, "nodad")
        places.container.do("ip", "route", "add", "default", "via", "172.18.0.1")
        places.stranger.do("ip", "route", "add", "172.18.0.0/24", "via", HOST)  # a neighbour who knows the way
        places.host.do("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for place, ports in ((places.host, (22, 80, 443, 9100)), (places.container, (80,)), (places.stranger, (5555,))):
            stack.enter_context(listening(place, *ports))
        places.host.do("nft", "-f", "-", stdin=DOCKER)
        yield places


def rules(*ports: object, watched: Sequence[int] = ()) -> str:
    declared = Declaration.model_validate({"open_ports": ports})
    return ruleset(["eth0"], declared.open_ports, watched, SERVER, 22)


@pytest.fixture
def loaded(net: Net) -> Iterator[Net]:
    """With the rules for 22, 80 and 443, and node exporter for the server."""
    net.host.do("nft", "-f", "-", stdin=rules(22, 80, 443, watched=[9100]))
    yield net
    net.host.do("nft", "delete", "table", "inet", TABLE)


def test_without_it_all_that_listens_is_open(net: Net) -> None:
    net.closed_but(22, 80, 443, 8080, 9100)


def test_an_input_firewall_leaves_a_published_port_open(net: Net) -> None:
    """As ufw: the fault that this one is for."""
    chain = (
        "type filter hook input priority filter; policy drop;\nct state established,related accept\ntcp dport 22 accept"
    )
    net.host.do("nft", "-f", "-", stdin=f"table inet ufwlike {{\nchain input {{\n{chain}\n}}\n}}\n")
    try:
        net.closed_but(22, 8080)
    finally:
        net.host.do("nft", "delete", "table", "inet", "ufwlike")


def test_only_what_is_declared_is_open_and_no_published_port(loaded: Net) -> None:
    loaded.closed_but(22, 80, 443)


def test_it_stays_so_when_docker_writes_its_rules_again(loaded: Net) -> None:
    loaded.host.do("nft", "-f", "-", stdin=DOCKER)
    loaded.closed_but(22, 80, 443)


def test_what_only_the_server_reads_is_open_to_it_alone(loaded: Net) -> None:
    assert loaded.stranger.reaches(HOST, 9100, SERVER)
    assert not loaded.stranger.reaches(HOST, 9100, STRANGER)


def test_a_neighbour_does_not_reach_a_container_at_its_own_address(net: Net) -> None:
    assert net.stranger.reaches(CONTAINER, 80), "there is a way"
    net.host.do("nft", "-f", "-", stdin=rules(22, 80))
    try:
        assert not net.stranger.reaches(CONTAINER, 80)
    finally:
        net.host.do("nft", "delete", "table", "inet", TABLE)


def test_containers_reach_the_internet_and_the_host_and_the_host_reaches_them(loaded: Net) -> None:
    assert loaded.container.reaches(STRANGER, 5555)
    assert loaded.container.reaches("172.18.0.1", 9100)
    assert loaded.host.reaches(CONTAINER, 80)
    assert loaded.host.reaches("127.0.0.1", 9100)
    assert loaded.host.reaches(STRANGER, 5555)


def test_ssh_is_open_to_the_declared_addresses_alone(net: Net) -> None:
    net.host.do("nft", "-f", "-", stdin=rules({"port": 22, "from": [SERVER]}, 443))
    try:
        assert [net.stranger.reaches(HOST, 22, source) for source in (SERVER, STRANGER)] == [True, False]
    finally:
        net.host.do("nft", "delete", "table", "inet", TABLE)


def test_who_tries_ssh_again_and_again_has_to_wait(loaded: Net) -> None:
    code = f"""
import socket
open_ = 0
for _ in range(60):
    try:
        socket.create_connection(({HOST!r}, 22), 0.2).close()
        open_ += 1
    except OSError:
        pass
print(open_)"""
    assert 25 <= int(loaded.stranger.do("python3", "-c", code)) <= 45
    assert loaded.stranger.reaches(HOST, 22, SERVER), "others come in"
    loaded.host.do("nft", "-f", "-", stdin=rules(22, {"port": 22, "from": [STRANGER]}))
    assert int(loaded.stranger.do("python3", "-c", code)) == 60, "whom a declaration names has not"


def test_loading_it_again_changes_nothing(loaded: Net) -> None:
    def listed() -> str:
        return loaded.host.do("nft", "-s", "list", "chain", "inet", TABLE, "before_dnat")

    before = listed()
    loaded.host.do("nft", "-f", "-", stdin=rules(22, 80, 443, watched=[9100]))
    assert listed() == before


def test_ipv6_has_its_own_sources_and_its_neighbours_are_found(net: Net) -> None:
    net.host.do("nft", "-f", "-", stdin=rules({"port": 22, "from": [STRANGER_6]}, 443))
    try:
        net.stranger.do("ip", "neigh", "flush", "all")
        assert net.stranger.reaches(HOST_6, 22)
        assert not net.stranger.reaches(HOST, 22)
        assert net.stranger.reaches(HOST, 443)
    finally:
        net.host.do("nft", "delete", "table", "inet", TABLE)
