"""Uptime Kuma, played by a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify import kuma as verify_kuma

METRICS = """\
# HELP monitor_status Monitor Status (1 = UP, 0= DOWN, 2= PENDING, 3= MAINTENANCE)
monitor_status{monitor_id="1",monitor_name="shop: website",monitor_type="http",monitor_url="https://a/{x}"} 1
monitor_status{monitor_name="the \\"best\\" shop",monitor_type="http"} 0
monitor_response_time{monitor_name="shop: gone",monitor_type="http"} 12
"""


def lines(found: list[Any]) -> list[tuple[str, str]]:
    return [(check.status, check.detail) for check in found]


def test_monitors_with_a_state_are_found_whatever_the_state_is() -> None:
    found = verify_kuma.monitor_checks(METRICS, ["shop: website", 'the "best" shop'])
    assert lines(found) == [("PASS", "2 of 2 declared monitors report a state")]


def test_a_monitor_without_a_state_is_named_and_may_be_right_in_a_moment() -> None:
    (check,) = verify_kuma.monitor_checks(METRICS, ["shop: website", "shop: gone"])
    assert (check.status, check.detail) == ("FAIL", "1 of 2 declared monitors report no state: shop: gone")
    assert check.soon
    assert "docker restart" in check.advice


def test_a_status_page_is_read_without_a_login(serve: Callable[..., Any]) -> None:
    kuma = serve(lambda _, path, __: (200, "{}") if path == "/api/status-page/status" else (404, "not found"))
    assert lines(verify_kuma.page_checks(kuma.url, "status")) == [
        ("PASS", "status page status can be read without a login")
    ]
    assert lines(verify_kuma.page_checks(kuma.url, "team")) == [("FAIL", "status page team: HTTP 404")]
    assert kuma.logins == []


def test_a_kuma_that_falls_silent_is_one_line_per_page(closed_url: str) -> None:
    found = lines(verify_kuma.kuma_checks(closed_url, METRICS, ["shop: website"], ["status"]))
    assert found[0][0] == "PASS"
    assert found[1][0] == "FAIL"
    assert found[1][1].startswith("status page status: no answer (")
