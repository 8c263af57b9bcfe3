# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Security updates by themselves: what unattended-upgrades may do, and a program that writes metrics of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    Configuration,
    HostProgram,
    Job,
    Schedule,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context


def settings(context: Context) -> dict[str, Any] | None:
    """Nothing that the program must know; None where updates are not declared."""
    return {} if context.declaration.updates else None


UPDATES = HostProgram(
    name="updates",
    sources=("updates.py",),
    jobs=(
        Job(
            name="updates",
            description="Metrics of security updates for node exporter",
            command="/usr/bin/python3 {directory}/updates.py {textfile_directory}",
            schedule=Schedule(calendar="hourly", accuracy="10m", words="every hour", cron="17 * * * *"),
            seconds=300,
            memory_mib=256,  # apt makes its index anew where it may not write it
            needs=(),
            writes=("{textfile_directory}",),
            capabilities=("CAP_DAC_OVERRIDE",),
            address_families=("AF_UNIX",),
        ),
    ),
    settings=settings,
    metrics="crowsnest-updates.prom",
    everywhere=True,
    packages={"unattended-upgrades": "/usr/share/unattended-upgrades/20auto-upgrades"},
    configurations=(
        Configuration("/etc/apt/apt.conf.d/52crowsnest-updates", "apt.conf"),
        Configuration(
            "/etc/needrestart/conf.d/crowsnest.conf", "needrestart.conf", "/etc/needrestart/conf.d/README.needrestart"
        ),
    ),
)
