# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The options of the module metabase: shapes, secrets, and mistakes that a shape cannot reveal. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import SECRET_SETTING
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import one_of, secret_texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import (
    circles,
    duplicates,
    missing,
    out_of_range,
    paths,
    unknown,
    unlike,
)

Row = Mapping[str, Any]
Option = dict[str, Any]
COLUMNS = 24  # of a dashboard's grid
FAR = 100_000  # rows of a dashboard
# What a native question can be shown as: frontend/src/metabase/visualizations/register.js in metabase/metabase.
DISPLAYS = [
    *("table", "line", "bar", "area", "combo", "row", "pie", "scalar", "smartscalar", "gauge", "progress"),
    *("funnel", "waterfall", "scatter", "map", "object", "sankey", "boxplot"),
]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FILTERS = ["date", "text"]  # types of filters

_TEXT: Option = {"type": "str"}
_REQUIRED: Option = {"type": "str", "required": True}
_KEY: Option = {**_REQUIRED, "no_log": False}
_PASSWORD: Option = {**_REQUIRED, "no_log": True}
_NUMBER: Option = {"type": "int", "required": True}
_TEXTS: Option = {"type": "list", "elements": "str"}
_FLAG: Option = {"type": "bool"}
_FILTER: Option = {**_REQUIRED, "choices": FILTERS}


def _objects(options: Mapping[str, Option], **more: Any) -> Option:
    return {"type": "list", "elements": "dict", "options": dict(options), **more}


_USER = {"email": _REQUIRED, "first_name": _TEXT, "last_name": _TEXT, "groups": _TEXTS, "admin": _FLAG}
_DATABASE = {
    **dict.fromkeys(("name", "host", "dbname", "user"), _REQUIRED),
    **{"port": {"type": "int"}, "password": _PASSWORD, "ssl": _FLAG},
}
_COLLECTION = {"key": _KEY, "name": _REQUIRED, "description": _TEXT, "parent": _TEXT}
_QUESTION = {
    **{"key": _KEY, "collection": _REQUIRED, "database": _REQUIRED, "name": _REQUIRED, "description": _TEXT},
    **{"sql": _REQUIRED, "display": {**_REQUIRED, "choices": DISPLAYS}},
    **{"visualization": {"type": "dict"}, "filters": {"type": "dict"}},
}
_CARD = {"question": _REQUIRED, **dict.fromkeys(("row", "col", "width", "height"), _NUMBER)}
_DASHBOARD = {
    **{"key": _KEY, "collection": _REQUIRED, "name": _REQUIRED, "description": _TEXT},
    "width": one_of("full", "fixed"),
    "filters": _objects({"tag": _REQUIRED, "name": _REQUIRED, "type": _FILTER, "default": _TEXT}),
    "cards": _objects(_CARD),
}
_SUBSCRIPTION = {
    **{"key": _KEY, "dashboard": _REQUIRED, "name": _REQUIRED, "emails": _TEXTS, "channel": _TEXT},
    "every": {**_REQUIRED, "choices": ["hour", "day", "week", "month"]},
    **{"at": {"type": "int"}, "weekday": one_of(*DAYS), "skip_if_empty": _FLAG},
}
_ADMIN = {"email": _REQUIRED, "password": _PASSWORD, "first_name": _TEXT, "last_name": _TEXT}
ARGUMENT_SPEC: dict[str, Option] = {
    "url": {"type": "str", "default": "http://127.0.0.1:3002"},
    "timeout": {"type": "int", "default": 300},
    "key_file": {"type": "path", "required": True, "no_log": False},
    "admin": {"type": "dict", "required": True, "options": _ADMIN},
    "site": {"type": "dict", "apply_defaults": True, "options": {"name": _TEXT, "locale": _TEXT}},
    "settings": {"type": "dict", "default": {}, "no_log": True},
    "groups": {**_TEXTS, "default": []},
    "users": _objects(_USER, default=[]),
    "databases": _objects(_DATABASE, default=[]),
    "collections": _objects(_COLLECTION, default=[]),
    "questions": _objects(_QUESTION, default=[]),
    "dashboards": _objects(_DASHBOARD, default=[]),
    "subscriptions": _objects(_SUBSCRIPTION, default=[]),
}
_TAG = re.compile(r"\{\{\s*(?P<tag>[^{}]*?)\s*\}\}")
_PLACE = {"row": (0, FAR), "col": (0, FAR), "width": (1, FAR), "height": (1, FAR)}
_REFERENCES = (  # option, its option that refers, to what, how it is called
    ("collections", "parent", "collections", "collection"),
    ("questions", "collection", "collections", "collection"),
    ("questions", "database", "databases", "database"),
    ("dashboards", "collection", "collections", "collection"),
    ("subscriptions", "dashboard", "dashboards", "dashboard"),
)


