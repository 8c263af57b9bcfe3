# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a plan cannot be carried out: each refusal names the obstacle and what to do. Memory is in memory.py."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Docker, HostFacts
from ansible_collections.crowsnest.core.plugins.module_utils.paths import NODE_EXPORTER_DEFAULTS

# Operating systems that crowsnest supports: ID and VERSION_ID of /etc/os-release.
SUPPORTED = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04")}
# The first version whose `include` takes a list of fragments: https://docs.docker.com/compose/releases/release-notes/
COMPOSE_MINIMUM = (2, 20)
# Disk that stays free however much the metrics take, and what images and packages of a first installation need.
DISK_HEADROOM_MIB = 1024
DISK_INSTALL_MIB = 1536


# Where root's `docker` command finds the engine of its own host; paths as `posixpath.normpath` writes them.
_OWN_ENGINE = ("", "/var/run/docker.sock", "/run/docker.sock")
# What goes by the name docker but is not an engine that runs the stack: why, and what to do.
_LOOK_ALIKES = {
    "podman": "the command `docker` is Podman's (package podman-docker), which does not run the stack as Docker does, "
    "and Docker's packages would remove it. Remove it yourself (`apt-get remove podman-docker`; Podman and its "
    "containers stay) and run again, or use another server.",
    "snap": "Docker is installed as a snap, which may not read /opt, where crowsnest's files are. Save its volumes, "
    "remove it (`snap remove docker` deletes its containers) and run again: the run installs Docker from packages.",
    "rootless": "the Docker engine runs without root (rootless), so it reaches neither the network of the host nor the "
    "files of the services. Let root's `docker` use an engine that runs as root "
    "(`systemctl enable --now docker`, `docker context use default`); the rootless one may stay.",
}
# Controllers of the kernel without which the limits of a container do not hold.
_CONTROLLERS = ("memory", "pids")
# Folders that a run writes to on every host; the server has more. Packages write to /usr.
_FOLDERS_EVERYWHERE = ("/etc", "/usr", "/var/lib")


def server_refusals(here: HostFacts, size_mib: int) -> list[str]:
    """What is in the way on the server, whose facts are `here`; `size_mib` is what metrics may take of the disk."""
    return [*_engine_refusals(here["docker"]), *_kernel_refusals(here), *_disk_refusals(here, size_mib)]


def host_refusals(facts: Mapping[str, HostFacts], addresses: Mapping[str, str]) -> list[str]:
    """What is in the way on any host that answers; `addresses` is {further host: where it is watched}."""
    further = {name: address for name, address in addresses.items() if name in facts}
    return [
        *_system_refusals(facts),
        *_read_only_refusals(facts, further),
        *_unit_refusals(facts),
        *_address_refusals(further),
    ]


def _disk_refusals(here: HostFacts, size_mib: int) -> list[str]:
    if "prometheus" in here["docker"]["own"]:
        return []
    disk, images = here["disk"], here["images_disk"]
    together = disk["device"] == images["device"]
    need = DISK_HEADROOM_MIB + max(size_mib - disk["own_mib"], 0) + (DISK_INSTALL_MIB if together else 0)
    refusals = []
    if disk["free_mib"] < need:
        refusals.append(
            f"disk: {disk['free_mib']} MiB are free below {disk['path']}, {need} MiB are needed "
            f"({size_mib} MiB of them for metrics). "
            "Free space (`docker system df`, `du -xh --max-depth=2 / | sort -h | tail`), use a larger disk, "
            "or declare a smaller crowsnest_retention_size_mib."
        )
    if not together and images["free_mib"] < DISK_INSTALL_MIB:
        refusals.append(
            f"disk: {images['free_mib']} MiB are free below {images['path']}, where Docker keeps images; "
            f"{DISK_INSTALL_MIB} MiB are needed. `docker system df` shows what takes the space."
        )
    return refusals


def _engine_refusals(docker: Docker) -> list[str]:
    """An installed engine is kept as it is, so the user must add what it lacks."""
    if docker["kind"] in _LOOK_ALIKES:
        return [_LOOK_ALIKES[docker["kind"]]]
    if _socket(docker["endpoint"]) not in _OWN_ENGINE:
        return [
            f"root's `docker` command uses the engine at {docker['endpoint']}, not the server's own. "
            "Run `docker context use default` as root, and unset DOCKER_HOST (/etc/environment, /root/.profile)."
        ]
    if docker["masked"]:
        return [
            "Docker is installed, but systemd may not start it, as its unit is masked. Run `systemctl unmask "
            "docker.service docker.socket`, or remove Docker's packages."
        ]
    return _compose_refusals(docker) if docker["version"] else []  # else the run installs and starts it


