# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan: which service runs on which host with which image, port and memory, and whether it fits.

Pure: the declaration, the inventory and the facts of the hosts (module `host_facts`) go in, a `Plan` comes out.
A plan with refusals is never carried out; each refusal says what is short and what to do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Disk, HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import App, Settings
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.refusals import host_refusals, server_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.taken_ports import port_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    CATALOGUE,
    CONFIG_ROOT,
    DATA_ROOT,
    DOCKER_NEED_MIB,
    NODE_EXPORTER,
    NODE_EXPORTER_DEFAULTS,
    NODE_EXPORTER_NEED_MIB,
    NODE_EXPORTER_PORT,
    Service,
)

# Memory that stays free for bursts (apt, cron, a deployment). Below about 100 MiB small hosts begin to thrash.
HEADROOM_MIB = 128
# Limits grow in steps, so that a further host or app seldom restarts a service.
LIMIT_STEP_MIB = 64
# The heap of a Java program: a quarter of the host's memory, which is Java's own default, in these bounds and steps.
# Metabase restarts for lack of memory with less than 700 MiB; its makers recommend 1 GiB for up to 20 people:
# https://www.metabase.com/docs/latest/installation-and-operation/running-metabase-on-docker
HEAP_SHARE, HEAP_MINIMUM_MIB, HEAP_MAXIMUM_MIB, HEAP_STEP_MIB = 0.25, 768, 2048, 128
# A size is rounded down to one of these, so that a plan does not change with every log line that is written.
SIZE_STEPS_MIB = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
# Share of the whole disk, and of what is free now, that metrics may take at most.
DISK_SHARE_OF_TOTAL, DISK_SHARE_OF_FREE = 0.2, 0.5
# Share of what is free that a size in force may take before it is made smaller.
DISK_SHARE_IN_FORCE = 0.65
METABASE_COMPOSE = f"{CONFIG_ROOT}/metabase/current/compose.yml"
PROMETHEUS_COMPOSE = f"{CONFIG_ROOT}/prometheus/current/compose.yml"


