# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a plan must know of a service: its port, its memory, whether the declaration wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

# node exporter runs natively on every host: its name among the ports, its usual port.
NODE_EXPORTER = "node_exporter"
NODE_EXPORTER_PORT = 9100
# Resident memory measured in the laboratory, rounded up.
NODE_EXPORTER_NEED_MIB = 25
# A Docker engine with containerd, not installed yet: resident memory of both, measured in the laboratory.
DOCKER_NEED_MIB = 110


def always(_declaration: Declaration) -> bool:
    """For a service that every team gets."""
    return True


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one container of a service needs of a host. Memory in MiB.

    `port` is on the host's loopback and also makes the container's numeric user (9090 → 21090), which has no entry in
    the host's passwd and so no login.
    `need_mib` is what it takes in normal work (measured in the laboratory, rounded up), by which the plan decides
    whether it fits; `limit_mib` is where the kernel stops it. Prometheus grows with what it watches.
    `needed` services are refused when they do not fit; the others are switched off with a reason.
    `wanted` tells whether the declaration needs it at all.
    `instances` names its containers, for a service that runs once for each database or cache; the default is one
    container, named as the service. Each listens on a port of its own: the lowest free one from `port` on.
    `heap`: for a Java program, returns the declared size of its heap, None for the default. `need_mib` and `limit_mib`
    are what it takes on top of its heap.
    `root`: why its container runs as root; empty for all others.
    `data`: it has a folder for data.
    `subdomain`: where its page is below `crowsnest_domain`.
    `part_of`: the service without which it has no use; the two run together or not at all.
    """

    name: str
    port: int
    need_mib: int
    limit_mib: int
    need_per_host_mib: int = 0
    need_per_app_mib: int = 0
    needed: bool = False
    wanted: Callable[[Declaration], bool] = always
    instances: Callable[[Declaration], Sequence[str]] | None = None
    heap: Callable[[Declaration], int | None] | None = None
    root: str = ""
    data: bool = False
    part_of: str = ""
    subdomain: str = ""

    @property
    def user(self) -> int:
        """Numeric user and group of its containers."""
        return 0 if self.root else 12000 + self.port
