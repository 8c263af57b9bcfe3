# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what is declared for Metabase, all at once, before it is asked anything. Pure. Python 3.9.

Each sentence has the path, the value and what is allowed: `questions[2] (shop_revenue).display: chart is not one of …`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.check_shape import SHAPES, Given, shape, title
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import COLLECTION, DASHBOARD, QUESTION

COLUMNS = 24  # of a dashboard's grid
_TAG = re.compile(r"\{\{\s*(?P<tag>[^{}]*?)\s*\}\}")
_KEYS = {"users": "email", "databases": "name"}  # else: key


def mistakes(given: Given) -> list[str]:
    """One sentence for each."""
    shapes = [mistake for name in SHAPES for mistake in shape(name, given[name])]
    if shapes:
        return shapes  # the other checks need what is declared to have its shape
    return [
        *_unique(given),
        *_references(given),
        *_circles(given["collections"]),
        *(mistake for index, each in enumerate(given["questions"]) for mistake in _question(index, each)),
        *(mistake for index, each in enumerate(given["dashboards"]) for mistake in _dashboard(index, each, given)),
        *(mistake for index, each in enumerate(given["subscriptions"]) for mistake in _subscription(index, each)),
    ]


def _key(name: str, each: Any) -> str:
    return str(each) if name == "groups" else str(each[_KEYS.get(name, "key")])


def _unique(given: Given) -> Iterator[str]:
    for name in ("groups", "users", "databases", "collections", "questions", "dashboards", "subscriptions"):
        counted = Counter(_key(name, each).lower() if name == "users" else _key(name, each) for each in given[name])
        for key, count in counted.items():
            if count > 1:
                yield f"{name}: {count} have the {_KEYS.get(name, 'name' if name == 'groups' else 'key')} {key}"
    admin = given["admin"]["email"].lower()
    for index, each in enumerate(given["users"]):
        if each["email"].lower() == admin:
            yield f"{title('users', index, each)}: this is the account of admin, declare it only there"


def _unknown(path: str, what: str, value: Any, known: Iterable[str]) -> Iterator[str]:
    names = list(known)
    if value and value not in names:
        yield f"{path}: there is no {what} {value}, declared are: {', '.join(names) or 'none'}"


def _references(given: Given) -> Iterator[str]:
    keys = {name: [_key(name, each) for each in given[name]] for name in SHAPES if isinstance(given[name], list)}
    for name, field, target, what in (
        ("collections", "parent", "collections", COLLECTION),
        ("questions", "collection", "collections", COLLECTION),
        ("questions", "database", "databases", "database"),
        ("dashboards", "collection", "collections", COLLECTION),
        ("subscriptions", "dashboard", "dashboards", DASHBOARD),
    ):
        for index, each in enumerate(given[name]):
            yield from _unknown(f"{title(name, index, each)}.{field}", what, each.get(field), keys[target])
    for index, each in enumerate(given["users"]):
        for group in each.get("groups") or []:
            yield from _unknown(f"{title('users', index, each)}.groups", "group", group, keys["groups"])
    for index, each in enumerate(given["dashboards"]):
        for number, card in enumerate(each.get("cards") or []):
            path = f"{title('dashboards', index, each)}.cards[{number}].question"
            yield from _unknown(path, QUESTION, card["question"], keys["questions"])


def _circles(collections: list[Given]) -> Iterator[str]:
    parents = {each["key"]: each.get("parent") for each in collections}
    for key in parents:
        seen, outer = [key], parents[key]
        while outer in parents and outer not in seen:
            seen.append(outer)
            outer = parents[outer]
        if outer == key:
            yield f"collections ({key}).parent: it is inside itself: {' in '.join([*seen, key])}"


def _question(index: int, each: Given) -> Iterator[str]:
    path, filters = title("questions", index, each), each.get("filters") or {}
    used = {found["tag"] for found in _TAG.finditer(each["sql"])}
    for tag in sorted(used - set(filters)):
        yield f"{path}.sql: has {{{{{tag}}}}}, for which no filter is declared"
    for tag, it in filters.items():
        if tag not in used:
            yield f"{path}.filters.{tag}: the SQL has no {{{{{tag}}}}}"
        if not re.fullmatch(r"[^.]+(\.[^.]+){2,}", it["field"]):
            yield f"{path}.filters.{tag}.field: {it['field']} is not like schema.table.column"


def _dashboard(index: int, each: Given, given: Given) -> Iterator[str]:
    path, cards = title("dashboards", index, each), each.get("cards") or []
    questions = {question["key"]: question.get("filters") or {} for question in given["questions"]}
    for number, card in enumerate(cards):
        if int(card["col"]) + int(card["width"]) > COLUMNS:
            yield (
                f"{path}.cards[{number}]: col {card['col']} and width {card['width']} leave the {COLUMNS} columns of "
                "the grid"
            )
    for number, card in enumerate(cards):
        for other in range(number):
            if _overlap(card, cards[other]):
                yield f"{path}.cards[{number}]: overlaps with cards[{other}] ({cards[other]['question']})"
    tags = Counter(it["tag"] for it in each.get("filters") or [])
    yield from (f"{path}.filters: {count} have the tag {tag}" for tag, count in tags.items() if count > 1)
    for number, it in enumerate(each.get("filters") or []):
        kinds = {
            key: questions[key][it["tag"]]["type"]
            for key in dict.fromkeys(card["question"] for card in cards)
            if it["tag"] in questions.get(key, {})
        }
        if not kinds:
            yield f"{path}.filters[{number}]: no question of its cards has the filter {it['tag']}"
        for key, kind in kinds.items():
            if kind != it["type"]:
                yield f"{path}.filters[{number}].type: {it['type']}, but in the question {key} it is {kind}"


def _overlap(one: Given, other: Given) -> bool:
    def apart(start: str, size: str) -> bool:
        ends = int(one[start]) + int(one[size]), int(other[start]) + int(other[size])
        return ends[0] <= int(other[start]) or ends[1] <= int(one[start])

    return not (apart("col", "width") or apart("row", "height"))


def _subscription(index: int, each: Given) -> Iterator[str]:
    path, every = title("subscriptions", index, each), each["every"]
    if bool(each.get("emails")) == bool(each.get("channel")):
        yield f"{path}: needs either emails or a channel"
    if every != "hour" and each.get("at") is None:
        yield f"{path}.at: is missing, the hour of the day from 0 to 23"
    if every == "week" and not each.get("weekday"):
        yield f"{path}.weekday: is missing, mon to sun"
    if every in ("hour", "day") and each.get("weekday"):
        yield f"{path}.weekday: {each['weekday']} means nothing with every {every}"


def unknown_settings(settings: Mapping[str, Any], known: Iterable[str], version: str) -> list[str]:
    """Mistakes: settings that this Metabase does not have."""
    names = set(known)
    return [f"settings.{name}: Metabase {version} has no such setting" for name in settings if name not in names]
