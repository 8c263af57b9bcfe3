"""The JSON that Grafana reads, of all dashboards of a plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    WIDTH,
    Dashboard,
    Panel,
    Row,
)

MakeContext = Callable[..., Context]
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
TYPES = {
    "timeseries": "timeseries",
    "stat": "stat",
    "table": "table",
    "bars": "bargauge",
    "timeline": "state-timeline",
    "text": "text",
}


@pytest.fixture
def made(context: MakeContext) -> list[Dashboard]:
    return dashboards(context({"apps": APPS}, total_mib=8000))


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dashboard_json(dashboard, "Asia/Seoul"))
    return loaded


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """What a panel covers of the grid, as (x, y)."""
    at = panel["gridPos"]
    return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}


def test_each_dashboard_has_what_grafana_needs(made: list[Dashboard]) -> None:
    for dashboard in made:
        loaded = as_json(dashboard)
        assert {key: loaded[key] for key in ("uid", "title", "timezone", "editable")} == {
            "uid": dashboard.uid,
            "title": dashboard.title,
            "timezone": "Asia/Seoul",
            "editable": False,
        }
        assert loaded["schemaVersion"] >= 36 and "crowsnest" in loaded["tags"]


def test_each_panel_is_there_with_its_kind_queries_and_source(made: list[Dashboard]) -> None:
    for dashboard in made:
        loaded = [panel for panel in as_json(dashboard)["panels"] if panel["type"] != "row"]
        wanted = [panel for row in dashboard.rows for panel in row.panels]
        assert [(each["title"], each["type"]) for each in loaded] == [(each.title, TYPES[each.kind]) for each in wanted]
        for panel, want in zip(loaded, wanted, strict=True):
            assert panel["description"] == want.description
            assert [each["expr"] for each in panel.get("targets", [])] == [query.expr for query in want.queries]
            sources = [panel["datasource"], *(each["datasource"] for each in panel["targets"])] if want.queries else []
            assert all(source == {"type": "prometheus", "uid": "prometheus"} for source in sources)


def test_panels_lie_on_the_grid_and_not_on_each_other(made: list[Dashboard]) -> None:
    for dashboard in made:
        taken: set[tuple[int, int]] = set()
        for panel in as_json(dashboard)["panels"]:
            covered = cells(panel)
            assert covered and not covered & taken, (dashboard.uid, panel["title"])
            assert max(x for x, _ in covered) < WIDTH, (dashboard.uid, panel["title"])
            taken |= covered


def test_panels_that_do_not_fit_into_a_line_begin_the_next() -> None:
    wide = [Panel(str(width), "", "text", width=width, height=4) for width in (12, 12, 8, 20)]
    loaded = as_json(Dashboard("x", "X", "Operations", "", (Row("one", tuple(wide)), Row("two", (wide[0],)))))
    where = [(each["title"], each["gridPos"]["x"], each["gridPos"]["y"]) for each in loaded["panels"]]
    assert where == [
        *(("one", 0, 0), ("12", 0, 1), ("12", 12, 1), ("8", 0, 5), ("20", 0, 9)),
        *(("two", 0, 13), ("12", 0, 14)),
    ]


def test_numbers_of_panels_are_unique(made: list[Dashboard]) -> None:
    for dashboard in made:
        numbers = [panel["id"] for panel in as_json(dashboard)["panels"]]
        assert len(set(numbers)) == len(numbers)


def test_the_same_plan_makes_the_same_bytes(context: MakeContext) -> None:
    one, two = (
        [dashboard_json(each, "UTC") for each in dashboards(context({"apps": APPS}, total_mib=8000))] for _ in range(2)
    )
    assert one == two


def test_nights_are_shown_by_the_month_alerts_by_the_week_all_else_by_the_hour(made: list[Dashboard]) -> None:
    shown = {each.uid: as_json(each)["time"] for each in made}
    assert shown.pop("backups") == {"from": "now-30d", "to": "now"}
    assert shown.pop("alerts") == {"from": "now-7d", "to": "now"}
    assert set(map(str, shown.values())) == {str({"from": "now-6h", "to": "now"})}


def test_deploys_are_marked_at_their_time_where_containers_are_known(context: MakeContext) -> None:
    """https://grafana.com/docs/grafana/latest/datasources/prometheus/annotations/: the value is a time in ms."""
    apps = [{**APPS[0], "container": "shop-web-1"}, APPS[1]]
    loaded = {each.uid: as_json(each)["annotations"]["list"] for each in dashboards(context({"apps": apps}))}
    assert {uid for uid, marks in loaded.items() if marks} == {"host", "app-shop"}
    (mark,) = loaded["app-shop"]
    assert mark["target"]["expr"] == '(app:deployed:time_seconds{app="shop", environment="$environment"}) * 1000'
    source = {"type": "prometheus", "uid": "prometheus"}
    assert mark["datasource"] == mark["target"]["datasource"] == source
    assert mark["enable"] and mark["useValueForTime"] and mark["target"]["range"]
    assert (mark["titleFormat"], mark["textFormat"]) == ("Deployed: image of {{part}} changed", "{{image}}")


