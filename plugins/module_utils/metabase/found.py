# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Our objects in Metabase, in the form in which they are compared. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import loose, text
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.dashboard import foreign_filters
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
    Live,
    Rows,
    caveats,
    collection_keys,
    dashboard_keys,
    question_keys,
    subscription_parts,
    undescribed,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import place
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Thing, Things

Row = Mapping[str, Any]
HAND = "made by hand"
Names = Mapping[str, Mapping[Any, str]]  # kind -> Metabase's number -> our key, or a name that no key has


def _value(row: Mapping[str, Any]) -> Any:
    """Metabase says null for a setting that has its default."""
    return row.get("value") if row.get("value") is not None else row.get("default")


def _settings(live: Live, remembered: Row) -> dict[str, Thing]:
    fields = {}
    for row in live.settings:
        name = row["key"]
        fields[name] = loose(_value(row))
        if SECRET_SETTING.search(name):  # Metabase shows its last letters only
            fields[name] = remembered["settings"].get(name) if row.get("value") else None
    return {SETTINGS: Thing(SETTINGS, "", fields, 0, {row["key"]: row for row in live.settings})}


def _users(live: Live, groups: Iterable[str]) -> dict[str, Thing]:
    """Only membership in declared groups is ours."""
    names = {row["id"]: row["name"] for row in live.groups if row["name"] in set(groups)}
    found = {}
    for row in live.users:
        fields = {
            "first_name": text(row.get("first_name")),
            "last_name": text(row.get("last_name")),
            "groups": sorted(names[number] for number in row.get("group_ids") or [] if number in names),
            "admin": bool(row.get("is_superuser")),
            "active": row.get("is_active") is not False,
        }
        email = row.get("email") or ""
        found[email.lower()] = Thing(email.lower(), email, fields, row["id"], row)
    return found


def _databases(live: Live, declared: Iterable[Row], remembered: Row) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    users = {row["name"]: row["user"] for row in declared}
    for row in sorted(live.databases, key=lambda row: int(row["id"])):
        name, details = row["name"], row.get("details") or {}
        if name in users and name not in found and details.get("user") == users[name]:
            fields = {field: details.get(field) for field in ("host", "dbname", "ssl")}
            fields.update(engine=row.get("engine"), port=loose(details.get("port")))
            fields["password"] = remembered["databases"].get(name)
            found[name] = Thing(name, name, fields, row["id"], row)
    return found


def parent_of(row: Mapping[str, Any]) -> int | None:
    """A collection's `location` is the path of numbers to it: /1/5/."""
    steps = [step for step in (row.get("location") or "/").split("/") if step]
    return int(steps[-1]) if steps else None


def _pairs(live: Live, kind: str, active: Rows) -> list[tuple[dict[str, Any], bool]]:
    """Each row, with whether it is in the trash."""
    return [(row, False) for row in active] + [(row, True) for row in live.archived.get(kind, [])]


