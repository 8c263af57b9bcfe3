"""Module alertmanager_test_alerts against a server that delivers as Alertmanager does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.modules import alertmanager_test_alerts as module

Serve = Callable[..., Any]
Run = Callable[..., dict[str, Any]]


class Alertmanager:
    """Counts deliveries once alerts were posted. `refused` are (severity, integration) that fail each time."""

    def __init__(self, receivers: dict[str, dict[str, int]], refused: set[tuple[str, str]], before: int = 5) -> None:
        self.sent = {(name, kind): before for name, kinds in receivers.items() for kind in kinds}
        self.failed = dict.fromkeys(self.sent, 1)
        self.receivers, self.refused, self.alerts = receivers, refused, list[dict[str, Any]]()

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        if (method, path) == ("POST", "/api/v2/alerts"):
            self.alerts += json.loads(body)
            for alert in self.alerts:
                self.deliver(alert["labels"]["severity"])
            return 200, ""
        return 200, self.metrics()

    def deliver(self, severity: str) -> None:
        for kind, count in self.receivers.get(severity, {}).items():
            self.sent[severity, kind] += count
            self.failed[severity, kind] += count if (severity, kind) in self.refused else 0

    def metrics(self) -> str:
        return "".join(
            f'alertmanager_notification_requests_{name}{{integration="{kind}",receiver_name="{severity}"}} {count}\n'
            for name, counts in (("total", self.sent), ("failed_total", self.failed))
            for (severity, kind), count in counts.items()
        )


LOG = r"""
time=2026-01-01T00:00:00Z level=WARN msg="Notify attempt failed" receiver=low integration=slack[0] err="early"
time=2026-01-01T00:00:00Z level=ERROR msg="Notify for alerts failed" component=dispatcher num_alerts=1 err="critical/slack[0]: notify retry canceled due to unrecoverable error after 1 attempts: channel \"#alerts\": unexpected status code 403: invalid_token"
time=2026-01-01T00:00:00Z level=INFO msg="Completed loading of configuration file"
"""  # noqa: E501
PRINT_LOG = [sys.executable, "-c", f"import sys; sys.stderr.write({LOG!r})"]
RECEIVERS = {"critical": {"slack": 1, "email": 1}, "low": {"slack": 2}}


def run(run_module: Run, url: str, expected: dict[str, dict[str, int]] | None = None, **params: Any) -> dict[str, Any]:
    texts = {severity: {"summary": f"A test of {severity}"} for severity in expected or RECEIVERS}
    sent = {"deliveries": expected or RECEIVERS, "texts": texts}
    whole = {"url": url, **sent, "log_command": PRINT_LOG, "timeout": 0, **params}
    return run_module(module, **whole)


def row(severity: str, integration: str, expected: int, **rest: Any) -> dict[str, Any]:
    whole = {"delivered": expected, "failed": 0, "words": "", **rest}
    return {"severity": severity, "integration": integration, "expected": expected, **whole}


def test_every_delivery_is_counted_from_the_time_of_the_test(serve: Serve, run_module: Run) -> None:
    result = run(run_module, serve(Alertmanager(RECEIVERS, set())).url)
    assert result["changed"]
    assert result["deliveries"] == [row("critical", "slack", 1), row("critical", "email", 1), row("low", "slack", 2)]


def test_a_refusal_is_told_in_the_receivers_own_words(serve: Serve, run_module: Run) -> None:
    result = run(run_module, serve(Alertmanager(RECEIVERS, {("critical", "slack")})).url)
    words = (
        "notify retry canceled due to unrecoverable error after 1 attempts: "
        'channel "#alerts": unexpected status code 403: invalid_token'
    )
    assert result["deliveries"][0] == row(
        "critical", "slack", 1, delivered=0, failed=1, words=f"critical/slack[0]: {words}"
    )
    assert [entry["delivered"] for entry in result["deliveries"]] == [0, 1, 2]


def test_what_does_not_arrive_in_time_is_reported_as_missing(serve: Serve, run_module: Run) -> None:
    silent = Alertmanager(RECEIVERS, set())
    silent.receivers = {}
    result = run(run_module, serve(silent).url, expected={"high": {"slack": 1}})
    assert result["deliveries"] == [row("high", "slack", 1, delivered=0)]


def test_deliveries_are_waited_for(serve: Serve, run_module: Run) -> None:
    alertmanager = Alertmanager(RECEIVERS, set())
    before, paths = alertmanager.metrics(), list[str]()

    def slow(method: str, path: str, body: bytes) -> tuple[int, str]:
        paths.append(path)
        answer = alertmanager(method, path, body)
        return (200, before) if path == "/metrics" and paths.count(path) < 3 else answer

    result = run(run_module, serve(slow).url, timeout=20)
    assert [entry["delivered"] for entry in result["deliveries"]] == [1, 1, 2]
    assert paths == ["/metrics", "/api/v2/alerts", "/metrics", "/metrics"]


def test_one_marked_alert_per_severity_that_ends_by_itself(serve: Serve, run_module: Run) -> None:
    alertmanager = Alertmanager(RECEIVERS, set())
    run(run_module, serve(alertmanager).url, labels={"environment": "staging", "host": "web1"})
    assert [alert["labels"].pop("severity") for alert in alertmanager.alerts] == ["critical", "low"]
    assert [alert["annotations"] for alert in alertmanager.alerts] == [
        {"summary": "A test of critical"},
        {"summary": "A test of low"},
    ]
    for alert in alertmanager.alerts:
        assert alert["labels"].pop("run")
        assert alert["labels"] == {
            "alertname": "TestAlert",
            "test": "true",
            "environment": "staging",
            "host": "web1",
        }
        start, end = (datetime.fromisoformat(alert[key]) for key in ("startsAt", "endsAt"))
        assert end - start == timedelta(minutes=1)


def test_check_mode_sends_nothing(run_module: Run, closed_url: str) -> None:
    result = run(run_module, closed_url, check=True)
    assert (result["changed"], result["deliveries"]) == (True, [])


def test_an_alertmanager_that_does_not_answer_fails_with_where_to_look(run_module: Run, closed_url: str) -> None:
    result = run(run_module, closed_url)
    assert result["failed"]
    assert result["msg"].startswith(f"Alertmanager does not answer at {closed_url} (")


def test_an_alertmanager_that_refuses_fails_in_its_own_words(serve: Serve, run_module: Run) -> None:
    server = serve(lambda _, path, body: (200, "") if path == "/metrics" else (400, "bad labels"))
    assert run(run_module, server.url)["msg"] == "Alertmanager refused /api/v2/alerts: HTTP 400 bad labels"


def test_a_log_that_cannot_be_read_leaves_out_the_words_only(serve: Serve, run_module: Run) -> None:
    server = serve(Alertmanager(RECEIVERS, {("critical", "slack")}))
    result = run(run_module, server.url, log_command=["/nonexistent/docker", "logs"])
    assert result["deliveries"][0] == row("critical", "slack", 1, delivered=0, failed=1)


# A line of Alertmanager's log: (severity, integration, words).
LINES = {
    LOG.splitlines()[1]: ("low", "slack", "early"),
    'err="high/email[1]: dial tcp: refused"': ("high", "email", "high/email[1]: dial tcp: refused"),
    'level=ERROR msg="something else" err="no receiver"': None,
    "": None,
}


@pytest.mark.parametrize("line", LINES)
def test_a_failed_delivery_is_found_in_the_log(line: str) -> None:
    assert list(module.refusals(line)) == ([LINES[line]] if LINES[line] else [])
