# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declared objects in the form in which they are compared. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    GROUP,
    QUESTION,
    SECRET_SETTING,
    SETTINGS,
    SUBSCRIPTION,
    USER,
    Thing,
    Things,
    loose,
    parameter_id,
    tag_id,
    text,
)

Given = Mapping[str, Any]
Digest = Callable[[Any], str]

# src/metabase/lib/schema/parameter.cljc: the widget of a field filter, and the type of the dashboard's filter for it.
WIDGETS = {"date": "date/all-options", "text": "string/="}
SECTIONS = {"date": "date", "text": "string"}
FREQUENCY = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}


def _settings(given: Given, digest: Digest) -> Thing:
    fields = {
        name: digest(value) if SECRET_SETTING.search(name) and value else loose(value)
        for name, value in given["settings"].items()
    }
    return Thing(SETTINGS, "", fields, raw=given["settings"])


def _user(given: Given) -> Thing:
    names = {name: text(given.get(name)) for name in ("first_name", "last_name") if text(given.get(name))}
    groups = sorted(given.get("groups") or [])
    fields = {**names, "groups": groups, "admin": bool(given.get("admin")), "active": True}
    return Thing(given["email"].lower(), given["email"], fields, raw=given)


def _database(given: Given, digest: Digest) -> Thing:
    """`ssl: false` says nothing: Metabase tries TLS first and keeps what worked (test-connection-details)."""
    fields = {
        "engine": "postgres",
        "host": given["host"],
        "port": int(given.get("port") or 5432),
        "dbname": given["dbname"],
        "password": digest(given["password"]),
        **({"ssl": True} if given.get("ssl") else {}),
    }
    return Thing(given["name"], given["name"], fields, raw=given)


def _collection(given: Given) -> Thing:
    fields = {
        "name": given["name"],
        "description": text(given.get("description")),
        "parent": given.get("parent") or None,
    }
    return Thing(given["key"], given["name"], fields, raw=given)


def _tag(question: str, tag: str, given: Given) -> dict[str, Any]:
    return {
        "id": tag_id(question, tag),
        "display-name": tag.replace("_", " ").capitalize(),
        "type": "dimension",
        "widget-type": WIDGETS[given["type"]],
        "field": given["field"],
        "default": None,
        "required": False,
    }


def _question(given: Given) -> Thing:
    fields = {
        "name": given["name"],
        "description": text(given.get("description")),
        "collection": given["collection"],
        "dashboard": None,  # people can move a question into a dashboard
        "type": "question",
        "database": given["database"],
        "sql": text(given["sql"]),
        "tags": {tag: _tag(given["key"], tag, it) for tag, it in sorted((given.get("filters") or {}).items())},
        "display": given["display"],
        "visualization": given.get("visualization") or {},
    }
    return Thing(given["key"], given["name"], fields, raw=given)


def _filter(dashboard: str, given: Given) -> dict[str, Any]:
    default = given.get("default")
    if given["type"] == "text" and default is not None:
        default = default if isinstance(default, list) else [default]
    return {
        "id": parameter_id(dashboard, given["tag"]),
        "name": given["name"],
        "slug": given["tag"],
        "type": WIDGETS[given["type"]],
        "default": default,
    }


def _dashboard(given: Given, filters_of: Mapping[str, Any]) -> Thing:
    filters = given.get("filters") or []
    cards = [
        {
            **{name: int(card[name]) for name in ("row", "col", "width", "height")},
            "question": card["question"],
            "filters": sorted(
                [parameter_id(given["key"], each["tag"]), each["tag"]]
                for each in filters
                if each["tag"] in filters_of.get(card["question"], {})
            ),
        }
        for card in given.get("cards") or []
    ]
    fields = {
        "name": given["name"],
        "description": text(given.get("description")),
        "collection": given["collection"],
        "width": given.get("width") or "fixed",
        "mark": True,
        "filters": [_filter(given["key"], each) for each in filters],
        "cards": sorted(cards, key=place),
    }
    return Thing(given["key"], given["name"], fields, raw=given)


def place(card: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of cards: as they are read."""
    return card["row"], card["col"], card["question"]


def _subscription(given: Given) -> Thing:
    every, weekday = FREQUENCY[given["every"]], given.get("weekday") or None
    monthly = every == "monthly"
    fields = {
        "name": given["name"],
        "dashboard": given["dashboard"],
        "emails": sorted(email.lower() for email in given.get("emails") or []),
        "channel": given.get("channel") or None,
        "every": every,
        "at": None if every == "hourly" else int(given["at"]),
        "weekday": weekday if every in ("weekly", "monthly") else None,
        "frame": "first" if monthly else None,
        "skip_if_empty": bool(given.get("skip_if_empty")),
    }
    return Thing(given["key"], given["name"], fields, raw=given)


def outer_first(collections: Iterable[Given]) -> list[Given]:
    """Collections before what is in them."""
    by_key = {each["key"]: each for each in collections}

    def depth(key: str) -> int:
        outer = by_key[key].get("parent")
        return 1 + depth(outer) if outer else 0

    return sorted(by_key.values(), key=lambda each: depth(each["key"]))


def wanted_things(given: Given, digest: Digest) -> Things:
    """The declared objects, in the order in which they are written. `given` has no mistakes (metabase_check).

    Of a secret only its digest is compared, by the salt of the file on the host: Metabase never gives it back.
    """
    filters_of = {each["key"]: each.get("filters") or {} for each in given["questions"]}
    return {
        SETTINGS: {SETTINGS: _settings(given, digest)} if given["settings"] else {},
        GROUP: {name: Thing(name, name, {}) for name in given["groups"]},
        USER: {each["email"].lower(): _user(each) for each in given["users"]},
        DATABASE: {each["name"]: _database(each, digest) for each in given["databases"]},
        COLLECTION: {each["key"]: _collection(each) for each in outer_first(given["collections"])},
        QUESTION: {each["key"]: _question(each) for each in given["questions"]},
        DASHBOARD: {each["key"]: _dashboard(each, filters_of) for each in given["dashboards"]},
        SUBSCRIPTION: {each["key"]: _subscription(each) for each in given["subscriptions"]},
    }
