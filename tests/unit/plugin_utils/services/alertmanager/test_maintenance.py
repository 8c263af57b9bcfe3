"""Windows of maintenance in Alertmanager: when it is silent, about whom, and that nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import alertmanager_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.maintenance import (
    muted,
    time_intervals,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

MakeContext = Callable[..., Context]
NIGHT = {"start": "02:00", "end": "03:30"}
NIGHTLY = {"times": [{"start_time": "02:00", "end_time": "03:30"}]}


def day(year: int, month: int, number: int, start: str, end: str) -> dict[str, Any]:
    return {
        "years": [str(year)],
        "months": [str(month)],
        "days_of_month": [str(number)],
        "times": [{"start_time": start, "end_time": end}],
    }


# name: (declared, parts of Alertmanager's interval)
WINDOWS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "within a day": (
        {"start": "2026-12-01 02:00", "end": "2026-12-01 03:30"},
        [day(2026, 12, 1, "02:00", "03:30")],
    ),
    "over the year's end": (
        {"start": "2026-12-30 22:00", "end": "2027-01-01 01:15"},
        [
            day(2026, 12, 30, "22:00", "24:00"),
            day(2026, 12, 31, "00:00", "24:00"),
            day(2027, 1, 1, "00:00", "01:15"),
        ],
    ),
    "over a leap day, to midnight": (
        {"start": "2028-02-28 23:00", "end": "2028-03-01 00:00"},
        [day(2028, 2, 28, "23:00", "24:00"), day(2028, 2, 29, "00:00", "24:00")],
    ),
    "daily": (NIGHT, [NIGHTLY]),
    "weekdays": ({**NIGHT, "weekdays": "saturday:monday"}, [{"weekdays": ["saturday", "sunday", "monday"], **NIGHTLY}]),
    "over midnight": (
        {"start": "23:00", "end": "01:30"},
        [
            {"times": [{"start_time": "23:00", "end_time": "24:00"}]},
            {"times": [{"start_time": "00:00", "end_time": "01:30"}]},
        ],
    ),
    "over midnight, on weekdays: the second part is one day later": (
        {"start": "23:00", "end": "01:30", "weekdays": "saturday:sunday"},
        [
            {"weekdays": ["saturday", "sunday"], "times": [{"start_time": "23:00", "end_time": "24:00"}]},
            {"weekdays": ["sunday", "monday"], "times": [{"start_time": "00:00", "end_time": "01:30"}]},
        ],
    ),
    "to midnight": (
        {"start": "22:00", "end": "00:00", "weekdays": "friday"},
        [{"weekdays": ["friday"], "times": [{"start_time": "22:00", "end_time": "24:00"}]}],
    ),
    "days of the month": ({**NIGHT, "days_of_month": [15, 1]}, [{"days_of_month": ["1", "15"], **NIGHTLY}]),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_an_interval_in_the_declared_time_zone(name: str) -> None:
    declared, parts = WINDOWS[name]
    windows = Declaration.model_validate({"maintenance": [{"title": "Upgrade", **declared}]}).maintenance
    assert time_intervals(windows, "Europe/Berlin") == [
        {
            "name": "maintenance: Upgrade",
            "time_intervals": [{**part, "location": "Europe/Berlin"} for part in parts],
        }
    ]


DECLARED: dict[str, Any] = {
    "maintenance": [
        {"title": "All", **NIGHT},
        {"title": "Shop", **NIGHT, "apps": ["shop", "blog"]},
        {"title": "Blog", **NIGHT, "apps": ["blog"]},
    ]
}
ALL, SHOP, BLOG = "maintenance: All", "maintenance: Shop", "maintenance: Blog"
# App of an alert, None for one of a host: the windows in which it is silent.
MUTED = {None: [ALL], "other": [ALL], "shop": [ALL, SHOP], "blog": [ALL, SHOP, BLOG]}


@pytest.mark.parametrize("app", MUTED)
def test_a_window_is_about_its_apps_or_about_everything(app: str | None) -> None:
    assert muted(Declaration.model_validate(DECLARED).maintenance, app) == MUTED[app]


def config(context: MakeContext, declared: dict[str, Any]) -> dict[str, Any]:
    return alertmanager_config(context(declared))


def test_every_severity_is_silent_in_a_window_and_low_ones_keep_to_office_hours(context: MakeContext) -> None:
    made = config(context, DECLARED)
    routes = {route["receiver"]: route for route in made["route"]["routes"] if "repeat_interval" in route}
    for severity in SEVERITIES:
        route, hours = routes[severity], {"active_time_intervals": ["office-hours"]} if severity == "low" else {}
        assert {key: it for key, it in route.items() if key.endswith("time_intervals")} == {
            "mute_time_intervals": [ALL],
            **hours,
        }
        assert route["routes"] == [
            {"matchers": [f'app="{app}"'], "mute_time_intervals": MUTED[app], **hours} for app in ("shop", "blog")
        ]
    assert [each["name"] for each in made["time_intervals"]] == ["office-hours", ALL, SHOP, BLOG]


def test_the_heartbeat_and_test_alerts_are_never_silent(context: MakeContext) -> None:
    """Else somebody is called because of planned work, or a test of the receivers fails."""
    with_windows, without = config(context, DECLARED)["route"]["routes"], config(context, {})["route"]["routes"]
    assert with_windows[:2] == without[:2]
    assert "time_intervals" not in str(without[:2])


def test_what_has_no_known_severity_goes_the_way_of_high_and_is_silent_as_well(context: MakeContext) -> None:
    """Alertmanager mutes routes below the root, not the root, to which a rule of a team's own may fall."""
    *others, last = config(context, DECLARED)["route"]["routes"]
    assert last == {
        "receiver": "high",
        "mute_time_intervals": [ALL],
        "routes": [{"matchers": [f'app="{app}"'], "mute_time_intervals": MUTED[app]} for app in ("shop", "blog")],
    }
    assert all("matchers" in route for route in others), "one before it takes everything"
    assert [route.get("matchers") for route in config(context, {})["route"]["routes"]] == [
        route["matchers"] for route in others
    ]


def test_without_windows_nothing_is_silent(context: MakeContext) -> None:
    made = config(context, {})
    assert "mute_time_intervals" not in str(made)
    assert [each["name"] for each in made["time_intervals"]] == ["office-hours"]
