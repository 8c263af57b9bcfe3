"""What the exporter tells of a real Redis, started as crowsnest starts it and read by the job that crowsnest writes."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from certificates import self_signed
from contexts import context_of
from exporters import Ask, watched
from locked_packages import of_pypi
from programs import REPOSITORY, command, free_port, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries

USER, PASSWORD = "kim", r"""p'a":\@%w$1"""
Redis = Callable[..., str]


@contextmanager
def redis_server(folder: Path, port: int, tls_port: int) -> Iterator[Redis]:
    """A Redis whose only user is USER; the result sends it one command. Its certificate is in `folder`/public.pem."""
    certificate = self_signed(folder)
    tls = f"tls-port {tls_port}\ntls-cert-file {certificate}\ntls-key-file {certificate}\ntls-auth-clients no\n"
    (folder / "redis.conf").write_text(f"port {port}\n{tls}bind 127.0.0.1\nsave ''\nmaxmemory 64mb\n")
    with (folder / "redis.log").open("ab") as log:
        server = subprocess.Popen(
            [*command("redis-server", folder), str(folder / "redis.conf")], stdout=log, stderr=log, cwd=folder
        )
    try:
        until(lambda: _sent(port, "PING"), 30)
        login = f">{PASSWORD}"
        for words in (("ACL", "SETUSER", USER, "on", login, "~*", "&*", "+@all"), ("ACL", "SETUSER", "default", "off")):
            _sent(port, *words)
        yield lambda *words: _sent(port, *words, login=True)
    finally:
        server.terminate()
        server.wait(30)


def _sent(port: int, *words: str, login: bool = False) -> str:
    """Redis' answer, in its own protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/"""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answers = connection.makefile("rb")
        for each in ([("AUTH", USER, PASSWORD), ("SELECT", "1")] if login else []) + [words]:
            sent = [part.encode() for part in each]
            connection.sendall(b"*%d\r\n" % len(sent) + b"".join(b"$%d\r\n%s\r\n" % (len(it), it) for it in sent))
            answer = answers.readline().decode().strip()
            assert not answer.startswith("-"), answer
    return answer


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Those of Redis, without TLS and with it."""
    return free_port(), free_port()


def declared(folder: Path, port: int, **options: Any) -> Context:
    """The context of an app with a Redis at this port, and an inventory in `folder`."""
    login = {"username": USER, "password": PASSWORD}
    redis = {"address": f"127.0.0.1:{port}", **login, "database": 1, "queues": ["celery", "bulk"], **options}
    settings = {
        "scrape_interval": "1s",
        "ports": {"redis_exporter": free_port()},
        "apps": [{"name": "shop", "redis": redis, "thresholds": {"dependency_down_for": "1h"}}],
    }
    return context_of(settings, folder=folder, registry=REGISTRY, total_mib=8000)


@pytest.fixture(scope="module")
def context(folder: Path, ports: tuple[int, int]) -> Context:
    return declared(folder, ports[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("redis")


@pytest.fixture(scope="module")
def redis(folder: Path, ports: tuple[int, int]) -> Iterator[Redis]:
    with redis_server(folder, *ports) as send:
        yield send


@pytest.fixture(scope="module")
def ask(folder: Path, context: Context, redis: Redis) -> Iterator[Ask]:
    with watched(context, "redis_exporter_shop", folder) as it:
        yield it


def test_it_logs_in_and_its_series_belong_to_the_app(ask: Ask) -> None:
    until(lambda: ask("redis_up") == {("shop", "web1"): 1}, 30)


def test_a_full_queue_behind_an_empty_one_is_counted_with_all_its_priorities(ask: Ask, redis: Redis) -> None:
    redis("RPUSH", "bulk", *["task"] * 5)
    redis("RPUSH", "bulk\x06\x169", *["task"] * 2)
    wanted = {("shop", "web1", "celery"): 0, ("shop", "web1", "bulk"): 7}
    until(lambda: ask("app:queue:length") == wanted, 30)
    redis("DEL", "bulk", "bulk\x06\x169")
    until(lambda: set(ask("app:queue:length").values()) == {0}, 30)


def test_every_panel_has_data_and_every_rule_its_series(ask: Ask, redis: Redis, context: Context) -> None:
    """Those of the queues are on the dashboard of all jobs."""
    found = [query for it in dashboards(context) if it.uid in ("redis", "batch-jobs") for query in queries(it, "10s")]
    asked = [query.expr for query in found if query.dashboard == "redis" or ":queue:" in query.expr]
    assert "Tasks that wait" in {query.panel for query in found if query.expr in asked}
    redis("GET", "nothing")
    until(lambda: [expr for expr in asked if not ask(expr)] == [], 60)
    series = ("redis_script_result", 'redis_instance_info{maxmemory_policy="noeviction"}', "redis_memory_max_bytes > 0")
    assert [each for each in series if not ask(each)] == []


def test_a_key_that_is_no_queue_is_told(ask: Ask, redis: Redis) -> None:
    redis("SET", "celery", "no list")
    until(lambda: ask("redis_script_result") == {("shop", "web1"): 0}, 30)
    redis("DEL", "celery")
    until(lambda: ask("redis_script_result") == {("shop", "web1"): 1}, 30)


# {options of a Redis with TLS: whether it is up}
TLS: dict[str, tuple[dict[str, Any], int]] = {
    "a private authority": ({"ca_file": "public.pem"}, 1),
    "any certificate": ({"verify_tls": False}, 1),
    "an unknown authority": ({}, 0),
}


@pytest.mark.parametrize("name", TLS)
@pytest.mark.usefixtures("redis")
def test_a_certificate_is_judged_as_declared(folder: Path, ports: tuple[int, int], tmp_path: Path, name: str) -> None:
    options, up = TLS[name]
    with watched(declared(folder, ports[1], tls=True, **options), "redis_exporter_shop", tmp_path) as ask:
        until(lambda: ask("redis_up") == {("shop", "web1"): up}, 30)


# What a program of the sample app's own packages does, with a broker as its first word.
SENDS = """
import sys, celery
for priority in range(10):
    celery.Celery(broker=sys.argv[1]).send_task("a.task", queue="bulk", priority=priority)
