"""The same everywhere: ways between dashboards, colours, units, the five rows of an app. Of all services there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards import panel as looks
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    Dashboard,
    Link,
    Panel,
)

ROWS = ("At a glance", "Server", "Business", "Database", "Errors and alerts")
SHOP: dict[str, Any] = {
    "name": "shop",
    "framework": "django",
    "url": "https://shop.example.com/",
    "metrics": [":8000"],
    "metrics_prefix": "shop_",
    "slo": 0.995,
    "anomaly": True,
    "signals": {"payment_up": "up", "refunds": "refunds_total", "out_of_stock": "products"},
    "health": {"basic": "/health/", "detailed": "/detailed/", "components": ["database"]},
    "custom_metrics": [
        {"name": f"shop_{row}", "description": "What there is.", "row": row}
        for row in ("server", "business", "database", "errors")
    ],
    "database": {"name": "shop"},
    "redis": {"queues": ["celery"]},
    "jobs": [{"name": "clean-up", "every": "1d"}],
}
BARE: dict[str, Any] = {"name": "bare", "metrics": [":9000"]}
DECLARED: dict[str, Any] = {
    "apps": [SHOP, {"name": "api", "framework": "fastapi", "host": "web2", "metrics": [":8100"]}, BARE],
    "pushgateway": {"nightly-import": "1d"},
    "metabase": True,
}
# Metrics that are times of day, and what is made of them.
NO_DURATION = r"_timestamp_seconds|_start_time_seconds|_cpu_seconds_total|_time_seconds"


@pytest.fixture(scope="module")
def context() -> Context:
    return context_of(DECLARED, hosts=("web1", "web2"), registry=REGISTRY, total_mib=16000)


@pytest.fixture(scope="module")
def made(context: Context) -> dict[str, Dashboard]:
    return {each.uid: each for each in dashboards(context)}


def panels(made: dict[str, Dashboard]) -> Iterator[tuple[str, Panel]]:
    for uid, dashboard in made.items():
        yield from ((f"{uid}: {panel.title}", panel) for row in dashboard.rows for panel in row.panels)


def titles(dashboard: Dashboard) -> dict[str, list[str]]:
    """{row: titles of its panels}."""
    return {row.title: [panel.title for panel in row.panels] for row in dashboard.rows}


# --- ways -------------------------------------------------------------------------------------------------------------


def reached(dashboard: Dashboard, known: set[str]) -> set[str]:
    """The dashboards to which its links and those of its panels lead, without the menus; of a pattern all that fit."""
    links = [*dashboard.links, *(link for row in dashboard.rows for panel in row.panels for link in panel.links)]
    paths = [link.url.removeprefix("/d/").partition("?")[0] for link in links if link.url.startswith("/d/")]
    patterns = [re.sub(r"\\\$\\\{.+?\\\}", ".+", re.escape(path)) for path in paths if path != "${__data.fields.page}"]
    return {uid for uid in known for pattern in patterns if re.fullmatch(pattern, uid)}


def test_everything_can_be_reached_from_the_overview(made: dict[str, Dashboard]) -> None:
    found, waiting = set(), ["overview"]
    while waiting:
        uid = waiting.pop()
        found.add(uid)
        waiting += reached(made[uid], set(made)) - found
    assert found == set(made)


def test_every_dashboard_leads_back_to_the_overview_first(made: dict[str, Dashboard]) -> None:
    back = {uid: dashboard.links[0].url for uid, dashboard in made.items() if uid != "overview"}
    assert set(back.values()) == {"/d/overview"}


def test_an_app_leads_to_what_it_runs_on_with_itself_chosen(made: dict[str, Dashboard]) -> None:
    links = {link.url for link in made["app-shop"].links}
    chosen = {f"/d/{uid}?var-app=shop" for uid in ("probes", "postgresql", "redis", "alerts")}
    assert links >= {*chosen, "/d/host?var-host=web1", "/d/containers?var-host=web1", "/d/batch-jobs"}
    assert not {"/d/batch-jobs", "/d/redis?var-app=bare"} & {link.url for link in made["app-bare"].links}


def test_a_variable_that_a_link_sets_exists_where_it_leads(made: dict[str, Dashboard]) -> None:
    links: list[Link] = [link for each in made.values() for link in each.links]
    links += [link for _, panel in panels(made) for link in panel.links]
    set_there = [
        (uid, name)
        for link in links
        if (uid := link.url.removeprefix("/d/").partition("?")[0]) in made
        for name in re.findall(r"var-(\w+)=", link.url)
    ]
    assert ("containers", "host") in set_there and ("alerts", "app") in set_there
    assert [(uid, name) for uid, name in set_there if name not in {it.name for it in made[uid].variables}] == []


def test_whoever_clicks_a_value_keeps_the_chosen_time(made: dict[str, Dashboard]) -> None:
    links = [(where, link.url) for where, panel in panels(made) for link in panel.links]
    assert links
    assert [where for where, url in links if not url.endswith(looks.KEEP_TIME)] == []


# --- colours and units ------------------------------------------------------------------------------------------------


def test_a_word_has_one_colour(made: dict[str, Dashboard]) -> None:
    every = {each for _, panel in panels(made) for each in panel.values.values()}
    every |= {each for _, panel in panels(made) for column in panel.columns.values() for each in column.values.values()}
    assert {"up", "down", "running", "firing"} <= {word for word, _ in every}
    assert len({word for word, _ in every}) == len(every)


def test_colours_get_worse_or_better_but_not_both(made: dict[str, Dashboard]) -> None:
    """Codes are no amount: their colours are names."""
    worse = {"blue": 0, "text": 0, "green": 0, "yellow": 1, "orange": 2, "red": 3}
    for where, panel in panels(made):
        values = [step.value for step in panel.thresholds]
        assert values == sorted(set(values)), where
        colours = [worse[color] for color in (panel.base, *(step.color for step in panel.thresholds))]
        assert colours in (sorted(colours), sorted(colours, reverse=True)) or "code" in panel.title.lower(), where


def test_a_title_has_one_unit(made: dict[str, Dashboard]) -> None:
    units: dict[str, set[str]] = {}
    for _, panel in panels(made):
        if panel.kind != "table":  # each of its columns has its own
            units.setdefault(panel.title, set()).add(panel.unit)
    assert {title: found for title, found in units.items() if len(found) > 1} == {}


def drawn(made: dict[str, Dashboard]) -> Iterator[tuple[str, str, str]]:
    """(where, unit, PromQL) of all numbers, those in tables too, but those of a team's own metrics."""
    for where, panel in panels(made):
        columns = [column for name, column in panel.columns.items() if name.startswith("Value")]
        units = [column.unit for column in columns] or [panel.unit] * len(panel.queries)
        yield from (
            (where, unit, query.expr)
            for unit, query in zip(units, panel.queries, strict=False)
            if "shop_" not in query.expr
        )


