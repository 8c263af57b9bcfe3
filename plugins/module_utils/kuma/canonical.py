# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The one form of each value, whatever way it is declared, stored or sent. Pure. Python 3.9."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Version = tuple[int, ...]
EMPTY: tuple[Any, ...] = (None, "", [], {})  # all mean: the default


def text(value: Any) -> Any:
    """`true` for True, `5` for 5: as Kuma stores it."""
    return value if isinstance(value, str) else json.dumps(value)


def number(value: Any) -> Any:
    """5 for "5" and 5.0; what is no number stays as it is."""
    try:
        exact = float(value)
    except (TypeError, ValueError):
        return value
    return int(exact) if exact.is_integer() else exact


def flag(value: Any) -> bool:
    """True for True, 1 and "true"."""
    return str(value).lower() in ("1", "true", "yes", "on")


def members(value: Any) -> list[str]:
    """A list whose order means nothing, sorted; a single value is a list of one."""
    return sorted({text(member) for member in (value if isinstance(value, list) else [value])})


def data(value: Any) -> Any:
    """Structured data, which Kuma keeps as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def moment(value: Any) -> str:
    """`2026-12-24 22:00:00` for `2026-12-24T22:00` and the like."""
    day, _, clock = str(value).strip().replace("T", " ").partition(" ")
    clock = clock or "00:00"
    return f"{day} {clock}:00" if clock.count(":") < 2 else f"{day} {clock}"


def moments(value: Any) -> list[str]:
    """Start and end; Kuma says null for an open one."""
    return [moment(date) for date in value if date not in EMPTY]


def times(value: Any) -> list[dict[str, int]]:
    """Start and end of the day's window."""
    return [{"hours": int(time.get("hours", 0)), "minutes": int(time.get("minutes", 0))} for time in value]


def days(value: Any) -> list[Any]:
    """Weekdays or days of a month, sorted; Kuma also knows words such as lastDay1."""
    return sorted({number(member) for member in value}, key=lambda day: (isinstance(day, str), day))


# The type of the module's option for each form.
_TYPES: Mapping[Callable[[Any], Any], str] = {
    text: "str",
    number: "int",
    flag: "bool",
    members: "list str",
    data: "dict",
    moments: "list str",
    times: "list dict",
    days: "list raw",
}


class Field(NamedTuple):
    """One field: its default, its one true form, whether it is secret, the version that brought it."""

    default: Any = None
    form: Callable[[Any], Any] = text
    secret: bool = False
    since: Version = (1, 23)
    as_json: bool = False  # sent as JSON text
    other_type: str = ""  # of the module's option, where the form does not tell it

    @property
    def option(self) -> dict[str, Any]:
        """The option of the module: its type, and of a list the type of its elements."""
        kind = self.other_type or _TYPES[self.form]
        return {"type": "list", "elements": kind[5:]} if kind.startswith("list ") else {"type": kind}

    def canonical(self, value: Any, default: Any = None) -> Any:
        """Equal for all ways to say the same thing: null, "" and nothing; 0 and false; "5" and 5."""
        if value in EMPTY:
            return self.default if default is None else default
        return self.form(value)

    def sent(self, value: Any) -> Any:
        """A canonical value as Kuma wants to receive it."""
        return json.dumps(value, indent=4) if self.as_json and value is not None else value


def loose(value: Any) -> Any:
    """The one form of a value of no known kind (settings, options of notifications): `5` for "5", false is nothing."""
    if value in EMPTY or value is False:
        return None
    if isinstance(value, list):
        return sorted((loose(member) for member in value), key=str)
    if value is True or isinstance(value, dict):
        return value
    return text(value)