class Planned(BaseModel):
    """A service that runs.

    `user` is the numeric user and group of its container, `limit_mib` where the kernel stops it, `heap_mib` the part of
    it for a Java program's objects (0: it is none), `external_url` where people open its page.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    image: str
    port: int
    user: int
    need_mib: int
    limit_mib: int
    heap_mib: int = 0
    external_url: str
    config_directory: str
    data_directory: str


class Plan(BaseModel):
    """What a run will make true.

    `hosts` maps a monitored host to the address at which the server reaches its exporters (its own on loopback),
    `switched_off` a service to the reason; `memory_rows` explain the sum. `replaced_flags` maps a host to the flags
    that the team gave its node exporter, which the run replaces.
    """

    model_config = ConfigDict(frozen=True)
    settings: Settings
    server: str
    hosts: dict[str, str]
    node_exporter_port: int
    replaced_flags: dict[str, str]
    services: dict[str, Planned]
    switched_off: dict[str, str]
    retention_size_mib: int
    memory_rows: list[tuple[str, int]]
    refusals: list[str]

    def app_target(self, app: App, target: str) -> MetricsPage:
        """A metrics target as the server reaches it: `:8000` of an app on the server is 127.0.0.1:8000."""
        return MetricsPage.parse(target).on(self.hosts[app.host or self.server])


def plain(value: Any) -> Any:
    """Ansible's tagged values as plain dicts, lists and strings, which YAML and pydantic take as they are.

    What JSON does not know becomes text: an unquoted 2026-01-01 is a date in YAML.
    """
    return json.loads(json.dumps(value, default=str))


def make_plan(
    variables: Mapping[str, Any],
    server: str,
    addresses: Mapping[str, str],
    facts: Mapping[str, HostFacts],
    images: Mapping[str, str],
) -> Plan:
    """The plan for the variables `crowsnest_*`, which have no mistakes.

    `addresses` is {inventory name: address} at which all monitored hosts are watched; `facts` is {inventory name: what
    `host_facts` found} and lacks hosts that did not answer; `images` is files/images.yml.
    """
    settings = _settings(variables)
    here = facts[server]
    hosts = {name: "127.0.0.1" if name == server else _with_brackets(addresses[name]) for name in addresses}
    rows = _memory_rows(here)
    available, left_out = sum(mib for _, mib in rows), unwanted(settings)
    candidates = [
        _planned(service, settings, len(hosts), rows[0][1], images)
        for service in CATALOGUE.values()
        if service.name not in left_out
    ]
    running = set(here["docker"]["own"])
    services, switched_off, short = _fit(candidates, available, running)
    grown = _heap_refusals(services, available, running, _heap_in_force(here["files"]))
    if "metabase" in running & left_out:
        switched_off["metabase"] = f"nobody asks for it any more; its data stay in {DATA_ROOT}/metabase_database"
    port = settings.ports.get(NODE_EXPORTER, NODE_EXPORTER_PORT)
    size = settings.retention_size_mib or _retention_size(here["disk"], _size_in_force(here["files"]))
    return Plan(
        settings=settings,
        server=server,
        hosts=hosts,
        node_exporter_port=port,
        replaced_flags={name: flags for name, fact in facts.items() if (flags := team_flags(fact["files"]))},
        services=services,
        switched_off=switched_off,
        retention_size_mib=size,
        memory_rows=[*rows, *((service.name, -service.need_mib) for service in services.values())],
        refusals=[
            *short,
            *grown,
            *server_refusals(here, size),
            *port_refusals(facts, server, {name: it.port for name, it in services.items()}, hosts, port),
            *host_refusals(facts, {name: address for name, address in hosts.items() if name != server}),
        ],
    )


def team_flags(files: Mapping[str, str]) -> str:
    """What a team wrote into the file with node exporter's flags, from the fact `files` of a host.

    Empty when the file is ours or as the package brings it: comments and an empty ARGS.
    """
    text = files.get(NODE_EXPORTER_DEFAULTS, "")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return (
        ""
        if HEADER.partition(".")[0] in text
        else " ".join(line for line in lines if line not in ('ARGS=""', "ARGS=''", "ARGS="))
    )


def _settings(variables: Mapping[str, Any]) -> Settings:
    names = {f"crowsnest_{name}": name for name in Settings.model_fields}
    return Settings.model_validate({names[key]: plain(value) for key, value in variables.items() if key in names})


def _with_brackets(address: str) -> str:
    """IPv6 in brackets, so that a port can follow."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def unwanted(settings: Settings) -> set[str]:
    """Services that nobody asked for: without a database to ask, Metabase would only cost memory."""
    wanted = settings.metabase
    if wanted is None:
        wanted = any(app.database for app in settings.apps)
    if not wanted:
        return {"metabase", "metabase_database"}
    return {"metabase_database"} if settings.metabase_database else set()


def _heap_mib(settings: Settings, total_mib: int) -> int:
    """MiB of a Java program's heap. It depends on nothing that changes from run to run."""
    share = int(total_mib * HEAP_SHARE) // HEAP_STEP_MIB * HEAP_STEP_MIB
    return settings.metabase_heap_mib or min(max(share, HEAP_MINIMUM_MIB), HEAP_MAXIMUM_MIB)


def _planned(service: Service, settings: Settings, hosts: int, total_mib: int, images: Mapping[str, str]) -> Planned:
    heap = _heap_mib(settings, total_mib) if service.heap else 0
    watched = service.need_per_host_mib * (hosts - 1) + service.need_per_app_mib * max(len(settings.apps) - 1, 0)
    port = settings.ports.get(service.name, service.port)
    return Planned(
        name=service.name,
        image=settings.images.get(service.name, images[service.name]),
        port=port,
        external_url=settings.external_urls.get(service.name, f"http://127.0.0.1:{port}"),
        config_directory=f"{CONFIG_ROOT}/{service.name}",
        data_directory=f"{DATA_ROOT}/{service.name}",
        user=service.user,
        need_mib=service.need_mib + heap + watched,
        limit_mib=math.ceil((service.limit_mib + heap + 2 * watched) / LIMIT_STEP_MIB) * LIMIT_STEP_MIB,
        heap_mib=heap,
    )


