# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a plan cannot be carried out: each refusal says what is in the way and what to do. Memory is in plan.py."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import NODE_EXPORTER_PORT

# Operating systems crowsnest is made for: ID and VERSION_ID of /etc/os-release.
SUPPORTED = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04")}
# The first version whose `include` takes a list of fragments: https://docs.docker.com/compose/releases/release-notes/
COMPOSE_MINIMUM = (2, 20)
# Disk that stays free whatever the metrics take, and what images and packages of a first installation need.
DISK_HEADROOM_MIB = 1024
DISK_INSTALL_MIB = 1536
# Addresses whose listeners keep others off 127.0.0.1.
_LOOPBACK_LISTENERS = {"0.0.0.0", "127.0.0.1", "::", "::ffff:127.0.0.1"}  # noqa: S104 - compared, not bound


def server_refusals(here: Mapping[str, Any], ports: Mapping[str, int], size_mib: int) -> list[str]:
    """What is in the way on the server, whose facts are `here`.

    `ports` is {service: port on loopback}, `size_mib` what metrics may take of the disk.
    """
    return [*_engine_refusals(here["docker"]), *_disk_refusals(here, size_mib), *_port_refusals(ports, here)]


def host_refusals(facts: Mapping[str, Mapping[str, Any]], addresses: Mapping[str, str]) -> list[str]:
    """What is in the way on any host that answers; `addresses` is {further host: where it is watched}."""
    return [*_system_refusals(facts), *_address_refusals({name: it for name, it in addresses.items() if name in facts})]


def _disk_refusals(here: Mapping[str, Any], size_mib: int) -> list[str]:
    disk = here["disk"]
    need = DISK_HEADROOM_MIB + max(size_mib - disk["own_mib"], 0) + DISK_INSTALL_MIB
    if disk["free_mib"] >= need or "prometheus" in here["docker"]["own"]:
        return []
    return [
        f"disk: {disk['free_mib']} MiB are free below {disk['path']}, {need} MiB are needed "
        f"({size_mib} MiB of them for metrics). "
        "Free space (`docker system df`, `du -xh --max-depth=2 / | sort -h | tail`), take a larger disk, "
        "or declare a smaller crowsnest_retention_size_mib."
    ]


def _engine_refusals(docker: Mapping[str, Any]) -> list[str]:
    """An engine that is there is kept as it is, so what it lacks is the user's to add."""
    if not docker["version"]:
        return []  # none yet, or one that has stopped: the run installs and starts it
    compose = docker["compose"] or "none"
    found = tuple(int(number) for number in re.findall(r"\d+", compose)[:2])
    if found >= COMPOSE_MINIMUM:
        return []
    return [
        f"Docker {docker['version']} is there with Compose {compose}; crowsnest keeps the engine and needs Compose "
        f"{'.'.join(map(str, COMPOSE_MINIMUM))} or newer. "
        "`apt-get install docker-compose-plugin` (engine from Docker), "
        "`docker-compose-v2` (Ubuntu) or `docker-compose` (Debian 13)."
    ]


def _port_refusals(ports: Mapping[str, int], here: Mapping[str, Any]) -> list[str]:
    ours = {name: port for name, port in ports.items() if name not in here["docker"]["own"]}
    if not here["node_exporter"]["installed"]:
        ours["node_exporter"] = NODE_EXPORTER_PORT
    return [
        f"port {port}: another program listens on it, {name} needs it on loopback. "
        f"`ss -ltnp sport = :{port}` on the host names the program. Stop it"
        + (f", or declare another port: crowsnest_ports: {{{name}: {port % 50000 + 10000}}}." if name in ports else ".")
        for name, port in ours.items()
        if not _LOOPBACK_LISTENERS.isdisjoint(here["ports"].get(str(port), []))
    ]


def _system_refusals(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    made_for = "; ".join(f"{name} {', '.join(versions)}" for name, versions in SUPPORTED.items())
    return [
        f"{name} runs {system['id']} {system['version']}. crowsnest is made for {made_for}. Upgrade the host, or take "
        "it out of the inventory."
        for name, fact in facts.items()
        for system in [fact["os"]]
        if system["version"] not in SUPPORTED.get(system["id"], ())
    ]


def _address_refusals(hosts: Mapping[str, str]) -> list[str]:
    """node exporter asks for no password, so it must not listen where strangers are; nor where the server is not."""
    return [
        f"{name}: its own network interface has the {kind} address {address}. Give the host a private network and "
        f"declare its address there: private_address beside ansible_host of {name}."
        for name, address in hosts.items()
        if (kind := _unfit(address))
    ]


def _unfit(address: str) -> str:
    """Why the server cannot or must not watch a host at an address; "" when it can."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:  # a name
        return ""
    return "loopback" if ip.is_loopback else "public" if ip.is_global else ""
