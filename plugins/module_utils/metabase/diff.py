# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in Metabase, as an ordered list of values, and as text for people. Pure. Python 3.9."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    QUESTION,
    SECRET_SETTING,
    SETTINGS,
    SUBSCRIPTION,
    Thing,
    Things,
    slot,
)

CREATE, CHANGE, ARCHIVE, UNARCHIVE = "create", "change", "archive", "unarchive"
ACCOUNT, KEY = "account", "API key"  # what changes beside objects
ARCHIVED = (SUBSCRIPTION, DASHBOARD, QUESTION, COLLECTION)  # kinds in the order of archiving
NO_THING = Thing("", "", {})
# Fields that Metabase may keep in another form than it was sent.
FORMED = {
    SETTINGS: None,  # all of them
    QUESTION: ("sql", "tags", "visualization"),
    DASHBOARD: ("filters", "cards"),
    SUBSCRIPTION: ("channel", "emails"),
}

Forms = Mapping[str, Mapping[str, Any]]  # slot -> field -> [digest of what is declared, digest of what Metabase has]


class Change(NamedTuple):
    """One thing to do. `fields` are the names of those that differ, or that say something of what is new."""

    verb: str
    kind: str
    name: str
    wanted: Thing = NO_THING
    found: Thing = NO_THING
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`change question Revenue per day: sql, display`."""
        title = " ".join(word for word in (self.verb, self.kind, self.name) if word)
        return f"{title}: {', '.join(self.fields)}" if self.verb == CHANGE and self.fields else title

    def shown(self, field: str, thing: Thing, changed: str = "") -> str:
        """The value of a field as text for people, a secret masked."""
        value = thing.fields.get(field)
        if value is not None and is_secret(self.kind, field):
            return f"(secret{changed if self.verb == CHANGE else ''})"
        return _text(value)


def is_secret(kind: str, field: str) -> bool:
    """Whether only a digest of a field is compared."""
    return (kind == SETTINGS and bool(SECRET_SETTING.search(field))) or (kind == DATABASE and field == "password")


def _text(value: Any) -> str:
    """As in YAML."""
    if isinstance(value, str) and "\n" in value:
        return "|\n" + "\n".join(f"    {line}".rstrip() for line in value.splitlines())
    if isinstance(value, list) and all(isinstance(each, (str, int)) for each in value):
        return "[" + ", ".join(str(each) for each in value) + "]"
    if isinstance(value, list):
        return "".join(f"\n    - {json.dumps(each, ensure_ascii=False)}" for each in value)
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _line(field: str, value: str) -> str:
    return f"  {field}:{'' if value.startswith(chr(10)) else ' '}{value}"


def form(value: Any) -> str:
    """Stands for a value in the file on the host."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


def differing(kind: str, wanted: Thing, found: Thing, forms: Forms) -> tuple[str, ...]:
    """Names of the fields that are not as wanted, nor the form that Metabase gave to what is wanted."""
    known = forms.get(slot(kind, wanted.key), {})
    return tuple(
        field
        for field, value in wanted.fields.items()
        if value != found.fields.get(field) and known.get(field) != [form(value), form(found.fields.get(field))]
    )


def may_be_formed(kind: str, field: str) -> bool:
    """Whether Metabase may keep a field in another form."""
    return kind in FORMED and (FORMED[kind] is None or field in (FORMED[kind] or ()))


def _notable(thing: Thing) -> tuple[str, ...]:
    """The fields that say something, for what is created or archived."""
    return tuple(name for name, value in thing.fields.items() if value not in (None, [], "", {}, False))


def plan(kinds: Iterable[str], wanted: Things, found: Things, forms: Forms) -> list[Change]:
    """What has to be made, changed and taken back out of the trash, in the order in which it is done."""
    changes = []
    for kind in kinds:
        for key, thing in wanted[kind].items():
            there = found[kind].get(key)
            if there is None:
                verb = CHANGE if kind == SETTINGS else CREATE
                changes.append(Change(verb, kind, thing.name, thing, fields=_notable(thing)))
                continue
            fields = differing(kind, thing, there, forms)
            if there.archived:
                changes.append(Change(UNARCHIVE, kind, thing.name, thing, there, fields))
            elif fields:
                changes.append(Change(CHANGE, kind, thing.name, thing, there, fields))
    return changes


def archives(wanted: Things, found: Things, kept: Iterable[str]) -> list[Change]:
    """What is ours, not declared any more and not in the trash yet; what is inside before what it is in.

    `kept` are slots of what has to stay nevertheless.
    """
    changes = []
    for kind in ARCHIVED:
        gone = [thing for key, thing in found[kind].items() if key not in wanted[kind] and not thing.archived]
        if kind == COLLECTION:
            gone.sort(key=lambda thing: -len((thing.raw.get("location") or "/").split("/")))
        changes += [
            Change(ARCHIVE, kind, thing.name, found=thing, fields=_notable(thing))
            for thing in gone
            if slot(kind, thing.key) not in set(kept)
        ]
    return changes


def texts(changes: Iterable[Change]) -> dict[str, str]:
    """Before and after, as text like YAML, of only what changes."""
    before, after = [], []
    for each in changes:
        title = f"{each.kind} {each.name}".rstrip() + ":"
        was = [_line(field, each.shown(field, each.found)) for field in each.fields]
        will = [_line(field, each.shown(field, each.wanted, ", changed")) for field in each.fields]
        trash = "  archived: true"
        if each.verb == UNARCHIVE:
            before += [title, trash, *was]
            after += [title, "  archived: false", *will]
        elif each.verb == ARCHIVE:
            before += [title, *was]
            after += [title, trash]
        else:
            before += [title, *was] if each.verb == CHANGE else []
            after += [title, *will]
    return {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
