"""Every verb refuses, before it asks anything of a host, what it would otherwise pass over in silence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VERBS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
SERVER = {"ansible_host": "127.0.0.1", "ansible_port": 1}
WEB1 = {"server": {"hosts": {"web1": SERVER}}, "monitored": {"children": {"server": None}, "hosts": {"lab2": SERVER}}}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A server and another host, which do not answer, and a declaration."""
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(WEB1))
    (tmp_path / "group_vars").mkdir()
    receivers = [{"type": "slack", "webhook_url": "https://hooks.slack.com/services/T0/B0/x", "channel": "#a"}]
    declared = {"crowsnest_environment": "test", "crowsnest_receivers": receivers}
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump(declared))
    return tmp_path


def run(verb: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"}
    command = ["ansible-playbook", f"playbooks/{verb}.yml", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_server_every_verb_fails_and_says_what_is_missing(verb: str) -> None:
    done = run(verb, "-i", "web1,", "-vv")
    assert done.returncode != 0
    assert "The inventory needs a group `server` with exactly one host; it has 0." in done.stdout
    assert "TASK [Refuse" in done.stdout.split("PLAY [")[1], "in its first play"
    assert done.stdout.count("\nPLAY [") == 1, "and no other was begun"


def test_an_inventory_without_any_host_has_no_server_either(inventory: Path) -> None:
    (inventory / "hosts.yml").write_text("server:\nmonitored:\n")
    done = run("alert_test", "-i", inventory)
    assert done.returncode != 0
    assert "needs a group `server`" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--limit", "lab2"], "--limit leaves out web1, the server."),
        (["--tags", "grafana"], "Tags are not supported"),
        (["--skip-tags", "grafana"], "Tags are not supported"),
    ],
    ids=str,
)
def test_what_would_run_a_part_only_is_refused(inventory: Path, words: list[str], sentence: str) -> None:
    done = run("alert_test", "-i", inventory, *words)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert "UNREACHABLE" not in done.stdout, "nothing was asked of a host"


@pytest.mark.parametrize("place", ["host_vars/lab2.yml", "group_vars/server.yml"])
def test_a_setting_that_does_not_hold_for_all_hosts_is_refused(inventory: Path, place: str) -> None:
    (inventory / place).parent.mkdir(exist_ok=True)
    (inventory / place).write_text("crowsnest_apps: [{name: worker}]\ncrowsnest_environment: test\n")
    done = run("alert_test", "-i", inventory)
    assert done.returncode != 0
    assert "crowsnest_apps: its value for lab2 differs from that of the server web1" in done.stdout
    assert "crowsnest_environment" not in done.stdout, "the same value in two places is one value"


@pytest.mark.parametrize(
    "words", [[], ["--tags", "all"], ["--limit", "web1"], ["-e", '{"crowsnest_apps": []}']], ids=str
)
def test_a_fitting_inventory_passes(inventory: Path, words: list[str]) -> None:
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars/lab2.yml").write_text("private_address: 10.0.0.2\n")
    done = run("alert_test", "-i", inventory, *words)
    assert "UNREACHABLE" in done.stdout, done.stdout


# What has hosts of its own under a name that is not read.
UNREAD = {
    "workers": "[workers]\nw3\n",
    "ec2.py": '#!/bin/sh\ntouch "$0.was-run"\n',
    "eu/hosts.yml": "a: {hosts: {w3: }}\n",
}


@pytest.mark.parametrize("name", UNREAD)
def test_hosts_under_a_name_that_is_not_read_are_refused(inventory: Path, name: str) -> None:
    (inventory / name).parent.mkdir(exist_ok=True)
    (inventory / name).write_text(UNREAD[name])
    (inventory / name).chmod(0o755 if name == "ec2.py" else 0o644)
    done = run("alert_test", "-i", inventory)
    assert done.returncode != 0
    assert f"{inventory / name.partition('/')[0]} " in done.stdout
    assert "Ansible does not read a" in done.stdout
    assert "UNREACHABLE" not in done.stdout
    assert not list(inventory.glob("*.was-run"))


def test_what_a_folder_holds_besides_hosts_does_not_stop_a_run(inventory: Path) -> None:
    (inventory / "inventory.yml").write_text("more: {hosts: {}}\n")
    (inventory / "NOTES").write_text("set ansible_user=kim when needed\n")
    (inventory / ".env").write_text("x ansible_password=hunter2\n")
    (inventory / "values.yml").write_text("plugin: x\n")
    (inventory / "secrets").mkdir()
    (inventory / "secrets/hosts.yml").write_text("api: x\n")
    done = run("alert_test", "-i", inventory)
    assert "UNREACHABLE" in done.stdout, done.stdout
