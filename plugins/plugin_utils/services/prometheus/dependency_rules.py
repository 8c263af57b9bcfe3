# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alert rules on what an app cannot do without: its PostgreSQL, its Redis, its Celery workers.

They wait as long as the app declares (`dependency_down_for`). What else is known of them is in files/rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus import causes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import (
    Figure,
    Language,
    Rule,
    Texts,
    with_texts,
)

_TEXTS: Texts = {
    "PostgresDown": {
        "en": (
            "PostgreSQL of {{ $labels.app }} cannot be reached",
            "It does not run, refuses the login, or has no free connection. See its container: sudo docker ps -a, "
            "then sudo docker logs --tail 50 NAME",
        ),
        "ko": (
            "{{ $labels.app }}의 PostgreSQL 연결 불가",
            "중지되었거나 로그인을 거부하거나 연결 수를 초과했습니다. 컨테이너 확인: sudo docker ps -a 후 "
            "sudo docker logs --tail 50 NAME",
        ),
    },
    "PostgresConnectionsHigh": {
        "en": (
            "PostgreSQL of {{ $labels.app }} has no free connection",
            "Nobody can connect any more, the app and its backup included. Who holds them: the panel Connections by "
            "state, and the runbook.",
        ),
        "ko": (
            "{{ $labels.app }}의 PostgreSQL 연결 수 모두 사용 중",
            "앱과 백업을 포함해 누구도 새로 연결할 수 없습니다. 연결을 점유한 프로그램은 Connections by state 패널과 "
            "런북에서 확인하세요.",
        ),
    },
    "RedisDown": {
        "en": (
            "Redis of {{ $labels.app }} cannot be reached",
            "It does not run, refuses the login, or has no free connection. Cache, sessions and Celery stand still. "
            "See its container: sudo docker ps -a, then sudo docker logs --tail 50 NAME",
        ),
        "ko": (
            "{{ $labels.app }}의 Redis 연결 불가",
            "중지되었거나 로그인을 거부하거나 연결 수를 초과했습니다. 캐시, 세션, Celery가 멈춥니다. "
            "컨테이너 확인: sudo docker ps -a 후 sudo docker logs --tail 50 NAME",
        ),
    },
    "CeleryWorkerMissing": {
        "en": (
            "No Celery worker of {{ $labels.app }} runs",
            "No worker is connected to the app's Redis. Tasks wait, none is lost. See its container: sudo docker ps "
            "-a, then sudo docker logs --tail 50 NAME",
        ),
        "ko": (
            "{{ $labels.app }}의 Celery 워커 없음",
            "앱의 Redis에 연결된 워커가 없습니다. 작업은 유실되지 않고 대기합니다. "
            "컨테이너 확인: sudo docker ps -a 후 sudo docker logs --tail 50 NAME",
        ),
    },
}


def dependency_rules(app: App, language: Language) -> list[dict[str, Any]]:
    """The rules of an app that declares its database or its Redis."""
    return with_texts(_rules(app), app.name, _TEXTS, language)


def _rules(app: App) -> Iterator[Rule]:
    of, wait, keep = f', app="{app.name}"', app.thresholds.dependency_down_for, causes.FLAP
    if app.database:
        yield Rule("PostgresDown", "critical", causes.database_down(of), "pg_up = 0", "pg_up = 0", wait, keep=keep)
        yield Rule(
            "PostgresConnectionsHigh",
            "critical",
            causes.connections_used_up(of),
            {"en": '{{ printf "%.0f" $value }} %', "ko": '{{ printf "%.0f" $value }}%'},
            {"en": "100 %", "ko": "100%"},
            wait,
            keep=keep,
        )
    if app.redis:
        yield Rule("RedisDown", "critical", causes.redis_down(of), "redis_up = 0", "redis_up = 0", wait, keep=keep)
    if app.redis and app.redis.queues:
        none: Figure = {"en": "0", "ko": "0개"}
        yield Rule("CeleryWorkerMissing", "critical", causes.worker_missing(of), none, none, wait, keep=keep)