def test_bytes_seconds_and_rates_have_the_unit_that_they_have_everywhere(made: dict[str, Dashboard]) -> None:
    """Where a query divides, or compares with `bool`, its metric's name does not tell the unit."""
    wrong, seen = [], set()
    for where, unit, expr in drawn(made):
        if " / " in expr or "bool" in expr or "count" in expr.partition("(")[0]:
            continue
        rate = re.match(r"(100 \* |-1 \* )?(\w+( by \([^)]*\))? ?\()*rate\(", expr)
        if rate and "_bytes" in expr:
            allowed = {looks.BYTES_RATE}
        elif rate and "_seconds_total" in expr:
            allowed = {looks.PERCENT}
        elif rate:
            allowed = {looks.PER_SECOND, looks.OPERATIONS, looks.COUNT if " or vector(0)" in expr else ""}
        elif "_bytes" in expr or ":bytes" in expr:
            allowed = {looks.BYTES, looks.PERCENT}
        elif re.search(r"_seconds\b|:seconds\b|_duration\b", re.sub(NO_DURATION, "", expr)):
            allowed = {looks.SECONDS, looks.PERCENT}
        else:
            continue
        seen |= allowed
        if unit not in allowed:
            wrong.append((where, unit, expr))
    assert wrong == []
    assert seen >= {looks.BYTES, looks.SECONDS, looks.PER_SECOND, looks.BYTES_RATE, looks.PERCENT}