def secrets(declared: Row) -> set[str]:
    """What no message shows: passwords, and settings that are secret."""
    return secret_texts(ARGUMENT_SPEC, declared, 3, {"settings": SECRET_SETTING})


def mistakes(declared: Row) -> list[str]:
    """One sentence for each."""
    return [
        *missing(ARGUMENT_SPEC, declared),
        *_names(declared),
        *_references(declared),
        *circles("collections", "parent", declared["collections"]),
        *(line for path, row in paths("databases", declared["databases"]) for line in _database(path, row)),
        *(line for path, row in paths("questions", declared["questions"]) for line in _question(path, row)),
        *(line for path, row in paths("dashboards", declared["dashboards"]) for line in _cards(path, row)),
        *(line for path, row in paths("dashboards", declared["dashboards"]) for line in _filters(path, row, declared)),
        *(line for path, row in paths("subscriptions", declared["subscriptions"]) for line in _subscription(path, row)),
    ]


def _names(declared: Row) -> Iterator[str]:
    """Those by which objects are known: each once, in the form that its mark in Metabase needs."""
    admin = declared["admin"]["email"]
    yield from _address("admin.email", admin)
    yield from duplicates("groups", "name", declared["groups"])
    yield from duplicates("users", "email", (row["email"].lower() for row in declared["users"]))
    yield from duplicates("databases", "name", (row["name"] for row in declared["databases"]))
    for path, row in paths("users", declared["users"]):
        yield from _address(f"{path}.email", row["email"])
        if row["email"].lower() == admin.lower():
            yield f"{path}: this is the account in `admin`; declare it only there"
    for option in ("collections", "questions", "dashboards", "subscriptions"):
        yield from duplicates(option, "key", (row["key"] for row in declared[option]))
        for path, row in paths(option, declared[option]):
            yield from unlike(f"{path}.key", row["key"], r"[^()\[\]\s]+", "a text without brackets and spaces")


def _address(path: str, email: str) -> Iterator[str]:
    return unlike(path, email, r"[^@\s]+@[^@\s]+", "an e-mail address")


def _references(declared: Row) -> Iterator[str]:
    known = {option: [row.get("key") or row["name"] for row in declared[option]] for *_, option, _ in _REFERENCES}
    for option, field, target, what in _REFERENCES:
        for path, row in paths(option, declared[option]):
            yield from unknown(f"{path}.{field}", what, [row.get(field)], known[target])
    for path, row in paths("users", declared["users"]):
        yield from unknown(f"{path}.groups", "group", row.get("groups", []), declared["groups"])
    questions = [row["key"] for row in declared["questions"]]
    for path, row in paths("dashboards", declared["dashboards"]):
        for number, card in enumerate(row.get("cards", [])):
            yield from unknown(f"{path}.cards[{number}].question", "question", [card["question"]], questions)


def _database(path: str, row: Row) -> Iterator[str]:
    return out_of_range(path, row, {"port": (1, 65535)})


