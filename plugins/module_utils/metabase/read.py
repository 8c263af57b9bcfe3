# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads from Metabase what a declaration is about, in as few requests as it can. Python 3.9, standard library."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import Metabase, RefusedError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.found import column_names
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    COLLECTION,
    DASHBOARD,
    NOTHING,
    QUESTION,
    SUBSCRIPTION,
    Live,
    Rows,
    collection_keys,
    dashboard_keys,
    question_keys,
    subscription_parts,
)

GROUPS = "/api/permissions/group"
NEW_SECONDS = 120  # until Metabase has read the tables of a new database
KNOWN_SECONDS = 10  # the same for a table or column that is new in a known one

Row = Mapping[str, Any]
_ARCHIVED = {
    COLLECTION: "/api/collection?archived=true",
    QUESTION: "/api/card?f=archived",
    DASHBOARD: "/api/dashboard?f=archived",
    SUBSCRIPTION: "/api/pulse?archived=true",
}


def read_base(metabase: Metabase, declared: Row, groups: Rows | None) -> Live:
    """Settings, groups, users and databases. Raises MetabaseError."""
    people = bool(declared["groups"] or declared["users"])
    if people and groups is None:
        groups = metabase.rows(GROUPS)
    return NOTHING._replace(
        settings=metabase.rows("/api/setting") if declared["settings"] else [],
        groups=groups or [],
        users=metabase.rows("/api/user?status=all") if declared["users"] else [],
        databases=metabase.rows("/api/database"),
    )


def needed_columns(declared: Row, database: str) -> set[str]:
    """The columns that the filters of a database's questions name."""
    return {
        asked["field"]
        for question in declared["questions"]
        if question["database"] == database
        for asked in (question.get("filters") or {}).values()
    }


def read_tables(metabase: Metabase, declared: Row, ids: Mapping[str, Any]) -> dict[int, Rows]:
    """The tables of those databases whose columns are needed; `ids` is {name: number}. Raises MetabaseError."""
    return {number: _tables(metabase, number) for name, number in ids.items() if needed_columns(declared, name)}


def _tables(metabase: Metabase, number: int) -> Rows:
    tables = metabase.get(f"/api/database/{number}/metadata").get("tables") or []
    # Only what is needed of it: the tables of a large database are megabytes.
    return [
        {
            **{name: table.get(name) for name in ("id", "name", "schema")},
            "fields": [{name: field[name] for name in ("id", "name")} for field in table.get("fields") or []],
        }
        for table in tables
    ]


def wait_for_columns(metabase: Metabase, number: int, needed: Iterable[str], new: bool) -> Rows:
    """Lets Metabase read the tables of a database until all columns are there, and returns the tables.

    Without them after the time, or when Metabase is ready with a new one, what is there. Raises MetabaseError.
    """
    try:
        metabase.call("POST", f"/api/database/{number}/sync_schema")
    except RefusedError:
        return _tables(metabase, number)  # it cannot connect: its questions say so
    deadline = time.monotonic() + (NEW_SECONDS if new else KNOWN_SECONDS)
    while True:
        complete = new and metabase.get(f"/api/database/{number}").get("initial_sync_status") == "complete"
        tables = _tables(metabase, number)
        there = set(column_names(NOTHING._replace(tables={number: tables})).values())
        if set(needed) <= there or complete or time.monotonic() >= deadline:
            return tables
        time.sleep(1)


def read_content(metabase: Metabase, declared: Row, base: Live, remembered: Row) -> Live:
    """Collections, questions, dashboards and subscriptions; archived ones only if something is missing."""
    collections = [row for row in metabase.rows("/api/collection") if isinstance(row["id"], int)]
    live = base._replace(
        collections=[row for row in collections if not row.get("archived") and row.get("type") != "trash"],
        cards=metabase.rows("/api/card"),
        dashboards=metabase.rows("/api/dashboard"),
        pulses=metabase.rows("/api/pulse"),
        archived={},
    )
    archived = {kind: metabase.rows(_ARCHIVED[kind]) for kind in _incomplete(live, declared, remembered)}
    ours = dashboard_keys(live.dashboards, remembered)
    ours_archived = dashboard_keys(archived.get(DASHBOARD, []), remembered)
    if DASHBOARD in archived:
        archived[DASHBOARD] = _details(metabase, archived[DASHBOARD], ours_archived)
    return live._replace(archived=archived, dashboards=_details(metabase, live.dashboards, ours))


def _details(metabase: Metabase, rows: Rows, ours: Mapping[Any, str]) -> Rows:
    return [{**row, **metabase.get(f"/api/dashboard/{row['id']}")} if row["id"] in ours else row for row in rows]


def _incomplete(live: Live, declared: Row, remembered: Row) -> list[str]:
    """Kinds of which something declared is not among the active ones."""
    questions = [question["key"] for question in declared["questions"]]
    found: dict[str, set[Any]] = {
        COLLECTION: set(collection_keys(live.collections, remembered).values()),
        QUESTION: set(question_keys(live.cards, questions).values()),
        DASHBOARD: set(dashboard_keys(live.dashboards, remembered).values()),
        SUBSCRIPTION: {subscription_parts(row)[0] for row in live.pulses},
    }
    wanted = {
        COLLECTION: declared["collections"],
        QUESTION: declared["questions"],
        DASHBOARD: declared["dashboards"],
        SUBSCRIPTION: declared["subscriptions"],
    }
    return [kind for kind, things in wanted.items() if {row["key"] for row in things} - found[kind]]
