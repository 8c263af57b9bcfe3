# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left to do for a native program on a host. Pure.

Decided by what exists and what runs, not by what a run changed: the next run completes one that was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    CRON_DIRECTORY,
    SETTINGS_FILE,
    UNITS_DIRECTORY,
    HostProgram,
    Job,
    Settings,
    configuration_files,
    job_files,
    settings_file,
    source_files,
)

# {name: {"active", "enabled", "stale"}}: the fact `units` of a host.
Units = Mapping[str, Mapping[str, bool]]


class Work(TypedDict):
    """`todo` is the file of tasks that does it; empty when nothing is left to do.

    To put right: `files` that are missing or differ, {path: text}; the program's `directory`; `packages` to install;
    `timers` to start, {name: path}. To remove: paths that are `gone` then, and the same `timers`.
    """

    todo: Literal["", "put_right", "remove"]
    directory: str
    files: dict[str, str]
    packages: list[str]
    timers: dict[str, str]
    gone: list[str]


def host_program(
    name: str,
    service_manager: str,
    files: Mapping[str, str],
    units: Units,
    settings: Mapping[str, str],
    own: Mapping[str, Any] | None = None,
) -> Work:
    """What is left to do for the program `name`; `service_manager`, `files` and `units` are facts of the host.

    `settings` are the fields of `Settings`, `own` what its settings file says; None for a program that has one: it is
    not declared.
    """
    program, known = HOST_PROGRAMS[name], Settings(**settings)
    if program.settings and own is None:
        return _removal(program, service_manager, files, known)
    wanted = {**source_files(program), **(settings_file(program, own) if own is not None else {})}
    sources = _differing(wanted | configuration_files(program, files), files)
    to_write, timers = dict(sources), {}
    for job in program.jobs:
        of_job = _differing(job_files(program, job, service_manager, known), files)
        to_write |= of_job
        if service_manager == "systemd" and (sources or of_job or not _started(job, units)):
            timers[job.timer] = job.timer_path
    missing = [name for name, file in program.packages.items() if file not in files]
    todo: Literal["", "put_right"] = "put_right" if to_write or timers or missing else ""
    return Work(todo=todo, directory=program.directory, files=to_write, packages=missing, timers=timers, gone=[])


def _removal(program: HostProgram, service_manager: str, files: Mapping[str, str], known: Settings) -> Work:
    """Decided by its files: the last one to go is its folder, so that a removal that was cut off goes on."""
    there = [path for path in paths_of(program) if path in files]
    own = [path for path in there if not path.startswith(f"{program.directory}/")]
    gone = [*own, f"{known.textfile_directory}/{program.metrics}", program.directory] if there else []
    timers = {job.timer: job.timer_path for job in program.jobs if job.timer_path in there}
    return Work(
        todo="remove" if gone else "",
        directory=program.directory,
        files={},
        packages=[],
        timers=timers if service_manager == "systemd" else {},
        gone=gone,
    )


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
        *([f"{program.directory}/{SETTINGS_FILE}"] if program.settings else []),
        *(f"{UNITS_DIRECTORY}/{unit}" for job in program.jobs for unit in (job.service, job.timer)),
        *(f"{CRON_DIRECTORY}/{job.unit}" for job in program.jobs),
        *(file.path for file in program.configurations),
    ]


def looked_for(program: HostProgram) -> list[str]:
    """Files of others that tell what the host has."""
    beside = (file.beside for file in program.configurations if file.beside)
    return [*program.packages.values(), *beside]


def units_of(program: HostProgram) -> list[str]:
    """Its units of systemd."""
    return [unit for job in program.jobs for unit in (job.timer, job.service)]
