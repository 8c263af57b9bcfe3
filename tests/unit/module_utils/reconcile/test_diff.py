# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What modules for an API share, seen at an API that is small enough to see whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import Comparison, texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    ARCHIVE,
    Change,
    Thing,
    Things,
    one_line,
)

KINDS = ("team", "project")


class SmallChange(Change):
    """A project has a token."""

    __slots__ = ()

    def is_secret(self, field: str) -> bool:
        return field == "token"


class SmallApi(Comparison):
    """A project is in English unless somebody says otherwise, and the API keeps addresses with a slash."""

    change = SmallChange

    def default(self, kind: str, field: str, wanted: Thing) -> Any:
        return "en" if field == "language" else None

    def differs(self, kind: str, field: str, wanted: Thing, found: Thing) -> bool:
        return super().differs(kind, field, wanted, found) and f"{wanted.fields[field]}/" != found.fields.get(field)


API = SmallApi()


def things(**kinds: Mapping[str, Thing]) -> Things:
    return {kind: dict(kinds.get(kind, {})) for kind in KINDS}


def project(name: str = "shop", *, archived: bool = False, number: Any = None, **fields: Any) -> dict[str, Thing]:
    return {name: Thing(name, name, fields, number, archived=archived)}


TEAM = {"ops": Thing("ops", "ops", {})}


def test_what_is_missing_is_created_in_the_order_of_the_kinds() -> None:
    planned = API.plan(KINDS, things(project=project(token="t", language="en", url=None), team=TEAM), things())
    assert [str(change) for change in planned] == ["create team ops", "create project shop"]
    assert planned[1].fields == ("token",)  # the others say nothing


# what is declared, what is found, the change
FIELDS: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"url": "a"}, {"url": "a"}, []),
    ({"url": "a"}, {"url": "a/"}, []),
    ({"url": "a"}, {"url": "b"}, ["change project shop: url"]),
    ({"url": "a", "token": "x"}, {"url": "b", "token": "y"}, ["change project shop: url, token"]),
    ({"language": "en"}, {}, []),
    ({"language": "ko"}, {}, ["change project shop: language"]),
    ({}, {"added": "by hand"}, []),
]


@pytest.mark.parametrize(("wanted", "found", "expected"), FIELDS, ids=str)
def test_fields_are_compared_as_the_api_says(
    wanted: dict[str, Any], found: dict[str, Any], expected: list[str]
) -> None:
    planned = API.plan(KINDS, things(project=project(**wanted)), things(project=project(number=1, **found)))
    assert [str(change) for change in planned] == expected


def test_what_is_in_the_trash_is_taken_out_with_its_differences() -> None:
    old = project(number=1, archived=True, url="b")
    (change,) = API.plan(KINDS, things(project=project(url="a")), things(project=old))
    assert (str(change), change.fields) == ("unarchive project shop", ("url",))


def test_what_is_not_declared_goes_once() -> None:
    found = things(project={**project("old", url="a"), **project("gone", archived=True)}, team=TEAM)
    assert [str(each) for each in API.removals(("project",), things(), found)] == ["remove project old"]
    removed = API.removals(reversed(KINDS), things(), found, ARCHIVE)
    assert [str(each) for each in removed] == ["archive project old", "archive team ops"]


def test_before_and_after_are_of_what_changes_and_mask_secrets() -> None:
    found = things(
        project={
            **project("shop", number=1, url="a", token="hush-old", same=1),
            **project("old", number=2, url="x", token="hush-gone"),
            **project("back", number=3, archived=True, url="y"),
        }
    )
    wanted = things(
        project={
            **project("shop", url="b", token="hush-new", same=1),
            **project("new", url="n", token="hush-made"),
            **project("back", url="z"),
        }
    )
    shown = texts([*API.plan(KINDS, wanted, found), *API.removals(("project",), wanted, found)])
    assert shown["before"] == (
        "project shop:\n  url: a\n  token: (secret)\n"
        "project back:\n  archived: true\n  url: y\n"
        "project old:\n  url: x\n  token: (secret)\n"
    )
    assert shown["after"] == (
        "project shop:\n  url: b\n  token: (secret, changed)\n"
        "project new:\n  url: n\n  token: (secret)\n"
        "project back:\n  archived: false\n  url: z\n"
    )


def test_what_is_archived_is_shown_to_be() -> None:
    shown = texts(API.removals(("project",), things(), things(project=project(url="a")), ARCHIVE))
    assert shown == {"before": "project shop:\n  url: a\n", "after": "project shop:\n  archived: true\n"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), ("", '""'), ("a\nb", '"a\\nb"'), (["a", 1], "[a, 1]"), ([["a"]], '[["a"]]'), (None, "null"), (5, "5")],
)
def test_a_value_is_one_line_as_in_yaml(value: Any, expected: str) -> None:
    assert one_line(value) == expected
