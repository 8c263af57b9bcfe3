"""What the preview makes of values: the same as the real Grafana, and nothing of crowsnest's dashboards is misdrawn.

looks.js is run by the Node that playwright brings along.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards

Json = dict[str, Any]
HERE = Path(__file__).resolve().parent
LOOKS = HERE.parents[2] / "molecule/lab/images/grafana/double/static/looks.js"
NODE = Path(playwright.__file__).parent / "driver/node"
RECORDED: Json = json.loads((HERE / "recorded.json").read_text(encoding="utf-8"))
SCRIPT = """
const looks = require(process.argv[1]);
const calls = JSON.parse(require("fs").readFileSync(0));
console.log(JSON.stringify(calls.map(([name, ...given]) => looks[name](...given))));
"""
APPS = [
    {
        "name": name,
        "framework": framework,
        "url": f"https://{name}.example.com/",
        "metrics": [":8000"],
        "health": {"basic": "/health/"},
    }
    for name, framework in [("shop", "django"), ("api", "fastapi"), ("web", "prom_client"), ("old", "generic")]
]


def called(*calls: tuple[Any, ...]) -> list[Any]:
    """What the functions of looks.js return, each given as (name, arguments …)."""
    done = subprocess.run(
        [NODE, "-e", SCRIPT, str(LOOKS)],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def tone(name: str) -> str:
    """A colour as the preview writes it."""
    (shown,) = called(("shown", 0, {"color": {"mode": "fixed", "fixedColor": name}}))
    return str(shown["color"])


# --- as on the real one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", RECORDED["values"].values(), ids=RECORDED["values"])
def test_a_value_is_written_as_recorded(recorded: Json) -> None:
    (shown,) = called(("shown", recorded["value"], recorded["config"]))
    assert shown["text"] == recorded["text"]
    if "color" in recorded:
        assert shown["color"] == tone(recorded["color"])


@pytest.mark.parametrize("way", ["coloured by thresholds", "of a fixed colour"])
def test_a_timeline_has_the_colours_that_were_recorded(way: str) -> None:
    recorded = RECORDED["timeline"][way]
    steps = {"steps": [{"value": None, "color": "blue"}]}
    config = {"color": recorded["color"], "thresholds": steps, "mappings": RECORDED["timeline"]["mappings"]}
    assert called(("stateColor", 0, config), ("stateColor", 1, config)) == [tone(recorded["0"]), tone(recorded["1"])]


def test_a_single_bar_has_only_the_name_of_its_own() -> None:
    series, own = {"name": "web1", "labels": {"host": "web1"}}, {"displayName": "${__field.labels.host}"}
    names = called(("barName", series, {}, 1), ("barName", series, {}, 2), ("barName", series, own, 1))
    assert names == list(RECORDED["names of bars"].values())


# --- crowsnest's dashboards -------------------------------------------------------------------------------------------


def full() -> Context:
    return context_of({"apps": APPS}, total_mib=8000)


def panels(kind: str) -> dict[str, Json]:
    """{dashboard and title: panel} of one type."""
    loaded = [json.loads(dashboard_json(each, "UTC")) for each in dashboards(full())]
    found = {f"{it['uid']}: {each['title']}": each for it in loaded for each in it["panels"] if each["type"] == kind}
    assert found
    return found


def test_no_text_of_a_table_becomes_nan_and_no_link_either() -> None:
    tables = panels("table")
    rows = {
        where: {name: 1.7e12 if name.startswith("Value") else f"a {name}" for name in columns_of(table)}
        for where, table in tables.items()
    }
    drawn = called(*(("rowOf", table, rows[where]) for where, table in tables.items()))
    for where, cells in zip(tables, drawn, strict=True):
        texts = {name: cell["text"] for name, cell in cells.items()}
        assert "NaN" not in texts.values(), where
        assert {name: text for name, text in texts.items() if not name.startswith("Value")} == {
            name: value for name, value in rows[where].items() if not name.startswith("Value")
        }
    (link,) = called(("linkOf", tables["overview: Alerts firing now"], {"page": "app-shop", "host": "web1"}))
    assert link.startswith("/d/app-shop?var-host=web1&")


def columns_of(table: Json) -> list[str]:
    return list(table["transformations"][-1]["options"]["renameByName"])


def test_each_state_of_a_timeline_has_a_colour_of_its_own() -> None:
    for where, timeline in panels("state-timeline").items():
        config = timeline["fieldConfig"]["defaults"]
        states = [float(value) for value in config["mappings"][0]["options"]]
        colors = called(*(("stateColor", value, config) for value in states))
        assert len(set(colors)) == len(states), where


def test_nothing_is_never_alarming() -> None:
    neutral = tone("text")
    for kind in ("stat", "bargauge"):
        found = panels(kind)
        shown = called(*(("shown", None, panel["fieldConfig"]["defaults"]) for panel in found.values()))
        assert {(each["text"], each["color"]) for each in shown} == {("none", neutral)}


def test_a_single_bar_has_its_name() -> None:
    labels = {"host": "web1", "app": "shop", "service": "grafana", "probe": "url", "mountpoint": "/"}
    found = panels("bargauge")
    configs = [panel["fieldConfig"]["defaults"] for panel in found.values()]
    names = called(*(("barName", {"name": "x", "labels": labels}, config, 1) for config in configs))
    assert all(name and set(name.split()) <= set(labels.values()) for name in names), names


def test_colours_of_one_panel_differ() -> None:
    modes = {panel["fieldConfig"]["defaults"]["color"]["mode"] for panel in panels("timeseries").values()}
    cpu = ["iowait", "irq", "nice", "softirq", "steal", "system", "user"]
    for mode in modes:
        colors = called(*(("seriesColor", mode, number, f"lab1 {name}") for number, name in enumerate(cpu)))
        assert len(set(colors)) == len(cpu), mode


def test_days_are_days() -> None:
    config = panels("stat")["host: Disk full in"]["fieldConfig"]["defaults"]
    assert called(("shown", 365, config))[0]["text"] == "365 days"
