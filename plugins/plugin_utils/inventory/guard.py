# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an inventory, the same for every verb, before any host is contacted.

What Ansible would pass over in silence is a mistake here: a server that is missing or left out, a setting of one host
only, a file with hosts that is not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PREFIX = "crowsnest_"
_INI_SUFFIXES = ("", ".ini", ".toml")
_SUFFIXES = (*_INI_SUFFIXES, ".yml", ".yaml", ".json")
# Endings of files that people have put aside.
_OLD = ("~", ".bak", ".orig", ".old", ".swp")
# How an executable file begins.
_PROGRAMS = (b"#!", b"\x7fELF")
# Folders of an inventory that hold no hosts.
_FOLDERS = ("group_vars", "host_vars", "secrets", "rules", "sql")
# A section, or a host with its variables, in an inventory in INI or TOML form:
# https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
_INI_LINE = re.compile(
    r"^\[[^\]\n]+\][ \t]*(?:[#;].*)?$"
    r"|^[\w.\[\]:-]+(?=.*\bansible_)(?:[ \t]+\w+=(?:\"[^\"\n]*\"|'[^'\n]*'|\S+))+[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
# A program that Ansible's --vault-password-file names.
_ASKS_FOR_A_PASSWORD = re.compile(r"vault|pass|secret", re.IGNORECASE)
_MISSING = object()
_SHOWN = 5


def inventory_mistakes(
    groups: Mapping[str, Sequence[str]],
    variables: Mapping[str, Mapping[str, Any]],
    in_this_run: Sequence[str],
    tags: Sequence[str],
    sources: Sequence[str],
    is_read: Callable[[str], bool],
) -> list[str]:
    """One sentence per mistake; empty when all is well.

    `groups` is {group name: [host]}, `variables` {host: {variable: value as written, templates not filled in}},
    `in_this_run` the hosts that --limit left, `tags` those of --tags (`all` without it) and --skip-tags, `sources` what
    -i names, `is_read` whether Ansible reads a file of this name when -i names its folder.
    """
    lines = [*group_mistakes(groups), *_unread(sources, is_read)]
    if list(tags) != ["all"]:
        lines.append(
            "Tags are not supported, as the parts of a run need each other: leave out --tags and --skip-tags. "
            "--check --diff shows what a run would change."
        )
    if len(groups.get("server", [])) == 1:
        server = groups["server"][0]
        if server not in in_this_run:
            lines.append(
                f"--limit leaves out {server}, the server. It is part of every run: name it as well, as in "
                f"--limit {server},worker1."
            )
        lines += _settings_of_some_hosts(server, groups.get("monitored", []), variables)
    return lines


def group_mistakes(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is wrong with the groups `server` and `monitored`."""
    servers, monitored = list(groups.get("server", [])), list(groups.get("monitored", []))
    if len(servers) != 1:
        yield (
            f"The inventory needs a group `server` with exactly one host; it has {len(servers)}"
            f"{': ' + _some(servers) if servers else ''}. ./crowsnest new NAME makes an inventory; inventories/example "
            "shows one."
        )
    for host in servers:
        if host not in monitored:
            yield f"{host} is in group `server`, but not in `monitored`. Make `server` a child group of `monitored`."


def _settings_of_some_hosts(
    server: str, monitored: Sequence[str], variables: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Settings are read from the server, so a value that another host has of its own would not count."""
    different: dict[str, list[str]] = {}
    for host, own in variables.items():
        names = {name for name in own if name.startswith(PREFIX)}
        if host in monitored:
            names |= {name for name in variables[server] if name.startswith(PREFIX)}
        for name in names:
            if not _same(own.get(name, _MISSING), variables[server].get(name, _MISSING)):
                different.setdefault(name, []).append(host)
    for name, hosts in sorted(different.items()):
        yield (
            f"{name}: its value for {_some(hosts)} differs from that of the server {server}, so it is set in "
            "host_vars, in hosts.yml or in group_vars of a single group. A setting applies to all hosts: move it to "
            "group_vars/all."
        )


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _unread(sources: Sequence[str], is_read: Callable[[str], bool]) -> Iterator[str]:
    named = [Path(source) for source in sources]
    for path in sorted(path for folder in named if folder.is_dir() for path in folder.iterdir()):
        if path in named or is_read(path.name) or path.name.startswith(".") or path.name.endswith(_OLD):
            continue
        if path.is_dir() and path.name not in _FOLDERS and any(map(is_read, _files_in(path))):
            yield (
                f"{path} is a folder with a file of hosts, but Ansible does not read a folder of this name. Move the "
                "hosts to hosts.yml, or name the folder with a second -i. If its hosts should not be "
                "watched, move it elsewhere."
            )
        elif path.is_file() and _may_have_hosts(path, is_read):
            yield (
                f"{path} looks like a file with hosts, but Ansible does not read a file of this name. Move its hosts "
                "to hosts.yml, or name the file with a second -i. If it has none, or they should not be watched, end "
                "its name in .bak or move it elsewhere."
            )


def _files_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _may_have_hosts(path: Path, is_read: Callable[[str], bool]) -> bool:
    """Whether a file is an inventory: a script, groups with hosts or children, a plugin's configuration, or INI."""
    try:
        with path.open("rb") as file:
            if os.access(path, os.X_OK) and file.read(4).startswith(_PROGRAMS):
                return not _ASKS_FOR_A_PASSWORD.search(path.name)
        if path.suffix.lower() not in _SUFFIXES:
            return False
        text = path.read_text()
        content = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - makes only texts, lists and mappings, also of !vault
    except (OSError, UnicodeDecodeError):
        return False
    except yaml.YAMLError:
        content = None
    if isinstance(content, dict):
        return _is_plugin(content.get("plugin"), is_read) or any(
            isinstance(group, dict) and {"hosts", "children"} & group.keys() for group in content.values()
        )
    return path.suffix.lower() in _INI_SUFFIXES and bool(_INI_LINE.search(text))


def _is_plugin(name: Any, is_read: Callable[[str], bool]) -> bool:
    """Whether this names an inventory plugin: of a collection, or one whose name may end the name of a read file."""
    return isinstance(name, str) and ("." in name or is_read(f"any.{name}.yml"))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
