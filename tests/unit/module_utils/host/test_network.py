# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a host stands in its networks, from the kernel's tables and from this machine's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.host import network

# (whether IPv4, IPv6 has a route): the address towards others.
ROUTES = {
    (True, True): "192.0.2.7",
    (True, False): "192.0.2.7",
    (False, True): "2001:db8::7",
    (False, False): "127.0.0.1",
}


@pytest.mark.parametrize("routes", ROUTES, ids=str)
def test_a_host_without_ipv4_is_known_by_its_ipv6_address(
    monkeypatch: pytest.MonkeyPatch, routes: tuple[bool, bool]
) -> None:
    class Probe:
        def __init__(self, family: int, _kind: int) -> None:
            self.four = family == socket.AF_INET
            if not self.four and not routes[1]:
                raise OSError("the kernel has no IPv6")

        def __enter__(self) -> Probe:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, _other: object) -> None:
            if self.four and not routes[0]:
                raise OSError("Network is unreachable")

        def getsockname(self) -> tuple[str, int]:
            return ("192.0.2.7" if self.four else "2001:db8::7", 9)

    monkeypatch.setattr(network.socket, "socket", Probe)
    assert network.default_address() == ROUTES[routes]


def test_the_address_of_a_bridge_is_that_of_its_interface() -> None:
    assert network.bridge_address("lo") == "127.0.0.1"
    assert network.bridge_address("no-such-bridge") == ""


# As a host with two ways out, Docker's bridge and IPv6 had them.
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
ens5\t00000000\t01101FAC\t0003\t0\t0\t100\t00000000\t0\t0\t0
ens5\t00101FAC\t00000000\t0001\t0\t0\t100\t00F0FFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
"""
NOTHING, LINK_LOCAL = "0" * 32, "fe8" + "0" * 29
ROUTE_6 = f"""\
{LINK_LOCAL} 40 {NOTHING} 00 {NOTHING} 00000100 00000001 00000000 00000001     ens5
{NOTHING} 00 {NOTHING} 00 fe80000000000000082e07fffe2f2cce 00000400 00000001 00000000 00000003     ens6
{NOTHING} 00 {NOTHING} 00 {NOTHING} ffffffff 00000001 00000000 00200200       lo
"""


def test_interfaces_of_a_default_route_lead_to_the_internet(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTE)
    assert network.firewall(str(tmp_path))["interfaces"] == ["ens5"], "IPv6 is switched off"
    (tmp_path / "ipv6_route").write_text(ROUTE_6)
    assert network.firewall(str(tmp_path))["interfaces"] == ["ens5", "ens6"]


def test_the_login_is_found_although_sudo_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell with what sshd told it, a process without, and the one that asks."""
    monkeypatch.setenv("SSH_CONNECTION", "fe80::1%eth0 50022 172.26.3.4 2222")
    ask = f"import sys; sys.path[:] = {sys.path}; from {network.__name__} import login; print(login())"
    hidden = ["env", "-u", "SSH_CONNECTION", "sh", "-c", '"$0" -c "$1"; true', sys.executable, ask]
    done = subprocess.run(["sh", "-c", '"$@"; true', "sh", *hidden], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({"source": "fe80::1", "port": 2222})


def test_without_ssh_nobody_is_logged_in(tmp_path: Path) -> None:
    own = tmp_path / str(os.getpid())
    own.mkdir()
    (own / "environ").write_bytes(b"HOME=/root\0NOT_SSH_CONNECTION=x\0")
    (own / "stat").write_text(f"{os.getpid()} (a ) S 7 (b) S 1 1 1")
    assert network.login(str(tmp_path)) == {"source": "", "port": 0}
