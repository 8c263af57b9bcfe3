# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What people made on dashboards and in collections of ours. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import (
    COLLECTION,
    DASHBOARD,
    QUESTION,
    Live,
    Rows,
    Things,
    parameter_id,
)

Given = Mapping[str, Any]


def foreign_cards(row: Given, questions: Mapping[Any, str]) -> Rows:
    """What people put on a dashboard: texts, headings, questions of their own."""
    return [each for each in row.get("dashcards") or [] if each.get("card_id") not in questions]


def foreign_filters(key: str, row: Given, questions: Mapping[Any, str]) -> Rows:
    """The filters that people made for these; a declared one that they use as well is still ours."""
    mappings = [it for each in foreign_cards(row, questions) for it in each.get("parameter_mappings") or []]
    used = {mapping["parameter_id"] for mapping in mappings}
    used |= {it for each in row.get("dashcards") or [] for it in each.get("inline_parameters") or []}
    parameters: Rows = row.get("parameters") or []
    return [each for each in parameters if each["id"] in used and each["id"] != parameter_id(key, each.get("slug", ""))]


def occupied(live: Live, things: Things, names: Mapping[str, str]) -> dict[str, list[str]]:
    """Key of a collection of ours -> what people keep in it or below it; `names` is {key: name} of those asked for."""
    ours = {kind: {it.id for it in things[kind].values()} for kind in (COLLECTION, QUESTION, DASHBOARD)}
    inside: dict[str, list[str]] = {}
    for key in names:
        number = things[COLLECTION][key].id
        below = {row["id"] for row in live.collections if f"/{number}/" in (row.get("location") or "")}
        found = [row["name"] for row in live.collections if row["id"] in below - ours[COLLECTION]]
        for kind, rows in ((QUESTION, live.cards), (DASHBOARD, live.dashboards)):
            found += [
                row["name"]
                for row in rows
                if row.get("collection_id") in {number, *below} and row["id"] not in ours[kind]
            ]
        if found:
            inside[key] = found
    return inside
