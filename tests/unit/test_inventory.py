"""What Ansible reads of an inventory folder: the hosts and nothing else, with every kind of file in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A secret of every shape that Ansible would take for hosts, for a group, for a variable, or not understand at all. Each
# of their words has "hunter" in it, so no part of one may be seen.
SECRETS = {
    "slack_webhook_url": "https://hooks.slack.com/services/T0HUNTER/B0HUNTER/hunterAbCdEfGhIjKlMnOpQrStUv",
    "shop_database_password": "hunter horse-hunter 4hunter",
    "mail_password": "hunter: hunter with-hunter",
    "brackets_password": "hunter[01:03]word",
    "grafana_admin_password": "AbCdEfGhIjHunterOpQrStUvWxYz0123",
    "uptime_kuma_admin_password": "[hunter]",
    "ini_password": "hunter1=hunter2 ansible_password=hunter3",
    "json_key": '{"hunter": "hunter4"}',
    "api.yml": "hunter: hunter5",
    "id_ed25519": "-----BEGIN HUNTER PRIVATE KEY-----\nb3BlbnHunterAAAAA hunter6",
}
SCRIPT = '#!/bin/sh\necho \'{"all": {"hosts": ["hunter7"]}}\'\n'
OTHERS = {
    "rules/own.yml": "groups:\n  - name: hunter8\n    rules: []\n",
    "sql/sales.sql": "SELECT 'hunter9' AS total;\n",
    "notes.md": "hunter10 is the name of the cat\n",
    "notes": "ask hunter11: kim\n",
    "passwords.prod.yml": "database: hunter12\n",
    "vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6865756e74657231330a\n",
    "vault_password": "hunter14 hunter15\n",
    ".vault_pass": "hunter16 x\n",
    ".gitignore": "secrets/\n",
    "hosts.yml~": "server: {hosts: {hunter17: }}\n",
    "hosts.bak": "[server]\nhunter18\n",
    "ssh/deploy.pem": "-----BEGIN KEY-----\nhunter19\n",
    "docker-compose.yml": "services: {web: {image: hunter20}}\n",
    "host_vars/web1/.swp": "hunter21 x\n",
}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inventory that the README tells people to make, with files of every kind; its server does not answer."""
    folder = tmp_path_factory.mktemp("inventories") / "my production"
    shutil.copytree(ROOT / "inventories/example", folder)
    for name, text in {**{f"secrets/{name}": text for name, text in SECRETS.items()}, **OTHERS}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("make-secrets.old", "secrets/script", "secrets/vault-password.sh", "sql/run.py"):
        (folder / name).write_text(SCRIPT)
        (folder / name).chmod(0o700)
    hosts = folder / "hosts.yml"
    hosts.write_text(
        "server: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
        "monitored: {children: {server: }, hosts: {worker1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    )
    (folder / "host_vars/worker1.yml").write_text("private_address: 10.9.8.7\n")
    (folder / "prod.constructed.yml").write_text("plugin: constructed\nkeyed_groups: []\ngroups: {seen: true}\n")
    return folder


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False, text=True)


