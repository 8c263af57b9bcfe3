"""Native programs: their texts for systemd and for cron, and what is left to do on a host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    COMPOSE_FILE,
    NODE_EXPORTER_DEFAULTS,
    PLAN_FILE,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.facts_to_read import facts_to_read
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    Settings,
    job_files,
    source_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import (
    Work,
    host_program,
    paths_of,
    units_of,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES

PROGRAM = "/opt/crowsnest/container_metrics/container_metrics.py"
TIMER, SERVICE = "crowsnest-container-metrics.timer", "crowsnest-container-metrics.service"
UNITS = "/etc/systemd/system"
CRON = "/etc/cron.d/crowsnest-container-metrics"
SETTINGS = {"textfile_directory": "/srv/metrics"}
COMMAND = f"/usr/bin/python3 {PROGRAM} --socket /var/run/docker.sock /srv/metrics"
MADE = "# Made by crowsnest. A change made here is undone by the next run: change the inventory instead.\n"
TEXTS = {
    f"{UNITS}/{SERVICE}": f"""\
{MADE}[Unit]
Description=Metrics of the containers for node exporter
Requisite=docker.service
After=docker.service

[Service]
Type=oneshot
ExecStart={COMMAND}
TimeoutStartSec=20
MemoryMax=64M
Nice=10
IOSchedulingClass=idle
SyslogLevel=err
LogLevelMax=notice
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE
PrivateNetwork=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=/srv/metrics
RestrictAddressFamilies=AF_UNIX
MemoryDenyWriteExecute=yes
LockPersonality=yes
""",
    f"{UNITS}/{TIMER}": f"""\
{MADE}[Unit]
Description=Metrics of the containers for node exporter, every 30 seconds

[Timer]
OnActiveSec=0
OnCalendar=*:*:00/30
AccuracySec=1s

