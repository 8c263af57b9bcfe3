"""Commands that a person pastes into a shell: they reach what Ansible reaches."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.connection import (
    inventory_option,
    left_out,
    reached,
    ssh_command,
)

WEB1 = {"inventory_hostname": "web1"}
# (variables of the host): the command
COMMANDS: list[tuple[dict[str, Any], str]] = [
    ({}, "ssh -N web1"),
    ({"ansible_host": "203.0.113.7", "ansible_user": "ubuntu"}, "ssh -N ubuntu@203.0.113.7"),
    ({"ansible_ssh_host": "b", "ansible_host": "a", "ansible_ssh_user": "u"}, "ssh -N u@b"),
    ({"ansible_host": "2001:db8::1", "ansible_user": "u"}, "ssh -N u@2001:db8::1"),
    ({"ansible_port": 2222}, "ssh -N -p 2222 web1"),
    ({"ansible_ssh_port": "2222"}, "ssh -N -p 2222 web1"),
    ({"ansible_ssh_common_args": "-J admin@bastion"}, "ssh -N -J admin@bastion web1"),
    (
        {"ansible_ssh_common_args": "-o ProxyJump=b -o 'User kim'", "ansible_ssh_extra_args": "-v"},
        "ssh -N -o ProxyJump=b -o 'User kim' -v web1",
    ),
    ({"ansible_ssh_args": "-F /a/config", "ansible_port": 3}, "ssh -N -F /a/config -p 3 web1"),
    ({"ansible_ssh_private_key_file": "/a b/key"}, "ssh -N -i '/a b/key' web1"),
    ({"ansible_private_key_file": "/key", "ansible_ssh_executable": "/opt/ssh"}, "/opt/ssh -N -i /key web1"),
    ({"ansible_ssh_common_args": "", "ansible_user": ""}, "ssh -N web1"),
    ({"ansible_connection": "ansible.builtin.ssh"}, "ssh -N web1"),
    ({"ansible_connection": "local"}, ""),
    ({"ansible_connection": "amazon.aws.aws_ssm"}, ""),
]


@pytest.mark.parametrize(("variables", "command"), COMMANDS, ids=str)
def test_the_command_has_all_that_ansible_needs_to_reach_the_host(variables: dict[str, Any], command: str) -> None:
    assert ssh_command(WEB1 | variables, "-N") == command


# What may hold a password: the options, and what is left of them.
LEFT_OUT = [
    ("-o ProxyCommand='sshpass -p hunter2 ssh -W %h:%p kim@jump'", "ssh web1"),
    ("-o 'ProxyCommand sshpass -p hunter2 ssh -W %h:%p kim@jump' -J b", "ssh -J b web1"),
    ("-oproxycommand='sshpass -p hunter2 ssh' -v", "ssh -v web1"),
    ("-4 -o 'ProxyCommand = nc hunter2' -i /key", "ssh -4 -i /key web1"),
    ("-o SetEnv='A=b TOKEN=hunter2'", "ssh web1"),
    ("-E hunter2 -vvv", "ssh -vvv web1"),
    ("hunter2", "ssh web1"),
    ("-J", "ssh web1"),
    ('-o "hunter2', "ssh web1"),
    (["-o", "hunter2"], "ssh web1"),
]


@pytest.mark.parametrize("name", ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"])
@pytest.mark.parametrize(("options", "command"), LEFT_OUT)
def test_an_option_that_may_hold_a_password_is_left_out_and_its_variable_named(
    name: str, options: Any, command: str
) -> None:
    assert ssh_command({**WEB1, name: options}) == command
    assert left_out({**WEB1, name: options}) == [name]


@pytest.mark.parametrize("options", ["-C -o ControlMaster=auto -oControlPersist=60s", "-J a@b:22,c", "-Fnone -46", ""])
def test_other_options_are_all_there(options: str) -> None:
    assert ssh_command({**WEB1, "ansible_ssh_common_args": options}).split() == ["ssh", *options.split(), "web1"]
    assert left_out({**WEB1, "ansible_ssh_common_args": options}) == []


def test_the_ssh_client_understands_it(tmp_path: Path) -> None:
    key = tmp_path / "my key"
    key.touch()
    variables = {"ansible_host": "2001:db8::1", "ansible_user": "u", "ansible_port": 2222}
    variables |= {"ansible_ssh_common_args": "-J a@bastion:2200", "ansible_ssh_private_key_file": str(key)}
    command = ["sh", "-c", ssh_command(variables, "-F", "/dev/null", "-G")]
    shown = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    wanted = {"hostname 2001:db8::1", "user u", "port 2222", "proxyjump a@bastion:2200", f"identityfile {key}"}
    assert wanted - set(shown) == set()


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@settings(max_examples=60)
@given(st.fixed_dictionaries({"inventory_hostname": WORD, "ansible_user": WORD, "ansible_private_key_file": WORD}))
def test_a_shell_takes_each_value_as_one_word(variables: dict[str, str]) -> None:
    key, user, host = (variables[name] for name in ("ansible_private_key_file", "ansible_user", "inventory_hostname"))
    assert shlex.split(ssh_command(variables)) == ["ssh", "-i", key, f"{user}@{host}"]


SOURCES = [
    (["/repo/inventories/production"], "-i inventories/production"),
    (["/repo/inventories/production/hosts.yml"], "-i inventories/production/hosts.yml"),
    (["/repo/inventories/my prod"], "-i 'inventories/my prod'"),
    (["/srv/prod", "/repo/inventories/b"], "-i /srv/prod -i inventories/b"),
    (["web1,"], "-i web1,"),
]


@pytest.mark.parametrize(("sources", "option"), SOURCES)
def test_the_inventory_is_named_as_the_launcher_takes_it(sources: list[str], option: str) -> None:
    assert inventory_option(sources, Path("/repo")) == option


@pytest.mark.parametrize(
    ("variables", "way"),
    [
        ({}, ("web1", 22, False)),
        ({"ansible_host": "[2001:db8::1]", "ansible_port": 2222}, ("2001:db8::1", 2222, False)),
        ({"ansible_host": "a", "ansible_ssh_common_args": "-J admin@bastion"}, ("a", 22, True)),
        ({"ansible_host": "a", "ansible_ssh_extra_args": '-o ProxyCommand="ssh -W %h:%p b"'}, ("a", 22, True)),
        ({"ansible_host": "a", "ansible_ssh_args": "-C -o ControlMaster=auto"}, ("a", 22, False)),
    ],
    ids=str,
)
def test_where_a_host_is_and_whether_a_jump_host_is_between(
    variables: dict[str, Any], way: tuple[str, int, bool]
) -> None:
    assert reached(WEB1 | variables) == way
