# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Metabase shall hold for the apps: collections, databases, questions, dashboards, subscriptions, people."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from module_options import taken

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import ARGUMENT_SPEC, mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Question
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.charts import (
    display,
    visualization_settings,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import objects
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import questions, starter

DATABASE = {"name": "shop"}
STOCK = {"name": "Stock", "sql": "SELECT 1 AS a", "chart": "number"}
TREND = {"name": "Trend", "sql": "SELECT 1", "chart": "line", "x": "day", "y": "sold"}
Card = dict[str, Any]


def made(*apps: dict[str, Any], users: list[dict[str, Any]] | None = None) -> dict[str, list[Any]]:
    declared = Declaration.model_validate({"apps": list(apps), "metabase_users": users or []})
    asked = {app.name: questions(app.business, Path("/nowhere"), "en") for app in declared.apps}
    return objects(declared.apps, asked, declared.metabase_users, "a-password", "en")


def shop(**business: Any) -> dict[str, Any]:
    return {"name": "shop", "database": DATABASE, "business": business}


# --- collections and databases ---


def test_an_app_without_a_database_is_not_in_metabase() -> None:
    kinds = ("collections", "databases", "questions", "dashboards", "subscriptions", "groups", "users")
    assert made({"name": "idle"}) == {kind: [] for kind in kinds}


def test_an_app_is_a_collection_and_a_database_read_by_a_role_that_cannot_write() -> None:
    found = made(shop())
    assert found["collections"] == [
        {"key": "shop", "name": "shop", "description": "Questions to the database of shop.", "parent": None}
    ]
    assert found["databases"] == [
        {
            "name": "shop",
            "host": "127.0.0.1",
            "port": 5432,
            "dbname": "shop",
            "user": "crowsnest_ro",
            "password": "a-password",
            "ssl": False,
        }
    ]


def test_the_admin_of_the_database_never_reaches_metabase() -> None:
    remote = {"address": "[fd00::1]:6432", "admin_user": "root", "admin_password": "hush-hush", "ssl": True}
    found = made({"name": "shop", "database": {**DATABASE, **remote}})
    assert "hush" not in str(found)
    assert "root" not in str(found)
    (database,) = found["databases"]
    assert (database["host"], database["port"], database["ssl"]) == ("fd00::1", 6432, True)


# --- questions ---


def test_a_question_is_handed_on_as_the_module_takes_it() -> None:
    own = {
        **TREND,
        "sql": "SELECT 1 WHERE true [[AND {{period}}]] [[AND {{brand}}]]",
        "filters": {"period": "public.a.b", "brand": "public.a.c"},
        "description": "What was sold.",
    }
    assert made(shop(starter=False, questions=[own]))["questions"] == [
        {
            "key": "shop/Trend",
            "collection": "shop",
            "database": "shop",
            "name": "Trend",
            "description": "What was sold.",
            "sql": "SELECT 1 WHERE true [[AND {{period}}]] [[AND {{brand}}]]",
            "display": "line",
            "visualization": {
                "graph.dimensions": ["day"],
                "graph.metrics": ["sold"],
                "series_settings": {"sold": {"line.missing": "zero"}},
                "column_settings": {
                    '["name","day"]': {"column_title": "Day"},
                    '["name","sold"]': {"column_title": "Sold"},
                },
            },
            "filters": {
                "period": {"type": "date", "field": "public.a.b", "name": "Period"},
                "brand": {"type": "text", "field": "public.a.c", "name": "Brand"},
            },
        }
    ]


WON = {"number_style": "currency", "currency": "KRW", "currency_style": "symbol", "currency_in_header": False}
# Of each: how it is drawn, Metabase's name of it, its settings without those of columns.
CHARTS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (
        {"chart": "line", "x": "a", "y": ["b", "c"], "gaps": "none"},
        "line",
        {
            "graph.dimensions": ["a"],
            "graph.metrics": ["b", "c"],
            "series_settings": {"b": {"line.missing": "none"}, "c": {"line.missing": "none"}},
        },
    ),
    (
        {"chart": "area", "x": "a", "y": "b"},
        "area",
        {
            "graph.dimensions": ["a"],
            "graph.metrics": ["b"],
            "series_settings": {"b": {"line.missing": "zero"}},
        },
    ),
    ({"chart": "bar", "x": "a", "y": "b"}, "bar", {"graph.dimensions": ["a"], "graph.metrics": ["b"]}),
    (
        {"chart": "bar", "x": ["a", "b"], "y": "c"},
        "bar",
        {"graph.dimensions": ["a", "b"], "graph.metrics": ["c"], "stackable.stack_type": "stacked"},
    ),
    ({"chart": "row", "x": "a", "y": "b"}, "row", {"graph.dimensions": ["a"], "graph.metrics": ["b"]}),
    ({"chart": "pie", "x": "a", "y": "b"}, "pie", {"pie.dimension": "a", "pie.metric": "b"}),
    ({"chart": "number"}, "scalar", {}),
    ({"chart": "number", "y": "a"}, "scalar", {"scalar.field": "a"}),
    ({"chart": "table"}, "table", {}),
    ({"chart": "table", "y": "a"}, "table", {}),
]


