# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in Uptime Kuma, as an ordered list of values, and as text for people. Pure. Python 3.9."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    DOCKER_HOST,
    MAINTENANCE,
    MONITOR,
    STATUS_PAGE,
    Version,
    monitor_default,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import (
    COPY,
    HOST,
    KINDS,
    MONITORS,
    NOTIFICATION,
    PAGE,
    SETTINGS,
    TAG,
    WINDOW,
    Thing,
    Things,
    page_is_ours,
)

CREATE, CHANGE, REMOVE = "create", "change", "remove"
RESTART, ACCOUNT, KEY = "container", "account", "API key"  # what changes beside objects
REMOVED = (WINDOW, PAGE, MONITORS, HOST, NOTIFICATION)  # kinds in the order of removal; tags and settings stay
NO_THING = Thing("", "", {})
_ADDRESS_LOGIN = re.compile(r"//[^/@\s]+@")
_QUERY_VALUE = re.compile(r"([?&][^=&\s]+=)[^&\s]+")
_SECRET_SETTING = re.compile("key|token|secret|password", re.IGNORECASE)


class Change(NamedTuple):
    """One thing to do. `fields` are the names of those that differ."""

    verb: str
    kind: str
    name: str
    wanted: Thing = NO_THING
    found: Thing = NO_THING
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`change monitor shop: health: interval 60 → 30`."""
        title = " ".join(word for word in (self.verb, self.kind, self.name) if word)
        if self.verb != CHANGE or not self.fields:
            return title
        return f"{title}: " + ", ".join(
            f"{field} {_short(self.shown(field, self.found))} → {_short(self.shown(field, self.wanted, ', changed'))}"
            for field in self.fields
        )

    def shown(self, field: str, thing: Thing, changed: str = "") -> str:
        """The value of a field as text for people, a secret masked."""
        value = thing.fields.get(field)
        if value is not None and _is_secret(self.kind, field):
            return f"(secret{changed if self.verb == CHANGE else ''})"
        text = _ADDRESS_LOGIN.sub("//(secret)@", _text(value))
        return _QUERY_VALUE.sub(r"\1(secret)", text) if field == "url" else text


def _is_secret(kind: str, field: str) -> bool:
    if kind == NOTIFICATION:  # which of its options are secret depends on the provider: all but its name and type
        return field not in ("name", "type")
    if kind == SETTINGS:
        return bool(_SECRET_SETTING.search(field))
    return kind == MONITORS and field in MONITOR and MONITOR[field].secret


def _text(value: Any) -> str:
    """One line, as in YAML."""
    if isinstance(value, list) and all(isinstance(each, (str, int)) for each in value):
        return "[" + ", ".join(str(each) for each in value) + "]"
    if isinstance(value, str) and value and "\n" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def default_of(kind: str, field: str, wanted: Mapping[str, Any]) -> Any:
    """What a field means when Kuma, or the declaration, does not mention it."""
    if kind == MONITORS and field in MONITOR:
        return monitor_default(field, wanted["type"])
    tables = {PAGE: STATUS_PAGE, WINDOW: MAINTENANCE, HOST: DOCKER_HOST}
    table = tables.get(kind, {})
    return table[field].default if field in table else None


def differing(kind: str, wanted: Thing, found: Thing) -> tuple[str, ...]:
    """Names of the fields that are not as wanted."""
    names = [
        field
        for field, value in wanted.fields.items()
        if value != found.fields.get(field, default_of(kind, field, wanted.fields))
        and not (field == "active" and field not in found.fields)  # hidden behind a paused group
    ]
    if kind == NOTIFICATION:  # it has no table: options that somebody added go
        names += [field for field in found.fields if field not in wanted.fields]
    return tuple(names)


def _notable(kind: str, thing: Thing) -> tuple[str, ...]:
    """The fields that say something, for what is created or removed."""
    silent: tuple[Any, ...] = (None, [], "")
    return tuple(
        field
        for field, value in thing.fields.items()
        if value not in silent and value != default_of(kind, field, thing.fields)
    )


def _of_kind(kind: str, wanted: Mapping[str, Thing], found: Mapping[str, Thing]) -> list[Change]:
    changes = []
    for key, thing in wanted.items():
        if key not in found:
            changes.append(Change(CREATE, kind, thing.name, thing, fields=_notable(kind, thing)))
        elif fields := differing(kind, thing, found[key]):
            changes.append(Change(CHANGE, kind, thing.name, thing, found[key], fields))
    return changes


def _removals(kind: str, wanted: Mapping[str, Thing], found: Mapping[str, Thing]) -> list[Change]:
    gone = [thing for key, thing in found.items() if key.split(COPY)[0] not in wanted]
    if kind == MONITORS:  # what is in a group before the group
        gone.sort(key=lambda thing: bool(thing.fields["type"] == "group"))
    return [Change(REMOVE, kind, thing.name, found=thing, fields=_notable(kind, thing)) for thing in gone]


def plan(wanted: Things, found: Things, restarts: bool, restart_due: bool = False) -> list[Change]:
    """All that has to be done, in the order in which it is done.

    `restarts`: a new tag needs a restart, since Kuma 2.x knows as labels of /metrics only the tags of its start.
    """
    changes: list[Change] = []
    for kind in KINDS:
        changes += _of_kind(kind, wanted[kind], found[kind])
        new_tag = any((each.verb, each.kind) == (CREATE, TAG) for each in changes)
        if kind == TAG and (restart_due or (restarts and new_tag)):
            changes.append(Change("restart", RESTART, "since Kuma learns tags as labels of /metrics at its start"))
    for kind in REMOVED:
        changes += _removals(kind, wanted[kind], found[kind])
    return changes


def copies(wanted: Things, found: Things) -> list[str]:
    """Sentences about what somebody cloned from an object of ours: it is left alone."""
    return [
        f"The {kind} {thing.name} (number {thing.id}) was copied from {wanted[kind][key.split(COPY)[0]].name} and "
        "carries its mark; it is left alone. Remove it, or its tag crowsnest and the sentence in its description."
        for kind in REMOVED
        for key, thing in found[kind].items()
        if COPY in key and key.split(COPY)[0] in wanted[kind]
    ]


def taken(wanted: Things, status_pages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Mistakes: addresses of status pages that were made by hand; Kuma would move a domain name silently."""
    by_hand = [page for page in status_pages if not page_is_ours(page)]
    return [
        f"status page {page['slug']} was made by hand; declare another slug, or remove that page"
        for page in by_hand
        if page["slug"] in wanted[PAGE]
    ] + [
        f"status page {thing.name}: the domain name {domain} belongs to the page {page['slug']}, which was made by hand"
        for thing in wanted[PAGE].values()
        for page in by_hand
        for domain in thing.fields["domainNameList"]
        if domain in page["domainNameList"]
    ]


def too_new(wanted: Things, version: Version) -> list[str]:
    """Mistakes: declared fields that this version of Kuma does not have."""
    return [
        f"{kind} {thing.name}: {field} needs Uptime Kuma {'.'.join(map(str, table[field].since))} or later"
        for kind, table in ((MONITORS, MONITOR), (PAGE, STATUS_PAGE))
        for thing in wanted[kind].values()
        for field, value in thing.fields.items()
        if field in table and table[field].since > version and value != default_of(kind, field, thing.fields)
    ]


def texts(changes: Iterable[Change]) -> dict[str, str]:
    """Before and after, as text like YAML, of only what changes."""
    before, after = [], []
    for each in changes:
        title = f"{each.kind} {each.name}".rstrip() + ":"
        was = [f"  {field}: {each.shown(field, each.found)}" for field in each.fields]
        will = [f"  {field}: {each.shown(field, each.wanted, ', changed')}" for field in each.fields]
        if each.verb in (CHANGE, REMOVE):
            before += [title, *was]
        if each.verb != REMOVE:
            after += [title, *will]
    return {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
