# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a plan holds: plain data without secrets."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from ansible_collections.crowsnest.core.plugins.module_utils.paths import PLAN_FILE, config_directory, data_directory
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.metrics import MetricsSource
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import BackupSize
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER


class Planned(BaseModel):
    """One container that runs.

    `name` is that of its compose service, `service` the service it is an instance of. `user` is its numeric user and
    group, `limit_mib` where the kernel stops it, `heap_mib` the part of it for a Java program's objects (0: not
    Java), `external_url` where people open its page.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    service: str
    image: str
    port: int
    user: int
    need_mib: int
    limit_mib: int
    heap_mib: int = 0
    external_url: str

    @property
    def url(self) -> str:
        """Where the server reaches it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_instance(self) -> bool:
        """Whether it is one of several containers of its service."""
        return self.name != self.service

    @property
    def config_directory(self) -> str:
        """Its configuration on the server."""
        return config_directory(self.name)

    @property
    def data_directory(self) -> str:
        """Its data on the server."""
        return data_directory(self.name)


class InForce(BaseModel):
    """What the last run put into force, kept on the server for the next plan.

    `hosts` maps a host to the address at which it is watched, `heaps_mib` a Java program to the size of its heap,
    `not_exported` an app to declared series that it lacks. `ports` maps each of several containers of a service to its
    port, `base_ports` that service to the one from which they were numbered.
    """

    model_config = ConfigDict(frozen=True)
    hosts: dict[str, str] = {}
    base_ports: dict[str, int] = {}
    ports: dict[str, int] = {}
    heaps_mib: dict[str, int] = {}
    retention_size_mib: int = 0
    not_exported: dict[str, list[str]] = {}


class Plan(BaseModel):
    """What a run will make true.

    `hosts` maps a monitored host to the address at which the server reaches its exporters (its own on loopback),
    `base_ports` a service, or node exporter, to the declared or usual port from which its containers are numbered,
    `switched_off` a service to the reason; `memory_rows` explain the sum. `replaced_flags` maps a host to the flags
    that the team gave its node exporter, which the run replaces. `backups` maps a backup that exists to its sizes,
    `not_exported` an app to declared series that it lacks. `bridge` is where containers find the server, empty where
    Docker has no default bridge. `firewall` maps a host that answers to its rules, empty without a firewall.
    """

    model_config = ConfigDict(frozen=True)
    server: str
    bridge: str = ""
    hosts: dict[str, str]
    base_ports: dict[str, int]
    replaced_flags: dict[str, str]
    services: dict[str, Planned]
    switched_off: dict[str, str]
    retention_size_mib: int
    memory_rows: list[tuple[str, int]]
    backups: dict[str, BackupSize] = {}
    not_exported: dict[str, list[str]] = {}
    firewall: dict[str, str] = {}
    refusals: list[str]

    @property
    def node_exporter_port(self) -> int:
        """Where node exporter listens on every host."""
        return self.base_ports[NODE_EXPORTER]

    def host_of(self, app: App) -> str:
        """Inventory name of the host that an app runs on."""
        return app.host or self.server

    def app_target(self, app: App, source: MetricsSource) -> MetricsPage:
        """A page of metrics as the server reaches it: `:8000` of an app on the server is 127.0.0.1:8000."""
        return source.page.on(self.hosts[self.host_of(app)])

    def to_keep(self) -> InForce:
        """What the next plan must know of this one. It holds nothing that differs from run to run."""
        heaps = {name: service.heap_mib for name, service in self.services.items() if service.heap_mib}
        instances = [planned for planned in self.services.values() if planned.is_instance]
        return InForce(
            hosts=self.hosts,
            base_ports={planned.service: self.base_ports[planned.service] for planned in instances},
            ports={planned.name: planned.port for planned in instances},
            heaps_mib=heaps,
            retention_size_mib=self.retention_size_mib,
            not_exported=self.not_exported,
        )


def in_force(files: Mapping[str, str]) -> InForce:
    """What the last run kept, from the fact `files` of the server; nothing where there is none."""
    try:
        return InForce.model_validate_json(files.get(PLAN_FILE, "{}"))
    except ValidationError:  # cut off, or edited by hand: as if there were none
        return InForce()
