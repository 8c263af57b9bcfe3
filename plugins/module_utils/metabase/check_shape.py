# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The shape of what is declared for Metabase: names, types and limits of each field. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Given = Mapping[str, Any]


class Field(NamedTuple):
    """What a value has to be: of `kind`, if `choices` one of these, a number between `least` and `most`."""

    kind: str = "text"  # text, number, flag, texts, dict, or the name of a shape: a list of it
    required: bool = True
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 100_000
    pattern: str = ""
    like: str = ""


# What a native question can be shown as: frontend/src/metabase/visualizations/register.js in metabase/metabase.
DISPLAYS: tuple[str, ...] = (
    "table",
    "line",
    "bar",
    "area",
    "combo",
    "row",
    "pie",
    "scalar",
    "smartscalar",
    "gauge",
    "progress",
)
DISPLAYS += ("funnel", "waterfall", "scatter", "map", "object", "sankey", "boxplot")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

KEY = Field(pattern=r"[^()\[\]\s]+", like="a word without brackets")
TEXT, OPTIONAL = Field(), Field(required=False)
EMAIL = Field(pattern=r"[^@\s]+@[^@\s]+", like="an e-mail address")
NUMBER, SIZE = Field("number"), Field("number", least=1)
KIND = Field(choices=("date", "text"))

SHAPES: dict[str, dict[str, Field]] = {
    "admin": {"email": EMAIL, "password": TEXT, "first_name": OPTIONAL, "last_name": OPTIONAL},
    "site": {"name": OPTIONAL, "locale": OPTIONAL},
    "settings": {},  # any
    "groups": {},  # texts
    "users": {
        "email": EMAIL,
        "first_name": OPTIONAL,
        "last_name": OPTIONAL,
        "groups": Field("texts", required=False),
        "admin": Field("flag", required=False),
    },
    "databases": {
        "name": TEXT,
        "host": TEXT,
        "port": Field("number", required=False, least=1, most=65535),
        "dbname": TEXT,
        "user": TEXT,
        "password": TEXT,
        "ssl": Field("flag", required=False),
    },
    "collections": {"key": KEY, "name": TEXT, "description": OPTIONAL, "parent": OPTIONAL},
    "questions": {
        "key": KEY,
        "collection": TEXT,
        "database": TEXT,
        "name": TEXT,
        "description": OPTIONAL,
        "sql": TEXT,
        "display": Field(choices=DISPLAYS),
        "visualization": Field("dict", required=False),
        "filters": Field("filters of a question", required=False),
    },
    "dashboards": {
        "key": KEY,
        "collection": TEXT,
        "name": TEXT,
        "description": OPTIONAL,
        "width": Field(required=False, choices=("full", "fixed")),
        "filters": Field("filters of a dashboard", required=False),
        "cards": Field("cards", required=False),
    },
    "subscriptions": {
        "key": KEY,
        "dashboard": TEXT,
        "name": TEXT,
        "emails": Field("texts", required=False, pattern=EMAIL.pattern, like="an e-mail address"),
        "channel": OPTIONAL,
        "every": Field(choices=("hour", "day", "week", "month")),
        "at": Field("number", required=False, most=23),
        "weekday": Field(required=False, choices=DAYS),
        "skip_if_empty": Field("flag", required=False),
    },
}
_INNER: dict[str, dict[str, Field]] = {
    "filters of a question": {"type": KIND, "field": TEXT},
    "filters of a dashboard": {"tag": TEXT, "name": TEXT, "type": KIND, "default": OPTIONAL},
    "cards": {"question": TEXT, "row": NUMBER, "col": NUMBER, "width": SIZE, "height": SIZE},
}


def title(name: str, index: int, each: Any) -> str:
    """`questions[2] (shop_revenue)`."""
    known = each.get("key") or each.get("email") or each.get("name") if isinstance(each, Mapping) else ""
    return f"{name}[{index}] ({known})" if known else f"{name}[{index}]"


def shape(name: str, value: Any) -> Iterator[str]:
    """Mistakes in the shape of one option."""
    if name == "settings":
        return
    if name == "groups":
        yield from _field(name, Field("texts"), value)
    elif name in ("admin", "site"):
        yield from _fields(name, SHAPES[name], value)
    else:
        for index, each in enumerate(value):
            yield from _fields(title(name, index, each), SHAPES[name], each)


def _fields(path: str, fields: Mapping[str, Field], value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: must be a dictionary"
        return
    for name in value:
        if name not in fields:
            yield f"{path}.{name}: unknown, allowed are: {', '.join(fields)}"
    for name, field in fields.items():
        given = value.get(name)
        if given is None or given == "":
            if field.required:
                yield f"{path}.{name}: is missing"
        else:
            yield from _field(f"{path}.{name}", field, given)


def _field(path: str, field: Field, value: Any) -> Iterator[str]:
    if field.kind in _INNER:
        yield from _inner(path, field, value)
    elif field.kind == "dict":
        if not isinstance(value, Mapping):
            yield f"{path}: {value} is not a dictionary"
    elif field.kind == "flag":
        if not isinstance(value, bool):
            yield f"{path}: {value} is not true or false"
    elif field.kind == "texts":
        if not isinstance(value, list):
            yield f"{path}: {value} is not a list"
        else:
            for index, each in enumerate(value):
                yield from _text(f"{path}[{index}]", field, each)
    elif field.kind == "number":
        yield from _number(path, field, value)
    else:
        yield from _text(path, field, value)


def _inner(path: str, field: Field, value: Any) -> Iterator[str]:
    fields = _INNER[field.kind]
    if field.kind == "filters of a question":
        if not isinstance(value, Mapping):
            yield f"{path}: {value} is not a dictionary of filters"
            return
        for tag, each in value.items():
            yield from _fields(f"{path}.{tag}", fields, each)
    elif not isinstance(value, list):
        yield f"{path}: {value} is not a list"
    else:
        for index, each in enumerate(value):
            yield from _fields(f"{path}[{index}]", fields, each)


def _number(path: str, field: Field, value: Any) -> Iterator[str]:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        yield f"{path}: {value} is not a whole number"
    elif not field.least <= int(value) <= field.most:
        yield f"{path}: {value} is not between {field.least} and {field.most}"


def _text(path: str, field: Field, value: Any) -> Iterator[str]:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        yield f"{path}: {value} is not a text"
    elif field.choices and value not in field.choices:
        yield f"{path}: {value} is not one of {', '.join(field.choices)}"
    elif field.pattern and not re.fullmatch(field.pattern, str(value)):
        yield f"{path}: {value} is not {field.like}"
