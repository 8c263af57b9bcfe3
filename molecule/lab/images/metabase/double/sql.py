# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Native SQL with template tags: `{{tag}}`, and `[[ … {{tag}} … ]]` that falls away when its tag has no value.

src/metabase/driver/common/parameters/{parse,values,dates}.clj and driver/sql/parameters/substitution.clj of Metabase.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from double.dates import days
from double.warehouse import QueryError

Object = dict[str, Any]
_TOKENS = re.compile(r"(--[^\n]*|/\*.*?\*/|\[\[|\]\]|\{\{.*?\}\})", re.DOTALL)
_LIKE = {"string/contains": "%{}%", "string/starts-with": "{}%", "string/ends-with": "%{}"}
_COMPARE = {"number/>=": ">=", "number/<=": "<=", "string/!=": "<>", "number/!=": "<>"}
_EQUAL = ("string/=", "number/=", "boolean/=", "category", "id", "text", "number", "dimension")


@dataclass(frozen=True)
class Context:
    """What a text needs besides its values: the fields by id, today in the report time zone, the first day of weeks."""

    field: Callable[[int], Object | None]
    today: dt.date
    week: str = "sunday"


@dataclass(frozen=True)
class Piece:
    """SQL with its values; `missing` names the tags without a value in it."""

    sql: str
    values: tuple[Any, ...] = ()
    missing: tuple[str, ...] = ()


def expanded(text: str, tags: Object, given: list[Object], context: Context) -> tuple[str, list[Any]]:
    """(SQL with %s, values). `given` are parameters {type, target, value}. QueryError."""
    pieces = _pieces(iter(_TOKENS.split(text)), tags, given, context, False)
    if missing := [name for piece in pieces for name in piece.missing]:
        named = " ".join(f'"{name}"' for name in dict.fromkeys(missing))
        raise QueryError(
            f"Cannot run the query: missing required parameters: #{{{named}}}", "missing-required-parameter"
        )
    values = [value for piece in pieces for value in piece.values]
    sql = "".join(piece.sql for piece in pieces)
    return (sql, values) if values else (sql.replace("%%", "%"), [])


def _pieces(tokens: Any, tags: Object, given: list[Object], context: Context, optional: bool) -> list[Piece]:
    pieces = []
    for token in tokens:
        if token == "[[":
            inner = _pieces(tokens, tags, given, context, True)
            filled = all(not piece.missing for piece in inner)
            pieces += inner if filled else []
        elif token == "]]" and optional:
            return pieces
        elif token.startswith("{{"):
            pieces.append(_tag(token[2:-2].strip(), tags, given, context, optional))
        else:
            pieces.append(Piece(token.replace("%", "%%")))
    if optional:
        raise QueryError("Invalid query: found '[[' with no matching ']]'")
    return pieces


def _tag(name: str, tags: Object, given: list[Object], context: Context, optional: bool) -> Piece:
    tag = tags.get(name)
    if tag is None:
        return Piece("", missing=(name,))
    filters = tag["type"] == "dimension"
    field = context.field(field_id(tag)) if filters else None
    if filters and field is None:
        raise QueryError(f"Can't find field with ID: {field_id(tag)}", "invalid-parameter")
    value, kind = _value(tag, given)
    if value is None or value == []:
        return Piece("1 = 1", missing=(name,) if optional else ()) if filters else Piece("", missing=(name,))
    return _filter(tag, field, kind, value, context) if field else _variable(tag, value)


def field_id(tag: Object) -> int:
    """Of a dimension in either form: ["field", 12, null] or ["field", {}, 12]."""
    return next((part for part in tag.get("dimension") or [] if isinstance(part, int)), 0)


