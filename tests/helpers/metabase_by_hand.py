# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What people do by hand in Metabase to what the declaration of metabase_module made, by the pages' own requests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from metabase_in_process import Double, Row

Edit = Callable[[Double], Any]


def by_hand(kind: str, which: str, /, **fields: Any) -> Edit:
    return lambda metabase: metabase.edit(kind, which, **fields)


def query(metabase: Double, question: str) -> tuple[Row, Row]:
    """(dataset_query, its only stage) of a question, to be changed and sent."""
    found = copy.deepcopy(metabase.one("card", question)["dataset_query"])
    return found, found["stages"][0]


def sql_by_hand(metabase: Double) -> None:
    whole, stage = query(metabase, "Orders")
    stage["native"] = "SELECT 1"
    metabase.edit("card", "Orders", dataset_query=whole)


def other_column(metabase: Double) -> None:
    (field,) = [row["id"] for row in metabase.store.all("field") if row["name"] == "extra"]
    whole, stage = query(metabase, "Revenue")
    stage["template-tags"]["city"]["dimension"] = ["field", field, None]
    metabase.edit("card", "Revenue", dataset_query=whole)


def into_a_dashboard(metabase: Double) -> None:
    theirs = metabase.ask("POST", "dashboard", {"name": "Of people"})
    metabase.edit("card", "Orders", dashboard_id=theirs["id"])


def cards(metabase: Double) -> list[Row]:
    """Of our dashboard, in the order in which they are declared."""
    return list(metabase.one("dashboard", "The shop")["dashcards"])


def place(metabase: Double, dashcards: list[Row], **more: Any) -> None:
    """Save our dashboard with these cards."""
    metabase.edit("dashboard", "The shop", dashcards=dashcards, tabs=[], **more)


def moved_card(metabase: Double) -> None:
    first, *rest = cards(metabase)
    place(metabase, [{**first, "row": 9}, *rest])


def unmapped(metabase: Double) -> None:
    first, *rest = cards(metabase)
    place(metabase, [{**first, "parameter_mappings": []}, *rest])


def card_removed(metabase: Double) -> None:
    place(metabase, cards(metabase)[:-1])


def card_twice(metabase: Double) -> None:
    both = cards(metabase)
    place(metabase, [*both, {**both[0], "id": -1, "row": 20}])


def other_recipient(metabase: Double) -> None:
    pulse = metabase.one("pulse", "Shop weekly")
    pulse["channels"][0]["recipients"].append({"email": "spy@example.com"})
    metabase.edit("pulse", "Shop weekly", channels=pulse["channels"], skip_if_empty=True)


def without_group_and_deactivated(metabase: Double) -> None:
    metabase.edit("user", "ann", user_group_memberships=[])
    metabase.delete("user", "ann")


EDITS: dict[str, tuple[Edit, str]] = {
    "a question renamed": (by_hand("card", "Orders", name="Mine"), "change question Orders: name"),
    "its display": (by_hand("card", "Orders", display="table"), "change question Orders: display"),
    "its SQL": (sql_by_hand, "change question Orders: sql"),
    "its settings": (
        by_hand("card", "Revenue", visualization_settings={}),
        "change question Revenue per day: visualization",
    ),
    "its collection": (by_hand("card", "Orders", collection_id=None), "change question Orders: collection"),
    "made a model": (by_hand("card", "Orders", type="model"), "change question Orders: type"),
    "put into a dashboard": (into_a_dashboard, "change question Orders: dashboard"),
    "a filter on another column": (other_column, "change question Revenue per day: tags"),
    "a question archived": (by_hand("card", "Orders", archived=True), "unarchive question Orders"),
    "a question deleted": (lambda metabase: metabase.delete("card", "Orders"), "create question Orders"),
    "a dashboard renamed": (by_hand("dashboard", "The shop", name="Mine"), "change dashboard The shop: name"),
    "its width": (by_hand("dashboard", "The shop", width="fixed"), "change dashboard The shop: width"),
    "its mark": (by_hand("dashboard", "The shop", caveats="mine"), "change dashboard The shop: mark"),
    "its filters": (by_hand("dashboard", "The shop", parameters=[]), "change dashboard The shop: filters"),
    "a card moved": (moved_card, "change dashboard The shop: cards"),
    "a card without its filters": (unmapped, "change dashboard The shop: cards"),
    "a card removed": (card_removed, "change dashboard The shop: cards"),
    "a card twice": (card_twice, "change dashboard The shop: cards"),
    "a dashboard archived": (by_hand("dashboard", "The shop", archived=True), "unarchive dashboard The shop"),
    "a collection renamed": (by_hand("collection", "Sales", name="Mine"), "change collection Sales: name"),
    "its description": (by_hand("collection", "Shop", description="Mine"), "change collection Shop: description"),
    "its place": (by_hand("collection", "Sales", parent_id=None), "change collection Sales: parent"),
    "another recipient": (other_recipient, "change subscription Shop weekly: emails"),
    "not skipped": (by_hand("pulse", "Shop", skip_if_empty=False), "change subscription Shop weekly: skip_if_empty"),
    "a subscription ended": (
        by_hand("pulse", "Shop", archived=True, skip_if_empty=True),
        "unarchive subscription Shop weekly",
    ),
    "a person deactivated": (lambda metabase: metabase.delete("user", "ann"), "change user Ann@example.com: active"),
    "a person removed from the group": (
        by_hand("user", "ann", user_group_memberships=[]),
        "change user Ann@example.com: groups",
    ),
    "a person removed from the group and deactivated": (
        without_group_and_deactivated,
        "change user Ann@example.com: groups, active",
    ),
}
