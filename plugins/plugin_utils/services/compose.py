# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Compose fragments: one per service, each inside the release of its service's configuration.

All containers share the host's network and listen on its loopback only, so that whatever `curl` reaches on the host can
be watched, with no tie to the networks of the team's own compose projects (docs/security.md has the reasoning).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan, Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import CATALOGUE, KEYS_DIRECTORY

PROJECT = "crowsnest"
# Paths inside every container.
MOUNT_IN_CONTAINER = "/etc/crowsnest"
CONFIG_IN_CONTAINER = f"{MOUNT_IN_CONTAINER}/current"
DATA_IN_CONTAINER = "/data"
KEYS_IN_CONTAINER = "/etc/crowsnest-keys"
# Variables that are secret, in the configuration directory of a service that takes secrets in no other way.
ENVIRONMENT_FILE = "secrets/environment"
# Programs in Go collect garbage harder near this share of their limit instead of being killed at it.
GO_MEMORY_SHARE = 0.9


@dataclass(frozen=True)
class _Own:
    """What a container has of its own; `command` goes to the entry point of its image.

    `env_file`: files on the host with variables that are secret. `depends_on`: services that are started before.
    `configured`: it reads files of its configuration directory.
    """

    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    tmpfs: list[str] = field(default_factory=list)
    env_file: list[str] = field(default_factory=list)
    depends_on: list[str] = field(default_factory=list)
    configured: bool = True


def compose_file(plan: Plan) -> dict[str, Any]:
    """compose.yaml of the project: it is the sum of the services' fragments."""
    return {"name": PROJECT, "include": [f"{name}/current/compose.yml" for name in plan.services]}


