# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Each mistake in what is declared for Metabase has its sentence, and all come at once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from module_options import refusals, taken

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import (
    ARGUMENT_SPEC,
    mistakes,
    secrets,
    unknown_settings,
)

Row = dict[str, Any]
WELL: Row = {
    "key_file": "/nowhere/key",
    "admin": {"email": "admin@example.com", "password": "secret-1"},
    "site": {"name": "Example", "locale": "en"},
    "settings": {"site-url": "https://x.example.com"},
    "groups": ["Sales", "Boss"],
    "users": [{"email": "ann@example.com", "groups": ["Sales"], "admin": True}],
    "databases": [
        {"name": "Shop", "host": "h", "port": "5432", "dbname": "shop", "user": "ro", "password": "p", "ssl": False}
    ],
    "collections": [{"key": "shop", "name": "Shop"}, {"key": "a", "name": "A", "parent": "shop", "description": None}],
    "questions": [
        {
            "key": "q",
            "collection": "a",
            "database": "Shop",
            "name": "Q",
            "sql": "SELECT 1 WHERE true [[AND {{ period }}]] [[AND {{city}}]]",
            "display": "bar",
            "visualization": {"a": 1},
            "filters": {
                "period": {"type": "date", "field": "public.orders.at"},
                "city": {"type": "text", "field": "public.orders.city"},
            },
        },
        {"key": "r", "collection": "a", "database": "Shop", "name": "R", "sql": "SELECT 1", "display": "scalar"},
    ],
    "dashboards": [
        {
            "key": "d",
            "collection": "shop",
            "name": "D",
            "width": "full",
            "filters": [{"tag": "period", "name": "Period", "type": "date", "default": None}],
            "cards": [
                {"question": "q", "row": 0, "col": 0, "width": 12, "height": 4},
                {"question": "r", "row": 0, "col": 12, "width": 12, "height": 4},
            ],
        }
    ],
    "subscriptions": [
        {
            "key": "s",
            "dashboard": "d",
            "name": "S",
            "emails": ["x@example.com"],
            "every": "week",
            "weekday": "mon",
            "at": 0,
        },
        {"key": "t", "dashboard": "d", "name": "T", "channel": "#c", "every": "hour", "skip_if_empty": True},
    ],
}


def options(option: str, value: Any) -> Row:
    """The good declaration with another option, or with `option.index` changed by `value`."""
    given = copy.deepcopy(WELL)
    name, _, index = option.partition(".")
    if index:
        given[name][int(index)].update(value)
    else:
        given[name] = value
    return given


def found(option: str, value: Any) -> list[str]:
    """The mistakes that the shape of the options does not tell."""
    return mistakes(taken(ARGUMENT_SPEC, options(option, value)))


def test_a_good_declaration_has_no_mistake() -> None:
    assert mistakes(taken(ARGUMENT_SPEC, WELL)) == []


