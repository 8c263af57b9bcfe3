# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in an API, as an ordered list of values, and as text for people. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    ARCHIVE,
    CHANGE,
    CREATE,
    REMOVE,
    UNARCHIVE,
    Change,
    Thing,
    Things,
)


class Comparison:
    """How the objects of an API are compared. An API overrides what it handles differently."""

    change: type[Change] = Change
    silent: tuple[Any, ...] = (None, [], "")  # values not worth showing of a new or removed object

    # --- what an API may override ---

    def default(self, kind: str, field: str, wanted: Thing) -> Any:
        """What a field means when the API, or the declaration, does not mention it."""
        return None

    def differs(self, kind: str, field: str, wanted: Thing, found: Thing) -> bool:
        """Whether a field is not as wanted."""
        return bool(wanted.fields[field] != found.fields.get(field, self.default(kind, field, wanted)))

    def differing(self, kind: str, wanted: Thing, found: Thing) -> tuple[str, ...]:
        """Names of the fields that are not as wanted."""
        return tuple(field for field in wanted.fields if self.differs(kind, field, wanted, found))

    def gone(self, kind: str, wanted: Mapping[str, Thing], found: Mapping[str, Thing]) -> list[Thing]:
        """What is no longer declared, in the order of removal."""
        return [thing for key, thing in found.items() if key not in wanted and not thing.archived]

    # --- the same for all ---

    def notable(self, kind: str, thing: Thing) -> tuple[str, ...]:
        """The fields worth showing of a new or removed object."""
        return tuple(
            field
            for field, value in thing.fields.items()
            if value not in self.silent and value != self.default(kind, field, thing)
        )

    def plan(self, kinds: Iterable[str], wanted: Things, found: Things) -> list[Change]:
        """What to create, change and restore from the trash, in order."""
        return [
            change
            for kind in kinds
            for key, thing in wanted[kind].items()
            if (change := self._to_do(kind, thing, found[kind].get(key)))
        ]

    def _to_do(self, kind: str, wanted: Thing, found: Thing | None) -> Change | None:
        if found is None:
            return self.change(CREATE, kind, wanted.name, wanted, fields=self.notable(kind, wanted))
        fields = self.differing(kind, wanted, found)
        if not fields and not found.archived:
            return None
        return self.change(UNARCHIVE if found.archived else CHANGE, kind, wanted.name, wanted, found, fields)

    def removals(self, kinds: Iterable[str], wanted: Things, found: Things, verb: str = REMOVE) -> list[Change]:
        """What to remove, in order."""
        return [
            self.change(verb, kind, thing.name, found=thing, fields=self.notable(kind, thing))
            for kind in kinds
            for thing in self.gone(kind, wanted[kind], found[kind])
        ]


def texts(changes: Iterable[Change]) -> dict[str, str]:
    """{"before", "after"}: YAML-like texts with only what changes."""
    before, after = [], []
    for change in changes:
        title = f"{change.kind} {change.name}".rstrip() + ":"
        was = [_line(field, change.before(field)) for field in change.fields]
        will = [_line(field, change.after(field)) for field in change.fields]
        if change.verb == UNARCHIVE:
            was, will = ["  archived: true", *was], ["  archived: false", *will]
        elif change.verb == ARCHIVE:
            will = ["  archived: true"]
        if change.verb in (CHANGE, REMOVE, ARCHIVE, UNARCHIVE):
            before += [title, *was]
        if change.verb != REMOVE:
            after += [title, *will]
    return {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}


def _line(field: str, value: str) -> str:
    return f"  {field}:{'' if value.startswith(chr(10)) else ' '}{value}"
