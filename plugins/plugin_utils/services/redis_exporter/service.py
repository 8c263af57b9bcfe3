# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of Redis as a service of the stack.

Its options: https://github.com/oliver006/redis_exporter#command-line-flags
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.redis import Redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    Container,
    environment_text,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    Scrape,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import LOGIN_FILE, app_labels, instance
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.dashboard import redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.queues import queue_script

_NAME = "redis_exporter"
_SCRIPT = "queues.lua"
_AUTHORITY = "authority.pem"
# It exports over 270 series. These are what panels and alerts use, and what people look for first.
_KEPT = (
    "redis_(up|uptime_in_seconds|instance_info|exporter_last_scrape_error|script_(values|result)"
    "|memory_(used|max|used_rss)_bytes|mem_fragmentation_ratio|connected_clients|blocked_clients|config_maxclients"
    "|rejected_connections_total|keyspace_(hits|misses)_total|evicted_keys_total|expired_keys_total"
    "|commands_processed_total|pubsub_patterns|db_keys|rdb_last_bgsave_status|aof_last_write_status"
    "|master_link_up)|process_.+"
)


def _instances(declaration: Declaration) -> Mapping[str, Redis]:
    """{name of a container: what it watches}."""
    return {instance(_NAME, app): app.redis for app in declaration.apps if app.redis}


def _redis(context: Context, planned: Planned) -> Redis:
    return _instances(context.declaration)[planned.name]


def _container(context: Context, planned: Planned) -> Container:
    """Compose recreates it when a variable changes. Files are read at the start, so they are summed up in a label."""
    redis, files = _redis(context, planned), _files(context, planned)
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:12]
    return Container(
        go=True,
        configured=bool(files),
        command=[
            f"--web.listen-address=127.0.0.1:{planned.port}",
            *([f"--script={CONFIG_IN_CONTAINER}/{_SCRIPT}"] if redis.queues else []),
            *([f"--tls-ca-cert-file={CONFIG_IN_CONTAINER}/{_AUTHORITY}"] if redis.ca_file else []),
            *([] if redis.verify_tls else ["--skip-tls-verification"]),
        ],
        env_file=[f"{planned.config_directory}/current/{LOGIN_FILE}"],
        labels={"crowsnest.configuration": digest} if files else {},
    )


def _files(context: Context, planned: Planned) -> Files:
    redis = _redis(context, planned)
    return {
        **({_SCRIPT: queue_script(redis.queues)} if redis.queues else {}),
        **({_AUTHORITY: (context.inventory_dir / redis.ca_file).read_text()} if redis.ca_file else {}),
    }


def _secret_files(context: Context, planned: Planned) -> Files:
    return {LOGIN_FILE: environment_text(_variables(_redis(context, planned)))}


def _variables(redis: Redis) -> dict[str, str]:
    scheme = "rediss" if redis.tls else "redis"
    return {
        "REDIS_ADDR": f"{scheme}://{redis.address}/{redis.database}",
        **({"REDIS_USER": redis.username} if redis.username else {}),
        **({"REDIS_PASSWORD": redis.password.get_secret_value()} if redis.password else {}),
    }


def _dashboards(context: Context) -> list[Dashboard]:
    return [redis(context)]


REDIS_EXPORTER = Service(
    name=_NAME,
    port=9121,
    need_mib=20,
    limit_mib=64,
    wanted=lambda declaration: bool(_instances(declaration)),
    instances=lambda declaration: list(_instances(declaration)),
    container=_container,
    files=_files,
    secret_files=_secret_files,
    scrape=Scrape(kept=_KEPT, labels=app_labels),
    dashboards=_dashboards,
    without="; Redis, its memory and its Celery queues are not watched",
)
