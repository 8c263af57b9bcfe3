# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which port each container listens on, and ports that two of them would need. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER, NODE_EXPORTER_PORT, Needs
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import InForce, Planned

HIGHEST_PORT = 65535


def usual_ports(needs: Mapping[str, Needs]) -> dict[str, int]:
    """{service: its port where none is declared}, node exporter included."""
    return {NODE_EXPORTER: NODE_EXPORTER_PORT, **{name: service.port for name, service in needs.items()}}


def instance_ports(
    instances: Mapping[str, Sequence[str]], base_ports: Mapping[str, int], before: InForce
) -> dict[str, int]:
    """{container: port} of services with several containers: the one in force, else the lowest free from its base on.

    `instances` is {service: its containers}, `base_ports` {service: port} of all services; no new one takes another's.
    """
    ports = {
        name: before.ports[name]
        for service, names in instances.items()
        for name in names
        if name in before.ports and before.base_ports.get(service) == base_ports[service]
    }
    for service, names in instances.items():
        taken = {*ports.values(), *(port for other, port in base_ports.items() if other != service)}
        free = (port for port in count(base_ports[service]) if port not in taken)
        ports |= dict(zip((name for name in names if name not in ports), free, strict=False))
    return ports


def clashes(services: Mapping[str, Planned], base_ports: Mapping[str, int]) -> list[str]:
    """Refusals of declared ports that one of several containers has already, or after which none is left for them."""
    instances = [planned for planned in services.values() if planned.is_instance]
    holders = {planned.port: planned.name for planned in instances}
    too_high = {planned.service for planned in instances if planned.port > HIGHEST_PORT}
    return [
        *(
            f"crowsnest_ports.{name}: {base_ports[name]} is also the port of {holders[base_ports[name]]}. "
            "Allowed: a free one."
            for name in (NODE_EXPORTER, *services)
            if base_ports.get(name) in holders
        ),
        *(
            f"crowsnest_ports.{name}: {base_ports[name]} is too high: each of its containers needs one from there on. "
            "Allowed: a lower one."
            for name in sorted(too_high)
        ),
    ]