def _value(tag: Object, given: list[Object]) -> tuple[Any, str]:
    """(value or None, type of the parameter): the given one, else the tag's default."""
    kind = tag.get("widget-type") or tag["type"]
    found = [each for each in given if _targets(each.get("target"), tag)]
    values = [each for each in found if each.get("value") not in (None, [], "")]
    if values:
        return values[0]["value"], values[0].get("type") or kind
    if tag.get("default") not in (None, [], "") and (tag.get("required") or not found):
        return tag["default"], kind
    if tag.get("required"):
        words = f"You'll need to pick a value for '{tag.get('display-name') or tag['name']}' before this query can run."
        raise QueryError(words, "missing-required-parameter")
    return None, kind


def _targets(target: Any, tag: Object) -> bool:
    """["dimension" or "variable", ["template-tag", name or {"id": …}], …]."""
    wanted = "dimension" if tag["type"] == "dimension" else "variable"
    if not isinstance(target, list) or len(target) < 2 or target[0] != wanted or not isinstance(target[1], list):
        return False
    return target[1][:2] in (["template-tag", tag["name"]], ["template-tag", {"id": tag.get("id")}])


def _variable(tag: Object, value: Any) -> Piece:
    values = value if isinstance(value, list) else [value]
    if tag["type"] == "number":
        return Piece(", ".join(str(_number(part)) for each in values for part in str(each).split(",")))
    if tag["type"] == "boolean":
        return Piece(str(value).lower())
    if tag["type"] == "date":
        return Piece("%s::date", (_first_day(value),))
    return Piece(", ".join(["%s"] * len(values)), tuple(str(each) for each in values))


def _number(text: Any) -> int | float:
    try:
        return float(text) if "." in str(text) else int(text)
    except ValueError:
        raise QueryError(f'Unparseable number: "{text}"', "invalid-parameter") from None


def _first_day(text: str) -> str:
    try:
        return dt.datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise QueryError(f"Unable to parse '{text}': no such date", "invalid-parameter") from None


def _filter(tag: Object, field: Object, kind: str, value: Any, context: Context) -> Piece:
    name = tag.get("alias") or ".".join(_quoted(field[part]) for part in ("schema", "table", "name"))
    values = value if isinstance(value, list) else [value]
    if kind.startswith("date"):
        return _between(name, field, str(values[0]), context)
    if field["base_type"] in ("type/Integer", "type/BigInteger", "type/Float", "type/Decimal"):
        values = [_number(each) for each in values]
    if kind == "number/between":
        return Piece(f"{name} BETWEEN %s AND %s", (values[0], values[1]))
    if kind in _LIKE or kind == "string/does-not-contain":
        pattern = _LIKE.get(kind, "%{}%")
        no = "NOT " if kind not in _LIKE else ""
        parts = (" AND " if no else " OR ").join([f"lower({name}::text) {no}LIKE lower(%s)"] * len(values))
        return Piece(f"({parts})", tuple(pattern.format(each) for each in values))
    if kind in _COMPARE and len(values) == 1:
        return Piece(f"{name} {_COMPARE[kind]} %s", (values[0],))
    if kind in _COMPARE or kind in _EQUAL or kind.startswith("location/"):
        no = "NOT " if kind in _COMPARE else ""
        return Piece(
            f"{name} {no}IN ({', '.join(['%s'] * len(values))})" if no or values[1:] else f"{name} = %s", tuple(values)
        )
    raise QueryError(f"Invalid parameter type {kind} for field filter", "invalid-parameter")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _between(name: str, field: Object, value: str, context: Context) -> Piece:
    """Half-open, with midnights of the report time zone: the session has it."""
    try:
        first, after = days(value, context.today, context.week)
    except ValueError:
        words = f"Don't know how to parse date string {value!r}".replace("'", '"')
        raise QueryError(words, "invalid-parameter") from None
    cast = {"type/DateTimeWithLocalTZ": "timestamptz", "type/Date": "date"}.get(field["base_type"], "timestamp")
    parts = [f"{name} >= %s::{cast}"] if first else []
    parts += [f"{name} < %s::{cast}"] if after else []
    return Piece("(" + " AND ".join(parts) + ")", tuple(each.isoformat() for each in (first, after) if each))
