# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects in the form in which they are compared, and what is to be done with one of them. Pure. Python 3.9.

In this form objects refer to each other by key, never by the number that the API assigns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

CREATE, CHANGE, REMOVE = "create", "change", "remove"
ARCHIVE, UNARCHIVE = "archive", "unarchive"  # where an API has a trash


class Thing(NamedTuple):
    """One object: its fields in canonical form and, if the API has it, its number and all that the API returned."""

    key: str
    name: str
    fields: Mapping[str, Any]
    id: Any = None
    raw: Mapping[str, Any] = {}
    archived: bool = False


Things = dict[str, dict[str, Thing]]  # kind -> key -> object
NO_THING = Thing("", "", {})


class Change(NamedTuple):
    """One thing to do. `fields` names those that differ, or those worth showing of a new or removed object.

    Each API has its own class, which decides what is secret and how values are shown.
    """

    verb: str
    kind: str
    name: str
    wanted: Thing = NO_THING
    found: Thing = NO_THING
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`change question Revenue per day: sql, display`."""
        title = " ".join(part for part in (self.verb, self.kind, self.name) if part)
        if self.verb != CHANGE or not self.fields:
            return title
        return f"{title}: {', '.join(self.summary(field) for field in self.fields)}"

    def before(self, field: str) -> str:
        """The value that was found, as text for people, a secret masked."""
        return self._masked(field, self.found, "(secret)")

    def after(self, field: str) -> str:
        """The value that is wanted, as text for people, a secret masked."""
        return self._masked(field, self.wanted, "(secret, changed)" if self.verb == CHANGE else "(secret)")

    def _masked(self, field: str, thing: Thing, mask: str) -> str:
        value = thing.fields.get(field)
        return mask if value is not None and self.is_secret(field) else self.text(field, value)

    # --- what an API may override ---

    def is_secret(self, field: str) -> bool:
        """Whether nobody may see the value of a field."""
        return False

    def summary(self, field: str) -> str:
        """A field that differs, within one line."""
        return field

    def text(self, field: str, value: Any) -> str:
        """A value that is not secret."""
        return one_line(value)


def one_line(value: Any) -> str:
    """As in YAML."""
    if isinstance(value, list) and all(isinstance(member, (str, int)) for member in value):
        return "[" + ", ".join(str(member) for member in value) + "]"
    if isinstance(value, str) and value and "\n" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)
