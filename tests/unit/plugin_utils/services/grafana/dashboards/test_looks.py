"""What Grafana would draw badly: each of these was seen on a real one. The JSON of all dashboards of a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import alert_names

MakeContext = Callable[..., Context]
Json = dict[str, Any]
APPS = [
    {
        "name": name,
        "framework": framework,
        "url": f"https://{name}.example.com/",
        "metrics": [":8000"],
        "health": {"basic": "/health/", "detailed": "/detailed/", "components": ["database"]},
    }
    for name, framework in [("shop", "django"), ("api", "fastapi"), ("web", "prom_client"), ("old", "generic")]
]
REMOTES = {"offsite": {"bucket": "backups", "region": "ap-northeast-2"}}
# An app with everything that has panels of its own.
WHOLE: Json = {
    **APPS[0],
    "name": "whole",
    "slo": 0.99,
    "anomaly": True,
    "signals": {"payment_up": "up", "refunds": "refunds_total", "out_of_stock": "products"},
    "database": {"name": "whole"},
    "redis": {"queues": ["celery"]},
    "jobs": [{"name": "clean-up", "every": "1d"}],
    "backup": {"remote": "offsite"},
}
# Pixels of Grafana's pages on a screen 1600 wide, its menu at the side: the grid, and of a panel what its title leaves
# for icons and margins. A row of the grid is 30 high, 8 lie between two.
GRID, GAP, BESIDE_TITLE, ROW, PHONE = 1268, 8, 80, 30, 390
TITLE_PIXELS, TEXT_PIXELS = 14, 14
# Widths of Inter's letters by their height.
_WIDTHS = {
    **dict.fromkeys("iljI.,:;'|! ", 0.27),
    **dict.fromkeys("frt()-/", 0.37),
    **dict.fromkeys("abcdeghknopqsuvxyz_", 0.59),
    **dict.fromkeys("mw", 0.85),
    **dict.fromkeys("MW", 0.95),
}


def text_width(text: str, pixels: int) -> float:
    """Korean letters are nearly as wide as high."""
    return pixels * sum(0.95 if letter >= "가" else _WIDTHS.get(letter, 0.68) for letter in text)


def panel_width(panel: Json) -> float:
    return (GRID + GAP) / 24 * float(panel["gridPos"]["w"]) - GAP


def panel_height(panel: Json) -> int:
    return (ROW + GAP) * int(panel["gridPos"]["h"]) - GAP


@pytest.fixture
def language() -> str:
    """A test of what depends on the length of texts has it as a parameter."""
    return "en"


@pytest.fixture
def full(context: MakeContext, language: str) -> Context:
    declared = {"apps": [*APPS, WHOLE], "metabase": True, "pushgateway": {"import": "1d"}, "backup_remotes": REMOTES}
    wanted = {**declared, "language": language}
    return context(wanted, hosts=["web1", "web2"], registry=REGISTRY, total_mib=16000)


@pytest.fixture
def panels(full: Context) -> list[tuple[str, Json]]:
    """(dashboard and title, panel) of everything that is drawn."""
    loaded = [json.loads(dashboard_json(each, "UTC")) for each in dashboards(full)]
    return [
        (f"{each['uid']}: {panel['title']}", panel)
        for each in loaded
        for panel in each["panels"]
        if panel["type"] != "row"
    ]


def of_type(panels: list[tuple[str, Json]], *types: str) -> Iterator[tuple[str, Json]]:
    found = [(where, panel) for where, panel in panels if panel["type"] in types]
    assert found
    yield from found


def columns(table: Json) -> dict[str, Json]:
    """What is said of each column of a table by its title, in addition to the defaults."""
    titles = table["transformations"][-1]["options"]["renameByName"]
    looks: dict[str, Json] = {title: {} for title in titles.values()}
    for override in table["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        looks[override["matcher"]["options"]].update({each["id"]: each["value"] for each in override["properties"]})
    return looks


# --- tables -----------------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_all_columns_of_a_table_that_texts_cannot_bear(panels: list[tuple[str, Json]]) -> None:
    """A unit of dates makes every text NaN, and with it the links that are made of it."""
    for where, table in of_type(panels, "table"):
        defaults = table["fieldConfig"]["defaults"]
        assert set(defaults) <= {"noValue", "links", "custom"}, where
        assert set(defaults["custom"]) <= {"minWidth", "align", "inspect"}, where


def test_only_numbers_have_units_and_colours_and_all_of_them_do(panels: list[tuple[str, Json]]) -> None:
    for where, table in of_type(panels, "table"):
        titles = table["transformations"][-1]["options"]["renameByName"]
        looks = columns(table)
        for name, title in titles.items():
            assert ("unit" in looks[title]) == name.startswith("Value"), (where, title)
            if not name.startswith("Value"):
                assert set(looks[title]) <= {"custom.width"}, (where, title)


def test_a_coloured_number_that_is_missing_is_not_red(panels: list[tuple[str, Json]]) -> None:
    coloured = [looks for _, table in of_type(panels, "table") for looks in columns(table).values() if "color" in looks]
    assert coloured
    for looks in coloured:
        assert looks["custom.cellOptions"] == {"type": "color-text"}
        assert looks["thresholds"]["steps"][1:]
        assert [each["options"]["result"]["color"] for each in looks["mappings"]] == ["text"]


def test_a_table_is_no_wider_than_its_panel(panels: list[tuple[str, Json]]) -> None:
    """Monitors and instances are seldom in the same row, so their columns may be scrolled to."""
    for where, table in of_type(panels, "table"):
        least = table["fieldConfig"]["defaults"]["custom"]["minWidth"]
        looks = {title: each for title, each in columns(table).items() if title not in ("Monitor", "Instance")}
        assert sum(each.get("custom.width", least) for each in looks.values()) <= panel_width(table) - 16, where


@pytest.mark.parametrize("language", ["en", "ko"])
def test_titles_and_alerts_fit_into_their_columns(panels: list[tuple[str, Json]]) -> None:
    names = alert_names()
    for where, table in of_type(panels, "table"):
        for title, looks in columns(table).items():
            texts = [title, *(names if title in ("Alert", "알림") else [])]
            width = looks.get("custom.width", 10_000)
            assert [text for text in texts if text_width(text, TEXT_PIXELS) > width - 16] == [], where


# --- timelines --------------------------------------------------------------------------------------------------------


def test_timelines_show_the_colours_of_their_values(panels: list[tuple[str, Json]]) -> None:
    for where, timeline in of_type(panels, "state-timeline"):
        defaults = timeline["fieldConfig"]["defaults"]
        assert defaults["color"] == {"mode": "fixed", "fixedColor": "text"}, where
        (names,) = defaults["mappings"]  # a second one, for what is missing, would be drawn
        assert len({each["color"] for each in names["options"].values()}) == len(names["options"]) >= 2, where
        assert timeline["options"]["legend"]["showLegend"] is True, where


def test_rows_of_timelines_have_room(panels: list[tuple[str, Json]]) -> None:
    for where, timeline in of_type(panels, "state-timeline"):
        title, axis, legend, buttons = 37, 25, 30, 40
        room = panel_height(timeline) - title - axis - legend - buttons
        assert room / timeline["options"]["perPage"] >= 18, where


# --- single numbers and bars ------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_in_a_neutral_colour(panels: list[tuple[str, Json]]) -> None:
    for where, panel in of_type(panels, "stat", "bargauge"):
        last = panel["fieldConfig"]["defaults"]["mappings"][-1]
        assert last["type"] == "special", where
        assert last["options"]["match"] == "null+nan"
        assert {last["options"]["result"][key] for key in ("text", "color")} == {"none", "text"}


def test_bars_have_names_and_a_height(panels: list[tuple[str, Json]]) -> None:
    for where, bars in of_type(panels, "bargauge"):
        name = bars["fieldConfig"]["defaults"]["displayName"]
        for target in bars["targets"]:
            labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
            assert labels and re.findall(r"\${__field\.labels\.(\w+)}", name) == labels, where
        wanted = {"sizing": "manual", "minVizHeight": 16, "maxVizHeight": 32, "namePlacement": "left"}
        assert {key: bars["options"][key] for key in wanted} == wanted


def test_a_sparkline_does_not_run_through_a_number_nor_through_codes(panels: list[tuple[str, Json]]) -> None:
    drawn = {where: panel for where, panel in of_type(panels, "stat") if panel["options"]["graphMode"] != "none"}
    assert {"overview: Requests", "host: CPU busy"} <= set(drawn)
    for where, panel in drawn.items():
        assert panel["options"]["textMode"] == "value_and_name", where
        assert all(target["range"] and not target.get("instant") for target in panel["targets"]), where
        assert "code" not in where.lower()


def test_a_number_without_a_past_is_that_of_now(panels: list[tuple[str, Json]]) -> None:
    """The last value of a range is up to one step old: it would differ from the table beside it."""
    for where, panel in of_type(panels, "stat", "table", "bargauge"):
        if panel.get("options", {}).get("graphMode", "none") == "none":
            assert all(target["instant"] and not target.get("range") for target in panel["targets"]), where


def test_names_of_many_values_stay_readable(panels: list[tuple[str, Json]]) -> None:
    for where, panel in of_type(panels, "stat"):
        if panel["options"]["textMode"] == "value_and_name":
            assert panel["options"]["text"] == {"titleSize": 14}, where


# --- everything -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
def test_titles_are_not_cut(panels: list[tuple[str, Json]]) -> None:
    """On a phone each panel is as wide as the screen, and has the same icons."""
    for where, panel in panels:
        for width in (panel_width(panel), PHONE - 2 * GAP):
            assert text_width(panel["title"], TITLE_PIXELS) <= width - BESIDE_TITLE, where


def test_two_series_of_a_panel_never_have_the_same_colour(panels: list[tuple[str, Json]]) -> None:
    for where, panel in of_type(panels, "timeseries"):
        assert panel["fieldConfig"]["defaults"]["color"]["mode"] == "palette-classic", where


def test_days_are_not_turned_into_weeks_and_years(panels: list[tuple[str, Json]]) -> None:
    units = {
        where: panel["fieldConfig"]["defaults"].get("unit", "") for where, panel in panels if "fieldConfig" in panel
    }
    assert "d" not in units.values()
    assert {where for where, unit in units.items() if unit == "suffix:days"} >= {
        *("host: Disk full in", "host: Days until full", "probes: Certificate valid for"),
        "uptime: Certificates valid for",
    }
