# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which port of this machine leads to which service of a lab."""

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
}
SSH_PORT = 22
MAX_HOSTS = 50
OFFSETS = {"demo": 10000, "default": 20000, "fleet": 30000, "bench": 40000, "uptime": 50000, "metabase": 51000}


def offset_of(name: str, given: int | None) -> int:
    """The number added to every port of the lab; 10000 to 56000 in steps of 1000, so that its network differs too."""
    offset = OFFSETS.get(name) if given is None else given
    if offset is None:
        taken = ", ".join(f"{number} {lab}" for lab, number in OFFSETS.items())
        raise LabError(f"A lab named {name} needs --offset ({taken} are taken).")
    if offset % 1000 or not 10000 <= offset <= 56000:
        raise LabError(f"--offset {offset}: it must be a multiple of 1000 from 10000 to 56000.")
    return offset


def host_ports(offset: int, index: int) -> dict[str, int]:
    """Service → published port of host number `index` (0 is the server)."""
    ports = {"ssh": offset + SSH_PORT + index}
    if index == 0:
        ports |= {service: offset + port for service, port in PAGES.items()}
    return ports


def container_port(service: str) -> int:
    """The port inside the host that a published port leads to."""
    return SSH_PORT if service == "ssh" else PAGES[service]


def network_prefix(offset: int) -> str:
    """First three numbers of the lab's own network: fixed, so that addresses survive a restart."""
    return f"10.213.{offset // 1000}"


def host_address(offset: int, index: int) -> str:
    """Address of host number `index` in the lab's network."""
    return f"{network_prefix(offset)}.{10 + index}"


def registry_address(prefix: str) -> str:
    """Address of the registry in the network with this prefix."""
    return f"{prefix}.2"
