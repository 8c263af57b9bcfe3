# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declared objects in the form in which they are compared. Pure. Python 3.9.

In this form everything refers to everything else by key, name or path, never by Metabase's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import loose, text
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    GROUP,
    QUESTION,
    SECRET_SETTING,
    SETTINGS,
    SUBSCRIPTION,
    USER,
    parameter_id,
    tag_id,
)
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import outer_first
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Thing, Things

Row = Mapping[str, Any]
Digest = Callable[[Any], str]

# src/metabase/lib/schema/parameter.cljc: the widget of a field filter, and the type of the dashboard's filter for it.
WIDGETS = {"date": "date/all-options", "text": "string/="}
SECTIONS = {"date": "date", "text": "string"}
FREQUENCY = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}


def _settings(row: Row, digest: Digest) -> Thing:
    fields = {
        name: digest(value) if SECRET_SETTING.search(name) and value else loose(value)
        for name, value in row["settings"].items()
    }
    return Thing(SETTINGS, "", fields, raw=row["settings"])


def _user(row: Row) -> Thing:
    names = {name: text(row.get(name)) for name in ("first_name", "last_name") if text(row.get(name))}
    groups = sorted(row.get("groups") or [])
    fields = {**names, "groups": groups, "admin": bool(row.get("admin")), "active": True}
    return Thing(row["email"].lower(), row["email"], fields, raw=row)


def _database(row: Row, digest: Digest) -> Thing:
    """`ssl: false` says nothing: Metabase tries TLS first and keeps what worked (test-connection-details)."""
    fields = {
        "engine": "postgres",
        "host": row["host"],
        "port": int(row.get("port") or 5432),
        "dbname": row["dbname"],
        "password": digest(row["password"]),
        **({"ssl": True} if row.get("ssl") else {}),
    }
    return Thing(row["name"], row["name"], fields, raw=row)


def _collection(row: Row) -> Thing:
    fields = {
        "name": row["name"],
        "description": text(row.get("description")),
        "parent": row.get("parent") or None,
    }
    return Thing(row["key"], row["name"], fields, raw=row)


def _tag(question: str, tag: str, row: Row) -> dict[str, Any]:
    return {
        "id": tag_id(question, tag),
        "display-name": row.get("name") or tag.replace("_", " ").capitalize(),
        "type": "dimension",
        "widget-type": WIDGETS[row["type"]],
        "field": row["field"],
        "default": None,
        "required": False,
    }


def _question(row: Row) -> Thing:
    fields = {
        "name": row["name"],
        "description": text(row.get("description")),
        "collection": row["collection"],
        "dashboard": None,  # people can move a question into a dashboard
        "type": "question",
        "database": row["database"],
        "sql": text(row["sql"]),
        "tags": {tag: _tag(row["key"], tag, filtered) for tag, filtered in sorted((row.get("filters") or {}).items())},
        "display": row["display"],
        "visualization": row.get("visualization") or {},
    }
    return Thing(row["key"], row["name"], fields, raw=row)


def _filter(dashboard: str, row: Row) -> dict[str, Any]:
    default = row.get("default")
    if row["type"] == "text" and default is not None:
        default = default if isinstance(default, list) else [default]
    return {
        "id": parameter_id(dashboard, row["tag"]),
        "name": row["name"],
        "slug": row["tag"],
        "type": WIDGETS[row["type"]],
        "default": default,
    }


def _dashboard(row: Row, filters_of: Mapping[str, Any]) -> Thing:
    filters = row.get("filters") or []
    cards = [
        {
            **{name: int(card[name]) for name in ("row", "col", "width", "height")},
            "question": card["question"],
            "filters": sorted(
                [parameter_id(row["key"], filtered["tag"]), filtered["tag"]]
                for filtered in filters
                if filtered["tag"] in filters_of.get(card["question"], {})
            ),
        }
        for card in row.get("cards") or []
    ]
    fields = {
        "name": row["name"],
        "description": text(row.get("description")),
        "collection": row["collection"],
        "width": row.get("width") or "fixed",
        "mark": True,
        "filters": [_filter(row["key"], filtered) for filtered in filters],
        "cards": sorted(cards, key=place),
    }
    return Thing(row["key"], row["name"], fields, raw=row)


def place(card: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of cards: as they are read."""
    return card["row"], card["col"], card["question"]


def _subscription(row: Row) -> Thing:
    every, weekday = FREQUENCY[row["every"]], row.get("weekday") or None
    monthly = every == "monthly"
    fields = {
        "name": row["name"],
        "dashboard": row["dashboard"],
        "emails": sorted(email.lower() for email in row.get("emails") or []),
        "channel": row.get("channel") or None,
        "every": every,
        "at": None if every == "hourly" else int(row["at"]),
        "weekday": weekday if every in ("weekly", "monthly") else None,
        "frame": "first" if monthly else None,
        "skip_if_empty": bool(row.get("skip_if_empty")),
    }
    return Thing(row["key"], row["name"], fields, raw=row)


def wanted_things(declared: Row, digest: Digest) -> Things:
    """The options of the module, which have no mistakes, as objects, in the order in which they are written.

    Of a secret only its digest is compared, by the salt of the file on the host: Metabase never gives it back.
    """
    filters_of = {row["key"]: row.get("filters") or {} for row in declared["questions"]}
    return {
        SETTINGS: {SETTINGS: _settings(declared, digest)} if declared["settings"] else {},
        GROUP: {name: Thing(name, name, {}) for name in declared["groups"]},
        USER: {row["email"].lower(): _user(row) for row in declared["users"]},
        DATABASE: {row["name"]: _database(row, digest) for row in declared["databases"]},
        COLLECTION: {row["key"]: _collection(row) for row in outer_first(declared["collections"], "parent")},
        QUESTION: {row["key"]: _question(row) for row in declared["questions"]},
        DASHBOARD: {row["key"]: _dashboard(row, filters_of) for row in declared["dashboards"]},
        SUBSCRIPTION: {row["key"]: _subscription(row) for row in declared["subscriptions"]},
    }