def test_units_are_those_of_the_list(made: dict[str, Dashboard]) -> None:
    known = {value for name, value in vars(looks).items() if name.isupper() and isinstance(value, str)} | {"none"}
    assert {unit for _, unit, _ in drawn(made)} <= known


# --- the five rows of an app ------------------------------------------------------------------------------------------


def test_an_app_has_five_rows_and_a_person_finds_what_was_asked_for(made: dict[str, Dashboard]) -> None:
    rows = titles(made["app-shop"])
    assert tuple(rows) == ROWS
    expected = {
        "At a glance": ["Instances", "Requests", "Errors", "Mean response time", "Memory", "CPU", "Probe works"],
        "Server": ["Response time", "Status codes", "Ten slowest endpoints", "Ten most used endpoints"],
        "Business": ["Payment system", "Products out of stock", "Scheduled jobs", "shop_business", "All of shop_"],
        "Database": ["Ten largest tables", "Connections by state", "Query time", "Cache hits", "Tasks that wait"],
        "Errors and alerts": ["Exceptions by type", "Exceptions by view", "Endpoints that failed", "Alert history"],
    }
    assert {row: [title for title in wanted if title not in rows[row]] for row, wanted in expected.items()} == {
        row: [] for row in ROWS
    }
    assert {"Database queries", "Error budget burn rate", "Availability", "shop_server"} <= set(rows["Server"])
    assert "shop_database" in rows["Database"] and "shop_errors" in rows["Errors and alerts"]


def test_an_app_without_them_has_neither_their_panels_nor_their_rows(made: dict[str, Dashboard]) -> None:
    assert list(titles(made["app-bare"])) == ["At a glance", "Errors and alerts"]
    assert list(titles(made["app-api"])) == ["At a glance", "Server", "Errors and alerts"]


def test_panels_of_an_app_s_database_ask_for_its_own(made: dict[str, Dashboard]) -> None:
    (row,) = [row for row in made["app-shop"].rows if row.title == "Database"]
    asked = [query.expr for panel in row.panels for query in panel.queries]
    assert [expr for expr in asked if 'app="shop", environment="$environment"' not in expr] == []


def test_the_most_used_endpoints_are_those_of_users(made: dict[str, Dashboard]) -> None:
    (panel,) = [panel for where, panel in panels(made) if where == "app-shop: Ten most used endpoints"]
    assert "(health|metrics|prometheus)" in panel.queries[0].expr
    assert panel.queries[0].expr.startswith("sort_desc(topk(10, ")


def test_a_panel_is_on_an_operations_dashboard_only_once(made: dict[str, Dashboard]) -> None:
    """Those of an app are the same functions, of that app."""
    places: dict[str, list[str]] = {}
    for where, panel in panels({uid: each for uid, each in made.items() if each.folder == looks.FOLDER_OPERATIONS}):
        for query in panel.queries:
            places.setdefault(f"{panel.title} {query.expr}", []).append(where)
    assert {query: found for query, found in places.items() if len(found) > 1} == {}


def test_jobs_of_all_kinds_are_in_one_place(made: dict[str, Dashboard]) -> None:
    assert titles(made["batch-jobs"]) == {
        "Celery": ["Tasks that wait", "A Celery worker listens"],
        "Scheduled jobs": ["Scheduled jobs"],
        "Batch jobs": ["Silence by its limit", "Time since the last push", "Numbers of the last push"],
    }
