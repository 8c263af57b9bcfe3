"""The role node_exporter on folders of its own: its flags come from the plan, a team's file is kept once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEAM = 'ARGS="--web.listen-address=:9100 --collector.systemd"\n'


def plan(folder: Path, **different: Any) -> dict[str, Any]:
    return {
        "addresses": {"worker1": "10.0.0.2"},
        "port": 9101,
        "textfile_directory": str(folder / "metrics"),
        "replaced_flags": {},
        **different,
    }


def play(folder: Path, *words: str, **different: Any) -> str:
    """What Ansible says of the role's tasks that write files; `folder` holds the file with the flags."""
    tasks = yaml.safe_load((ROOT / "roles/node_exporter/tasks/main.yml").read_text())[:2]
    assert [task["name"] for task in tasks] == ["Create the folder of the textfile collector", "Write its flags"]
    flags = folder / "defaults"
    files = {str(flags): flags.read_text()} if flags.exists() else {}
    variables = {
        "ansible_python_interpreter": sys.executable,
        "__crowsnest_host": {"files": files, "node_exporter": {"installed": True, "flags": None}},
        "node_exporter_plan": plan(folder, **different),
        "__node_exporter_defaults_path": str(flags),
    }
    roles = str(ROOT / "roles/node_exporter")
    content = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [f"{roles}/defaults/main.yml", f"{roles}/vars/main.yml"],
        "tasks": tasks,
    }
    playbook, given = folder / "play.yml", folder / "variables.json"
    playbook.write_text(yaml.safe_dump([content]))
    given.write_text(json.dumps(variables))
    command = ["ansible-playbook", "-i", "worker1,", "-c", "local", "-e", f"@{given}", str(playbook), *words]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kept(folder: Path) -> list[str]:
    """Contents of the copies that lie beside the file."""
    return [path.read_text() for path in folder.glob("defaults.*~")]


def test_address_port_and_folder_come_from_the_plan(tmp_path: Path) -> None:
    said = play(tmp_path)
    text = (tmp_path / "defaults").read_text()
    assert '\nARGS="--web.listen-address=10.0.0.2:9101 ' in text
    assert f" --collector.textfile.directory={tmp_path}/metrics " in text
    assert (tmp_path / "metrics").is_dir()
    assert "changed=2" in said
    assert "changed=0" in play(tmp_path)


def test_the_folder_of_the_package_is_left_to_the_package(tmp_path: Path) -> None:
    said = play(tmp_path, textfile_directory="/var/lib/prometheus/node-exporter")
    assert re.search(r"changed=1 ", said)


def test_a_team_s_file_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "defaults").write_text(TEAM)
    play(tmp_path, replaced_flags={"worker1": "the team's"})
    assert kept(tmp_path) == [TEAM]
    play(tmp_path, port=9102)
    assert ":9102 " in (tmp_path / "defaults").read_text()
    assert kept(tmp_path) == [TEAM]


def test_another_host_s_flags_keep_no_copy_here(tmp_path: Path) -> None:
    (tmp_path / "defaults").write_text('ARGS=""\n')
    play(tmp_path, replaced_flags={"worker2": "the team's"})
    assert kept(tmp_path) == []


def test_a_prediction_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "defaults").write_text(TEAM)
    play(tmp_path, "--check", replaced_flags={"worker1": "the team's"})
    assert (tmp_path / "defaults").read_text() == TEAM and kept(tmp_path) == []


# The package starts its service at once: with the package's own flags it would listen on every address.
def test_the_flags_are_written_before_the_package_is_installed() -> None:
    tasks = yaml.safe_load((ROOT / "roles/node_exporter/tasks/main.yml").read_text())
    names = [task["name"] for task in tasks]
    assert names.index("Write its flags") < names.index("Install node exporter")
