# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Commands for a person's shell that reach what Ansible reaches: the server over SSH, the inventory by -i."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# The first is Ansible's own set of options, before all others.
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
# Options whose value is a command or a variable of the environment: https://man.openbsd.org/ssh_config
_MAY_HOLD_SECRETS = ("proxycommand", "localcommand", "remotecommand", "knownhostscommand", "setenv")
_OVER_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh")


def is_here(variables: Mapping[str, Any]) -> bool:
    """Whether the host is the machine that runs Ansible."""
    return _plugin(variables) == "local"


def ssh_command(variables: Mapping[str, Any], *words: str) -> str:
    """`ssh WORDS … HOST`, quoted for a shell; empty when the host is not reached over SSH.

    `variables` are those of the host. They are those of Ansible's connection plugin; the last of several names wins:
    https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ssh_connection.html
    """
    if _plugin(variables) not in _OVER_SSH:
        return ""
    host = _first(variables, ("ansible_ssh_host", "ansible_host", "inventory_hostname"))
    user = _first(variables, ("ansible_ssh_user", "ansible_user"))
    program = _first(variables, ("ansible_ssh_executable",)) or "ssh"
    return shlex.join([program, *words, *_options(variables), f"{user}@{host}" if user else host])


def reached(variables: Mapping[str, Any]) -> tuple[str, int, bool]:
    """(name or address of the host, port of its SSH, whether the inventory leads to it through a jump host)."""
    name = _first(variables, ("ansible_ssh_host", "ansible_host", "inventory_hostname")).strip("[]")
    port = int(_first(variables, ("ansible_ssh_port", "ansible_port")) or 22)
    options = " ".join(_first(variables, (argument,)) for argument in _ARGUMENTS)
    return name, port, bool(re.search(r"(^|\s)-J|proxy(jump|command)", options, re.IGNORECASE))


def left_out(variables: Mapping[str, Any]) -> list[str]:
    """Variables whose options `ssh_command` omits in part: an option that runs a command may hold a password."""
    return [name for name in _ARGUMENTS if not _shown_options(_first(variables, (name,)))[1]]


def _plugin(variables: Mapping[str, Any]) -> str:
    return str(variables.get("ansible_connection", "ssh")).rpartition(".")[2]


def _first(variables: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(variables[name]) for name in names if variables.get(name)), "")


def _options(variables: Mapping[str, Any]) -> Iterator[str]:
    first, *others = (_shown_options(_first(variables, (name,)))[0] for name in _ARGUMENTS)
    yield from first
    if port := _first(variables, ("ansible_ssh_port", "ansible_port")):
        yield from ("-p", port)
    if key := _first(variables, ("ansible_ssh_private_key_file", "ansible_private_key_file")):
        yield from ("-i", key)
    for options in others:
        yield from options


def _shown_options(arguments: str) -> tuple[list[str], bool]:
    """(the options of ssh that hold no secret, whether these are all of them)."""
    try:
        words = shlex.split(arguments)
    except ValueError:  # a quote that is not closed
        return [], False
    found: list[str] = []
    complete = True
    while words:
        option = next(([*words[:n]] for n in (1, 2) if len(words) >= n and _can_be_shown(words[:n])), [])
        complete = complete and bool(option)
        found += option
        words = words[len(option) or 1 :]
    return found, complete


def _can_be_shown(words: Sequence[str]) -> bool:
    """Whether these words are one option that holds no secret: https://man.openbsd.org/ssh"""
    text = "\0".join(words)
    if setting := re.fullmatch(r"-o\0?\s*(\w+)[\s=]+(.*)", text, re.DOTALL):
        return "\0" not in setting[2] and not (setting[1].lower() in _MAY_HOLD_SECRETS and re.search(r"\s", setting[2]))
    return bool(re.fullmatch(r"-[46ACqv]+|-[JFipl]\0?[^\0-][^\0]*", text))


def inventory_option(sources: Sequence[str], folder: Path) -> str:
    """`-i NAME` for each source, quoted for a shell; paths in `folder`, from which `./crowsnest` runs, are relative."""
    paths = [source if "," in source else _relative(Path(source), folder) for source in sources]
    return " ".join(f"-i {shlex.quote(path)}" for path in paths)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
