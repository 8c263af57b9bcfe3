# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Compose fragments: one per service, each inside the release of its service's configuration.

All containers share the host's network and listen on its loopback only, so that whatever `curl` reaches on the host can
be watched, with no tie to the networks of the team's own compose projects (docs/security.md has the reasoning).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import Plan, Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import CATALOGUE

PROJECT = "crowsnest"
# Paths inside every container.
CONFIG_IN_CONTAINER = "/etc/crowsnest/current"
DATA_IN_CONTAINER = "/data"
# Go programs collect garbage harder near this share of their limit instead of being killed at it.
GO_MEMORY_SHARE = 0.9


def compose_file(plan: Plan) -> dict[str, Any]:
    """compose.yaml of the project: it is the sum of the services' fragments."""
    return {"name": PROJECT, "include": [f"{name}/current/compose.yml" for name in plan.services]}


def fragment(plan: Plan, service: str) -> dict[str, Any]:
    """One service's compose.yml."""
    return {"services": {service: _container(plan.services[service], _COMMANDS[service](plan))}}


def _container(service: Planned, command: list[str]) -> dict[str, Any]:
    data = [f"{service.data_directory}:{DATA_IN_CONTAINER}"] if CATALOGUE[service.name].data else []
    environment = {"GOMEMLIMIT": f"{int(service.limit_mib * GO_MEMORY_SHARE)}MiB"}
    if service.name == "alertmanager":
        environment["AWS_SHARED_CREDENTIALS_FILE"] = f"{CONFIG_IN_CONTAINER}/secrets/aws_credentials"
    return {
        "image": service.image,
        "command": [word.replace("$", "$$") for word in command],  # compose fills in variables
        "user": f"{service.user}:{service.user}",
        "network_mode": "host",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{service.limit_mib}m",
        "memswap_limit": f"{service.limit_mib}m",
        "environment": environment,
        "volumes": [f"{service.config_directory}:/etc/crowsnest:ro", *data],
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }


def _prometheus(plan: Plan) -> list[str]:
    service = plan.services["prometheus"]
    return [
        f"--config.file={CONFIG_IN_CONTAINER}/prometheus.yml",
        f"--storage.tsdb.path={DATA_IN_CONTAINER}",
        f"--storage.tsdb.retention.time={plan.settings.retention}",
        f"--storage.tsdb.retention.size={plan.retention_size_mib}MB",  # Prometheus counts in powers of two
        f"--web.listen-address=127.0.0.1:{service.port}",
        f"--web.external-url={service.external_url}",
        "--web.route-prefix=/",  # a proxy takes the path of the external URL off
        "--web.enable-lifecycle",
    ]


def _alertmanager(plan: Plan) -> list[str]:
    service = plan.services["alertmanager"]
    return [
        f"--config.file={CONFIG_IN_CONTAINER}/alertmanager.yml",
        f"--storage.path={DATA_IN_CONTAINER}",
        f"--web.listen-address=127.0.0.1:{service.port}",
        f"--web.external-url={service.external_url}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
        "--enable-feature=receiver-name-in-metrics",  # alert_test reports per severity
    ]


def _blackbox(plan: Plan) -> list[str]:
    return [
        f"--config.file={CONFIG_IN_CONTAINER}/blackbox.yml",
        f"--web.listen-address=127.0.0.1:{plan.services['blackbox'].port}",
    ]


_COMMANDS = {"prometheus": _prometheus, "alertmanager": _alertmanager, "blackbox": _blackbox}