def _question(path: str, row: Row) -> Iterator[str]:
    filters = row.get("filters", {})
    used = {found["tag"] for found in _TAG.finditer(row["sql"])}
    for tag in sorted(used - set(filters)):
        yield f"{path}.sql: has {{{{{tag}}}}}, but no filter is declared for it"
    for tag, declared in filters.items():
        if tag not in used:
            yield f"{path}.filters.{tag}: the SQL has no {{{{{tag}}}}}"
        yield from _filter(f"{path}.filters.{tag}", declared)


def _filter(path: str, declared: Any) -> Iterator[str]:
    """A filter of a question. Its option has the tags as names, so that no argument spec can tell its shape."""
    if not isinstance(declared, Mapping) or set(declared) - {"name"} != {"type", "field"}:
        yield f"{path}: must have type and field, and may have a name"
        return
    if declared["type"] not in FILTERS:
        yield f"{path}.type: {declared['type']} is not one of {', '.join(FILTERS)}"
    if not re.fullmatch(r"[^.]+(\.[^.]+){2,}", str(declared["field"])):
        yield f"{path}.field: {declared['field']} is not like schema.table.column"


def _cards(path: str, row: Row) -> Iterator[str]:
    """Cards within the grid that do not cover each other."""
    cards = row.get("cards", [])
    for number, card in enumerate(cards):
        here = f"{path}.cards[{number}]"
        yield from out_of_range(here, card, _PLACE)
        if card["col"] + card["width"] > COLUMNS:
            yield f"{here}: col {card['col']} and width {card['width']} exceed the {COLUMNS} columns of the grid"
        for before, other in enumerate(cards[:number]):
            if _overlap(card, other, "col", "width") and _overlap(card, other, "row", "height"):
                yield f"{here}: overlaps with cards[{before}] ({other['question']})"


def _overlap(one: Row, other: Row, start: str, size: str) -> bool:
    return bool(one[start] < other[start] + other[size] and other[start] < one[start] + one[size])


def _filters(path: str, row: Row, declared: Row) -> Iterator[str]:
    """Filters of a dashboard that filter at least one of its cards, all as their questions say."""
    on_cards = {card["question"] for card in row.get("cards", [])}
    questions = {question["key"]: question.get("filters", {}) for question in declared["questions"]}
    yield from duplicates(f"{path}.filters", "tag", (wanted["tag"] for wanted in row.get("filters", [])))
    for number, wanted in enumerate(row.get("filters", [])):
        here, tag = f"{path}.filters[{number}]", wanted["tag"]
        same = {key: questions[key][tag] for key in sorted(on_cards) if tag in questions.get(key, {})}
        if not same:
            yield f"{here}: no question on its cards has the filter {tag}"
        for key, found in same.items():
            if isinstance(found, Mapping) and found.get("type") != wanted["type"]:
                yield f"{here}.type: {wanted['type']}, but the question {key} declares {found.get('type')}"


def _subscription(path: str, row: Row) -> Iterator[str]:
    every, emails = row["every"], row.get("emails", [])
    for number, email in enumerate(emails):
        yield from _address(f"{path}.emails[{number}]", email)
    yield from out_of_range(path, row, {"at": (0, 23)})
    if bool(emails) == bool(row.get("channel")):
        yield f"{path}: needs either emails or a channel"
    if every != "hour" and row.get("at") is None:
        yield f"{path}.at: is missing: the hour of the day, from 0 to 23"
    if every == "week" and not row.get("weekday"):
        yield f"{path}.weekday: is missing: mon to sun"
    if every in ("hour", "day") and row.get("weekday"):
        yield f"{path}.weekday: {row['weekday']} has no meaning with every {every}"


def unknown_settings(settings: Row, known: set[str], version: str) -> list[str]:
    """Mistakes: settings that this Metabase does not have."""
    return [f"settings.{name}: Metabase {version} has no such setting" for name in settings if name not in known]
