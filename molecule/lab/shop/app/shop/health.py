"""/health/ (the process answers) and /health/detailed/ (each component, in at most about 2 s)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import redis
from config.celery import app as celery_app
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

DEADLINE_SECONDS = 1.5
Check = Callable[[], None]


def check_database() -> None:
    """SELECT 1 on a connection of its own. Raises django.db.Error."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def check_redis() -> None:
    """PING. Raises redis.RedisError."""
    options = {"socket_connect_timeout": 1, "socket_timeout": 1, "retry": Retry(NoBackoff(), 0)}
    with redis.Redis.from_url(f"{settings.REDIS_URL}/1", **options) as client:
        client.ping()


def check_celery() -> None:
    """Ask for a worker's pong through the broker. Raises ConnectionError when none answers."""
    with celery_app.connection_for_write(connect_timeout=1) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
        if not celery_app.control.broadcast("ping", reply=True, timeout=1, limit=1, connection=connection):
            raise ConnectionError("no worker answers")


CHECKS: dict[str, Check] = {"database": check_database, "redis": check_redis, "celery": check_celery}


def timed(check: Check) -> dict[str, object]:
    """Run one check: {"status", "response_time_ms"} and, when it failed, "error"."""
    began = time.perf_counter()
    try:
        check()
        outcome: dict[str, object] = {"status": "healthy"}
    except Exception as error:  # noqa: BLE001 whatever a driver raises means the component is not usable
        outcome = {"status": "unhealthy", "error": type(error).__name__}
    return outcome | {"response_time_ms": round((time.perf_counter() - began) * 1000, 1)}


def run_checks(checks: dict[str, Check]) -> dict[str, dict[str, object]]:
    """Run the checks side by side; one that is not done in time counts as unhealthy."""
    late = {"status": "unhealthy", "error": "TimeoutError", "response_time_ms": DEADLINE_SECONDS * 1000}
    pool = ThreadPoolExecutor(len(checks))
    running = {name: pool.submit(timed, check) for name, check in checks.items()}
    wait(running.values(), DEADLINE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return {name: future.result() if future.done() else late for name, future in running.items()}


def basic(request: HttpRequest) -> JsonResponse:
    """The process serves requests."""
    return JsonResponse({"status": "healthy"})


def detailed(request: HttpRequest) -> JsonResponse:
    """The state of each component; 503 when one is down."""
    services = run_checks(CHECKS)
    healthy = all(service["status"] == "healthy" for service in services.values())
    body = {"status": "healthy" if healthy else "unhealthy", "services": services}
    return JsonResponse(body, status=200 if healthy else 503)
