"""Public variables of roles are few, and what one says is what a host gets; the plan and verify follow it.

A default that is a template hands a role its slice of the run (`<role>_context`) and is not a setting.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.module_utils.paths import NODE_EXPORTER_DEFAULTS
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import team_flags

ROOT = Path(__file__).resolve().parents[2]
HOST = {
    "os": {"id": "debian", "version": "13"},
    "docker": {"version": None, "from_docker": False, "python_client": True},
}
PLAN = {"node_exporter": {"addresses": {"web1": "10.0.0.1"}, "port": 9100, "textfile_directory": "/srv/metrics"}}


def argument(role: str, module: str, name: str) -> str:
    """An argument of the role's only task with this module, as it stands in the file."""
    files = (ROOT / f"roles/{role}/tasks").glob("*.yml")
    tasks = [task for path in files for task in yaml.safe_load(path.read_text())]
    (found,) = [task[module] for task in tasks if module in task]
    return str(found[name])


@dataclass(frozen=True)
class Change:
    """A variable of `role` that is set to `value`: what the template `place` is without that, and with it."""

    role: str
    value: Any
    place: str
    usual: Any
    changed: Any


DISTRIBUTION = ["docker.io", "docker-cli", "docker-compose"]
DOCKER = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin"]
CHANGES = {
    "docker_packages": Change("docker", "docker", "{{ __docker_engine_packages }}", DISTRIBUTION, DOCKER),
    "node_exporter_flags": Change(
        "node_exporter", ["--collector.systemd"], "{{ __node_exporter_flags[4:] }}", [], ["--collector.systemd"]
    ),
    "toolbox_index_url": Change(
        "toolbox",
        "https://pypi.example.com/simple",
        argument("toolbox", "crowsnest.core.python_environment", "index_url"),
        "",
        "https://pypi.example.com/simple",
    ),
    "verify_wait_seconds": Change("verify", 45, argument("verify", "crowsnest.core.verify", "wait"), 0, 45),
    "verify_json": Change(
        "verify", "/tmp/report.json", argument("verify", "ansible.builtin.copy", "dest"), "", "/tmp/report.json"
    ),
}


def plain_defaults() -> set[str]:
    """Every public variable that has a value of its own."""
    files = [yaml.safe_load(path.read_text()) or {} for path in (ROOT / "roles").glob("*/defaults/main.yml")]
    return {name for defaults in files for name, value in defaults.items() if "{{" not in str(value)}


def test_every_public_variable_is_proven_here() -> None:
    assert plain_defaults() == set(CHANGES)


def play_of(variable: str, place: str, path: Path, **variables: Any) -> dict[str, Any]:
    """A play that writes what a template of a role is, as JSON."""
    role = ROOT / "roles" / CHANGES[variable].role
    files = [role / folder / "main.yml" for folder in ("defaults", "vars")]
    return {
        "hosts": "web1",
        "gather_facts": False,
        "vars": {"__crowsnest_host": HOST, "__crowsnest_plan": PLAN},
        "vars_files": [str(file) for file in files if file.exists()],
        "tasks": [{
            "ansible.builtin.copy": {"dest": str(path), "content": "{{ place | to_json }}"},
            "vars": {"place": place, **variables},
        }],
    }  # fmt: skip


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """{(variable, "usual" or "changed"): what the place is}, and the file of node exporter's flags."""
    folder = tmp_path_factory.mktemp("rendered")
    plays = []
    for variable, change in CHANGES.items():
        plays.append(play_of(variable, change.place, folder / f"{variable}-usual"))
        plays.append(play_of(variable, change.place, folder / f"{variable}-changed", **{variable: change.value}))
    flags = CHANGES["node_exporter_flags"].value
    text = "{{ __node_exporter_defaults }}"
    plays.append(play_of("node_exporter_flags", text, folder / "file-changed", node_exporter_flags=flags))
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    done = subprocess.run(
        ["ansible-playbook", "-i", "web1,", "-c", "local", folder / "play.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = [path for path in folder.iterdir() if "-" in path.name]
    return {(name, state): json.loads(path.read_text()) for path in files for name, state in [path.name.split("-")]}


@pytest.mark.parametrize("variable", CHANGES)
def test_what_a_variable_says_is_what_the_host_gets(rendered: dict[tuple[str, str], Any], variable: str) -> None:
    change = CHANGES[variable]
    assert rendered[variable, "usual"] == change.usual
    assert rendered[variable, "changed"] == change.changed


# The plan tells of flags that a run replaces: a team's, not those that it wrote itself.
def test_the_plan_knows_changed_flags_of_node_exporter_as_ours(rendered: dict[tuple[str, str], Any]) -> None:
    text = rendered["file", "changed"]
    assert " --collector.systemd" in text
    assert team_flags({NODE_EXPORTER_DEFAULTS: text}) == ""
    assert team_flags({NODE_EXPORTER_DEFAULTS: 'ARGS="--collector.systemd"\n'})
