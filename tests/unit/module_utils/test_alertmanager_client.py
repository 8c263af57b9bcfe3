"""The client of Alertmanager against a real server: what it sends, what it reads, and its words when that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.alertmanager_client import (
    AlertmanagerClient,
    AlertmanagerError,
)

Serve = Callable[..., Any]
# As Alertmanager 0.28 with receiver-name-in-metrics writes it.
METRICS = """\
# HELP alertmanager_notification_requests_total The total number of attempted notification requests.
# TYPE alertmanager_notification_requests_total counter
alertmanager_notification_requests_total{integration="slack",receiver_name="critical"} 3
alertmanager_notification_requests_total{integration="slack",receiver_name="low"} 0
alertmanager_notification_requests_total{integration="email",receiver_name="critical"} 1e+06
alertmanager_notification_requests_failed_total{integration="slack",receiver_name="critical"} 2
alertmanager_notifications_total{integration="slack",receiver_name="critical"} 99
alertmanager_config_hash 1.2e+14
"""


def test_deliveries_are_counted_per_receiver_and_integration(serve: Serve) -> None:
    server = serve(lambda *_: (200, METRICS))
    assert AlertmanagerClient(server.url + "/").delivery_counts() == {
        ("critical", "slack"): (3, 2),
        ("low", "slack"): (0, 0),
        ("critical", "email"): (1_000_000, 0),
    }
    assert server.asked == [("GET", "/metrics", b"")]


def test_an_alertmanager_without_names_of_receivers_is_counted_without_them(serve: Serve) -> None:
    server = serve(lambda *_: (200, 'alertmanager_notification_requests_total{integration="slack"} 7\n'))
    assert AlertmanagerClient(server.url).delivery_counts() == {("", "slack"): (7, 0)}


def test_alerts_are_posted_as_json(serve: Serve) -> None:
    server, alerts = serve(lambda *_: (200, "")), [{"labels": {"alertname": "TestAlert"}}]
    AlertmanagerClient(server.url).post_alerts(alerts)
    ((method, path, body),) = server.asked
    assert (method, path, json.loads(body)) == ("POST", "/api/v2/alerts", alerts)


def test_a_refusal_is_told_in_alertmanagers_own_words(serve: Serve) -> None:
    server = serve(lambda *_: (400, "start time must be before end time"))
    with pytest.raises(AlertmanagerError) as refusal:
        AlertmanagerClient(server.url).post_alerts([])
    words = "Alertmanager refused /api/v2/alerts: HTTP 400 start time must be before end time"
    assert str(refusal.value) == words


def assert_says_how_to_look(url: str, **options: Any) -> None:
    with pytest.raises(AlertmanagerError) as silence:
        AlertmanagerClient(url, **options).delivery_counts()
    assert str(silence.value).startswith(f"Alertmanager does not answer at {url} (")
    assert str(silence.value).endswith(
        "). `sudo docker compose -f /opt/crowsnest/compose.yaml ps` on the host shows whether it runs."
    )


def test_nobody_there_says_how_to_look(closed_url: str) -> None:
    assert_says_how_to_look(closed_url)


def test_a_program_that_speaks_no_http_says_how_to_look(no_http_url: str) -> None:
    assert_says_how_to_look(no_http_url)


def test_no_answer_in_time_says_how_to_look(serve: Serve, hold: Callable[..., tuple[int, str]]) -> None:
    assert_says_how_to_look(serve(hold).url, timeout_seconds=0.2)


def test_a_proxy_of_the_environment_is_not_asked(
    serve: Serve, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", closed_url)
    assert AlertmanagerClient(serve(lambda *_: (200, "")).url).delivery_counts() == {}
