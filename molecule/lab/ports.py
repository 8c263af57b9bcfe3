# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which port of this machine leads to which service of a lab, and which of them nobody else uses."""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from lab.progress import LabError

# Service → port on the loopback of the lab host; the first host has them all, further hosts only SSH.
PAGES = {
    "prometheus": 9090,
    "alertmanager": 9093,
    "blackbox": 9115,
    "grafana": 3000,
    "uptime_kuma": 3001,
    "metabase": 3002,
    "shop": 8000,
    "slack_catcher": 8065,
    "https": 443,
}
SSH_PORT = 22
# The error tracker's, which is outside the hosts.
ERRORS_PAGE = 8066
MAX_HOSTS = 50
# The offset is added to every port of a lab. Each has a network of its own, too.
OFFSETS = range(10000, 57000, 1000)
# Where a lab begins to look for a free one: those that run at the same time lie apart, page by page, and below the
# ports that Linux gives to outgoing connections (from 32768 on), one of which may be in the way at any moment.
PREFERRED = {
    "demo": 10000,
    "rescue": 12000,
    "complete": 14000,
    "fleet": 16000,
    "bench": 18000,
    "default": 20000,
    "role": 22000,
}


def choose(name: str, hosts: int, subnets: Iterable[str]) -> int:
    """The first offset from the preferred one on whose network is none of `subnets` and whose ports are free here."""
    taken = [ip_network(subnet) for subnet in subnets]
    start = OFFSETS.index(PREFERRED.get(name, OFFSETS[0]))
    for offset in [*OFFSETS[start:], *OFFSETS[:start]]:
        ports = [port for index in range(hosts) for port in host_ports(offset, index).values()]
        ports.append(offset + ERRORS_PAGE)
        if not any(network(offset).overlaps(other) for other in taken) and all(map(is_free, ports)):
            return offset
    raise LabError(
        f"The lab {name} needs ports such as {host_ports(OFFSETS[0], 0)['prometheus']}, or that plus a multiple of "
        "1000, and a network 10.213.x.0/24: all of them are in use on this machine. Remove a lab that is not needed."
    )


def is_free(port: int) -> bool:
    """True when nothing listens on this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended are no reason
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def host_ports(offset: int, index: int) -> dict[str, int]:
    """Service → published port of host number `index` (0 is the server)."""
    ports = {"ssh": offset + SSH_PORT + index}
    if index == 0:
        ports |= {service: offset + port for service, port in PAGES.items()}
    return ports


def container_port(service: str) -> int:
    """The port inside the host that a published port leads to."""
    return SSH_PORT if service == "ssh" else PAGES[service]


def network(offset: int) -> IPv4Network | IPv6Network:
    """The lab's own network: fixed, so that addresses survive a restart."""
    return ip_network(f"10.213.{offset // 1000}.0/24")


def offset_of(subnet: str) -> int:
    """The offset of the lab with this network."""
    return int(subnet.split(".")[2]) * 1000


def address(offset: int, number: int) -> str:
    """Address number `number` in the lab's network."""
    return str(network(offset)[number])


def host_address(offset: int, index: int) -> str:
    """Address of host number `index` in the lab's network."""
    return address(offset, 10 + index)


def gateway(offset: int) -> str:
    """Address of this machine in the lab's network."""
    return address(offset, 1)


def registry_address(offset: int) -> str:
    """Address of the registry in the lab's network."""
    return address(offset, 2)