"""


def app_program(name: str) -> str:
    return str(of_pypi(REPOSITORY / "molecule/lab/shop") / name)


def broker(ports: tuple[int, int]) -> str:
    return f"redis://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{ports[0]}/1"


def test_a_real_worker_is_seen_and_so_is_its_sudden_end(ask: Ask, redis: Redis, ports: tuple[int, int]) -> None:
    missing = 'ALERTS{alertname="CeleryWorkerMissing"}'
    until(lambda: ask(missing), 30)
    options = ("--pool", "threads", "--concurrency", "1", "--without-gossip", "--without-mingle", "--queues", "other")
    worker = [app_program("celery"), "--broker", broker(ports), "worker", *options]
    with subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            until(lambda: not ask(missing), 60)
        finally:
            it.kill()
    until(lambda: ask(missing), 30)


def test_tasks_of_every_priority_are_counted_where_celery_puts_them(
    ask: Ask, redis: Redis, ports: tuple[int, int]
) -> None:
    length = 'app:queue:length{queue="bulk"}'
    until(lambda: set(ask(length).values()) == {0}, 30)
    subprocess.run([app_program("python"), "-c", SENDS, broker(ports)], check=True, timeout=60)
    until(lambda: set(ask(length).values()) == {10}, 30)


def test_memory_is_within_what_the_plan_counts(ask: Ask) -> None:
    used = max(ask('process_resident_memory_bytes{job="redis_exporter"}').values())
    assert used < REGISTRY["redis_exporter"].need_mib * 1024 * 1024


def test_a_redis_that_is_gone_is_told_and_nothing_else_is(ask: Ask, redis: Redis) -> None:
    redis("SHUTDOWN", "NOSAVE")
    until(lambda: ask("redis_up") == {("shop", "web1"): 0}, 30)
    until(lambda: ask('ALERTS{alertname="RedisDown"}'), 30)
    until(lambda: not ask("app:queue:length"), 30)
    assert ask('ALERTS{alertname!="RedisDown"}') == {}