def test_variables_offer_what_is_declared(made: list[Dashboard]) -> None:
    shop = as_json(next(each for each in made if each.app == "shop"))
    variables = {each["name"]: each for each in shop["templating"]["list"]}
    assert list(variables) == ["environment", "instance", "threshold"]
    assert [each["value"] for each in variables["environment"]["options"]] == ["production"]
    assert [each["value"] for each in variables["threshold"]["options"]] == ["0", "0.1", "0.5", "1", "2"]
    assert variables["instance"]["query"] == 'label_values(up{job="app", app="shop"}, instance)'
    assert variables["instance"]["multi"] and variables["instance"]["allValue"] == ".+"


def test_an_alert_without_an_app_is_not_left_out_of_all(made: list[Dashboard]) -> None:
    history = as_json(next(each for each in made if each.uid == "alerts"))
    found = {each["name"]: (each["allValue"], each["query"]) for each in history["templating"]["list"]}
    assert found == {name: (".*", f"label_values(ALERTS, {name})") for name in ("severity", "app", "host")}


def test_menus_lead_from_app_to_app_and_from_everywhere_to_everywhere(made: list[Dashboard]) -> None:
    loaded = [(dashboard.app, as_json(dashboard)) for dashboard in made]
    tags = {each["uid"]: set(each["tags"]) for _, each in loaded}
    for app, each in loaded:
        menus = {link["title"]: link for link in each["links"] if link["type"] == "dashboards"}
        assert list(menus) == ["All dashboards", *(["Application"] if app else [])]
        assert all(menu["asDropdown"] and menu["keepTime"] for menu in menus.values())
        reached = {
            title: {uid for uid, given in tags.items() if set(menu["tags"]) <= given} for title, menu in menus.items()
        }
        assert reached["All dashboards"] == set(tags)
        assert not app or reached["Application"] == {f"app-{declared['name']}" for declared in APPS}


def test_only_grafana_s_own_pages_get_the_time(made: list[Dashboard]) -> None:
    for dashboard in made:
        links = {each["url"]: each["keepTime"] for each in as_json(dashboard)["links"] if each["type"] == "link"}
        assert links and all(keep == url.startswith("/d/") for url, keep in links.items())


def test_a_table_of_several_queries_has_one_row_for_each_app_and_colours_only_shares(made: list[Dashboard]) -> None:
    uptime = as_json(next(each for each in made if each.uid == "uptime"))
    table = next(each for each in uptime["panels"] if each["title"] == "Availability")
    columns = ["app", "Value #A", "Value #B", "Value #C", "Value #D", "Value #E"]
    assert [each["refId"] for each in table["targets"]] == ["A", "B", "C", "D", "E"]
    kept, merged, organised = table["transformations"]
    assert kept == {"id": "filterFieldsByName", "options": {"include": {"names": columns}}}
    assert merged == {"id": "merge", "options": {}}
    assert organised["options"]["indexByName"] == {name: index for index, name in enumerate(columns)}
    looks = {
        each["matcher"]["options"]: {it["id"]: it["value"] for it in each["properties"]}
        for each in table["fieldConfig"]["overrides"]
    }
    assert list(looks) == ["24 hours", "30 days", "90 days", "Down in 30 days (minutes)", "Measured for (days)"]
    for title, look in looks.items():
        share = title in ("24 hours", "30 days", "90 days")
        assert (look["unit"], look["decimals"]) == (("percentunit", 3) if share else ("none", 1))
        assert ("thresholds" in look) == share


def test_a_table_of_one_query_is_not_merged(made: list[Dashboard]) -> None:
    table = next(each for each in as_json(made[0])["panels"] if each["title"] == "Alerts firing now")
    assert [each["id"] for each in table["transformations"]] == ["filterFieldsByName", "organize"]


def test_a_number_over_the_chosen_time_is_asked_once(made: list[Dashboard]) -> None:
    asked = {
        panel["title"]: {(each.get("instant", False), each.get("range", False)) for each in panel["targets"]}
        for dashboard in made
        for panel in as_json(dashboard)["panels"]
        if panel.get("targets")
    }
    assert (
        asked["OOM kills"]
        == asked["Storage failures"]
        == asked["Disk used"]
        == asked["Ten slowest endpoints"]
        == {(True, False)}
    )
    assert asked["Scheduled jobs"] == asked["Available in 30 days"] == {(True, False)}
    assert asked["Uptime"] == asked["CPU by mode"] == {(False, True)}
