# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What `./crowsnest alert-drill` stops, when it refuses, and what it prints."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters

APPS: list[dict[str, Any]] = [
    {"name": "shop", "container": "shop-web-1", "metrics": [":8000"], "thresholds": {"down_for": "1m"}},
    {"name": "far", "container": "far-1", "metrics": [":8000"], "host": "web2"},
    {"name": "bare", "metrics": [":8001"]},
    {"name": "mute", "container": "mute-1"},
]
VARIABLES: dict[str, Any] = {
    "crowsnest_environment": "staging",
    "crowsnest_apps": APPS,
    "crowsnest_receivers": [{"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush"}],
    "crowsnest_ports": {"prometheus": 19090},
}
PRODUCTION = {"crowsnest_environment": "production"}


def drill(app: str = "", agreed: bool = False, **changes: Any) -> dict[str, Any]:
    return filters.alert_drill({**VARIABLES, **changes}, "web1", app, agreed)


@pytest.mark.parametrize(
    ("app", "changes", "sentence"),
    [
        ("shpo", {}, "There is no app shpo. Declared are: shop, far, bare, mute."),
        ("bare", {}, "The app bare declares no `container`"),
        ("mute", {}, "The app mute declares no `metrics`"),
        ("far", {}, "The app far runs on web2; the drill stops containers of the server web1 only."),
        ("", {"crowsnest_receivers": []}, "No receiver is declared"),
        ("", PRODUCTION, "crowsnest_environment is production, and the drill stops services there."),
        ("shop", PRODUCTION, "crowsnest_environment is production, and the drill stops services there."),
    ],
)
def test_a_drill_that_would_do_harm_or_show_nothing_is_refused(
    app: str, changes: dict[str, Any], sentence: str
) -> None:
    assert drill(app, **changes)["refusal"].startswith(sentence)


def test_on_staging_and_where_somebody_agreed_there_is_a_drill() -> None:
    assert drill("shop")["refusal"] == ""
    assert drill("shop", agreed=True, **PRODUCTION)["refusal"] == ""


def test_parts_of_the_stack_are_stopped_and_the_app_that_is_named() -> None:
    assert [fault["container"] for fault in drill()["faults"]] == [
        "crowsnest-uptime_kuma-1",
        "crowsnest-blackbox-1",
        "crowsnest-alertmanager-1",
    ]
    found = drill("shop")
    assert found["faults"][-1] == {"name": "app shop", "container": "shop-web-1", "wait": 360, "by_kuma": False}
    assert found["prometheus"] == "http://127.0.0.1:19090"
    assert found["alertmanager"] == "http://127.0.0.1:9093"


def test_only_what_uptime_kuma_tells_is_not_expected_of_alertmanager() -> None:
    assert [fault["name"] for fault in drill("shop")["faults"] if fault["by_kuma"]] == ["Alertmanager"]


def test_it_says_before_what_is_stopped_and_how_long_it_takes() -> None:
    said = drill("shop")["announcement"]
    assert said.startswith(
        "Stops on web1, one after the other: Uptime Kuma, blackbox exporter, Alertmanager, app shop."
    )
    assert " 54 min for all at most." in said
