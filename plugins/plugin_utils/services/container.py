# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The options of one container of the stack, and where it finds its files. compose.py adds what all share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PROJECT = "crowsnest"
# Paths inside every container.
MOUNT_IN_CONTAINER = "/etc/crowsnest"
CONFIG_IN_CONTAINER = f"{MOUNT_IN_CONTAINER}/current"
DATA_IN_CONTAINER = "/data"
KEYS_IN_CONTAINER = "/etc/crowsnest-keys"
# Variables that are secret, in the configuration directory of a service that takes secrets in no other way.
ENVIRONMENT_FILE = "secrets/environment"


@dataclass(frozen=True, kw_only=True)
class Container:
    """Options of one container; each field is a key of compose unless it says otherwise.

    `command` goes to the entry point of its image. `configured`: it reads files of its configuration directory.
    `env_file`: files on the host with variables that are secret. `depends_on`: services that are started before. A
    changed label recreates the container, for what is only read at its start.
    `pids`: how many processes and threads the kernel lets it have. The services use 8 to 13 of them, measured on
    2 cores with 60 requests at a time, and Go one more for each core; ten times that, as a program that cannot start a
    thread ends. A loop that starts processes stops there and leaves the host alone.
    `go`: a program in Go, which collects garbage harder near a memory limit that it knows.
    `capabilities`: {capability that it needs although all are dropped: why}. docs/security.md lists them (tested).
    """

    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[str] = ()
    tmpfs: Sequence[str] = ()
    env_file: Sequence[str] = ()
    depends_on: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    configured: bool = True
    pids: int = 128
    go: bool = False
    capabilities: Mapping[str, str] = field(default_factory=dict)


def container_name(service: str) -> str:
    """What Docker calls the container of a compose service."""
    return f"{PROJECT}-{service}-1"


def environment_text(variables: Mapping[str, str]) -> str:
    """The text of an `env_file` with these variables."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: str) -> str:
    """One line for compose, which takes everything between single quotes as it is and knows no way to write one there.

    https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
    """
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'
