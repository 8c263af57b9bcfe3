# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Queries the Docker engine about all containers of the host, and writes metrics of them for node exporter."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    HostProgram,
    Job,
    Schedule,
)

CONTAINER_METRICS = HostProgram(
    name="container_metrics",
    sources=("container_metrics.py",),
    jobs=(
        Job(
            name="container-metrics",
            description="Metrics of the containers for node exporter",
            command="/usr/bin/python3 {directory}/container_metrics.py"
            f" --socket {DOCKER_SOCKET} {{textfile_directory}}",
            schedule=Schedule(calendar="*:*:00/30", accuracy="1s", words="every 30 seconds", cron="* * * * *"),
            seconds=20,
            memory_mib=64,
            # docker.socket listens for a stopped engine, and a request to it would start the engine.
            needs=("docker.service",),
            writes=("{textfile_directory}",),
            capabilities=("CAP_DAC_OVERRIDE",),
            address_families=("AF_UNIX",),
        ),
    ),
)
