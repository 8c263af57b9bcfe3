"""Secrets that a run makes are taken by every service, whatever was drawn."""

import json
import subprocess
from pathlib import Path

import yaml

TASKS = Path(__file__).resolve().parents[2] / "roles/secrets/tasks/make.yml"
# Of so many drawn from letters and digits alone, seven would have no digit.
MANY = 2000


def test_metabase_takes_each_of_them(tmp_path: Path) -> None:
    """A password needs a digit: https://www.metabase.com/docs/latest/people-and-groups/changing-password-complexity"""
    tasks = [task for entry in yaml.safe_load(TASKS.read_text()) for task in entry.get("block", [])]
    (content,) = [task["ansible.builtin.copy"]["content"] for task in tasks if "ansible.builtin.copy" in task]
    every = f"{{% for _ in range({MANY}) %}}{content}\n{{% endfor %}}"
    write = {"name": "Make many", "ansible.builtin.copy": {"dest": str(tmp_path / "made"), "content": every}}
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [write]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(["ansible-playbook", tmp_path / "play.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = (tmp_path / "made").read_text().split()
    assert len(set(made)) == MANY
    assert {len(secret) for secret in made} == {32}
    assert [secret for secret in made if not any(map(str.isdigit, secret))] == []