def fragment(plan: Plan, service: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One service's compose.yml. A changed label recreates the container, for what is only read at its start."""
    container = _container(plan.services[service], _OWN[service](plan))
    return {"services": {service: {**container, **({"labels": dict(labels)} if labels else {})}}}


def _container(service: Planned, own: _Own) -> dict[str, Any]:
    configuration = [f"{service.config_directory}:{MOUNT_IN_CONTAINER}:ro"] if own.configured else []
    catalogued = CATALOGUE[service.name]
    data = [f"{service.data_directory}:{DATA_IN_CONTAINER}"] if catalogued.data else []
    memory = {"GOMEMLIMIT": f"{int(service.limit_mib * GO_MEMORY_SHARE)}MiB"} if catalogued.go else {}
    command = [word.replace("$", "$$") for word in own.command]  # compose fills in variables
    return {
        "image": service.image,
        **({"command": command} if command else {}),
        "user": f"{service.user}:{service.user}",
        "network_mode": "host",
        # An engine that maps users (userns-remap) lets nobody else share the host's network or read our files.
        "userns_mode": "host",
        "read_only": True,
        **({"tmpfs": own.tmpfs} if own.tmpfs else {}),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{service.limit_mib}m",
        "memswap_limit": f"{service.limit_mib}m",
        "pids_limit": catalogued.pids,  # processes and threads
        "environment": {**memory, **own.environment},
        **({"env_file": own.env_file} if own.env_file else {}),
        **({"depends_on": own.depends_on} if own.depends_on else {}),
        "volumes": [*configuration, *data, *own.volumes],
        # Some images bring one; readiness is asked from outside.
        "healthcheck": {"disable": True},
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }


def _prometheus(plan: Plan) -> _Own:
    service = plan.services["prometheus"]
    return _Own(
        [
            f"--config.file={CONFIG_IN_CONTAINER}/prometheus.yml",
            f"--storage.tsdb.path={DATA_IN_CONTAINER}",
            f"--storage.tsdb.retention.time={plan.settings.retention}",
            f"--storage.tsdb.retention.size={plan.retention_size_mib}MB",  # Prometheus counts in powers of two
            f"--web.listen-address=127.0.0.1:{service.port}",
            f"--web.external-url={service.external_url}",
            "--web.route-prefix=/",  # a proxy takes the path of the external URL off
            "--web.enable-lifecycle",
        ],
        volumes=[f"{KEYS_DIRECTORY}:{KEYS_IN_CONTAINER}:ro"] if "uptime_kuma" in plan.services else [],
    )


def _alertmanager(plan: Plan) -> _Own:
    service = plan.services["alertmanager"]
    return _Own(
        [
            f"--config.file={CONFIG_IN_CONTAINER}/alertmanager.yml",
            f"--storage.path={DATA_IN_CONTAINER}",
            f"--web.listen-address=127.0.0.1:{service.port}",
            f"--web.external-url={service.external_url}",
            "--web.route-prefix=/",
            "--cluster.listen-address=",
            "--enable-feature=receiver-name-in-metrics",  # alert_test reports per severity
        ],
        {"AWS_SHARED_CREDENTIALS_FILE": f"{CONFIG_IN_CONTAINER}/secrets/aws_credentials"},
    )


def _blackbox(plan: Plan) -> _Own:
    return _Own(
        [
            f"--config.file={CONFIG_IN_CONTAINER}/blackbox.yml",
            f"--web.listen-address=127.0.0.1:{plan.services['blackbox'].port}",
        ]
    )


def _grafana(_plan: Plan) -> _Own:
    """Paths only, as its image sets them in the same way; everything else stands in grafana.ini."""
    return _Own(
        environment={
            "GF_PATHS_CONFIG": f"{CONFIG_IN_CONTAINER}/grafana.ini",
            "GF_PATHS_PROVISIONING": f"{CONFIG_IN_CONTAINER}/provisioning",
            "GF_PATHS_DATA": DATA_IN_CONTAINER,
            "GF_PATHS_PLUGINS": f"{DATA_IN_CONTAINER}/plugins",
            "GF_PATHS_LOGS": f"{DATA_IN_CONTAINER}/log",
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
    )


def _uptime_kuma(plan: Plan) -> _Own:
    """SQLite, so that nobody is asked at its start.

    https://github.com/louislam/uptime-kuma/wiki/Environment-Variables
    """
    service = plan.services["uptime_kuma"]
    return _Own(
        environment={
            "DATA_DIR": DATA_IN_CONTAINER,
            "UPTIME_KUMA_DB_TYPE": "sqlite",
            "UPTIME_KUMA_HOST": "127.0.0.1",
            "UPTIME_KUMA_PORT": str(service.port),
            # The rest of the limit is for SQLite's cache and for buffers.
            "NODE_OPTIONS": f"--max-old-space-size={service.limit_mib * 2 // 3}",
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
        configured=False,
    )


def _metabase(plan: Plan) -> _Own:
    """Its key can only be a variable, so all of its secrets are variables of an `env_file`.

    https://www.metabase.com/docs/latest/configuring-metabase/environment-variables
    """
    service = plan.services["metabase"]
    return _Own(
        environment={
            "JAVA_OPTS": f"-Xmx{service.heap_mib}m",
            "MB_JETTY_HOST": "127.0.0.1",
            "MB_JETTY_PORT": str(service.port),
            "MB_PLUGINS_DIR": f"{DATA_IN_CONTAINER}/plugins",  # where it unpacks its drivers
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
        env_file=[f"{service.config_directory}/current/{ENVIRONMENT_FILE}"],
        depends_on=["metabase_database"] if "metabase_database" in plan.services else [],
        configured=False,
    )


def _metabase_database(plan: Plan) -> _Own:
    """https://hub.docker.com/_/postgres; by default its image lets in everybody on loopback without a password."""
    service = plan.services["metabase_database"]
    return _Own(
        ["postgres", "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB", "-c", "max_connections=30"],
        environment={
            "PGDATA": f"{DATA_IN_CONTAINER}/postgresql",
            "PGPORT": str(service.port),
            "POSTGRES_DB": "metabase",
            "POSTGRES_USER": "metabase",
            "POSTGRES_PASSWORD_FILE": f"{CONFIG_IN_CONTAINER}/secrets/password",
            "POSTGRES_INITDB_ARGS": "--auth-local=trust --auth-host=scram-sha-256",
        },
        tmpfs=["/tmp", f"/var/run/postgresql:uid={service.user},gid={service.user},mode=0700"],  # noqa: S108
    )


_OWN: dict[str, Callable[[Plan], _Own]] = {
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
    "blackbox": _blackbox,
    "grafana": _grafana,
    "uptime_kuma": _uptime_kuma,
    "metabase": _metabase,
    "metabase_database": _metabase_database,
}
