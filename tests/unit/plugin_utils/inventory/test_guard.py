"""What would be passed over in silence, said before anything is asked of a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.guard import inventory_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1", "lab2"], "all": ["web1", "lab2", "other"]}
NO_SERVER = "./crowsnest new NAME makes an inventory; inventories/example shows one."  # how to go on


def mistakes(
    groups: Mapping[str, Sequence[str]] = GROUPS,
    variables: Mapping[str, Mapping[str, Any]] | None = None,
    in_this_run: Sequence[str] = ("web1", "lab2", "other", "localhost"),
    tags: Sequence[str] = ("all",),
    sources: Sequence[str] = (),
) -> list[str]:
    given = variables or {}
    every = {name: given.get(name, {}) for name in GROUPS["all"]}
    return inventory_mistakes(
        groups, every, in_this_run, tags, sources, lambda name: name == "hosts.yml" or name.endswith(".some_cloud.yml")
    )


# (groups): the sentence
INVENTORIES: list[tuple[dict[str, list[str]], str]] = [
    ({}, f"The inventory needs a group `server` with exactly one host; it has 0. {NO_SERVER}"),
    ({"monitored": ["web1"]}, f"The inventory needs a group `server` with exactly one host; it has 0. {NO_SERVER}"),
    (
        {"server": ["web1", "web2"], "monitored": ["web1", "web2"]},
        f"The inventory needs a group `server` with exactly one host; it has 2: web1, web2. {NO_SERVER}",
    ),
    (
        {"server": ["web1"], "monitored": ["web2"]},
        "web1 is in group `server`, but not in `monitored`. Make `server` a child group of `monitored`.",
    ),
]


def test_a_fitting_inventory_has_no_mistakes() -> None:
    assert mistakes() == []


@pytest.mark.parametrize(("groups", "sentence"), INVENTORIES)
def test_the_inventory_has_one_server_that_is_monitored(groups: dict[str, list[str]], sentence: str) -> None:
    assert mistakes(groups) == [sentence]


@pytest.mark.parametrize("left", [["lab2"], ["other", "localhost"]])
def test_a_limit_without_the_server_is_refused(left: list[str]) -> None:
    assert mistakes(in_this_run=left) == [
        "--limit leaves out web1, the server. It is part of every run: name it as well, as in --limit web1,worker1."
    ]
    assert mistakes(in_this_run=["web1"]) == []


@pytest.mark.parametrize("tags", [["grafana"], ["all", "grafana"], ["all", "all"], ["untagged"]])
def test_tags_are_refused(tags: list[str]) -> None:
    (sentence,) = mistakes(tags=tags)
    assert sentence.startswith("Tags are not supported")


SAME = {"crowsnest_apps": [{"name": "shop"}], "crowsnest_url": "{{ inventory_dir }}", "private_address": "10.0.0.1"}
# (variables of the hosts): the settings that are refused, with the hosts that are named
DIFFERENT: list[tuple[dict[str, dict[str, Any]], dict[str, str]]] = [
    ({"web1": SAME, "lab2": SAME, "other": SAME}, {}),
    ({"web1": SAME, "lab2": {**SAME, "private_address": "10.0.0.2"}}, {}),
    # The group of the two alone: other hosts of the inventory are no concern of a run.
    ({"web1": SAME, "lab2": SAME, "other": {}}, {}),
    ({"web1": SAME, "lab2": {**SAME, "crowsnest_apps": []}}, {"crowsnest_apps": "lab2"}),
    ({"web1": SAME, "lab2": {**SAME, "crowsnest_no_such": True}}, {"crowsnest_no_such": "lab2"}),
    ({"web1": SAME, "lab2": {}}, {"crowsnest_apps": "lab2", "crowsnest_url": "lab2"}),
    ({"web1": SAME, "lab2": SAME, "other": {"crowsnest_apps": []}}, {"crowsnest_apps": "other"}),
    ({"lab2": {"crowsnest_apps": None}, "other": {"crowsnest_apps": 1}}, {"crowsnest_apps": "lab2, other"}),
]


@pytest.mark.parametrize(("variables", "refused"), DIFFERENT)
def test_a_setting_of_some_hosts_is_refused_and_named(
    variables: dict[str, dict[str, Any]], refused: dict[str, str]
) -> None:
    assert mistakes(variables=variables) == [
        f"{name}: its value for {hosts} differs from that of the server web1, so it is set in host_vars, in hosts.yml "
        f"or in "
        "group_vars of a single group. A setting applies to all hosts: move it to group_vars/all."
        for name, hosts in refused.items()
    ]


VALUES = st.dictionaries(
    st.sampled_from(["crowsnest_a", "crowsnest_b", "ansible_host"]), st.sampled_from([0, "0", None])
)


@settings(max_examples=60)
@given(VALUES, VALUES)
def test_what_a_monitored_host_has_is_what_counts_or_it_is_refused(server: dict[str, Any], own: dict[str, Any]) -> None:
    missing = object()
    names = [name for name in ("crowsnest_a", "crowsnest_b") if server.get(name, missing) != own.get(name, missing)]
    assert [line.split(":")[0] for line in mistakes(variables={"web1": server, "lab2": own})] == names


@pytest.mark.parametrize("hosts, shown", [(5, "h0, h1, h2, h3, h4 "), (9, "h0, h1, h2, h3, h4 and 4 more ")])
def test_of_many_hosts_a_few_are_named(hosts: int, shown: str) -> None:
    variables = {"web1": {}} | {f"h{number}": {"crowsnest_apps": []} for number in range(hosts)}
    (line,) = inventory_mistakes(GROUPS, variables, ["web1"], ["all"], [], bool)
    assert f"its value for {shown}differs" in line


# (name, text): whether it looks like hosts
FILES: list[tuple[str, str, bool]] = [
    ("workers.yml", "monitored: {hosts: {worker1: {ansible_password: !vault 'x'}}}", True),
    ("production", "all:\n  children:\n    server:\n", True),
    ("prod.my_cloud.yml", "plugin: x.y.my_cloud\n", True),
    ("cloud.yml", "plugin: some_cloud\n", True),
    ("values.yml", "plugin: x\n", False),
    ("values.yml", "plugin: [a.b]\n", False),
    ("WORKERS.YML", "monitored: {hosts: {worker1: }}", True),
    ("workers", "[workers]\nw3\nw4\n", True),
    ("workers.ini", "[workers]  # of the shop\nw3\n", True),
    ("workers.toml", "[workers.hosts.w3]\n", True),
    ("more.ini", "w3 ansible_host=10.0.0.3 note='a b' # the third\n", True),
    ("NOTES", "set ansible_user=kim when needed\n", False),
    ("NOTES", "[the wiki](https://wiki.test/) has more\n", False),
    (".env", "x ansible_password=hunter2\n", False),
    (".workers", "[workers]\nw3\n", False),
    ("ansible.cfg", "[defaults]\nforks = 1\n", False),
    ("workers.json", '{"monitored": {"hosts": ["worker1"]}}', True),
    ("workers.ini", "[monitored:children]\nworkers\n", True),
    ("workers", "[monitored]\nworker1\n", True),
    ("more", "worker1 ansible_host=10.0.0.3\n", True),
    ("workers.yml~", "monitored: {hosts: {worker1: }}", False),
    ("workers.yml.bak", "monitored: {hosts: {worker1: }}", False),
    ("hosts.yml", "server: {hosts: {web1: }}", False),
    ("rules.yml", "groups: [{name: x, rules: []}]", False),
    ("vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n313233\n", False),
    ("vars.yml", "password: hosts\n", False),
    ("password", "correct horse battery\n", False),
    ("key", "-----BEGIN KEY-----\nabc\n", False),
    ("binary", "\udcff\udcfe", False),
    ("notes.md", "[server]\n", False),
    ("pip.ini", "[global]\nindex-url = x\n", True),
    ("vault-password.sh", "#!/bin/sh\necho ansible_x=1\n", False),
]


@pytest.mark.parametrize(("name", "text", "hosts"), FILES, ids=str)
def test_a_file_with_hosts_that_is_not_read_is_named(tmp_path: Path, name: str, text: str, hosts: bool) -> None:
    (tmp_path / name).write_text(text, errors="surrogateescape")
    found = mistakes(sources=[str(tmp_path)])
    assert [line.split(" looks like")[0] for line in found] == ([str(tmp_path / name)] if hosts else [])
    assert mistakes(sources=[str(tmp_path), str(tmp_path / name)]) == [], "unless -i names the file as well"


@pytest.mark.parametrize(
    ("name", "start", "hosts"),
    [
        ("ec2.py", "#!/usr/bin/env python3\n", True),
        ("dynamic.sh", "#!/bin/sh\n", True),
        ("dynamic", "\x7fELF", True),
        ("ec2.py.bak", "#!/usr/bin/env python3\n", False),
        ("vault-password.sh", "#!/bin/sh\n", False),
        (".ec2.py", "#!/usr/bin/env python3\n", False),
        # On some file systems everything may be run.
        ("notes.md", "Notes\n", False),
    ],
)
def test_a_script_that_is_not_run_is_named(tmp_path: Path, name: str, start: str, hosts: bool) -> None:
    (tmp_path / name).write_text(start)
    assert mistakes(sources=[str(tmp_path)]) == [], "one that cannot be run gives no hosts"
    (tmp_path / name).chmod(0o755)
    assert len(mistakes(sources=[str(tmp_path)])) == hosts


@pytest.mark.parametrize(
    ("file", "hosts"),
    [
        ("workers/hosts.yml", True),
        ("old.yml/hosts.yml", True),
        ("eu/aws.some_cloud.yml", True),
        ("old.yml/hosts2.yml", False),
        ("workers/hosts.yml.bak", False),
        ("workers.bak/hosts.yml", False),
        (".git/hosts.yml", False),
        *((f"{name}/hosts.yml", False) for name in ("group_vars", "host_vars", "secrets", "rules", "sql")),
    ],
)
def test_a_folder_with_hosts_that_is_not_read_is_named(tmp_path: Path, file: str, hosts: bool) -> None:
    folder = (tmp_path / file).parent
    folder.mkdir()
    (tmp_path / file).write_text("all: {hosts: {a: }}")
    found = mistakes(sources=[str(tmp_path)])
    assert [line.split(" is a folder with")[0] for line in found] == ([str(folder)] if hosts else [])
    assert not hosts or mistakes(sources=[str(tmp_path), str(folder)]) == [], "unless -i names the folder as well"


def test_sources_that_are_no_folder_are_not_looked_into() -> None:
    assert mistakes(sources=["web1,web2", "/no/such/folder"]) == []


@pytest.mark.parametrize("name", ["workers", "workers.yml"])
def test_the_advice_does_not_hide_hosts_in_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[workers]\nw3\n" if name == "workers" else "workers: {hosts: {w3: }}")
    (line,) = mistakes(sources=[str(tmp_path)])
    assert "subfolder" not in line
    assert "Move its hosts to hosts.yml, or name the file with a second -i." in line
