# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in Metabase, and what has to stay. Python 3.9, standard library."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import form
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    QUESTION,
    SECRET_SETTING,
    SETTINGS,
    SUBSCRIPTION,
    Live,
    slot,
)
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import Comparison
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    ARCHIVE,
    CHANGE,
    Change,
    Thing,
    Things,
    one_line,
)

ACCOUNT, KEY = "account", "API key"  # what changes besides objects
ARCHIVED = (SUBSCRIPTION, DASHBOARD, QUESTION, COLLECTION)  # kinds in the order of archiving
# Fields that Metabase may keep in another form than it was sent.
FORMED = {
    SETTINGS: None,  # all of them
    QUESTION: ("sql", "tags", "visualization"),
    DASHBOARD: ("filters", "cards"),
    SUBSCRIPTION: ("channel", "emails"),
}

Forms = Mapping[str, Mapping[str, Any]]  # slot -> field -> [digest of what is declared, digest of what Metabase has]


def is_secret(kind: str, field: str) -> bool:
    """Whether only a digest of a field is compared."""
    return (kind == SETTINGS and bool(SECRET_SETTING.search(field))) or (kind == DATABASE and field == "password")


class MetabaseChange(Change):
    """Shows texts of many lines and lists of objects line by line."""

    __slots__ = ()

    def is_secret(self, field: str) -> bool:
        """Whether only a digest of it is known."""
        return is_secret(self.kind, field)

    def text(self, field: str, value: Any) -> str:
        """As in YAML."""
        if isinstance(value, str) and "\n" in value:
            return "|\n" + "\n".join(f"    {line}".rstrip() for line in value.splitlines())
        if isinstance(value, list) and not all(isinstance(member, (str, int)) for member in value):
            return "".join(f"\n    - {json.dumps(member, ensure_ascii=False)}" for member in value)
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else one_line(value)


class MetabaseComparison(Comparison):
    """A form that Metabase gave to what is wanted is no difference; what is inside goes before what it is in."""

    change = MetabaseChange
    silent = (None, [], "", {}, False)

    def __init__(self, forms: Forms) -> None:
        self.forms = forms

    def differs(self, kind: str, field: str, wanted: Thing, found: Thing) -> bool:
        """Whether a field is neither as wanted nor in the form that Metabase gave to it."""
        known = self.forms.get(slot(kind, wanted.key), {}).get(field)
        return super().differs(kind, field, wanted, found) and known != _forms(field, wanted, found)

    def gone(self, kind: str, wanted: Mapping[str, Thing], found: Mapping[str, Thing]) -> list[Thing]:
        """Inner collections first."""
        things = super().gone(kind, wanted, found)
        return sorted(things, key=_depth, reverse=True) if kind == COLLECTION else things


def _forms(field: str, wanted: Thing, found: Thing) -> list[str]:
    return [form(thing.fields.get(field)) for thing in (wanted, found)]


def _depth(collection: Thing) -> int:
    return len((collection.raw.get("location") or "/").split("/"))


def plan(kinds: Iterable[str], wanted: Things, found: Things, forms: Forms) -> list[Change]:
    """What has to be made, changed and taken back out of the trash, in the order in which it is done."""
    return MetabaseComparison(forms).plan(kinds, wanted, found)


def archives(wanted: Things, found: Things, kept: Collection[str]) -> list[Change]:
    """What is ours, not declared any more and not in the trash yet. `kept` are slots of what has to stay, though."""
    changes = MetabaseComparison({}).removals(ARCHIVED, wanted, found, ARCHIVE)
    return [change for change in changes if slot(change.kind, change.found.key) not in kept]


def occupied(live: Live, things: Things, names: Mapping[str, str]) -> dict[str, list[str]]:
    """Key of one of our collections -> what people keep in it or below it; `names` are {key: name} of some."""
    ours = {kind: {thing.id for thing in things[kind].values()} for kind in (COLLECTION, QUESTION, DASHBOARD)}
    inside: dict[str, list[str]] = {}
    for key in names:
        number = things[COLLECTION][key].id
        below = {row["id"] for row in live.collections if f"/{number}/" in (row.get("location") or "")}
        found = [row["name"] for row in live.collections if row["id"] in below - ours[COLLECTION]]
        for kind, rows in ((QUESTION, live.cards), (DASHBOARD, live.dashboards)):
            found += [
                row["name"]
                for row in rows
                if row.get("collection_id") in {number, *below} and row["id"] not in ours[kind]
            ]
        if found:
            inside[key] = found
    return inside


# --- where Metabase keeps something in another form than it was sent ---


def _may_be_formed(kind: str, field: str) -> bool:
    return kind in FORMED and (FORMED[kind] is None or field in (FORMED[kind] or ()))


def new_forms(key_file: KeyFile, done: Iterable[Change], left: Iterable[Change]) -> list[str]:
    """Remembers the forms of what was written; a sentence for change. `left` is what seems to differ after it.

    What the next run reads is compared with these: so it finds nothing to do, and still sees what somebody changes by
    hand.
    """
    written = {slot(change.kind, change.wanted.key) for change in done if change.wanted.key}
    warnings = []
    for change in left:
        name = slot(change.kind, change.wanted.key)
        if change.verb != CHANGE or name not in written:
            continue
        now = {
            field: _forms(field, change.wanted, change.found)
            for field in change.fields
            if _may_be_formed(change.kind, field)
        }
        key_file.note("forms", name, {**key_file.content["forms"].get(name, {}), **now})
        what = f"{change.kind} {change.name}".strip()
        warnings.append(f"Metabase keeps {', '.join(change.fields)} of {what} in a different form than declared.")
    return warnings
