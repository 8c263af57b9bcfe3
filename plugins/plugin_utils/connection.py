# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Commands for a person's shell that reach what Ansible reaches: the server over SSH, the inventory by -i."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_OVER_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh")


def is_here(variables: Mapping[str, Any]) -> bool:
    """Whether the host is the machine that runs Ansible."""
    return _plugin(variables) == "local"


def ssh_command(variables: Mapping[str, Any], *words: str) -> str:
    """`ssh WORDS … HOST`, quoted for a shell; empty when the host is not reached over SSH.

    `variables` are those of the host. The variables of Ansible's connection plugin, the last of several names wins:
    https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ssh_connection.html
    """
    if _plugin(variables) not in _OVER_SSH:
        return ""
    host = _first(variables, ("ansible_ssh_host", "ansible_host", "inventory_hostname"))
    user = _first(variables, ("ansible_ssh_user", "ansible_user"))
    program = _first(variables, ("ansible_ssh_executable",)) or "ssh"
    return shlex.join([program, *words, *_options(variables), f"{user}@{host}" if user else host])


def _plugin(variables: Mapping[str, Any]) -> str:
    return str(variables.get("ansible_connection", "ssh")).rpartition(".")[2]


def _first(variables: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(variables[name]) for name in names if variables.get(name)), "")


def _options(variables: Mapping[str, Any]) -> Iterator[str]:
    yield from shlex.split(_first(variables, ("ansible_ssh_args",)))
    if port := _first(variables, ("ansible_ssh_port", "ansible_port")):
        yield from ("-p", port)
    if key := _first(variables, ("ansible_ssh_private_key_file", "ansible_private_key_file")):
        yield from ("-i", key)
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        yield from shlex.split(_first(variables, (name,)))


def inventory_option(sources: Sequence[str], folder: Path) -> str:
    """`-i NAME` for each source, quoted for a shell; paths in `folder`, from which `./crowsnest` runs, are relative."""
    paths = [source if "," in source else _relative(Path(source), folder) for source in sources]
    return " ".join(f"-i {shlex.quote(path)}" for path in paths)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