def hosts_of(*words: str | Path) -> list[str]:
    done = run("ansible", "all", "--list-hosts", *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return sorted(done.stdout.split()[2:])


def leaks(text: str) -> list[str]:
    return [line for line in text.splitlines() if "hunter" in line.lower()]


@pytest.mark.parametrize("form", ["{}", "{}/", "{}/hosts.yml"])
def test_only_the_hosts_are_hosts(inventory: Path, form: str) -> None:
    assert hosts_of("-i", form.format(inventory)) == ["web1", "worker1"]


def test_host_vars_group_vars_and_plugin_files_are_read(inventory: Path) -> None:
    done = run("ansible-inventory", "-i", inventory, "--list")
    assert done.stderr == ""
    assert '"private_address": "10.9.8.7"' in done.stdout
    assert '"crowsnest_timezone": "Asia/Seoul"' in done.stdout
    assert '"seen"' in done.stdout, "the group that the plugin makes"
    assert leaks(done.stdout) == []


def test_a_run_shows_no_secret_whatever_it_is_asked_to_say(inventory: Path) -> None:
    done = run("ansible-playbook", "-i", inventory, "playbooks/site.yml", "-vvv")
    assert "Parsed" in done.stdout, "with -vvv Ansible says what it read"
    assert "UNREACHABLE" in done.stdout, done.stdout[-2000:] + done.stderr
    assert leaks(done.stdout + done.stderr) == []
    assert "[WARNING]" not in done.stderr


def test_several_inventories_and_those_of_the_project_are_read(inventory: Path) -> None:
    assert hosts_of("-i", inventory, "-i", "molecule/fleet/inventory") == ["lab1", "lab2", "web1", "worker1"]
    assert hosts_of("-i", inventory, "-i", "more1,more2") == ["more1", "more2", "web1", "worker1"]
    assert hosts_of() == ["lab1"]
    assert hosts_of("-i", "inventories/example") == ["web1"]


def test_molecule_s_links_are_read(tmp_path: Path) -> None:
    (tmp_path / "hosts").symlink_to(ROOT / "inventories/lab/hosts.yml")
    (tmp_path / "group_vars").symlink_to(ROOT / "inventories/lab/group_vars")
    # As Molecule writes it: the playbooks that make a lab need its variables.
    (tmp_path / "ansible_inventory.yml").write_text("all: {hosts: {lab1: {}}, vars: {molecule_yml: seen}}\n")
    assert hosts_of("-i", tmp_path) == ["lab1"]
    assert '"molecule_yml": "seen"' in run("ansible-inventory", "-i", tmp_path, "--host", "lab1").stdout
    assert '"crowsnest_environment": "development"' in run("ansible-inventory", "-i", tmp_path, "--list").stdout


# Names of files whose hosts are read when -i names their folder, and names that are not.
READ = (
    *("hosts", "hosts.yml", "hosts.yaml", "hosts.json", "hosts.ini", "hosts.toml"),
    *(
        "inventory",
        "inventory.yml",
        "inventory.yaml",
        "inventory.json",
        "inventory.ini",
        "inventory.py",
        "inventory.sh",
    ),
    *("lightsail.yml", "prod.lightsail.yml", "prod.aws_ec2.yaml", "a.b.hcloud.yml", "constructed.yml"),
)
NOT_READ = (
    *("hosts.yml~", "hosts.yml.bak", "hosts.old", "hosts.old.yml", "hosts.yml.orig", "old.hosts.yml", "hosts2"),
    *("production.yml", "secrets.prod.yml", "prod.lightsail.yml.bak", "lightsail", "my_lightsail.yml", "HOSTS"),
    *("inventory.bak", "inventory.yml~", "my_inventory.yml", "inventory2", "inventory.cfg"),
)


def test_a_file_is_read_by_its_name() -> None:
    code = "import sys; from ansible.inventory.manager import IGNORED\n"
    code += "print(*(name for name in sys.argv[1:] if not IGNORED.search(name.encode())))"
    assert run("python", "-c", code, *READ, *NOT_READ).stdout.split() == list(READ)


# A source that cannot be read: what is in the folder.
BROKEN = {
    "prod.lightsail.yml": "plugin: no.such.plugin\n",
    "hosts.yml": "server: [\n",
    "hosts": "[server]\nweb1 and more\n",
    "hosts.json": '{"server": {"hosts"',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_fails_ends_the_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "hosts.yml").write_text("server: {hosts: {web1: }}\nmonitored: {children: {server: }}\n")
    (tmp_path / name).write_text(BROKEN[name])
    done = run("ansible-playbook", "-i", tmp_path, "playbooks/verify.yml")
    assert done.returncode != 0
    assert f"Completely failed to parse inventory source {tmp_path / name}" in done.stderr
    assert "PLAY" not in done.stdout