def _ours(live: Live, kind: str, active: Rows, names: Names) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Our key, the row, whether it is in the trash."""
    for row, archived in _pairs(live, kind, active):
        if key := names[kind].get(row["id"]):
            yield key, row, archived


def _named(names: Mapping[Any, str], number: Any) -> str | None:
    return None if number is None else names.get(number, f"{HAND}, {number}")


def _collection(key: str, row: Row, archived: bool, names: Names) -> Thing:
    fields = {
        "name": row["name"],
        "description": undescribed(row.get("description")),
        "parent": _named(names[COLLECTION], parent_of(row)),
    }
    return Thing(key, row["name"], fields, row["id"], row, archived)


def _native(query: Row) -> tuple[Any, Mapping[str, Any]]:
    """(SQL, template tags) of a query, in the form of today or in the older one."""
    stages = query.get("stages") or []
    if len(stages) == 1 and "native" in stages[0]:
        return stages[0]["native"], stages[0].get("template-tags") or {}
    native = query.get("native") or {}
    return native.get("query"), native.get("template-tags") or {}


def _tag(tag: Row, columns: Mapping[int, str]) -> dict[str, Any]:
    """`dimension` is ["field", {…}, 12], formerly ["field", 12, null]."""
    number = next((part for part in tag.get("dimension") or [] if isinstance(part, int)), None)
    return {
        **{name: tag.get(name) for name in ("id", "display-name", "type", "widget-type", "default")},
        "field": columns.get(number or 0, None if number is None else f"column {number}"),
        "required": bool(tag.get("required")),
    }


def _question(key: str, row: Row, archived: bool, names: Names, columns: Mapping[int, str]) -> Thing:
    sql, tags = _native(row.get("dataset_query") or {})
    fields = {
        "name": row["name"],
        "description": text(row.get("description")),
        "collection": _named(names[COLLECTION], row.get("collection_id")),
        "dashboard": _named(names[DASHBOARD], row.get("dashboard_id")),
        "type": row.get("type") or "question",
        "database": _named(names[DATABASE], (row.get("dataset_query") or {}).get("database") or row.get("database_id")),
        "sql": text(sql),
        "tags": {name: _tag(tags[name], columns) for name in sorted(tags)},
        "display": row.get("display"),
        "visualization": row.get("visualization_settings") or {},
    }
    return Thing(key, row["name"], fields, row["id"], row, archived)


def _card(row: Row, names: Names) -> dict[str, Any]:
    filters = []
    for mapping in row.get("parameter_mappings") or []:
        target = mapping.get("target") or []
        tag = target[1][1] if len(target) > 1 and isinstance(target[1], list) and len(target[1]) > 1 else str(target)
        filters.append([mapping["parameter_id"], tag])
    return {
        "row": row["row"],
        "col": row["col"],
        "width": row["size_x"],
        "height": row["size_y"],
        "question": names[QUESTION][row["card_id"]],
        "filters": sorted(filters, key=str),
    }


def _dashboard(key: str, row: Row, archived: bool, names: Names) -> Thing:
    foreign = [parameter["id"] for parameter in foreign_filters(key, row, names[QUESTION])]
    known = ("id", "name", "slug", "type", "default")
    ours = [card for card in row.get("dashcards") or [] if card.get("card_id") in names[QUESTION]]
    fields = {
        "name": row["name"],
        "description": text(row.get("description")),
        "collection": _named(names[COLLECTION], row.get("collection_id")),
        "width": row.get("width"),
        "mark": row.get("caveats") == caveats(key),
        "filters": [
            {name: parameter.get(name) for name in known}
            for parameter in row.get("parameters") or []
            if parameter["id"] not in foreign
        ],
        "cards": sorted((_card(card, names) for card in ours), key=place),
    }
    return Thing(key, row["name"], fields, row["id"], row, archived)


def _subscription(key: str, name: str, row: Row, archived: bool, names: Names) -> Thing:
    channels = [channel for channel in row.get("channels") or [] if channel.get("enabled") is not False]
    channel = channels[0] if len(channels) == 1 else {}
    fields = {
        "name": name,
        "dashboard": _named(names[DASHBOARD], row.get("dashboard_id")),
        "emails": sorted((person.get("email") or "").lower() for person in channel.get("recipients") or []),
        "channel": (channel.get("details") or {}).get("channel"),
        "every": channel.get("schedule_type") or f"{len(channels)} channels",
        "at": channel.get("schedule_hour"),
        "weekday": channel.get("schedule_day"),
        "frame": channel.get("schedule_frame"),
        "skip_if_empty": bool(row.get("skip_if_empty")),
    }
    return Thing(key, name, fields, row["id"], row, archived)


def _subscriptions(live: Live, names: Names) -> dict[str, Thing]:
    """Of several with the same mark the oldest, one that is not in the trash first."""
    found = [(row, archived, *subscription_parts(row)) for row, archived in _pairs(live, SUBSCRIPTION, live.pulses)]
    return {
        key: _subscription(key, name, row, archived, names)
        for row, archived, key, name in sorted(found, key=lambda pair: (not pair[1], -int(pair[0]["id"])))
        if key
    }


def column_names(live: Live) -> dict[int, str]:
    """Number of a column -> schema.table.column."""
    return {
        field["id"]: f"{table.get('schema') or ''}.{table['name']}.{field['name']}"
        for tables in live.tables.values()
        for table in tables
        for field in table.get("fields") or []
    }


def columns_of(live: Live, database: int) -> dict[str, int]:
    """schema.table.column -> its number."""
    names = column_names(live._replace(tables={database: live.tables.get(database, [])}))
    return {name: number for number, name in names.items()}


def _names(live: Live, declared: Row, remembered: Row) -> dict[str, Mapping[Any, str]]:
    archived = live.archived
    declared_questions = [question["key"] for question in declared["questions"]]
    return {
        COLLECTION: collection_keys(live.collections + archived.get(COLLECTION, []), remembered),
        QUESTION: question_keys(live.cards + archived.get(QUESTION, []), declared_questions),
        DASHBOARD: dashboard_keys(live.dashboards + archived.get(DASHBOARD, []), remembered),
        DATABASE: {thing.id: thing.key for thing in _databases(live, declared["databases"], remembered).values()},
    }


def found_things(live: Live, declared: Row, remembered: Row) -> Things:
    """What is ours in Metabase. `remembered` is the content of the file on the host."""
    names, columns = _names(live, declared, remembered), column_names(live)
    collections = _ours(live, COLLECTION, live.collections, names)
    questions = _ours(live, QUESTION, live.cards, names)
    dashboards = _ours(live, DASHBOARD, live.dashboards, names)
    groups = (row for row in live.groups if row["name"] in declared["groups"])
    return {
        SETTINGS: _settings(live, remembered),
        GROUP: {row["name"]: Thing(row["name"], row["name"], {}, row["id"], row) for row in groups},
        USER: _users(live, declared["groups"]),
        DATABASE: _databases(live, declared["databases"], remembered),
        COLLECTION: {key: _collection(key, row, archived, names) for key, row, archived in collections},
        QUESTION: {key: _question(key, row, archived, names, columns) for key, row, archived in questions},
        DASHBOARD: {key: _dashboard(key, row, archived, names) for key, row, archived in dashboards},
        SUBSCRIPTION: _subscriptions(live, names),
    }