CARD = {"question": "q", "row": 0, "col": 0, "width": 4, "height": 4}
CASES: dict[str, tuple[str, Any, str]] = {
    "admin's address": ("admin", {"email": "ann", "password": "x"}, "admin.email: ann is not an e-mail address"),
    "the same group": ("groups", ["Sales", "Sales"], "groups: 2 have the name Sales"),
    "an unknown group": (
        "users.0",
        {"groups": ["Sale"]},
        "users[0] (ann@example.com).groups: there is no group Sale, declared are: Sales, Boss",
    ),
    "the admin as a person": (
        "users.0",
        {"email": "Admin@example.com"},
        "users[0] (Admin@example.com): this is the account in `admin`; declare it only there",
    ),
    "no password of a database": ("databases.0", {"password": ""}, "databases[0] (Shop).password: is missing"),
    "port": ("databases.0", {"port": 70000}, "databases[0] (Shop).port: 70000 is not between 1 and 65535"),
    "a key with a blank": ("collections.0", {"key": "my shop"}, "collections[0] (my shop).key: my shop is not a text"),
    "an unknown parent": (
        "collections.1",
        {"parent": "b"},
        "collections[1] (a).parent: there is no collection b, declared are: shop, a",
    ),
    "inside itself": (
        "collections.0",
        {"parent": "a"},
        "collections (shop).parent: it contains itself: shop in a in shop",
    ),
    "the same key": ("questions.1", {"key": "q"}, "questions: 2 have the key q"),
    "an unknown collection": (
        "questions.1",
        {"collection": "x"},
        "questions[1] (r).collection: there is no collection x, declared are: shop, a",
    ),
    "an unknown database": (
        "questions.1",
        {"database": "x"},
        "questions[1] (r).database: there is no database x, declared are: Shop",
    ),
    "a tag without a filter": (
        "questions.1",
        {"sql": "SELECT {{x}}"},
        "questions[1] (r).sql: has {{x}}, but no filter is declared for it",
    ),
    "a filter without its tag": (
        "questions.1",
        {"filters": {"x": {"type": "date", "field": "a.b.c"}}},
        "questions[1] (r).filters.x: the SQL has no {{x}}",
    ),
    "a column without its schema": (
        "questions.0",
        {"filters": {**WELL["questions"][0]["filters"], "city": {"type": "text", "field": "orders.city"}}},
        "questions[0] (q).filters.city.field: orders.city is not like schema.table.column",
    ),
    "a filter's type": (
        "questions.0",
        {"filters": {"city": {"type": "number", "field": "a.b.c"}}},
        "questions[0] (q).filters.city.type: number is not one of date, text",
    ),
    "a filter without a type": (
        "questions.0",
        {"filters": {"city": {"field": "a.b.c"}}},
        "questions[0] (q).filters.city: must have type and field, and may have a name",
    ),
    "an unknown question": (
        "dashboards.0",
        {"cards": [CARD, {**CARD, "question": "z", "row": 9}]},
        "dashboards[0] (d).cards[1].question: there is no question z, declared are: q, r",
    ),
    "cards that overlap": (
        "dashboards.0",
        {"cards": [CARD, {**CARD, "col": 3, "row": 3}]},
        "dashboards[0] (d).cards[1]: overlaps with cards[0] (q)",
    ),
    "a card that leaves the grid": (
        "dashboards.0",
        {"cards": [{**CARD, "col": 21}]},
        "dashboards[0] (d).cards[0]: col 21 and width 4 exceed the 24 columns of the grid",
    ),
    "no width": (
        "dashboards.0",
        {"cards": [{**CARD, "width": 0}]},
        "dashboards[0] (d).cards[0].width: 0 is not between 1",
    ),
    "a row below zero": ("dashboards.0", {"cards": [{**CARD, "row": -1}]}, "dashboards[0] (d).cards[0].row: -1 is not"),
    "a filter that no question has": (
        "dashboards.0",
        {"filters": [{"tag": "x", "name": "X", "type": "date"}]},
        "dashboards[0] (d).filters[0]: no question on its cards has the filter x",
    ),
    "a filter of another type": (
        "dashboards.0",
        {"filters": [{"tag": "period", "name": "X", "type": "text"}]},
        "dashboards[0] (d).filters[0].type: text, but the question q declares date",
    ),
    "a filter twice": (
        "dashboards.0",
        {"filters": WELL["dashboards"][0]["filters"] * 2},
        "dashboards[0] (d).filters: 2 have the tag period",
    ),
    "neither e-mail nor channel": (
        "subscriptions.1",
        {"channel": ""},
        "subscriptions[1] (t): needs either emails or a",
    ),
    "both": ("subscriptions.0", {"channel": "#x"}, "subscriptions[0] (s): needs either emails or a channel"),
    "an address": ("subscriptions.0", {"emails": ["x"]}, "subscriptions[0] (s).emails[0]: x is not an e-mail address"),
    "hour 24": ("subscriptions.0", {"at": 24}, "subscriptions[0] (s).at: 24 is not between 0 and 23"),
    "no hour": (
        "subscriptions.0",
        {"at": None},
        "subscriptions[0] (s).at: is missing: the hour of the day, from 0 to 23",
    ),
    "no day of the week": (
        "subscriptions.0",
        {"weekday": None},
        "subscriptions[0] (s).weekday: is missing: mon to sun",
    ),
    "a day each hour": (
        "subscriptions.1",
        {"weekday": "tue"},
        "subscriptions[1] (t).weekday: tue has no meaning with every",
    ),
    "an unknown dashboard": (
        "subscriptions.0",
        {"dashboard": "x"},
        "subscriptions[0] (s).dashboard: there is no dashboard x, declared are: d",
    ),
}