def _memory_rows(here: HostFacts) -> list[tuple[str, int]]:
    """What there is and what is taken before any of our containers, in MiB; what is left is their sum."""
    memory = here["memory"]
    rows = [
        ("memory of the host", memory["total_mib"]),
        ("used by other programs", -max(memory["total_mib"] - memory["available_mib"] - memory["own_mib"], 0)),
        ("kept free for bursts", -HEADROOM_MIB),
    ]
    if not here["docker"]["version"]:
        rows.append(("Docker engine, to be installed", -DOCKER_NEED_MIB))
    if not here["node_exporter"]["installed"]:
        rows.append(("node exporter, to be installed", -NODE_EXPORTER_NEED_MIB))
    return rows


def _fit(
    candidates: Sequence[Planned], available_mib: int, running: set[str]
) -> tuple[dict[str, Planned], dict[str, str], list[str]]:
    """Services that fit, those switched off with the reason, and refusals.

    A service that already runs stays, so that a fluctuation of a few MiB does not take away what works; its memory is
    not in `available_mib`, as the facts leave out what our own containers use.
    """
    services: dict[str, Planned] = {}
    switched_off: dict[str, str] = {}
    left = available_mib
    for planned in candidates:
        service = CATALOGUE[planned.name]
        if service.part_of in switched_off:
            continue
        with_parts = sum(it.need_mib for it in candidates if planned.name in (it.name, CATALOGUE[it.name].part_of))
        if not service.needed and planned.name not in running and not service.part_of and with_parts > left:
            switched_off[planned.name] = f"needs {with_parts} MiB of memory, {max(left, 0)} MiB are left"
            continue
        services[planned.name] = planned
        left -= planned.need_mib
    required = [planned for planned in candidates if CATALOGUE[planned.name].needed]
    missing = sum(planned.need_mib for planned in required) - available_mib
    refusals = []
    if missing > 0 and not {planned.name for planned in required} <= running:
        refusals.append(
            f"memory: {missing} MiB are missing for {', '.join(planned.name for planned in required)}. "
            "Take a larger bundle (1 GB is the smallest that fits beside an app), or stop what uses the memory: "
            "`ps aux --sort -rss | head` on the host shows it."
        )
    return services, switched_off, refusals


def _heap_refusals(
    services: Mapping[str, Planned], available_mib: int, running: set[str], in_force_mib: int
) -> list[str]:
    """A heap that is made larger while the program runs must fit as a new one would."""
    short = sum(service.need_mib for service in services.values()) - available_mib
    return [
        f"memory: {name} would get a heap of {service.heap_mib} MiB, now it has {in_force_mib}, and {short} MiB are "
        f"missing for it. Declare a smaller crowsnest_{name}_heap_mib, or take a larger bundle."
        for name, service in services.items()
        if name in running and 0 < in_force_mib < service.heap_mib and short > 0
    ]


def _heap_in_force(files: Mapping[str, str]) -> int:
    """MiB of the heap that Metabase runs with, from the fact `files` of the server; 0 when it runs with none."""
    found = re.search(r"-Xmx(\d+)m", files.get(METABASE_COMPOSE, ""))
    return int(found[1]) if found else 0


def _size_in_force(files: Mapping[str, str]) -> int:
    """The size that Prometheus runs with, from the fact `files` of the server; 0 when there is none."""
    found = re.search(r"--storage\.tsdb\.retention\.size=(\d+)MB", files.get(PROMETHEUS_COMPOSE, ""))
    return int(found[1]) if found else 0


def _retention_size(disk: Disk, in_force_mib: int) -> int:
    """MiB that metrics may take, from the disk of /var/lib.

    What is in force stays while the disk has room for it, so that images that are pulled and logs that grow do not
    recreate Prometheus.
    """
    room = disk["free_mib"] + disk["own_mib"]
    ours = min(DISK_SHARE_OF_TOTAL * disk["total_mib"], DISK_SHARE_OF_FREE * room)
    size = max((step for step in SIZE_STEPS_MIB if step <= ours), default=SIZE_STEPS_MIB[0])
    return in_force_mib if size < in_force_mib <= DISK_SHARE_IN_FORCE * room else size