[Install]
WantedBy=timers.target
""",
    CRON: f"{MADE}* * * * * root nice timeout 20 {COMMAND} 2>&1 | logger -t crowsnest-container-metrics\n",
}
IDLE = {"active": False, "enabled": False, "stale": False}
RUNS = {TIMER: {"active": True, "enabled": True, "stale": False}, SERVICE: IDLE}

per_program = pytest.mark.parametrize("name", HOST_PROGRAMS)
per_manager = pytest.mark.parametrize("manager", ["systemd", "sysvinit"])


def complete(manager: str) -> dict[str, str]:
    """{path: text} of a host on which container_metrics is complete."""
    units = [path for path in TEXTS if (path == CRON) is (manager == "sysvinit")]
    return {PROGRAM: (FILES / "container_metrics/container_metrics.py").read_text()} | {it: TEXTS[it] for it in units}


def work(manager: str, files: dict[str, str], units: dict[str, dict[str, bool]] | None = None) -> Work:
    return host_program("container_metrics", manager, files, RUNS if units is None else units, SETTINGS)


@per_manager
def test_a_fresh_host_gets_the_program_and_what_starts_it(manager: str) -> None:
    assert work(manager, {}, {}) == {
        "todo": "put_right",
        "directory": "/opt/crowsnest/container_metrics",
        "files": complete(manager),
        "packages": [],
        "timers": {TIMER: f"{UNITS}/{TIMER}"} if manager == "systemd" else {},
        "gone": [],
    }


@per_manager
def test_nothing_is_left_to_do_where_all_is_there_and_runs(manager: str) -> None:
    left = work(manager, complete(manager))
    assert (left["todo"], left["files"], left["timers"]) == ("", {}, {})


# What differs on a host with systemd makes its timer start again.
@pytest.mark.parametrize("path", complete("systemd"))
def test_a_file_that_differs_is_written_and_the_timer_restarted(path: str) -> None:
    left = work("systemd", {**complete("systemd"), path: "edited by hand\n"})
    assert left["files"] == {path: complete("systemd")[path]}
    assert list(left["timers"]) == [TIMER]


UNIT_FAULTS: dict[str, dict[str, dict[str, bool]]] = {
    "stopped": {**RUNS, TIMER: RUNS[TIMER] | {"active": False}},
    "not started at boot": {**RUNS, TIMER: RUNS[TIMER] | {"enabled": False}},
    "an older timer is in force": {**RUNS, TIMER: RUNS[TIMER] | {"stale": True}},
    "an older service is in force": {**RUNS, SERVICE: IDLE | {"stale": True}},
    "nobody looked": {},
}


@pytest.mark.parametrize("fault", UNIT_FAULTS)
def test_a_timer_that_does_not_run_as_its_files_say_is_started(fault: str) -> None:
    left = work("systemd", complete("systemd"), UNIT_FAULTS[fault])
    assert (left["todo"], left["files"], left["timers"]) == ("put_right", {}, {TIMER: f"{UNITS}/{TIMER}"})


# --- a program that is there only when it is declared ---

WEEKLY = "/opt/crowsnest/weekly_report"
WEEKLY_UNITS = [f"crowsnest-weekly-report.{kind}" for kind in ("timer", "service")]
WEEKLY_SERVICE = f"""\
{MADE}[Unit]
Description=Weekly message about hosts and apps

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 {WEEKLY}/weekly_report.py /srv/metrics
TimeoutStartSec=240
MemoryMax=64M
Nice=10
IOSchedulingClass=idle
SyslogLevel=err
LogLevelMax=notice
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE
IPAddressDeny=any
IPAddressAllow=localhost
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=/srv/metrics
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryDenyWriteExecute=yes
LockPersonality=yes
"""


def weekly(manager: str, files: dict[str, str], own: dict[str, str] | None) -> Work:
    units = {WEEKLY_UNITS[0]: RUNS[TIMER], WEEKLY_UNITS[1]: IDLE}
    return host_program("weekly_report", manager, files, units, SETTINGS, own)


@per_manager
def test_a_declared_one_has_its_settings_beside_it_and_changes_with_them(manager: str) -> None:
    made = weekly(manager, {}, {"at": "09:00"})
    assert made["files"][f"{WEEKLY}/settings.json"] == '{\n "at": "09:00"\n}\n'
    assert weekly(manager, made["files"], {"at": "09:00"})["todo"] == ""
    assert list(weekly(manager, made["files"], {"at": "10:00"})["files"]) == [f"{WEEKLY}/settings.json"]


def test_one_that_speaks_to_services_reaches_no_other_host() -> None:
    assert weekly("systemd", {}, {})["files"][f"{UNITS}/{WEEKLY_UNITS[1]}"] == WEEKLY_SERVICE


@per_manager
def test_what_is_no_longer_declared_goes_with_its_metrics_and_its_folder_last(manager: str) -> None:
    there = weekly(manager, {}, {})["files"]
    left = weekly(manager, there, None)
    assert (left["todo"], left["files"]) == ("remove", {})
    own = {path for path in there if not path.startswith(WEEKLY)}
    assert set(left["gone"]) == own | {"/srv/metrics/crowsnest-weekly-report.prom", WEEKLY}
    assert left["gone"][-1] == WEEKLY
    timer = {WEEKLY_UNITS[0]: f"{UNITS}/{WEEKLY_UNITS[0]}"}
    assert left["timers"] == (timer if manager == "systemd" else {})
    # Cut off before its folder went.
    only_folder = {path: text for path, text in there.items() if path.startswith(WEEKLY)}
    assert weekly(manager, only_folder, None)["gone"][-1] == WEEKLY


def test_where_it_never_was_nothing_is_left_to_do() -> None:
    nothing: Any = {"todo": "", "files": {}, "packages": [], "timers": {}, "gone": []}
    assert weekly("systemd", {}, None) == nothing | {"directory": WEEKLY}


# --- one that is on every host, needs a package, and brings files for other programs ---

APT, NEEDRESTART = "/etc/apt/apt.conf.d/52crowsnest-updates", "/etc/needrestart/conf.d/crowsnest.conf"
INSTALLED, WITH_NEEDRESTART = (
    "/usr/share/unattended-upgrades/20auto-upgrades",
    "/etc/needrestart/conf.d/README.needrestart",
)


def updates(manager: str, files: dict[str, str], own: dict[str, str] | None) -> Work:
    units = {"crowsnest-updates.timer": RUNS[TIMER], "crowsnest-updates.service": IDLE}
    return host_program("updates", manager, files, units, SETTINGS, own)


@per_manager
def test_its_package_is_installed_once_and_other_programs_are_configured_where_they_are(manager: str) -> None:
    bare, with_both = updates(manager, {}, {}), updates(manager, {INSTALLED: "", WITH_NEEDRESTART: ""}, {})
    assert (bare["packages"], with_both["packages"]) == (["unattended-upgrades"], [])
    assert set(with_both["files"]) - set(bare["files"]) == {NEEDRESTART}
    assert bare["files"][APT] == (FILES / "updates/apt.conf").read_text()
    done = {**with_both["files"], INSTALLED: "", WITH_NEEDRESTART: ""}
    assert updates(manager, done, {})["todo"] == ""
    assert updates(manager, {**done, APT: "edited"}, {})["files"] == {APT: bare["files"][APT]}
    # The package was removed by hand.
    assert updates(manager, with_both["files"], {})["todo"] == "put_right"


@per_manager
def test_its_files_for_other_programs_go_with_it_and_theirs_stay(manager: str) -> None:
    theirs = {INSTALLED: "", WITH_NEEDRESTART: ""}
    there = updates(manager, theirs, {})["files"] | theirs
    left = updates(manager, there, None)
    assert left["todo"] == "remove" and {APT, NEEDRESTART} <= set(left["gone"])
    assert not set(theirs) & set(left["gone"])
    assert updates(manager, theirs, None)["todo"] == ""


@per_program
def test_the_list_names_a_program_by_its_own_name_and_its_files_exist(name: str) -> None:
    program = HOST_PROGRAMS[name]
    assert program.name == name and program.jobs
    assert all(text.startswith("#!") for text in source_files(program).values())


@per_program
@per_manager
def test_everything_that_a_program_writes_or_starts_is_read_before(name: str, manager: str) -> None:
    left = host_program(name, manager, {}, {}, SETTINGS, {} if HOST_PROGRAMS[name].settings else None)
    read = facts_to_read(["monitored"] if HOST_PROGRAMS[name].everywhere else ["monitored", "server"])
    assert set(left["files"]) <= set(read["files"]) and set(left["timers"]) <= set(read["units"])
    assert set(paths_of(HOST_PROGRAMS[name])) <= set(read["files"])
    assert set(units_of(HOST_PROGRAMS[name])) <= set(read["units"])


@per_program
def test_a_line_for_cron_has_five_times_a_user_and_no_percent_sign(name: str) -> None:
    program = HOST_PROGRAMS[name]
    for job in program.jobs:
        (text,) = job_files(program, job, "sysvinit", Settings(**SETTINGS)).values()
        line = text.splitlines()[1]
        assert line.split()[5:7] == ["root", "nice"]
        assert "%" not in line  # cron takes it for the end of the line
        assert "." not in f"crowsnest-{job.name}"  # cron reads no file with a dot in its name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@per_program
def test_systemd_understands_every_line(tmp_path: Path, name: str) -> None:
    program = HOST_PROGRAMS[name]
    for job in program.jobs:
        for path, text in job_files(program, job, "systemd", Settings(**SETTINGS)).items():
            (tmp_path / Path(path).name).write_text(text.replace("/usr/bin/python3", "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / job.service, tmp_path / job.timer],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not [line for line in done.stderr.splitlines() if str(tmp_path) in line or job.unit in line], done.stderr


def test_what_the_plan_reads_of_the_server_is_read() -> None:
    assert {COMPOSE_FILE, PLAN_FILE, NODE_EXPORTER_DEFAULTS} <= set(facts_to_read(["server"])["files"])


OF_BACKUPS = ["/usr/local/bin/crowsnest-backup", "/etc/cron.d/crowsnest-backup"]


OF_UPDATES = [
    "/opt/crowsnest/updates/updates.py",
    "/opt/crowsnest/updates/settings.json",
    f"{UNITS}/crowsnest-updates.service",
    f"{UNITS}/crowsnest-updates.timer",
    "/etc/cron.d/crowsnest-updates",
    APT,
    NEEDRESTART,
    INSTALLED,
    WITH_NEEDRESTART,
]
UPDATES_UNITS = ["crowsnest-updates.timer", "crowsnest-updates.service"]


def test_a_host_that_is_only_watched_is_asked_for_its_flags_and_for_what_runs_everywhere() -> None:
    assert facts_to_read(["monitored"]) == {
        "files": ["/etc/default/prometheus-node-exporter", *OF_BACKUPS, *OF_UPDATES],
        "units": UPDATES_UNITS,
        "released_apps": {},
        "prometheus_url": "http://127.0.0.1:9090",
        "measured_apps": [],
        "declared_series": {},
    }


def test_what_a_run_decides_by_is_read_on_the_server() -> None:
    assert facts_to_read(["monitored", "server"]) == {
        "files": [
            "/etc/default/prometheus-node-exporter",
            *OF_BACKUPS,
            "/opt/crowsnest/compose.yaml",
            "/opt/crowsnest/plan.json",
            PROGRAM,
            f"{UNITS}/{SERVICE}",
            f"{UNITS}/{TIMER}",
            CRON,
            f"{WEEKLY}/weekly_report.py",
            f"{WEEKLY}/settings.json",
            f"{UNITS}/{WEEKLY_UNITS[1]}",
            f"{UNITS}/{WEEKLY_UNITS[0]}",
            "/etc/cron.d/crowsnest-weekly-report",
            *OF_UPDATES,
        ],
        "units": [TIMER, SERVICE, *WEEKLY_UNITS, *UPDATES_UNITS],
        "released_apps": {},
        "prometheus_url": "http://127.0.0.1:9090",
        "measured_apps": [],
        "declared_series": {},
    }


APPS = [
    {"name": "shop", "compose": "/srv/shop/compose.yaml", "sentry": {"release": "git"}},
    {"name": "blog", "compose": "/srv/blog/compose.yaml", "sentry": {"release": "image", "restart": ["web", "worker"]}},
    {"name": "idle", "compose": "/srv/idle/compose.yaml", "sentry": {"release": "1.2"}},
    {"name": "bare", "compose": "/srv/bare/compose.yaml"},
    {"name": "far", "host": "web2", "compose": "/srv/far/compose.yaml", "sentry": {"release": "git"}},
]


def test_the_release_of_an_app_is_asked_on_its_host() -> None:
    here, there = facts_to_read(["server"], APPS, "web1"), facts_to_read(["monitored"], APPS, "web2")
    assert here["released_apps"] == {
        "shop": {"compose": "/srv/shop/compose.yaml", "service": ""},
        "blog": {"compose": "/srv/blog/compose.yaml", "service": "web"},
    }
    assert there["released_apps"] == {"far": {"compose": "/srv/far/compose.yaml", "service": ""}}


def test_the_server_asks_its_prometheus_for_the_series_that_panels_need() -> None:
    waits = {"name": "shop_failures_total", "type": "counter", "labels": ["reason"], "description": "Failures"}
    shop = {"name": "shop", "custom_metrics": [{"name": "shop_campaigns", "description": "Campaigns"}, waits]}
    apps = [shop, {"name": "late", "custom_metrics": [waits]}, {"name": "bare"}]
    assert facts_to_read(["server"], apps, "web1")["declared_series"] == {"shop": ["shop_campaigns"]}
    assert facts_to_read(["monitored"], apps, "web2")["declared_series"] == {}


def test_the_server_asks_its_prometheus_about_all_apps_that_report_to_sentry() -> None:
    here = facts_to_read(["server"], APPS, "web1", {"prometheus": 19090})
    assert here["prometheus_url"] == "http://127.0.0.1:19090"
    assert here["measured_apps"] == ["shop", "blog", "idle", "far"]
    assert facts_to_read(["monitored"], APPS, "web2")["measured_apps"] == []
