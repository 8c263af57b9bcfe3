# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left to do for a native program on a host. Pure.

Decided by what exists and what runs, not by what a run changed: the next run completes one that was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    CRON_DIRECTORY,
    UNITS_DIRECTORY,
    HostProgram,
    Job,
    Settings,
    job_files,
    source_files,
)

# {name: {"active", "enabled", "stale"}}: the fact `units` of a host.
Units = Mapping[str, Mapping[str, bool]]


class Work(TypedDict):
    """`files` that are missing or differ, {path: text}; the program's `directory`; `timers` to start, {name: path}."""

    directory: str
    files: dict[str, str]
    timers: dict[str, str]


def host_program(
    name: str, service_manager: str, files: Mapping[str, str], units: Units, settings: Mapping[str, str]
) -> Work:
    """What is left to do for the program `name`; `service_manager`, `files` and `units` are facts of the host.

    `settings` are the fields of `Settings`.
    """
    program, known = HOST_PROGRAMS[name], Settings(**settings)
    sources = _differing(source_files(program), files)
    to_write, timers = dict(sources), {}
    for job in program.jobs:
        own = _differing(job_files(program, job, service_manager, known), files)
        to_write |= own
        if service_manager == "systemd" and (sources or own or not _started(job, units)):
            timers[job.timer] = job.timer_path
    return Work(directory=program.directory, files=to_write, timers=timers)


def _differing(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in wanted.items() if found.get(path) != text}


def _started(job: Job, units: Units) -> bool:
    """The timer runs, also after a reboot, and systemd has read both files since they were written."""
    timer, service = units.get(job.timer), units.get(job.service)
    if timer is None or service is None:
        return False
    return timer["active"] and timer["enabled"] and not timer["stale"] and not service["stale"]


def paths_of(program: HostProgram) -> list[str]:
    """Every file that it may have on a host, whatever the host's service manager."""
    return [
        *(f"{program.directory}/{name}" for name in program.sources),
        *(f"{UNITS_DIRECTORY}/{unit}" for job in program.jobs for unit in (job.service, job.timer)),
        *(f"{CRON_DIRECTORY}/{job.unit}" for job in program.jobs),
    ]


def units_of(program: HostProgram) -> list[str]:
    """Its units of systemd."""
    return [unit for job in program.jobs for unit in (job.timer, job.service)]
