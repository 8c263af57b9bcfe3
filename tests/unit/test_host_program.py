"""The role host_program by way of the roles that use it: what it writes, predicts, leaves alone and removes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from server_facts import FACTS

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.updates import UPDATES
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import (
    Work,
    host_program,
    looked_for,
)

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "files/container_metrics/container_metrics.py"
TEXTFILES = "/srv/metrics"
TIMER, SERVICE = "crowsnest-container-metrics.timer", "crowsnest-container-metrics.service"
IDLE = {"active": False, "enabled": False, "stale": False}
RUNS = {TIMER: {"active": True, "enabled": True, "stale": False}, SERVICE: IDLE}


def work(manager: str) -> Work:
    """All that is to be done on a fresh host."""
    return host_program("container_metrics", manager, {}, {}, {"textfile_directory": TEXTFILES})


def play(folder: Path, manager: str, *words: str, role: str = "container_metrics", **variables: Any) -> str:
    """What Ansible says of a run of the role; `variables` override its own."""
    wanted = {
        "ansible_python_interpreter": sys.executable,
        "__crowsnest_host": {"service_manager": manager, "units": RUNS, "files": variables.pop("files", {})},
        "__crowsnest_plan": {"node_exporter": {"textfile_directory": TEXTFILES}},
        **variables,
    }
    playbook, given = folder / "play.yml", folder / "variables.json"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [role]}]))
    given.write_text(json.dumps(wanted))
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{given}", str(playbook), *words]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def changed(said: str) -> int:
    found = re.search(r"changed=(\d+)", said)
    assert found
    return int(found[1])


def below(root: Path, wanted: Work) -> Work:
    """The same work with every path below a folder of the test."""
    return Work(
        todo=wanted["todo"],
        directory=f"{root}{wanted['directory']}",
        files={f"{root}{path}": text for path, text in wanted["files"].items()},
        packages=[],
        timers={},
        gone=[f"{root}{path}" for path in wanted["gone"]],
    )


@pytest.mark.parametrize("manager, folder", [("sysvinit", "etc/cron.d"), ("systemd", "etc/systemd/system")])
def test_the_role_writes_what_is_left_to_do(tmp_path: Path, manager: str, folder: str) -> None:
    root, wanted = tmp_path / "root", work(manager)
    (root / folder).mkdir(parents=True)
    said = play(tmp_path, manager, __host_program_work=below(root, wanted))
    written = {path for path in root.rglob("*") if path.is_file()}
    assert {f"/{path.relative_to(root)}": path.read_text() for path in written} == wanted["files"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}
    assert changed(said) == 2


@pytest.mark.parametrize("manager, files", [("sysvinit", 2), ("systemd", 3)])
def test_a_fresh_host_is_predicted_without_starting_what_is_not_there(tmp_path: Path, manager: str, files: int) -> None:
    said = play(tmp_path, manager, "--check")
    assert changed(said) == 2
    assert re.findall(r"changed: .*item=(.*)\)", said) == list(work(manager)["files"])
    assert len(work(manager)["files"]) == files


@pytest.mark.parametrize("manager", ["sysvinit", "systemd"])
def test_nothing_is_done_when_all_is_there_and_runs(tmp_path: Path, manager: str) -> None:
    said = play(tmp_path, manager, files=work(manager)["files"])
    # ok=1 is the check of the role's own variables.
    assert re.search(r"ok=1 +changed=0 .*skipped=1 ", said)


def test_the_folder_comes_from_the_plan(tmp_path: Path) -> None:
    elsewhere = {"node_exporter": {"textfile_directory": "/srv/other"}}
    said = play(tmp_path, "sysvinit", "--check", files=work("sysvinit")["files"], __crowsnest_plan=elsewhere)
    assert re.findall(r"changed: .*item=(.*)\)", said) == ["/etc/cron.d/crowsnest-container-metrics"]


def test_a_program_that_is_no_longer_declared_is_removed(tmp_path: Path) -> None:
    known = ("sysvinit", {}, {}, {"textfile_directory": TEXTFILES})
    root, there = tmp_path / "root", below(tmp_path / "root", host_program("weekly_report", *known, {}))
    for path in [*there["files"], f"{root}{TEXTFILES}/crowsnest-weekly-report.prom", f"{root}{TEXTFILES}/own.prom"]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("x")
    files = {path.removeprefix(str(root)): "x" for path in there["files"]}
    wanted = host_program("weekly_report", "sysvinit", files, {}, known[3])
    work_left = {"weekly_report_context": "", "__host_program_work": below(root, wanted)}
    said = play(tmp_path, "sysvinit", role="weekly_report", **work_left)
    assert changed(said) == 1
    assert [path for path in root.rglob("*") if path.is_file()] == [root / TEXTFILES[1:] / "own.prom"]


def context_text(**declared: Any) -> str:
    variables = {f"crowsnest_{name}": value for name, value in declared.items()}
    hostvars = {"web1": {"preflight_look": {"host": FACTS}}}
    return str(filters.plan(variables, "web1", ["web1"], hostvars, "/nowhere", "/nowhere")["context"])


@pytest.mark.parametrize("declared", [False, True])
def test_the_weekly_message_costs_no_task_unless_something_is_left_to_do(tmp_path: Path, declared: bool) -> None:
    slack = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
    context = context_text(**({"weekly_report": {}, "receivers": [slack]} if declared else {}))
    known: Any = ({}, {}, {"textfile_directory": TEXTFILES}, context)
    files = filters.host_program("weekly_report", "sysvinit", *known)["files"]
    assert bool(files) == declared
    variables = {"weekly_report_context": context, "files": files}
    said = play(tmp_path, "sysvinit", role="weekly_report", **variables)
    assert re.search(r"ok=1 +changed=0 .*skipped=1 ", said)


def test_what_updates_need_is_predicted_on_a_fresh_host(tmp_path: Path) -> None:
    said = play(tmp_path, "sysvinit", "--check", role="updates", updates_context=context_text(updates=True))
    assert "unattended-upgrades would be installed" in said
    assert "item=/etc/apt/apt.conf.d/52crowsnest-updates" in said and "needrestart" not in said


@pytest.mark.parametrize("declared", [False, True])
def test_updates_cost_no_task_unless_something_is_left_to_do(tmp_path: Path, declared: bool) -> None:
    context = context_text(updates=declared)
    there = dict.fromkeys(looked_for(UPDATES), "")
    files = filters.host_program("updates", "sysvinit", there, {}, {"textfile_directory": TEXTFILES}, context)["files"]
    assert bool(files) == declared
    said = play(tmp_path, "sysvinit", role="updates", updates_context=context, files=there | files)
    assert re.search(r"ok=1 +changed=0 .*skipped=1 ", said)
