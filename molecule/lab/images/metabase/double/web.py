# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests, answers, refusals and the checks of a request's body.

Words and shapes: src/metabase/api/common.clj, src/metabase/api/macros.clj and src/metabase/util/malli/schema.clj.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs

Object = dict[str, Any]


class ApiError(Exception):
    """An answer that is not what was asked for; text or an object."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body)
        self.status, self.body = status, body


@dataclass
class Request:
    """What a handler gets; `user` is who asks (an object, or None for nobody), `session` the token of a login."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    raw: bytes
    user: Any = None
    session: str = ""

    def one(self, name: str, default: str = "") -> str:
        """A value of the query, or its default."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return self.one(name) == "true"

    def body(self) -> Any:
        """The JSON document, or a form's fields. ApiError 400."""
        if not self.raw:
            return {}
        if "form-urlencoded" in self.headers.get("Content-Type", ""):
            return {key: values[0] for key, values in parse_qs(self.raw.decode()).items()}
        try:
            return json.loads(self.raw)
        except ValueError:
            raise ApiError(400, {"message": "Malformed JSON in request body."}) from None

    def take(self, **schema: Check) -> Object:
        """The declared keys of the body that were given; others are dropped. ApiError 400 for what does not fit."""
        return checked(self.body(), schema)


@dataclass(frozen=True)
class Answer:
    """What goes back: None as 204, bytes as they are, text as text, anything else as JSON."""

    body: Any
    status: int = 200
    type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One key of a body: a test, Metabase's words when it fails, and whether the key may be missing or null."""

    fits: Callable[[Any], bool]
    words: str
    optional: bool = False

    def maybe(self) -> Check:
        return Check(self.fits, f"nullable {self.words}", True)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Check(lambda value: isinstance(value, str) and bool(value.strip()), "value must be a non-blank string.")
STRING = Check(lambda value: isinstance(value, str), "string")
POSITIVE = Check(lambda value: _integer(value) and value > 0, "value must be an integer greater than zero.")
NATURAL = Check(lambda value: _integer(value) and value >= 0, "value must be an integer greater or equal to than zero.")
INTEGER = Check(_integer, "integer")
BOOLEAN = Check(lambda value: isinstance(value, bool), "boolean")
MAP = Check(lambda value: isinstance(value, dict), "map")
LIST = Check(lambda value: isinstance(value, list), "sequence")
SOME = Check(lambda value: isinstance(value, list) and bool(value), "one or more")
EMAIL = Check(
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", value)),
    "value must be a valid email address.",
)
PASSWORD = Check(
    lambda value: isinstance(value, str) and len(value) >= 6 and any(each.isdigit() for each in value),
    "password is too common.",
)
NANO = Check(lambda value: isinstance(value, str) and bool(re.fullmatch(r"[A-Za-z0-9_-]{21}", value)), "NanoID")
ID_OR_NANO = Check(lambda value: POSITIVE.fits(value) or NANO.fits(value), POSITIVE.words)
ANY = Check(lambda value: True, "anything")


def checked(body: Any, schema: dict[str, Check]) -> Object:
    """See Request.take."""
    body = body if isinstance(body, dict) else {}
    errors, exact = {}, {}
    for name, check in schema.items():
        missing = name not in body
        if (missing or body[name] is None) and check.optional:
            continue
        if missing or not check.fits(body[name]):
            errors[name] = check.words
            exact[name] = ["missing required key, received: nil"] if missing else [_received(check, body[name])]
    if errors:
        raise ApiError(400, {"specific-errors": exact, "errors": errors})
    return {name: body[name] for name in schema if name in body}


def _received(check: Check, value: Any) -> str:
    words = check.words.removeprefix("nullable ").removeprefix("value must be ").rstrip(".")
    return f"should be {words}, received: {'nil' if value is None else json.dumps(value)}"


def invalid(name: str, words: str) -> ApiError:
    """A value that a check beyond its type refuses (api/checkp)."""
    return ApiError(400, {"errors": {name: words}})


def not_found() -> ApiError:
    return ApiError(404, "Not found.")


def forbidden() -> ApiError:
    return ApiError(403, "You don't have permissions to do that.")


def crashed(message: str, **more: Any) -> ApiError:
    """An exception that nobody caught, as the API shows it."""
    return ApiError(500, {"via": [], "trace": [], "cause": message, "message": message, **more})


def some(found: Object | None) -> Object:
    """ApiError 404 for None."""
    if found is None:
        raise not_found()
    return found