# What Ansible refuses by the argument spec: (option, value, parts of what it says).
SHAPES: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "no admin": ("admin", {}, ("missing required arguments: email, password found in admin",)),
    "an unknown name": ("site", {"name": "x", "language": "en"}, ("site.language", "locale, name")),
    "admin as text": ("users.0", {"admin": "perhaps"}, ("'admin'", "users", "bool")),
    "port as a word": ("databases.0", {"port": "pg"}, ("'port'", "databases", "int")),
    "an unknown display": (
        "questions.1",
        {"display": "chart"},
        ("value of display must be one of: table, line, bar, ", "got: chart found in questions"),
    ),
    "filters as a list": ("questions.0", {"filters": []}, ("'filters'", "questions", "dict")),
    "visualization": ("questions.0", {"visualization": "x"}, ("'visualization'", "questions", "dict")),
    "cards without a place": (
        "dashboards.0",
        {"cards": [{"question": "q", "row": 0, "col": 0, "width": 4}]},
        ("missing required arguments: height found in dashboards -> cards",),
    ),
    "width of the page": (
        "dashboards.0",
        {"width": "wide"},
        ("value of width must be one of: full, fixed, None, got: wide found in dashboards",),
    ),
    "an unknown day": (
        "subscriptions.0",
        {"weekday": "Monday"},
        ("value of weekday must be one of: mon, tue, ", "found in subscriptions"),
    ),
    "how often": (
        "subscriptions.0",
        {"every": "daily"},
        ("value of every must be one of: hour, day, week, month, got: daily found in subscriptions",),
    ),
    "not a dictionary": ("questions", ["x"], ("'questions'", "dict")),
}


@pytest.mark.parametrize("case", SHAPES)
def test_another_shape_is_refused_with_the_option_and_what_is_allowed(case: str) -> None:
    option, value, parts = SHAPES[case]
    message = " ".join(refusals(ARGUMENT_SPEC, options(option, value)))
    assert [part for part in parts if part not in message] == [], message


def test_null_says_nothing_wherever_it_stands() -> None:
    declared = copy.deepcopy(WELL)
    for option, names in (
        ("users", ("first_name", "admin")),
        ("databases", ("port", "ssl")),
        ("dashboards", ("width",)),
    ):
        declared[option][0].update(dict.fromkeys(names))
    declared["subscriptions"][1].update(emails=None, at=None, weekday=None)
    declared["site"]["locale"] = None
    result = taken(ARGUMENT_SPEC, declared)
    assert mistakes(result) == []
    assert "None" not in str(result)


def test_without_a_site_there_is_nothing_of_it() -> None:
    assert taken(ARGUMENT_SPEC, {name: value for name, value in WELL.items() if name != "site"})["site"] == {}


def test_secrets_are_passwords_and_settings_that_are_secret() -> None:
    declared = {
        **WELL,
        "settings": {"site-name": "Example", "email-smtp-password": "hush-mail", "slack-app-token": "t"},
    }
    declared["databases"] = [{**WELL["databases"][0], "password": "hush-shop"}]
    assert secrets(taken(ARGUMENT_SPEC, declared)) == {"secret-1", "hush-mail", "hush-shop"}


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_has_its_sentence(case: str) -> None:
    option, value, expected = CASES[case]
    sentences = found(option, value)
    assert any(sentence.startswith(expected) for sentence in sentences), sentences


def test_all_mistakes_come_at_once() -> None:
    given = options("questions.0", {"collection": "x", "database": "y"})
    given["subscriptions"][0]["emails"] = []
    assert len(mistakes(taken(ARGUMENT_SPEC, given))) == 3


def test_cards_beside_each_other_do_not_overlap() -> None:
    cards = [{**CARD, "row": row, "col": col} for row in (0, 4, 8) for col in (0, 4, 20)]
    assert found("dashboards.0", {"cards": cards}) == []


def test_unknown_settings() -> None:
    assert unknown_settings({"a": 1, "b": 2}, {"a"}, "0.61.2") == ["settings.b: Metabase 0.61.2 has no such setting"]