@pytest.mark.parametrize(("drawn", "name", "settings"), CHARTS, ids=str)
def test_a_chart_in_metabases_words(drawn: dict[str, Any], name: str, settings: dict[str, Any]) -> None:
    question = Question.model_validate({"name": "It", "sql": "SELECT 1", **drawn})
    found = visualization_settings(question)
    columns = found.pop("column_settings", {})
    assert (display(question), found) == (name, settings)
    assert len(columns) == len(question.x) + len(question.y)


def test_sums_have_their_currency_and_names_are_readable() -> None:
    drawn = {"chart": "row", "x": "region", "y": "total_revenue", "currency": "KRW"}
    question = Question.model_validate({"name": "It", "sql": "SELECT 1", **drawn})
    assert visualization_settings(question)["column_settings"] == {
        '["name","region"]': {"column_title": "Region"},
        '["name","total_revenue"]': {"column_title": "Total revenue", **WON, "decimals": 0},
    }
    euros = visualization_settings(question.model_copy(update={"currency": "EUR"}))
    assert "decimals" not in euros["column_settings"]['["name","total_revenue"]']


# --- dashboards ---


def test_the_starter_dashboard_is_two_charts_wide_below_its_numbers() -> None:
    (dashboard,) = made(shop())["dashboards"]
    assert (dashboard["key"], dashboard["collection"], dashboard["name"]) == ("shop/Business", "shop", "Business")
    places = [(card["row"], card["col"], card["width"], card["height"]) for card in dashboard["cards"]]
    assert places[:3] == [(0, 0, 8, 4), (0, 8, 8, 4), (0, 16, 8, 4)]
    assert places[3:] == [(4 + 6 * (number // 2), 12 * (number % 2), 12, 6) for number in range(8)]
    assert [card["question"] for card in dashboard["cards"]] == [f"shop/{name.replace(' ', '+')}" for name in starter()]


def test_its_filters_are_the_period_at_first_the_last_30_days_and_the_region() -> None:
    (dashboard,) = made(shop())["dashboards"]
    assert dashboard["filters"] == [
        {"tag": "period", "name": "Period", "type": "date", "default": "past30days~"},
        {"tag": "region", "name": "Region", "type": "text", "default": None},
    ]


def test_a_filter_of_the_teams_is_on_the_dashboard_and_one_that_nobody_uses_is_not() -> None:
    own = {**STOCK, "filters": {"item_kind": "public.a.b"}}
    (dashboard,) = made(shop(starter=False, questions=[own]))["dashboards"]
    assert dashboard["filters"] == [{"tag": "item_kind", "name": "Item kind", "type": "text", "default": None}]


def test_the_teams_questions_are_below() -> None:
    own = [STOCK, TREND, {**TREND, "name": "Other"}, {**TREND, "name": "Third"}]
    (dashboard,) = made(shop(questions=own))["dashboards"]
    assert dashboard["cards"][11:] == [
        {"question": "shop/Stock", "row": 28, "col": 0, "width": 8, "height": 4},
        {"question": "shop/Trend", "row": 32, "col": 0, "width": 12, "height": 6},
        {"question": "shop/Other", "row": 32, "col": 12, "width": 12, "height": 6},
        {"question": "shop/Third", "row": 38, "col": 0, "width": 12, "height": 6},
    ]


def overlap(one: Card, other: Card) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("row", "height"), ("col", "width"))
    )


def test_cards_stay_on_the_grid_and_never_overlap() -> None:
    mixed = [{**(STOCK if number % 3 else TREND), "name": f"Q{number}"} for number in range(20)]
    (dashboard,) = made(shop(questions=mixed))["dashboards"]
    assert all(card["col"] + card["width"] <= 24 for card in dashboard["cards"])
    assert not any(overlap(one, other) for one, other in combinations(dashboard["cards"], 2))


def test_without_a_question_there_is_no_dashboard_and_nothing_to_send() -> None:
    found = made(shop(starter=False, subscriptions=[{"channel": "#a"}]))
    assert (found["dashboards"], found["subscriptions"]) == ([], [])
    assert found["databases"]


def test_keys_of_two_apps_are_different_and_the_same_in_the_next_run() -> None:
    apps = [shop(), {**shop(), "name": "blog"}]
    found = made(*apps)
    for kind in ("collections", "questions", "dashboards"):
        keys = [each["key"] for each in found[kind]]
        assert len(set(keys)) == len(keys)
    assert found == made(*apps)


ODD = ("A b", "A+b", "A%2Bb", "A%20b", "A (b)", "A [b]", "A  b", "A-b", "매출 (원)", "A\u3000b")


def test_names_with_blanks_and_brackets_have_keys_without_and_each_its_own() -> None:
    found = made(shop(starter=False, questions=[{**STOCK, "name": name} for name in ODD]))["questions"]
    keys = [each["key"] for each in found]
    assert [each["name"] for each in found] == list(ODD)
    assert len(set(keys)) == len(ODD)
    assert all(re.fullmatch(r"shop/[^()\[\]\s]+", key) for key in keys)
    assert keys[:5] == ["shop/A+b", "shop/A%2Bb", "shop/A%252Bb", "shop/A%2520b", "shop/A+%28b%29"]


def test_the_module_takes_it() -> None:
    sent = [{"channel": "#sales", "every": every} for every in ("hour", "day", "day", "week", "month")]
    odd = [{**TREND, "name": name, "filters": {"period": "a.b.c"}, "sql": "SELECT {{period}}"} for name in ODD]
    user = {"email": "Kim@Example.com", "first_name": "Ji-woo", "last_name": "Kim", "groups": ["Sales"]}
    found = made(shop(questions=odd, subscriptions=sent), {**shop(), "name": "blog"}, users=[user])
    account = {"email": "admin@example.com", "password": "a-password-1"}
    assert mistakes(taken(ARGUMENT_SPEC, {"key_file": "/nowhere", "admin": account, **found})) == []


# --- subscriptions and people ---


def test_subscriptions_in_the_modules_words() -> None:
    sent = [
        {"to": ["a@example.com", "b@example.com"], "at": 8},
        {"channel": "#sales", "every": "week", "weekday": "sunday", "skip_if_empty": True},
        {"channel": "#sales", "every": "hour"},
        {"to": ["c@example.com"]},
    ]
    found = made(shop(subscriptions=sent))["subscriptions"]
    assert {each.pop("dashboard") for each in found} == {"shop/Business"}
    assert found == [
        {
            "key": "shop/day/e-mail",
            "name": "shop: Business, every day",
            "emails": ["a@example.com", "b@example.com"],
            **{"every": "day", "at": 8, "weekday": None, "skip_if_empty": False},
        },
        {
            "key": "shop/week/#sales",
            "name": "shop: Business, every week",
            "channel": "#sales",
            **{"every": "week", "at": 9, "weekday": "sun", "skip_if_empty": True},
        },
        {
            "key": "shop/hour/#sales",
            "name": "shop: Business, every hour",
            "channel": "#sales",
            **{"every": "hour", "at": 9, "weekday": None, "skip_if_empty": False},
        },
        {
            "key": "shop/day/e-mail/2",
            "name": "shop: Business, every day",
            "emails": ["c@example.com"],
            **{"every": "day", "at": 9, "weekday": None, "skip_if_empty": False},
        },
    ]


def test_people_and_the_groups_they_are_in() -> None:
    users = [
        {"email": "Kim@Example.com", "first_name": "Ji-woo", "last_name": "Kim", "groups": ["Sales", "Board"]},
        {"email": "lee@example.com", "first_name": "Min", "last_name": "Lee", "groups": ["Sales"], "admin": True},
    ]
    found = made(users=users)
    assert found["groups"] == ["Board", "Sales"]
    assert found["users"] == [
        {**users[0], "email": "kim@example.com", "admin": False},
        users[1],
    ]
