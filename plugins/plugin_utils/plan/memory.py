# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which services fit into the memory of the server. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import (
    DOCKER_NEED_MIB,
    NODE_EXPORTER_NEED_MIB,
    Needs,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned

# Memory that stays free for bursts (apt, cron, a deployment). Below about 100 MiB small hosts begin to thrash.
HEADROOM_MIB = 128
# The heap of a Java program: a quarter of the host's memory, which is Java's own default, in these bounds and steps.
# Metabase restarts for lack of memory with less than 700 MiB; its makers recommend 1 GiB for up to 20 people:
# https://www.metabase.com/docs/latest/installation-and-operation/running-metabase-on-docker
HEAP_SHARE, HEAP_MINIMUM_MIB, HEAP_MAXIMUM_MIB, HEAP_STEP_MIB = 0.25, 768, 2048, 128


def memory_rows(here: HostFacts) -> list[tuple[str, int]]:
    """What there is, and what is taken before any of crowsnest's containers, in MiB; their sum is what is left.

    `here` are the facts of the server.
    """
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


def usual_heap_mib(total_mib: int) -> int:
    """MiB of a Java program's heap where none is declared. It depends on nothing that changes from run to run."""
    share = int(total_mib * HEAP_SHARE) // HEAP_STEP_MIB * HEAP_STEP_MIB
    return min(max(share, HEAP_MINIMUM_MIB), HEAP_MAXIMUM_MIB)


def fit(
    candidates: Sequence[Planned], needs: Mapping[str, Needs], available_mib: int, running: set[str]
) -> tuple[dict[str, Planned], dict[str, str]]:
    """Containers that fit, and those that are switched off with the reason. The last candidates go first.

    A container that already runs stays, so that a fluctuation of a few MiB does not take away what works; a new one
    gets what those leave, even when it is more important. Their memory is not in `available_mib`, as the facts leave
    out what crowsnest's own containers use. The reason tells what is left in the end, as the next run does.
    """
    staying = {planned.name for planned in candidates if _stays(planned, needs[planned.service], running)}
    left = available_mib - sum(planned.need_mib for planned in candidates if planned.name in staying)
    fitting, missing = set(staying), dict[str, int]()
    for planned in candidates:
        if planned.name in staying or needs[planned.service].part_of:
            continue
        parts = [part for part in candidates if needs[part.service].part_of == planned.service]
        together = planned.need_mib + sum(part.need_mib for part in parts)
        if together > left:
            missing[planned.name] = together
        else:
            fitting |= {planned.name, *(part.name for part in parts)}
            left -= together
    switched_off = {
        name: f"needs {together} MiB of memory, {max(left, 0)} MiB are left" for name, together in missing.items()
    }
    return {planned.name: planned for planned in candidates if planned.name in fitting}, switched_off


def _stays(planned: Planned, service: Needs, running: set[str]) -> bool:
    """Whether a container is there whatever memory is left; a part does what its service does."""
    return service.needed or (service.part_of or planned.name) in running


def missing_memory(required: Sequence[Planned], available_mib: int, running: set[str]) -> list[str]:
    """The refusal of a server that is too small for the services that every team needs."""
    names = [planned.name for planned in required]
    missing = sum(planned.need_mib for planned in required) - available_mib
    if missing <= 0 or set(names) <= running:
        return []
    return [
        f"memory: {missing} MiB are missing for {', '.join(names)}. "
        "Choose a larger bundle (1 GB is the smallest that fits next to an app), or stop what uses the memory: "
        "`ps aux --sort -rss | head` on the host shows it."
    ]


def heap_refusals(
    services: Mapping[str, Planned], available_mib: int, running: set[str], in_force_mib: Mapping[str, int]
) -> list[str]:
    """A heap that is made larger while the program runs must fit as a new one would."""
    short = sum(service.need_mib for service in services.values()) - available_mib
    return [
        f"memory: {name} would get a heap of {service.heap_mib} MiB instead of {in_force_mib[name]}, and {short} MiB "
        f"are missing for it. Declare a smaller crowsnest_{name}_heap_mib, or choose a larger bundle."
        for name, service in services.items()
        if name in running and 0 < in_force_mib.get(name, 0) < service.heap_mib and short > 0
    ]
