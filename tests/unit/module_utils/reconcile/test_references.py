# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes that no argument spec can know have a path, a value and a way out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import (
    circles,
    duplicates,
    missing,
    out_of_range,
    outer_first,
    path_of,
    unknown,
    unlike,
)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"name": "Shop", "key": "shop"}, "apps[2] (shop)"),
        ({"title": "Night"}, "apps[2] (Night)"),
        ({"key": "", "email": "a@b"}, "apps[2] (a@b)"),
        ({}, "apps[2]"),
        ("a text", "apps[2]"),
    ],
)
def test_a_path_names_what_people_know(row: Any, expected: str) -> None:
    assert path_of("apps", 2, row) == expected


def test_names_are_there_once() -> None:
    names = ["a", "b", "a", "", "", None, "a"]
    assert [*duplicates("apps", "name", names)] == ["apps: 3 have the name a"]


def test_an_unknown_name_is_shown_with_those_that_are_known() -> None:
    assert [*unknown("apps[0].team", "team", ["ops", "x", "", None], ["ops", "web"])] == [
        "apps[0].team: there is no team x, declared are: ops, web"
    ]
    assert [*unknown("p", "team", ["x"], [])] == ["p: there is no team x, declared are: none"]
    (sentence,) = unknown("p", "team", ["x"], [f"t{number}" for number in range(12)])
    assert sentence.endswith(" t8, t9 and 2 more")


def test_circles_name_the_way_round_and_nothing_outside_of_them() -> None:
    outer = {"a": "b", "b": "a", "into": "a", "self": "self", "well": None, "unknown": "nowhere"}
    rows = [{"key": key, "parent": parent} for key, parent in outer.items()]
    assert [*circles("folders", "parent", rows)] == [
        "folders (a).parent: it contains itself: a in b in a",
        "folders (b).parent: it contains itself: b in a in b",
        "folders (self).parent: it contains itself: self in self",
    ]


def test_the_outer_come_first_and_else_the_order_is_as_declared() -> None:
    outer = {"leaf": "inner", "z": None, "inner": "top", "top": None, "a": None}
    rows = [{"key": key, "parent": parent} for key, parent in outer.items()]
    assert [row["key"] for row in outer_first(rows, "parent")] == ["z", "top", "a", "inner", "leaf"]


SPEC: dict[str, Any] = {
    "name": {"required": True},
    "parts": {"options": {"key": {"required": True}, "place": {"options": {"row": {"required": True}}}}},
}


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"name": "a", "parts": [{"key": "k", "place": {"row": 0}}]}, []),
        ({"name": "a", "parts": [{"key": "k"}]}, []),
        ({"name": ""}, ["name: is missing"]),
        ({"name": "a", "parts": [{"key": "k"}, {"key": None}]}, ["parts[1].key: is missing"]),
        ({"name": "a", "parts": [{"key": "k", "place": {"row": ""}}]}, ["parts[0] (k).place.row: is missing"]),
    ],
)
def test_what_must_be_there_says_something(declared: dict[str, Any], expected: list[str]) -> None:
    assert [*missing(SPEC, declared)] == expected


def test_numbers_have_limits_and_texts_a_form() -> None:
    limits = {"port": (1, 65535), "at": (0, 23), "other": (1, 2)}
    assert [*out_of_range("p", {"port": 70000, "at": 0, "other": None}, limits)] == [
        "p.port: 70000 is not between 1 and 65535"
    ]
    assert [*unlike("p", "A b", r"\w+", "one word"), *unlike("p", "A", r"\w+", "one word")] == [
        "p: A b is not one word"
    ]
    assert [*unlike("p", "", r"\w+", "one word")] == []
