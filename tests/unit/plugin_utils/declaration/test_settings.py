"""The model of the declaration: what each kind of value may be. What the user reads is in test_mistakes.py."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES, receiver_name
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import (
    Declaration,
    duration_seconds,
    read,
)

HOOK = "https://hooks.slack.com/services/T/B/x"
TOPIC = "arn:aws:sns:ap-northeast-2:123456789012:oncall"
MAIL = {"type": "email", "to": ["a@example.com"], "sender": "a@example.com", "smarthost": "smtp.example.com:587"}

SECONDS = {"1s": 1, "90s": 90, "5m": 300, "1h30m": 5400, "15d": 1_296_000, "2w": 1_209_600, "1y": 31_536_000, "0s": 0}


@pytest.mark.parametrize("text", SECONDS)
def test_a_duration_counts_as_prometheus_counts(text: str) -> None:
    assert duration_seconds(text) == SECONDS[text]


# Each of these is refused by promtool as well.
NO_DURATIONS = ["", "5", "m", "5 m", "-5m", "5m1h", "5m5m", "1.5h", "5M", "\u0665m", "300y", "9" * 30 + "y"]


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_prometheus_does_not_take_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        duration_seconds(text)


def app(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", **keys}]}


def receiver(**keys: Any) -> dict[str, Any]:
    return {"receivers": [keys]}


# {name without crowsnest_: value}
TAKEN: list[dict[str, Any]] = [
    {},
    app(name="a"),
    app(name="a" * 36),
    app(url="https://shop.example.com"),
    app(url="http://127.0.0.1:8000/a?b=c"),
    app(url="https://쇼핑몰.kr/"),
    app(url="http://[::1]:8000/"),
    app(metrics=[":8000", "127.0.0.1:8000/metrics", "[::1]:8000", "web-1.internal:65535/a/b"]),
    app(url="https://shop.example.com/", health={"basic": "/health/"}),
    app(health={"basic": "http://127.0.0.1:8000/health/"}),
    app(health={"detailed": "http://127.0.0.1:8000/d/", "components": ["database", "redis"]}),
    app(metrics=["shop_web_1:8000/metrics", "_a_:1", "[::ffff:10.0.0.1]:8000", "[fe80::1%eth0]:8000"]),
    app(tcp={"redis_cache": "shop_redis_1:6379"}, container="shop_web_1"),
    app(jobs=[{"name": "nightly_backup", "every": "1d"}]),
    app(url="https://shop.example.com/@team/a?mail=a@b.de#x@y"),
    app(url="https://shop.example.com/", health={"basic": "/@me/health"}),
    app(username="kim", password="비밀 p$w", verify_tls=False, accepted_status=[401, "200-299"]),
    app(username="kim", password=""),
    app(headers={"Authorization": "Bearer x", "X_Api.Key-1": "", "Host": "shop.example.com"}),
    app(
        health={
            "detailed": "http://127.0.0.1:8000/d/",
            "components": ["cache-1", "postgres:connections", "결제", "info"],
        }
    ),
    app(thresholds={"error_ratio": 1, "down_for": "30s"}),
    {"timezone": "UTC"},
    {"scrape_interval": "30s"},
    {"repeat_after": "10m"},
    {"ports": {"prometheus": 19090}},
    {"images": {"prometheus": "registry.example.com:5000/prom/prometheus:v3.14.0@sha256:" + "0" * 64}},
    {"images": {"prometheus": "Registry:5000/a__b/c:V1", "grafana": "[::1]:5000/grafana:1", "blackbox": "10.0.0.1/b"}},
    {"office_hours": {"end": "24:00"}},
    {"metabase_database": {"address": "shop_db_1:5432", "name": "메타베이스", "user": "meta base", "password": "x"}},
    {"office_hours": {"weekdays": "monday:sunday", "start": "00:00", "end": "23:59"}},
    {"office_hours": {"weekdays": "saturday"}},
    {"heartbeat_url": "https://hc-ping.com/uuid"},
    *(
        receiver(type="slack", webhook_url=HOOK, channel=name)
        for name in ("#alerts", "#알림", "@kim", "C012AB3CD", "ops")
    ),
    *(
        receiver(**MAIL | {"to": [text], "sender": text})
        for text in ("root@localhost", "당직 <a@b.de>", '"O, K" <a@[::1]>')
    ),
    receiver(**MAIL | {"smarthost": "mail_relay_1:25"}),
    receiver(**MAIL | {"smarthost": "[::1]:25", "require_tls": True}),
    receiver(type="discord", webhook_url=HOOK),
    receiver(type="webhook", url="http://127.0.0.1:9000/hook"),
    receiver(**MAIL, username="a", password="b"),
    receiver(**MAIL, require_tls=False),
    receiver(**MAIL | {"smarthost": "localhost:25", "require_tls": False, "username": "a", "password": "b"}),
    receiver(**MAIL | {"smarthost": "127.0.0.1:1025", "require_tls": True}),
    receiver(type="sns", topic_arn=TOPIC),
    receiver(type="sns", topic_arn=TOPIC, access_key="A", secret_key="s"),
]


@pytest.mark.parametrize("declared", TAKEN, ids=str)
def test_a_right_value_is_taken(declared: dict[str, Any]) -> None:
    Declaration.model_validate(declared)


REFUSED: list[dict[str, Any]] = [
    {"unknown": 1},
    app(name="Shop"),
    app(name="a" * 41),
    app(framework="rails"),
    app(url="shop.example.com"),
    app(url="https://"),
    app(url="https://a b.example.com/"),
    app(url="https://shop.example.com:99999/"),
    app(url="https://shop.example.com/\0"),
    app(url="http://[::1"),
    app(url="ftp://shop.example.com/"),
    app(metrics=["8000"]),
    app(metrics=[":0"]),
    app(metrics=[":65536"]),
    app(metrics=[":٨٠٠٠"]),
    app(metrics=[":8000/metrics?a=b"]),
    app(metrics=["http://127.0.0.1:8000/metrics"]),
    app(health={"basic": "/health/"}),
    app(health={"components": ["database"]}),
    app(health={"detailed": "http://127.0.0.1:8000/d/"}),
    app(health={"detailed": "http://127.0.0.1:8000/d/", "components": ['a"b']}),
    app(health={"detailed": "http://127.0.0.1:8000/d/", "components": ["a b"]}),
    app(health={"detailed": "http://127.0.0.1:8000/d/", "components": ["Answer"]}),
    app(health={"detailed": "http://127.0.0.1:8000/d/", "components": ["redis", "Redis"]}),
    app(thresholds={"error_ratio": 0}),
    app(thresholds={"error_ratio": 1.01}),
    app(thresholds={"latency_p95_high_seconds": float("inf")}),
    app(thresholds={"latency_p95_high_seconds": 1}),
    app(thresholds={"down_for": "0s"}),
    {"environment": "Production"},
    {"environment": True},
    {"timezone": "Seoul"},
    {"language": "kr"},
    {"scrape_interval": "31s"},
    {"scrape_interval": 15},
    {"retention_size_mib": 255},
    {"repeat_after": "9m59s"},
    {"ports": {"prometheus": 80}},
    {"ports": {"prometheus": 65536}},
    {"images": {"prometheus": "two words"}},
    {"images": {"prometheus": "prom/prometheus@sha256:abc"}},
    {"office_hours": {"weekdays": "mon:fri"}},
    {"office_hours": {"start": "18:00", "end": "09:00"}},
    {"office_hours": {"start": "24:00", "end": "24:00"}},
    {"heartbeat_url": "hc-ping.com/uuid"},
    receiver(type="pager", webhook_url=HOOK),
    receiver(type="slack"),
    *(receiver(type="slack", webhook_url=HOOK, channel=text) for text in ("", "#", "two words", HOOK)),
    *(receiver(**MAIL | {"to": [text]}) for text in ("", "kim", "a@b.de, c@d.de", "a@b.de\nx", "@b.de")),
    *(receiver(**MAIL | {"smarthost": text}) for text in ("a b:25", "smtp:0", "smtp:x", "smtp://smtp.example.com:25")),
    app(metrics=["[::1%]:8000"]),
    app(metrics=["[1.2.3.4]:8000"]),
    app(username="kim"),
    app(password="x"),
    app(username="a:b", password="x"),
    *(app(username="kim", password=text) for text in (" x", "x ", "x\n", "a\nb", "a\0b")),
    *(app(headers={name: "x"}) for name in ("", "a b", "X:", "..", "헤더", "Bearer x")),
    *(app(headers={"X": text}) for text in (" x", "a\nb", "비밀")),
    app(headers={"X-Token": "a", "x-token": "b"}),
    app(headers={"authorization": "Bearer x"}, username="kim", password="x"),
    app(accepted_status=[]),
    app(accepted_status=["2xx"]),
    receiver(type="slack", webhook_url=HOOK, severities=[]),
    receiver(type="slack", webhook_url=HOOK + "가"),
    receiver(**MAIL | {"to": []}),
    receiver(**MAIL | {"smarthost": "smtp.example.com"}),
    receiver(**MAIL | {"smarthost": "[::1]:25"}),
    receiver(**MAIL | {"smarthost": "127.0.0.2:25", "require_tls": "starttls"}),
    receiver(**MAIL | {"require_tls": False, "username": "a", "password": "b"}),
    receiver(type="sns", topic_arn="arn:aws:sqs:ap-northeast-2:123456789012:oncall"),
    receiver(type="sns", topic_arn=TOPIC, access_key="A"),
]


@pytest.mark.parametrize("declared", REFUSED, ids=str)
def test_a_wrong_value_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Declaration.model_validate(declared)


def test_an_empty_declaration_has_the_documented_defaults() -> None:
    declared = read({})
    assert (declared.environment, declared.timezone, declared.language) == ("production", "Asia/Seoul", "en")
    assert (declared.scrape_interval, declared.retention, declared.repeat_after) == ("15s", "92d", "10m")
    assert (declared.apps, declared.receivers, declared.heartbeat_url) == ([], [], None)


def test_slack_gets_all_severities_and_costly_ways_only_the_critical_one() -> None:
    declared = Declaration.model_validate({"receivers": [{"type": "slack", "webhook_url": HOOK}, MAIL]})
    assert [receiver.severities for receiver in declared.receivers] == [list(SEVERITIES), ["critical"]]


def test_variables_are_read_by_their_full_names() -> None:
    assert read({"crowsnest_environment": "staging"}).environment == "staging"


def test_a_receiver_is_called_by_its_name_else_by_its_type() -> None:
    entries = [{"type": "slack", "webhook_url": HOOK}, {"type": "slack", "webhook_url": HOOK, "name": "oncall"}]
    declared = Declaration.model_validate({"receivers": entries})
    assert [receiver_name(receiver) for receiver in declared.receivers] == ["slack", "oncall"]


def test_a_printed_declaration_shows_no_secret() -> None:
    declared = read(
        {"crowsnest_heartbeat_url": "https://hc-ping.com/hush", "crowsnest_receivers": [MAIL | {"password": "hush"}]}
    )
    assert "hush" not in f"{declared} {declared!r} {declared.model_dump_json()}"


# Where the unit that writes there, or a line of flags, could not name it.
NO_FOLDERS = [
    "metrics",
    "/",
    "/srv/my metrics",
    "/srv/$HOME",
    "/srv/../tmp",
    "/home/kim/metrics",
    "/tmp",
    "/run/metrics/",
]


@pytest.mark.parametrize("folder", NO_FOLDERS)
def test_a_folder_for_metrics_that_cannot_be_read_or_written_is_refused(folder: str) -> None:
    with pytest.raises(ValidationError, match="an absolute path of letters"):
        read({"crowsnest_textfile_directory": folder})


@pytest.mark.parametrize("folder", ["/srv/metrics", "/var/lib/node_exporter/textfile-1.d", "/homes/m", "/var/run.d"])
def test_a_folder_for_metrics_may_be_anywhere_else(folder: str) -> None:
    assert read({"crowsnest_textfile_directory": folder}).textfile_directory == folder
