# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a native program is: files, and jobs that a timer or a line for cron starts. Pure.

A program runs without a container, with the Python of the host. Its files are in files/NAME of this repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.paths import config_directory
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, HEADER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

UNITS_DIRECTORY = "/etc/systemd/system"
CRON_DIRECTORY = "/etc/cron.d"
# What a program reads beside it, where it depends on the declaration.
SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What a job must know of its host. A command and a folder may name a field, as in `{textfile_directory}`."""

    textfile_directory: str


@dataclass(frozen=True)
class Schedule:
    """When a job starts. It also starts at once when its timer does.

    `calendar`: systemd.time(7). `accuracy`: how much later systemd may start it. `words`: the same for a person.
    `cron`: crontab(5), for a host without systemd; a minute is the shortest time there.
    """

    calendar: str
    accuracy: str
    words: str
    cron: str


@dataclass(frozen=True)
class Job:
    """One command of a program, which runs as root in a sandbox: what it needs of the host is named here.

    `name` makes the names of its units and of its cron file. `needs`: units without which it does not start; they are
    not started for it. `seconds` is how long it may take, `memory_mib` what it may use. `writes`: folders in which it
    may write. `capabilities` and `address_families`: systemd.exec(5). `loopback`: it speaks to services of its host.
    """

    name: str
    description: str
    command: str
    schedule: Schedule
    seconds: int
    memory_mib: int
    needs: tuple[str, ...]
    writes: tuple[str, ...]
    capabilities: tuple[str, ...]
    address_families: tuple[str, ...]
    loopback: bool = False

    @property
    def unit(self) -> str:
        """Its name on a host."""
        return f"crowsnest-{self.name}"

    @property
    def service(self) -> str:
        """The unit that runs it."""
        return f"{self.unit}.service"

    @property
    def timer(self) -> str:
        """The unit that starts it."""
        return f"{self.unit}.timer"

    @property
    def timer_path(self) -> str:
        """Path of its timer's unit."""
        return f"{UNITS_DIRECTORY}/{self.timer}"


@dataclass(frozen=True)
class Configuration:
    """A file for another program of the host: its `path`, and its `source` in the folder below files/.

    `beside`: it is made only where this file is, for a program that not every host has.
    """

    path: str
    source: str
    beside: str = ""


@dataclass(frozen=True)
class HostProgram:
    """`name` is that of its folder, below files/ and on the host; `sources` are the files in it.

    `settings`, for one that is only there when it is declared, makes what its file SETTINGS_FILE says, if anything;
    None: it is not declared. `metrics` is its file in the folder of node exporter, which goes when it goes.
    `everywhere`: on each host that is watched, not on the server alone. `packages`: what it needs, {name: a file that
    is only there with it}; they stay.
    """

    name: str
    sources: tuple[str, ...]
    jobs: tuple[Job, ...]
    settings: Callable[[Context], dict[str, Any] | None] | None = None
    metrics: str = ""
    everywhere: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    configurations: tuple[Configuration, ...] = ()

    @property
    def directory(self) -> str:
        """Its folder on the host."""
        return config_directory(self.name)


def source_files(program: HostProgram) -> dict[str, str]:
    """{absolute path: text} of the program itself."""
    return {f"{program.directory}/{name}": (FILES / program.name / name).read_text() for name in program.sources}


def configuration_files(program: HostProgram, found: Container[str]) -> dict[str, str]:
    """{absolute path: text} for other programs; `found` are files of the host."""
    wanted = [file for file in program.configurations if not file.beside or file.beside in found]
    return {file.path: (FILES / program.name / file.source).read_text() for file in wanted}


def settings_file(program: HostProgram, settings: Mapping[str, Any]) -> dict[str, str]:
    """{absolute path: text} of its settings; they hold no secret. None where there are none."""
    text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    return {f"{program.directory}/{SETTINGS_FILE}": text} if settings else {}


def job_files(program: HostProgram, job: Job, service_manager: str, settings: Settings) -> dict[str, str]:
    """{absolute path: text} of what starts a job: its units, or its line for cron where there is no systemd."""
    names = {"directory": program.directory, **asdict(settings)}
    if service_manager != "systemd":
        return {f"{CRON_DIRECTORY}/{job.unit}": _cron_file(job, names)}
    return {
        f"{UNITS_DIRECTORY}/{job.service}": _service_unit(job, names),
        job.timer_path: _timer_unit(job),
    }


def _service_unit(job: Job, names: Mapping[str, str]) -> str:
    """Systemd's own lines stay in the journal only where a start fails; a healthy program prints nothing."""
    return (
        HEADER
        + f"""\
[Unit]
Description={job.description}
{_needs(job)}
[Service]
Type=oneshot
ExecStart={job.command.format(**names)}
TimeoutStartSec={job.seconds}
MemoryMax={job.memory_mib}M
Nice=10
IOSchedulingClass=idle
SyslogLevel=err
LogLevelMax=notice
NoNewPrivileges=yes
CapabilityBoundingSet={" ".join(job.capabilities)}
{_network(job)}
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths={" ".join(folder.format(**names) for folder in job.writes)}
RestrictAddressFamilies={" ".join(job.address_families)}
MemoryDenyWriteExecute=yes
LockPersonality=yes
"""
    )


def _network(job: Job) -> str:
    return "IPAddressDeny=any\nIPAddressAllow=localhost" if job.loopback else "PrivateNetwork=yes"


def _needs(job: Job) -> str:
    """Requisite, not Requires: a job must not start what somebody stopped."""
    return "".join(f"Requisite={unit}\nAfter={unit}\n" for unit in job.needs)


def _timer_unit(job: Job) -> str:
    return (
        HEADER
        + f"""\
[Unit]
Description={job.description}, {job.schedule.words}

[Timer]
OnActiveSec=0
OnCalendar={job.schedule.calendar}
AccuracySec={job.schedule.accuracy}

[Install]
WantedBy=timers.target
"""
    )


def _cron_file(job: Job, names: Mapping[str, str]) -> str:
    command = job.command.format(**names)
    return f"{HEADER}{job.schedule.cron} root nice timeout {job.seconds} {command} 2>&1 | logger -t {job.unit}\n"
