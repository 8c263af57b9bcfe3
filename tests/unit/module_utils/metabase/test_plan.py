# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in Metabase: declared objects against those that it has, as values."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import form, loose
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.dashboard import (
    channel_body,
    dashcard_bodies,
    parameter_bodies,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.found import found_things
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    KINDS,
    NOTHING,
    Live,
    caveats,
    described,
    entity_id,
    half_made,
    parameter_id,
    subscription_name,
    subscription_parts,
    tag_id,
    undescribed,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.plan import archives, plan
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import wanted_things
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import texts

Row = dict[str, Any]
EMPTY: Row = {
    "settings": {},
    **{
        name: [] for name in ("groups", "users", "databases", "collections", "questions", "dashboards", "subscriptions")
    },
}
RECORD: Row = {
    "databases": {"Shop": "digest of p"},
    "settings": {"smtp-password": "digest of p"},
    "objects": {},
    "forms": {},
}
DATABASE: Row = {"name": "Shop", "host": "h", "dbname": "shop", "user": "ro", "password": "p"}
QUESTION: Row = {
    "key": "q",
    "collection": "shop",
    "database": "Shop",
    "name": "Q",
    "sql": "SELECT {{city}}",
    "display": "bar",
    "filters": {"city": {"type": "text", "field": "public.orders.city"}},
}
DASHBOARD: Row = {
    "key": "d",
    "collection": "shop",
    "name": "D",
    "filters": [{"tag": "city", "name": "City", "type": "text", "default": "Seoul"}],
    "cards": [{"question": "q", "row": 0, "col": "6", "width": 12, "height": 4}],
}
SUBSCRIPTION: Row = {"key": "s", "dashboard": "d", "name": "S", "channel": "#c", "every": "month", "at": "9"}
GIVEN: Row = {
    **EMPTY,
    "settings": {"site-name": "Example", "enabled": True, "smtp-password": "p"},
    "groups": ["Sales"],
    "users": [{"email": "Ann@example.com", "groups": ["Sales"], "admin": False}],
    "databases": [DATABASE],
    "collections": [{"key": "shop", "name": "Shop"}],
    "questions": [QUESTION],
    "dashboards": [DASHBOARD],
    "subscriptions": [SUBSCRIPTION],
}
TAG: Row = {
    "id": tag_id("q", "city"),
    "name": "city",
    "display-name": "City",
    "type": "dimension",
    "widget-type": "string/=",
    "dimension": ["field", {"lib/uuid": "made by Metabase", "base-type": "type/Text"}, 12],
}
STAGE: Row = {"lib/type": "mbql.stage/native", "native": "SELECT {{city}}", "template-tags": {"city": TAG}}
CARD: Row = {
    "id": 31,
    "entity_id": entity_id("question", "q"),
    "name": "Q",
    "description": None,
    "collection_id": 21,
    "dashboard_id": None,
    "type": "question",
    "display": "bar",
    "visualization_settings": {},
    "dataset_query": {"lib/type": "mbql/query", "database": 4, "stages": [STAGE], "lib/metadata": None},
    "result_metadata": [1],
}
PARAMETER: Row = {
    "id": parameter_id("d", "city"),
    "name": "City",
    "slug": "city",
    "type": "string/=",
    "default": ["Seoul"],
}
MAPPING: Row = {
    "parameter_id": PARAMETER["id"],
    "card_id": 31,
    "target": ["dimension", ["template-tag", "city"], {"stage-number": 0}],
}
DASHCARD: Row = {
    "id": 51,
    "card_id": 31,
    "row": 0,
    "col": 6,
    "size_x": 12,
    "size_y": 4,
    "parameter_mappings": [MAPPING],
}
LIVE_DASHBOARD: Row = {
    "id": 41,
    "entity_id": "made-by-metabase-0001",
    "name": "D",
    "description": "",
    "collection_id": 21,
    "width": "fixed",
    "caveats": caveats("d"),
    "parameters": [{**PARAMETER, "sectionId": "string", "values_query_type": "list"}],
    "dashcards": [DASHCARD],
    "tabs": [],
}
CHANNEL: Row = {
    "id": 61,
    "channel_type": "slack",
    "enabled": True,
    "recipients": [],
    "details": {"channel": "#c"},
    "schedule_type": "monthly",
    "schedule_hour": 9,
    "schedule_day": None,
    "schedule_frame": "first",
}
LIVE = Live(
    settings=[
        {"key": "site-name", "value": "Example"},
        {"key": "enabled", "value": None, "default": "true"},
        {"key": "smtp-password", "value": "**********ab"},
    ],
    groups=[{"id": 1, "name": "All Users"}, {"id": 9, "name": "Sales"}, {"id": 10, "name": "By hand"}],
    users=[{"id": 3, "email": "ann@example.com", "is_active": True, "is_superuser": False, "group_ids": [1, 9, 10]}],
    databases=[
        {
            "id": 4,
            "name": "Shop",
            "engine": "postgres",
            "details": {"host": "h", "port": 5432, "dbname": "shop", "user": "ro", "password": "**", "ssl": True},
        }
    ],
    tables={
        4: [{"name": "orders", "schema": "public", "fields": [{"id": 12, "name": "city"}, {"id": 13, "name": "x"}]}]
    },
    collections=[{"id": 21, "entity_id": "e", "name": "Shop", "description": described("shop", None), "location": "/"}],
    cards=[CARD],
    dashboards=[LIVE_DASHBOARD],
    pulses=[
        {
            "id": 60,
            "name": subscription_name("s", "S"),
            "dashboard_id": 41,
            "channels": [CHANNEL],
            "skip_if_empty": False,
        }
    ],
    archived={},
)


def planned(given: Row, live: Live, record: Row = RECORD) -> list[str]:
    """The changes as text."""
    wanted = wanted_things(given, lambda value: f"digest of {value}")
    found = found_things(live, given, record)
    return [str(each) for each in [*plan(KINDS, wanted, found, record["forms"]), *archives(wanted, found, ())]]


def test_what_is_as_declared_needs_nothing() -> None:
    assert planned(GIVEN, LIVE) == []


def test_in_an_empty_metabase_everything_is_made_in_the_order_of_its_references() -> None:
    assert planned(GIVEN, NOTHING) == [
        "change settings: site-name, enabled, smtp-password",
        "create group Sales",
        "create user Ann@example.com",
        "create database Shop",
        "create collection Shop",
        "create question Q",
        "create dashboard D",
        "create subscription S",
    ]


def test_nothing_declared_archives_what_is_ours_and_no_person_group_or_database() -> None:
    assert planned({**EMPTY, "groups": ["Sales"]}, LIVE) == [
        "archive subscription S",
        "archive dashboard D",
        "archive question Q",
        "archive collection Shop",
    ]


# name of the case -> (path of the row in LIVE, what is different there, what changes)
FOUND: dict[str, tuple[str, Row, str]] = {
    "numbers and flags as text": ("settings", {"key": "enabled", "value": "TRUE"}, ""),
    "another setting": ("settings", {"value": "x"}, "change settings: site-name"),
    "a person's name is not declared": ("users", {"first_name": "Ann"}, ""),
    "made an administrator": ("users", {"is_superuser": True}, "change user Ann@example.com: admin"),
    "taken out of the group": ("users", {"group_ids": [1, 10]}, "change user Ann@example.com: groups"),
    "port as text": ("databases", {"details": {**LIVE.databases[0]["details"], "port": "5432"}}, ""),
    "another host": (
        "databases",
        {"details": {**LIVE.databases[0]["details"], "host": "x"}},
        "change database Shop: host",
    ),
    "without TLS, which is not declared": (
        "databases",
        {"details": {**LIVE.databases[0]["details"], "ssl": False}},
        "",
    ),
    "another user is another database": ("databases", {"details": {"user": "root"}}, "create database Shop"),
    "the older form of a query": (
        "cards",
        {
            "dataset_query": {
                "type": "native",
                "database": 4,
                "native": {
                    "query": "SELECT {{city}}\n",
                    "template-tags": {"city": {**TAG, "dimension": ["field", 12, None]}},
                },
            }
        },
        "",
    ),
    "another column": (
        "cards",
        {
            "dataset_query": {
                "database": 4,
                "stages": [{**STAGE, "template-tags": {"city": {**TAG, "dimension": ["field", {}, 13]}}}],
            }
        },
        "change question Q: tags",
    ),
    "a default of a filter": (
        "cards",
        {"dataset_query": {"database": 4, "stages": [{**STAGE, "template-tags": {"city": {**TAG, "default": ["x"]}}}]}},
        "change question Q: tags",
    ),
    "no filter at all": (
        "cards",
        {"dataset_query": {"database": 4, "stages": [{**STAGE, "template-tags": {}}]}},
        "change question Q: tags",
    ),
    "made with the query builder": (
        "cards",
        {"dataset_query": {"database": 4, "stages": [{"lib/type": "mbql.stage/mbql", "source-table": 3}]}},
        "change question Q: sql, tags",
    ),
    "another database": ("cards", {"dataset_query": {"database": 5, "stages": [STAGE]}}, "change question Q: database"),
    "an empty description": ("cards", {"description": " "}, ""),
    "in a collection of people": ("cards", {"collection_id": 99}, "change question Q: collection"),
    "the mark of a question that is not ours": ("cards", {"entity_id": "x" * 21}, "create question Q"),
    "a filter renamed": ("dashboards", {"parameters": [{**PARAMETER, "name": "x"}]}, "change dashboard D: filters"),
    "no default": ("dashboards", {"parameters": [{**PARAMETER, "default": None}]}, "change dashboard D: filters"),
    "a filter of people without a card": (
        "dashboards",
        {"parameters": [PARAMETER, {"id": "x", "name": "x", "slug": "x", "type": "id"}]},
        "change dashboard D: filters",
    ),
    "a card larger": ("dashboards", {"dashcards": [{**DASHCARD, "size_y": 5}]}, "change dashboard D: cards"),
    "mapped to another tag": (
        "dashboards",
        {
            "dashcards": [
                {**DASHCARD, "parameter_mappings": [{**MAPPING, "target": ["variable", ["template-tag", "x"]]}]}
            ]
        },
        "change dashboard D: cards",
    ),
    "mapped by a number": (
        "dashboards",
        {"dashcards": [{**DASHCARD, "parameter_mappings": [{**MAPPING, "target": ["field", 3, None]}]}]},
        "change dashboard D: cards",
    ),
    "a heading of people": ("dashboards", {"dashcards": [DASHCARD, {**DASHCARD, "id": 52, "card_id": None}]}, ""),
    "a filter of ours on a card of people": (
        "dashboards",
        {"dashcards": [DASHCARD, {**DASHCARD, "id": 52, "card_id": 99}]},
        "",
    ),
    "half-made": (
        "dashboards",
        {"caveats": None, "description": half_made("d"), "dashcards": [], "parameters": []},
        "change dashboard D: description, mark, filters, cards",
    ),
    "a subscription at another hour": (
        "pulses",
        {"channels": [{**CHANNEL, "schedule_hour": 10}]},
        "change subscription S: at",
    ),
    "another channel": (
        "pulses",
        {"channels": [{**CHANNEL, "details": {"channel": "#x"}}]},
        "change subscription S: channel",
    ),
    "one more channel": (
        "pulses",
        {"channels": [CHANNEL, {**CHANNEL, "channel_type": "email"}]},
        "change subscription S: channel, every, at, frame",
    ),
    "the channel switched off": (
        "pulses",
        {"channels": [{**CHANNEL, "enabled": False}]},
        "change subscription S: channel, every, at, frame",
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found_is_compared_whatever_its_form(case: str) -> None:
    where, different, expected = FOUND[case]
    rows = copy.deepcopy(getattr(LIVE, where))
    index = next((n for n, row in enumerate(rows) if row.get("key") == different.get("key", row.get("key"))), 0)
    rows[index].update(different)
    lines = planned(GIVEN, LIVE._replace(**{where: rows}))
    first = [line for line in lines if line == expected]
    assert (lines == []) if not expected else first, lines


def test_a_password_is_compared_by_its_digest() -> None:
    other = {**GIVEN, "databases": [{**DATABASE, "password": "new"}], "settings": {"smtp-password": "new"}}
    assert planned(other, LIVE) == ["change settings: smtp-password", "change database Shop: password"]
    assert planned(GIVEN, LIVE, {**RECORD, "databases": {}}) == ["change database Shop: password"]


def test_a_known_form_is_no_difference_until_one_side_changes() -> None:
    card = {**CARD, "visualization_settings": {"kept": "by Metabase"}}
    given = {**GIVEN, "questions": [{**QUESTION, "visualization": {"declared": 1}}]}
    forms = {"question:q": {"visualization": [form({"declared": 1}), form({"kept": "by Metabase"})]}}
    record = {**RECORD, "forms": forms}
    assert planned(given, LIVE._replace(cards=[card]), record) == []
    assert planned(given, LIVE, record) == ["change question Q: visualization"]
    assert planned(GIVEN, LIVE._replace(cards=[card]), record) == ["change question Q: visualization"]


def test_the_object_of_the_file_wins_over_a_copied_mark() -> None:
    copied = {**LIVE.collections[0], "id": 20, "entity_id": "copy", "name": "Copy"}
    live = LIVE._replace(collections=[copied, *LIVE.collections])
    assert "change collection Shop: name" in planned(GIVEN, live)  # the oldest, when nothing is known
    assert planned(GIVEN, live, {**RECORD, "objects": {"collection:shop": "e"}}) == []


def test_what_is_kept_is_not_archived() -> None:
    wanted = wanted_things(EMPTY, str)
    found = found_things(LIVE, EMPTY, RECORD)
    kept = archives(wanted, found, {"collection:shop", f"question:{entity_id('question', 'q')}"})
    assert [str(each) for each in kept] == ["archive subscription S", "archive dashboard D"]


def test_before_and_after_mask_secrets() -> None:
    given = {
        **EMPTY,
        "databases": [{**DATABASE, "password": "new", "host": "other"}],
        "settings": {"smtp-password": "n"},
    }
    wanted = wanted_things(given, lambda value: f"digest of {value}")
    shown = texts(plan(KINDS, wanted, found_things(LIVE, given, RECORD), {}))
    assert shown == {
        "before": "settings:\n  smtp-password: (secret)\ndatabase Shop:\n  host: h\n  password: (secret)\n",
        "after": "settings:\n  smtp-password: (secret, changed)\ndatabase Shop:\n  host: other\n"
        "  password: (secret, changed)\n",
    }


# --- marks ---


def test_marks_are_always_the_same() -> None:
    assert entity_id("question", "shop/revenue") == "crowsnestASnpqGJJS4AX"
    assert entity_id("question", "a") != entity_id("dashboard", "a") != entity_id("question", "b")
    assert tag_id("q", "city") == tag_id("q", "city") != tag_id("r", "city")


@pytest.mark.parametrize("description", [None, "One line", "Two\n\nlines (with brackets)"])
def test_a_description_beside_the_mark(description: str | None) -> None:
    assert undescribed(described("shop", description)) == description


def test_names_of_subscriptions() -> None:
    assert subscription_parts({"name": subscription_name("a/b", "Shop [x]")}) == ("a/b", "Shop [x]")
    assert subscription_parts({"name": "By hand [1]"}) == (None, "By hand [1]")


@pytest.mark.parametrize(
    "value, expected",
    [("true", True), (" 5 ", 5), ("", None), ("https://x/", "https://x"), ("a/", "a/"), (False, False), ([1], [1])],
)
def test_values_of_settings(value: Any, expected: Any) -> None:
    assert loose(value) == expected and type(loose(value)) is type(expected)


# --- what is sent ---


def test_cards_of_people_and_the_looks_of_ours_stay() -> None:
    looks = {**DASHCARD, "visualization_settings": {"card.title": "x"}, "dashboard_tab_id": 7, "card": {"id": 31}}
    theirs = {**DASHCARD, "id": 52, "card_id": 99, "series": [{"id": 98, "name": "x"}], "parameter_mappings": []}
    live = {"dashcards": [looks, theirs], "tabs": [{"id": 7, "name": "x"}]}
    wanted = [
        {"question": "q", "row": 1, "col": 0, "width": 12, "height": 4, "filters": [["p", "city"]]},
        {"question": "new", "row": 5, "col": 0, "width": 2, "height": 2, "filters": []},
        {"question": "failed", "row": 9, "col": 0, "width": 2, "height": 2, "filters": []},
    ]
    ours, made, foreign = dashcard_bodies(wanted, live, {"q": 31, "new": 32})
    assert (ours["id"], ours["row"], ours["dashboard_tab_id"]) == (51, 1, 7)
    assert ours["visualization_settings"] == {"card.title": "x"} and "card" not in ours
    assert ours["parameter_mappings"][0]["target"] == ["dimension", ["template-tag", "city"]]
    assert (made["id"], made["card_id"], made["dashboard_tab_id"]) == (-2, 32, 7)
    assert (foreign["id"], foreign["series"]) == (52, [{"id": 98}])


def test_filters_that_cards_of_people_use_stay() -> None:
    theirs = {"id": 52, "card_id": 99, "parameter_mappings": [{"parameter_id": "p", "target": []}]}
    theirs["parameter_mappings"].append({"parameter_id": parameter_id("d", "old"), "target": []})
    old = {"id": parameter_id("d", "old"), "slug": "old"}  # declared once
    live = {"dashcards": [theirs], "parameters": [{"id": "p", "type": "id"}, {"id": "unused", "type": "id"}, old]}
    sent = parameter_bodies("d", [{**PARAMETER, "default": None}], live, [31])
    assert [each["id"] for each in sent] == [PARAMETER["id"], "p"]
    assert sent[0]["sectionId"] == "string" and "default" not in sent[0]


def test_a_channel_takes_the_place_of_one_of_its_type() -> None:
    fields = {"channel": None, "emails": ["a@b"], "every": "hourly", "at": None, "weekday": None, "frame": None}
    assert "id" not in channel_body(fields, [CHANNEL])
    assert channel_body(fields, [CHANNEL, {"id": 62, "channel_type": "email"}])["id"] == 62
