"""The role host_program by way of the role container_metrics: what it writes, predicts and leaves alone."""

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

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import Work, host_program

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "files/container_metrics/container_metrics.py"
TEXTFILES = "/srv/metrics"
TIMER, SERVICE = "crowsnest-container-metrics.timer", "crowsnest-container-metrics.service"
IDLE = {"active": False, "enabled": False, "stale": False}
RUNS = {TIMER: {"active": True, "enabled": True, "stale": False}, SERVICE: IDLE}


def work(manager: str) -> Work:
    """All that is to be done on a fresh host."""
    return host_program("container_metrics", manager, {}, {}, {"textfile_directory": TEXTFILES})


def play(folder: Path, manager: str, *words: str, **variables: Any) -> str:
    """What Ansible says of a run of the role; `variables` override its own."""
    wanted = {
        "ansible_python_interpreter": sys.executable,
        "__crowsnest_host": {"service_manager": manager, "units": RUNS, "files": variables.pop("files", {})},
        "__crowsnest_plan": {"node_exporter": {"textfile_directory": TEXTFILES}},
        **variables,
    }
    playbook, given = folder / "play.yml", folder / "variables.json"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": ["container_metrics"]}]))
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
        directory=f"{root}{wanted['directory']}",
        files={f"{root}{path}": text for path, text in wanted["files"].items()},
        timers={},
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