def _socket(endpoint: str) -> str:
    """The path of a Unix socket, however it is spelt; another endpoint as it is.

    Two slashes make a path relative to the folder in which `docker` runs: `unix://var/run/docker.sock`.
    """
    scheme, _, path = endpoint.partition("://")
    return posixpath.normpath(re.sub("/+", "/", path)) if scheme == "unix" else endpoint


def _compose_refusals(docker: Docker) -> list[str]:
    compose = docker["compose"] or "none"
    found = tuple(int(number) for number in re.findall(r"\d+", compose)[:2])
    if found >= COMPOSE_MINIMUM:
        return []
    return [
        f"Docker {docker['version']} is installed with Compose {compose}; crowsnest keeps the engine and needs Compose "
        f"{'.'.join(map(str, COMPOSE_MINIMUM))} or newer. "
        "Install the package `docker-compose-plugin` (engine from Docker), "
        "`docker-compose-v2` (Ubuntu) or `docker-compose` (Debian 13)."
    ]


def _kernel_refusals(here: HostFacts) -> list[str]:
    refusals = []
    if here["architecture"].startswith("32-bit"):
        refusals.append(
            f"the server's system is 32-bit ({here['architecture'].split()[-1]}); the services' images are built for "
            "64 bits. Install a 64-bit system, or use another server."
        )
    if missing := [name for name in _CONTROLLERS if name not in here["controllers"]]:
        switch = " ".join(f"cgroup_enable={name}" for name in missing)
        refusals.append(
            f"the server's kernel cannot limit {' and '.join(missing)} (cgroups), so one service could use up all. "
            f"Add `{switch}` to the kernel's command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then "
            "`update-grub`; on a Raspberry Pi /boot/firmware/cmdline.txt), reboot, and run again."
        )
    return refusals


def _read_only_refusals(facts: Mapping[str, HostFacts], further: Mapping[str, str]) -> list[str]:
    found = {
        name: [
            path
            for path in fact["read_only"]
            if (name not in further or path in _FOLDERS_EVERYWHERE)
            and (path != "/usr" or _lacks_packages(fact, server=name not in further))
        ]
        for name, fact in facts.items()
    }
    return [
        f"{name}: the run cannot write to {', '.join(paths)}, as the file system is mounted read-only. `mount -o "
        f"remount,rw {paths[0]}` may help; `dmesg | tail` shows whether its disk is broken."
        for name, paths in found.items()
        if paths
    ]


def _lacks_packages(fact: HostFacts, server: bool) -> bool:
    """Whether the run installs packages on a host. Where it does not, /usr may be read-only on purpose."""
    of_server = fact["docker"]["version"] is None or not fact["python"]["ensurepip"]
    return not fact["node_exporter"]["installed"] or (server and of_server)


def _unit_refusals(facts: Mapping[str, HostFacts]) -> list[str]:
    """The service of node exporter's package must start, and with the flags that the run writes."""
    masked = [
        f"{name}: systemd may not start node exporter, as its unit is masked. Run `systemctl unmask "
        "prometheus-node-exporter.service`, or remove the host from the inventory."
        for name, fact in facts.items()
        if fact["node_exporter"]["masked"]
    ]
    return masked + [
        f"{name}: {path} starts node exporter in its own way, so the flags in {NODE_EXPORTER_DEFAULTS} have no "
        f"effect. Remove ExecStart from {path}, or the whole file, and run `systemctl daemon-reload`; flags that you "
        "still need go into node_exporter_flags."
        for name, fact in facts.items()
        if (path := fact["node_exporter"]["own_start"])
    ]


def _system_refusals(facts: Mapping[str, HostFacts]) -> list[str]:
    supported = "; ".join(f"{name} {', '.join(versions)}" for name, versions in SUPPORTED.items())
    return [
        f"{name} runs {system['id']} {system['version']}. crowsnest supports {supported}. Upgrade the host, or remove "
        "it from the inventory."
        for name, fact in facts.items()
        for system in [fact["os"]]
        if system["version"] not in SUPPORTED.get(system["id"], ())
    ]


def _address_refusals(hosts: Mapping[str, str]) -> list[str]:
    """node exporter needs no password, so it must not listen where strangers reach it, nor where the server cannot."""
    return [
        f"{name}: its own network interface has the {kind} address {address}. Give the host a private network and "
        f"declare its address there as private_address, next to ansible_host of {name}."
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
