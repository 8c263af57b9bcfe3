# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of services: what each one needs of a host. Images are in files/images.yml."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.crowsnest.core.plugins.module_utils.paths import CONFIG_ROOT as CONFIG_ROOT
from ansible_collections.crowsnest.core.plugins.module_utils.paths import DATA_ROOT as DATA_ROOT
from ansible_collections.crowsnest.core.plugins.module_utils.paths import KEYS_DIRECTORY as KEYS_DIRECTORY


@dataclass(frozen=True)
class Service:
    """One container of the stack.

    `port` is on the host's loopback and also makes the container's numeric user (9090 → 21090), which has no entry in
    the host's passwd and so no login.
    `need_mib` is what it takes in normal work (measured in the laboratory, rounded up), by which the plan decides
    whether it fits; `limit_mib` is where the kernel stops it. Both in MiB; Prometheus grows with what it watches.
    `needed` services are refused when they do not fit; the others are switched off with a reason.
    `reloads`: it takes a new configuration on `POST /-/reload` and exports when it did. The others are recreated.
    `answers`: the path at which it says that it works; other than /metrics, blackbox exporter asks there. Empty: it
    speaks no HTTP.
    `heap`: a Java program; `need_mib` and `limit_mib` are what it takes beside its heap, which the plan decides.
    `pids`: how many processes and threads the kernel lets it have. Our programs use 8 to 13 of them, measured on
    2 cores with 60 requests at a time, and Go one more for each core; ten times that, as a program that cannot start a
    thread ends. A loop that starts processes stops there and leaves the host alone.
    `go`: a program in Go, which collects garbage harder near a memory limit that it knows.
    `part_of`: the service without which it has no use; the two run together or not at all.
    """

    name: str
    port: int
    need_mib: int
    limit_mib: int
    pids: int = 128
    need_per_host_mib: int = 0
    need_per_app_mib: int = 0
    needed: bool = True
    data: bool = False
    reloads: bool = True
    answers: str = "/metrics"
    heap: bool = False
    go: bool = False
    part_of: str = ""

    @property
    def exports(self) -> bool:
        """Whether Prometheus reads it itself."""
        return self.answers == "/metrics"

    @property
    def probed(self) -> bool:
        """Whether blackbox exporter asks it instead."""
        return self.answers not in ("", "/metrics")

    @property
    def user(self) -> int:
        """Numeric user and group of the container."""
        return 12000 + self.port


# The order is the order of importance: when memory runs short the last ones are switched off first.
CATALOGUE: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            "prometheus",
            9090,
            need_mib=110,
            limit_mib=256,
            need_per_host_mib=6,
            need_per_app_mib=6,
            data=True,
            go=True,
        ),
        Service("alertmanager", 9093, need_mib=35, limit_mib=128, data=True, go=True),
        Service("blackbox", 9115, need_mib=25, limit_mib=64, needed=False, go=True),
        # Not measured by us: the official image cannot be had in the laboratory. The limit leaves room for Grafana's
        # command line, a second process in the container, which sets a new password; plugins are processes as well.
        Service(
            "grafana", 3000, need_mib=200, limit_mib=512, pids=256, needed=False, data=True, reloads=False, go=True
        ),
        # One process more for each monitor that pings at this moment.
        Service("uptime_kuma", 3001, need_mib=200, limit_mib=448, pids=256, needed=False, data=True, reloads=False),
        # Not measured by us, as Grafana. Classes, compiled code and threads of a Java program of this size.
        Service(
            "metabase",
            3002,
            need_mib=320,
            limit_mib=512,
            pids=512,
            needed=False,
            data=True,
            reloads=False,
            answers="/api/health",
            heap=True,
        ),
        Service(
            "metabase_database",
            5434,
            need_mib=70,
            limit_mib=192,
            needed=False,
            data=True,
            reloads=False,
            answers="",
            part_of="metabase",
        ),
    )
}

# Secrets that are made once on the machine that runs crowsnest, and the service whose data depend on them.
SECRETS = {
    "grafana_admin_password": "grafana",
    "grafana_secret_key": "grafana",
    "uptime_kuma_admin_password": "uptime_kuma",
    "uptime_kuma_push_key": "uptime_kuma",
    "metabase_admin_password": "metabase",
    "metabase_encryption_key": "metabase",
    "metabase_database_password": "metabase_database",
    "database_reader_password": "metabase",
}
# Of these another one does no harm: the same run gives it to everybody who needs it.
REPLACEABLE = {"database_reader_password"}

# Services with a page for people, the first to open first, and what they do there.
PAGES = {
    "grafana": "these dashboards",
    "metabase": "what the business earns, in numbers that anybody can ask for",
    "uptime_kuma": "see what answers from outside; the status page is for everybody",
    "prometheus": "try queries, see which target is silent (Status, Target health)",
    "alertmanager": "silence an alert during planned work",
}

# node exporter runs natively on every host; its name among the ports, its usual port, the file with its flags.
NODE_EXPORTER = "node_exporter"
NODE_EXPORTER_PORT = 9100
NODE_EXPORTER_DEFAULTS = "/etc/default/prometheus-node-exporter"
# Resident memory measured in the laboratory, rounded up.
NODE_EXPORTER_NEED_MIB = 25
# A Docker engine with containerd that is not there yet: resident memory of both, measured in the laboratory.
DOCKER_NEED_MIB = 110
