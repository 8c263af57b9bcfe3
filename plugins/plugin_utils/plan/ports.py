# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which port each container listens on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER, NODE_EXPORTER_PORT, Needs


def usual_ports(needs: Mapping[str, Needs]) -> dict[str, int]:
    """{service: its port where none is declared}, node exporter included."""
    return {NODE_EXPORTER: NODE_EXPORTER_PORT, **{name: service.port for name, service in needs.items()}}


def instance_ports(instances: Mapping[str, Sequence[str]], base_ports: Mapping[str, int]) -> dict[str, int]:
    """{container: port} of services with several containers: the lowest free ones from the service's base port on.

    `instances` is {service: its containers}, `base_ports` {service: port} of all services; nobody takes another's.
    """
    ports: dict[str, int] = {}
    for service, names in instances.items():
        base = base_ports[service]
        taken = {*base_ports.values(), *ports.values()} - {base}
        free = (port for port in count(base) if port not in taken)
        ports |= dict(zip(names, free, strict=False))
    return ports
