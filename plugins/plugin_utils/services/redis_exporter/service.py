# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of Redis as a service of the stack.

Its options: https://github.com/oliver006/redis_exporter#command-line-flags
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
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
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import (
    app_labels,
    app_of,
    instance,
    login_file,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.dashboard import redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.queues import queue_script

_NAME = "redis_exporter"
# It exports over 270 series. These are what panels and alerts use, and what people look for first.
_KEPT = (
    "redis_(up|uptime_in_seconds|instance_info|exporter_last_scrape_error|script_(values|result)"
    "|memory_(used|max|used_rss)_bytes|mem_fragmentation_ratio|connected_clients|blocked_clients|config_maxclients"
    "|rejected_connections_total|keyspace_(hits|misses)_total|evicted_keys_total|expired_keys_total"
    "|commands_processed_total|pubsub_patterns|db_keys|rdb_last_bgsave_status|aof_last_write_status"
    "|master_link_up)|process_.+"
)


def _with_redis(declaration: Declaration) -> list[tuple[App, Redis]]:
    return [(app, app.redis) for app in declaration.apps if app.redis]


def _instances(declaration: Declaration) -> Sequence[str]:
    return [instance(_NAME, app) for app, _ in _with_redis(declaration)]


def _script(app: App) -> str:
    return f"queues/{app.name}.lua"


def _container(context: Context, planned: Planned) -> Container:
    """Compose recreates it when a variable changes. A script is read at the start, so it is summed up in a label."""
    app = app_of(context, planned)
    queues = app.redis.queues if app.redis else []
    digest = hashlib.sha256(queue_script(queues).encode()).hexdigest()[:12]
    return Container(
        go=True,
        configured=bool(queues),
        command=[
            f"--web.listen-address=127.0.0.1:{planned.port}",
            *([f"--script={CONFIG_IN_CONTAINER}/{_script(app)}"] if queues else []),
        ],
        env_file=[f"{planned.config_directory}/current/{login_file(app)}"],
        labels={"crowsnest.configuration": digest} if queues else {},
    )


def _files(context: Context) -> Files:
    return {_script(app): queue_script(it.queues) for app, it in _with_redis(context.declaration) if it.queues}


def _secret_files(context: Context) -> Files:
    return {login_file(app): environment_text(_variables(it)) for app, it in _with_redis(context.declaration)}


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
    wanted=lambda declaration: bool(_with_redis(declaration)),
    instances=_instances,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    scrape=Scrape(kept=_KEPT, labels=app_labels),
    dashboards=_dashboards,
    without="; Redis, its memory and its Celery queues are not watched",
)
