# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which ports a lab takes: its usual ones, or the next block in which nothing else listens."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from lab import ports
from lab.progress import LabError

Listen = Callable[..., None]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen on a port, or skip where another program of this machine does."""
    with ExitStack() as stack:

        def begin(port: int, address: str = "127.0.0.1") -> None:
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((address, port))
            except OSError:
                pytest.skip(f"port {port} is in use on this machine")
            listener.listen()

        yield begin


def free_pair() -> tuple[int, int]:
    """Two neighbouring offsets that are free on this machine, so that the tests do not depend on what runs on it."""
    blocks = [offset for offset in ports.OFFSETS if all(map(ports.is_free, ports.host_ports(offset, 0).values()))]
    return next((first, first + 1000) for first in blocks if first + 1000 in blocks)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> int:
    """The usual offset of a lab named `demo`, whose ports and the next ones are free."""
    first, _ = free_pair()
    monkeypatch.setitem(ports.PREFERRED, "demo", first)
    return first


def test_labs_that_start_at_the_same_time_want_no_port_of_each_other() -> None:
    wanted = [port for offset in ports.PREFERRED.values() for port in ports.host_ports(offset, 0).values()]
    assert len(set(wanted)) == len(wanted)


def test_a_lab_takes_its_usual_ports_when_they_are_free(usual: int) -> None:
    assert ports.choose("demo", 1, []) == usual


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("service", ["ssh", *ports.PAGES])
def test_a_taken_port_is_stepped_over(usual: int, listen: Listen, service: str, address: str) -> None:
    listen(ports.host_ports(usual, 0)[service], address)
    assert ports.choose("demo", 1, []) == usual + 1000


def test_the_ssh_ports_of_further_hosts_count_when_there_are_any(usual: int, listen: Listen) -> None:
    listen(ports.host_ports(usual, 2)["ssh"])
    assert ports.choose("demo", 2, []) == usual
    assert ports.choose("demo", 3, []) == usual + 1000


SUBNETS = ["10.213.{}.0/24", "10.213.{}.128/25", "10.213.{}.0/26"]


@pytest.mark.parametrize("subnet", SUBNETS)
def test_a_taken_network_is_stepped_over(usual: int, subnet: str) -> None:
    others = ["172.17.0.0/16", "fd00::/64", subnet.format(usual // 1000)]
    assert ports.choose("demo", 1, others) == usual + 1000


def test_the_search_begins_again_at_the_lowest_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    free, _ = free_pair()
    monkeypatch.setattr(ports, "OFFSETS", range(free, free + 2000, 1000))
    monkeypatch.setattr(ports, "PREFERRED", {"demo": free + 1000})
    assert ports.choose("demo", 1, [f"10.213.{free // 1000 + 1}.0/24"]) == free


def test_when_everything_is_taken_the_way_out_is_named() -> None:
    with pytest.raises(LabError, match=r"in use on this machine\. Remove a lab"):
        ports.choose("demo", 1, ["10.0.0.0/8"])


def test_a_lab_of_any_name_gets_ports() -> None:
    assert ports.choose("something-else", 1, []) in ports.OFFSETS


def test_the_server_publishes_ssh_and_pages_and_further_hosts_only_ssh() -> None:
    server = ports.host_ports(10000, 0)
    assert (server["ssh"], server["prometheus"], server["shop"]) == (10022, 19090, 18000)
    assert ports.host_ports(10000, 2) == {"ssh": 10024}


def test_no_port_is_given_twice_in_a_full_lab_at_any_offset() -> None:
    for offset in ports.OFFSETS:
        taken = [port for index in range(ports.MAX_HOSTS) for port in ports.host_ports(offset, index).values()]
        assert len(set(taken)) == len(taken)
        assert max(taken) < 65536


def test_labs_of_different_offsets_have_different_networks_and_the_network_tells_the_offset() -> None:
    assert ports.host_address(10000, 0) == "10.213.10.10"
    assert len({ports.network(offset) for offset in ports.OFFSETS}) == len(ports.OFFSETS)
    assert all(ports.offset_of(str(ports.network(offset))) == offset for offset in ports.OFFSETS)
