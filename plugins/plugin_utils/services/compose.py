# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Compose fragments: one per container, each inside the release of its configuration.

All containers share the host's network and listen on its loopback only, so that whatever `curl` reaches on the host can
be watched, with no tie to the networks of the team's own compose projects (docs/security.md has the reasoning).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
    MOUNT_IN_CONTAINER,
    PROJECT,
    Container,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Files

# Programs in Go collect garbage harder near this share of their limit instead of being killed at it.
GO_MEMORY_SHARE = 0.9


def compose_file(context: Context) -> dict[str, Any]:
    """compose.yaml of the project: it includes all fragments."""
    return {"name": PROJECT, "include": [f"{name}/current/compose.yml" for name in context.services]}


def fragment(context: Context, name: str) -> dict[str, Any]:
    """compose.yml of one container."""
    planned, service = context.services[name], context.definition(name)
    own = service.container(context, planned)
    return {"services": {name: _container(planned, own, data=service.data)}}


def service_files(context: Context, name: str) -> Files:
    """{path: text} of a container's configuration, its compose fragment included."""
    own = context.definition(name).files(context, context.services[name])
    return {**own, "compose.yml": yaml_text(fragment(context, name))}


def validation(context: Context, name: str) -> str:
    """The command by which a program of the image checks a staged configuration at %s; empty when it has none."""
    planned, command = context.services[name], context.definition(name).validate
    if not command:
        return ""
    program, arguments = command[0], command[1:]
    return " ".join(
        [
            f"docker run --rm --pull never --network none --userns host --user {planned.user}:{planned.user}",
            *([f"--entrypoint {program}"] if program else []),
            f"-v %s:{CONFIG_IN_CONTAINER}:ro {planned.image}",
            *arguments,
        ]
    )


def _container(planned: Planned, own: Container, data: bool) -> dict[str, Any]:
    configuration = [f"{planned.config_directory}:{MOUNT_IN_CONTAINER}:ro"] if own.configured else []
    data_volume = [f"{planned.data_directory}:{DATA_IN_CONTAINER}"] if data else []
    memory = {"GOMEMLIMIT": f"{int(planned.limit_mib * GO_MEMORY_SHARE)}MiB"} if own.go else {}
    command = [argument.replace("$", "$$") for argument in own.command]  # compose fills in variables
    return {
        "image": planned.image,
        **({"command": command} if command else {}),
        "user": f"{planned.user}:{planned.user}",
        "network_mode": "host",
        # An engine that maps users (userns-remap) lets no container share the host's network or read crowsnest's files.
        "userns_mode": "host",
        "read_only": True,
        **({"tmpfs": list(own.tmpfs)} if own.tmpfs else {}),
        "cap_drop": ["ALL"],
        **({"cap_add": list(own.capabilities)} if own.capabilities else {}),
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{planned.limit_mib}m",
        "memswap_limit": f"{planned.limit_mib}m",
        "pids_limit": own.pids,  # processes and threads
        "environment": {**memory, **own.environment},
        **({"env_file": list(own.env_file)} if own.env_file else {}),
        **({"depends_on": list(own.depends_on)} if own.depends_on else {}),
        "volumes": [*configuration, *data_volume, *own.volumes],
        # Some images bring one; readiness is checked from outside.
        "healthcheck": {"disable": True},
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
        **({"labels": dict(own.labels)} if own.labels else {}),
    }
