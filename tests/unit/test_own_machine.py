"""Tasks on the machine that runs Ansible: what the inventory says of its hosts does not hold there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# What a team may say of its hosts, none of which is true of the machine that runs Ansible.
OF_THE_HOSTS = {
    "ansible_become": True,
    "ansible_become_user": "somebody-else",
    "ansible_become_exe": "/no/such/sudo",
    "ansible_python_interpreter": "/no/such/python3.9",
    "ansible_user": "nobody-here",
    "ansible_port": 1,
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
}
INVENTORIES = {
    "localhost is not in it": {"all": {"vars": OF_THE_HOSTS, "hosts": {"web1": {}}}},
    "localhost is in it": {"all": {"vars": OF_THE_HOSTS, "hosts": {"web1": {}, "localhost": {}}}},
}


def tasks_here() -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, task or block) of all that is delegated to this machine, the outermost of each."""

    def found(tasks: Any) -> Iterator[dict[str, Any]]:
        for task in tasks or []:
            if task.get("delegate_to") == "localhost":
                yield task
            else:
                for key in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
                    yield from found(task.get(key))

    for path in sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]):
        content = yaml.safe_load(path.read_text())
        yield from (
            (str(path.relative_to(ROOT)), task) for task in (found(content) if isinstance(content, list) else ())
        )


def test_there_are_such_tasks() -> None:
    assert {path for path, _ in tasks_here()} >= {"roles/secrets/tasks/make.yml", "roles/verify/tasks/main.yml"}


@pytest.mark.parametrize(("path", "task"), list(tasks_here()))
def test_every_such_task_says_how_this_machine_is_reached(path: str, task: Mapping[str, Any]) -> None:
    assert task.get("vars") == {
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }, path
    assert "become" not in task, "a variable of the inventory beats the keyword"


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_they_work_whatever_the_inventory_says_of_its_hosts(tmp_path: Path, inventory: str) -> None:
    folder, report = tmp_path / "my secrets", tmp_path / "my report.json"
    variables = {
        "__secrets_lost": [],
        "__secrets_missing": [{"name": "one", "service": "grafana", "data": "/d"}],
        **{"verify_json": str(report), "__verify_asked": {"report": {"failed": 0}}},
    }
    written = [task for path, task in tasks_here() if path == "roles/verify/tasks/main.yml"]
    roles = [{"name": "Make secrets", "ansible.builtin.import_tasks": str(ROOT / "roles/secrets/tasks/make.yml")}]
    play = {"hosts": "web1", "gather_facts": False, "become": True, "vars": variables, "tasks": [*roles, *written]}
    play["vars"] |= {"__secrets_directory": str(folder), "__crowsnest_root": "/opt/crowsnest"}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "hosts.json").write_text(json.dumps(INVENTORIES[inventory]))
    done = subprocess.run(
        ["ansible-playbook", "--become", "-i", tmp_path / "hosts.json", tmp_path / "play.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((folder / "one").read_text()) == 32
    assert (folder / "one").stat().st_uid == os.getuid()
    assert json.loads(report.read_text()) == {"failed": 0}


def test_a_server_that_is_this_machine_runs_with_the_system_s_python_and_not_with_a_shim(tmp_path: Path) -> None:
    for version in range(8, 16):
        (tmp_path / f"python3.{version}").write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
        (tmp_path / f"python3.{version}").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible", "web1", "-i", "web1,", "-c", "local", "-m", "ansible.builtin.ping"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
