# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan: which service runs on which host with which image, port and memory, and whether it fits.

Pure: the declaration, the inventory and the facts of the hosts (module `host_facts`) go in, a `Plan` comes out.
A plan with refusals is never carried out; each refusal names what is missing and what to do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Disk, HostFacts
from ansible_collections.crowsnest.core.plugins.module_utils.paths import NODE_EXPORTER_DEFAULTS, data_directory
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import backup_sizes, mib_to_come
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.exported import not_exported
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.firewall import firewall_refusals, firewalls
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.memory import (
    fit,
    heap_refusals,
    memory_rows,
    missing_memory,
    usual_heap_mib,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER, Needs
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan, Planned, in_force
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.ports import clashes, instance_ports, usual_ports
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.refusals import host_refusals, server_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.taken_ports import port_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER

# Limits grow in steps, so that a further host or app seldom restarts a service.
LIMIT_STEP_MIB = 64
# A size is rounded down to one of these, so that a plan does not change with every log line that is written.
SIZE_STEPS_MIB = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
# Share of the whole disk, and of what is free now, that metrics may take at most.
DISK_SHARE_OF_TOTAL, DISK_SHARE_OF_FREE = 0.2, 0.5
# The address that an engine gives itself which is still to be installed.
# https://docs.docker.com/engine/network/drivers/bridge/#configure-the-default-bridge-network
USUAL_BRIDGE = "172.17.0.1"
# Share of what is free that a size in force may take before it is made smaller.
DISK_SHARE_IN_FORCE = 0.65


def plain(value: Any) -> Any:
    """Ansible's tagged values as plain dicts, lists and strings, which YAML and pydantic take as they are.

    Types that JSON lacks become text: an unquoted 2026-01-01 is a date in YAML.
    """
    return json.loads(json.dumps(value, default=str))


def make_plan(
    declaration: Declaration,
    server: str,
    addresses: Mapping[str, str],
    facts: Mapping[str, HostFacts],
    needs: Mapping[str, Needs],
    images: Mapping[str, str],
) -> Plan:
    """The plan for a declaration without mistakes.

    `addresses` is {inventory name: address} at which all monitored hosts are watched; `facts` is {inventory name: what
    `host_facts` found} and lacks hosts that did not answer; `needs` are the services there are, the most important one
    first; `images` is files/images.yml.
    """
    here, before = facts[server], in_force(facts[server]["files"])
    hosts = {name: "127.0.0.1" if name == server else _with_brackets(addresses[name]) for name in addresses}
    rows = memory_rows(here)
    available, running = sum(mib for _, mib in rows), set(here["docker"]["own"])
    wanted = [service for service in needs.values() if service.wanted(declaration)]
    instances = {service.name: service.instances(declaration) for service in wanted if service.instances}
    base_ports = usual_ports(needs) | declaration.ports
    ports = base_ports | instance_ports(instances, base_ports, before)
    candidates = [
        planned
        for service in wanted
        for planned in _planned(service, declaration, len(hosts), rows[0][1], images, ports)
    ]
    services, switched_off = fit(candidates, needs, available, running)
    required = [planned for planned in candidates if needs[planned.service].needed]
    backups = backup_sizes(declaration, server, facts)
    to_come = mib_to_come(declaration, server, backups)
    size = declaration.retention_size_mib or _retention_size(here["disk"], before.retention_size_mib, to_come)
    return Plan(
        server=server,
        bridge=here["docker"]["bridge"] or ("" if here["docker"]["version"] else USUAL_BRIDGE),
        hosts=hosts,
        base_ports=base_ports,
        replaced_flags={name: flags for name, fact in facts.items() if (flags := team_flags(fact["files"]))},
        services=services,
        switched_off=switched_off | _no_longer_wanted(needs, declaration, running),
        retention_size_mib=size,
        backups=backups,
        not_exported=not_exported(declaration.apps, here["exported"], before.not_exported),
        firewall=firewalls(declaration, facts, server, addresses[server].strip("[]"), base_ports[NODE_EXPORTER]),
        memory_rows=[*rows, *((service.name, -service.need_mib) for service in services.values())],
        refusals=[
            *missing_memory(required, available, running),
            *heap_refusals(services, available, running, before.heaps_mib),
            *server_refusals(here, size),
            *clashes(services, base_ports),
            *port_refusals(facts, server, services, hosts, base_ports, declaration.public_ports),
            *host_refusals(facts, {name: address for name, address in hosts.items() if name != server}),
            *firewall_refusals(declaration, facts),
        ],
    )


def _no_longer_wanted(needs: Mapping[str, Needs], declaration: Declaration, running: set[str]) -> dict[str, str]:
    """Services that run but are no longer declared, with where their data stays."""
    off = {}
    for name, service in needs.items():
        if name in running and not service.part_of and not service.wanted(declaration):
            parts = [part.name for part in needs.values() if part.part_of == name and part.data]
            off[name] = f"nothing declares it any more; its data stays in {data_directory((parts or [name])[0])}"
    return off


def team_flags(files: Mapping[str, str]) -> str:
    """What a team wrote into the file with node exporter's flags, from the fact `files` of a host.

    Empty when crowsnest wrote the file, or when it is as the package brings it: comments and an empty ARGS.
    """
    text = files.get(NODE_EXPORTER_DEFAULTS, "")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return (
        ""
        if HEADER.partition(".")[0] in text
        else " ".join(line for line in lines if line not in ('ARGS=""', "ARGS=''", "ARGS="))
    )


def _with_brackets(address: str) -> str:
    """IPv6 in brackets, so that a port can follow."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def _planned(
    service: Needs,
    declaration: Declaration,
    hosts: int,
    total_mib: int,
    images: Mapping[str, str],
    ports: Mapping[str, int],
) -> Iterator[Planned]:
    """The containers of a service, in order; `ports` is {container: port}."""
    heap = (service.heap(declaration) or usual_heap_mib(total_mib)) if service.heap else 0
    watched = service.need_per_host_mib * (hosts - 1) + service.need_per_app_mib * max(len(declaration.apps) - 1, 0)
    names: Sequence[str] = service.instances(declaration) if service.instances else [service.name]
    for name in names:
        yield Planned(
            name=name,
            service=service.name,
            image=declaration.images.get(service.name, images[service.name]),
            port=ports[name],
            external_url=declaration.external_urls.get(name) or _address(service, declaration, ports[name]),
            user=service.user,
            need_mib=service.need_mib + heap + watched,
            limit_mib=math.ceil((service.limit_mib + heap + 2 * watched) / LIMIT_STEP_MIB) * LIMIT_STEP_MIB,
            heap_mib=heap,
        )


def _address(service: Needs, declaration: Declaration, port: int) -> str:
    """Where people open its page: below the domain, else through a tunnel."""
    if service.subdomain and declaration.proxy_mode != "none":
        return f"https://{service.subdomain}.{declaration.domain}/"
    return f"http://127.0.0.1:{port}"


def _retention_size(disk: Disk, in_force_mib: int, backups_mib: int) -> int:
    """MiB that metrics may take, from the disk of /var/lib, on which backups will take so much more.

    What is in force stays while the disk has room for it, so that images that are pulled and logs that grow do not
    recreate Prometheus.
    """
    room = max(disk["free_mib"] + disk["own_mib"] - backups_mib, 0)
    allowed = min(DISK_SHARE_OF_TOTAL * disk["total_mib"], DISK_SHARE_OF_FREE * room)
    size = max((step for step in SIZE_STEPS_MIB if step <= allowed), default=SIZE_STEPS_MIB[0])
    return in_force_mib if size < in_force_mib <= DISK_SHARE_IN_FORCE * room else size
