"""Grafana, played by a real server that asks for the password."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.verify import grafana as verify_grafana
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import Check

Serve = Callable[..., Any]
PANEL = {"title": "CPU", "datasource": {"type": "prometheus", "uid": "prometheus"}}
ROW = {"type": "row", "panels": [PANEL, {"datasource": {"uid": "-- Mixed --"}}, {"datasource": {"uid": "${source}"}}]}
GRAFANA: dict[str, tuple[int, Any]] = {
    "/api/user": (200, {"login": "admin"}),
    "/api/datasources": (200, [{"uid": "prometheus"}, {"uid": "alertmanager"}]),
    "/api/datasources/proxy/uid/prometheus/api/v1/query?query=1": (200, {"status": "success"}),
    "/api/datasources/proxy/uid/alertmanager/api/v2/status": (200, {"cluster": {"status": "disabled"}}),
    "/api/search?type=dash-db&limit=5000": (200, [{"uid": "host"}, {"uid": "of-the-team"}]),
    "/api/plugins": (
        200,
        [{"id": "prometheus", "info": {"version": "13.1.10"}}, {"id": "clock", "info": {"version": "2.1.8"}}],
    ),
    "/api/dashboards/uid/host": (
        200,
        {"dashboard": {"panels": [PANEL, ROW], "annotations": {"list": [{"datasource": "grafana"}]}}},
    ),
}


def lines(
    serve: Serve,
    dashboards: dict[str, str] | None = None,
    wanted_plugins: dict[str, str] | None = None,
    **changes: tuple[int, Any],
) -> list[tuple[str, str]]:
    """(status, detail) of all checks against a Grafana in which some answers, named by a word of their path, differ."""
    answers = dict(GRAFANA)
    for word, answer in changes.items():
        (path,) = (path for path in GRAFANA if word in path)
        answers[path] = answer

    def answer(_: str, path: str, __: bytes) -> tuple[int, str]:
        status, content = answers[path]
        return status, content if isinstance(content, str) else json.dumps(content)

    checks = verify_grafana.grafana_checks(
        serve(answer).url, "admin", "a word", dashboards or {"host": "Host"}, wanted_plugins or {}
    )
    return [(check.status, check.detail) for check in checks]


def test_a_grafana_as_declared_passes(serve: Serve) -> None:
    assert lines(serve) == [
        ("PASS", "admin can log in with the declared password"),
        ("PASS", "data sources prometheus and alertmanager answer"),
        ("PASS", "1 of 1 dashboards are there"),
    ]


def faults(found: list[tuple[str, str]]) -> list[str]:
    return [detail for status, detail in found if status == "FAIL"]


def test_a_password_changed_by_hand_is_said_once_and_asked_once(serve: Serve) -> None:
    server = serve(lambda *_: (401, '{"message":"Invalid username or password"}'))
    (check,) = verify_grafana.grafana_checks(server.url, "admin", "a word", {}, {})
    assert (check.status, check.detail) == (
        "FAIL",
        "Grafana refuses the password of admin: it was changed by hand or declared since, or the user is locked",
    )
    assert "crowsnest site" in check.advice
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (401, "", "HTTP 401, the user may not query it: "),
        (403, '{"message":"denied"}', 'HTTP 403, the user may not query it: {"message":"denied"}'),
        (
            404,
            '{"message":"Data source not found"}',
            'HTTP 404, it does not exist: {"message":"Data source not found"}',
        ),
        (502, "", "HTTP 502, Grafana cannot reach it: "),
        (500, "oh", "HTTP 500, it answers with an error: oh"),
    ],
)
def test_a_data_source_that_does_not_answer_is_named_with_the_reason(
    serve: Serve, status: int, text: str, words: str
) -> None:
    assert faults(lines(serve, status=(status, text))) == [f"data source alertmanager: {words}"]


def test_a_missing_dashboard_is_named(serve: Serve) -> None:
    assert faults(lines(serve, {"host": "Host", "stack": "Monitoring"})) == [
        "dashboards are missing: Monitoring (stack)"
    ]


def test_a_panel_of_a_data_source_that_does_not_exist_is_found_in_a_row_too(serve: Serve) -> None:
    row = {"panels": [{"datasource": {"uid": "influx"}}]}
    found = lines(serve, host=(200, {"dashboard": {"panels": [PANEL, row]}}))
    assert faults(found) == ["dashboard host queries data sources that do not exist: influx"]


def test_a_grafana_that_breaks_off_is_one_line(serve: Serve) -> None:
    found = lines(serve, search=(500, '{"message":"database is locked"}'))
    assert len(faults(found)) == 1
    assert "HTTP 500: database is locked" in faults(found)[0]


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"clock": "2.1.8"}, ("PASS", "1 of 1 declared plugins are installed")),
        (
            {"clock": "2.2.0", "piechart": "1.0.0"},
            ("FAIL", "declared plugins are missing: clock 2.2.0 (found 2.1.8), piechart 1.0.0"),
        ),
    ],
)
def test_declared_plugins_are_looked_for_in_their_version(
    serve: Serve, wanted: dict[str, str], line: tuple[str, str]
) -> None:
    assert lines(serve, wanted_plugins=wanted)[-1] == line


def test_plugins_that_cannot_be_listed_are_one_line(serve: Serve) -> None:
    found = lines(serve, wanted_plugins={"clock": "1"}, plugins=(500, '{"message":"database is locked"}'))
    assert len(faults(found)) == 1
    assert "the plugins cannot be listed: " in faults(found)[0]


def test_a_plugin_that_is_missing_may_still_come(serve: Serve) -> None:
    """Grafana fetches it after its start; verify asks again for a while."""
    (check,) = verify_grafana.plugin_checks(lambda _: (200, "[]"), {"clock": "1.0.0"})
    assert check.soon and "docker restart crowsnest-grafana-1" in check.advice


def test_without_a_password_nothing_is_asked(serve: Serve) -> None:
    server = serve(lambda *_: (200, "{}"))
    (check,) = verify_grafana.grafana_checks(server.url, "admin", "", {}, {})
    assert check.status == "FAIL"
    assert server.asked == []


def test_the_password_is_sent_as_basic_auth_and_stands_in_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    class Opener:
        def open(self, request: Any, timeout: float) -> Any:
            sent.append(request.get_header("Authorization"))
            raise OSError("refused")

    monkeypatch.setattr("ansible_collections.crowsnest.core.plugins.module_utils.http.DIRECT", Opener())
    checks: list[Check] = verify_grafana.grafana_checks("http://127.0.0.1:1", "admin", "p:w ü", {}, {})
    assert sent == ["Basic " + base64.b64encode("admin:p:w ü".encode()).decode()]
    assert "p:w" not in str(checks)
