# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Declared objects and those in Uptime Kuma in one common form, so that they can be compared. Pure. Python 3.9.

In this form everything refers to everything else by key, never by Kuma's number, and only objects of ours are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.kuma_fields import (
    DOCKER_HOST,
    INCIDENT,
    MAINTENANCE,
    MONITOR,
    OF_STRATEGY,
    STATUS_PAGE,
    Field,
    Version,
    loose,
    monitor_default,
)

SETTINGS, NOTIFICATION, HOST, TAG = "settings", "notification", "docker host", "tag"
MONITORS, PAGE, WINDOW = "monitor", "status page", "maintenance"
KINDS = (SETTINGS, NOTIFICATION, HOST, TAG, MONITORS, PAGE, WINDOW)

MARK = "crowsnest"  # name of our tag and of the key in a notification
COLOUR = "#4B5563"  # of a tag that is not listed
HOST_PREFIX = "crowsnest: "
CSS_MARK = "/* crowsnest */"
HALF_MADE = "crowsnest is making this page"  # title of a status page until its first save
INCIDENT_MARK = "<!-- crowsnest -->"
COPY = " copied as "  # between the key of an object and the number of its clone
_SENTENCE = re.compile(r"(?:^|\n)Managed by crowsnest \((?P<key>[^)\n]+)\)\.")
_UNMARKED = " (without the mark of crowsnest)"
_COMMENT = re.compile(r"\s*<!-- crowsnest:(?P<key>.+?) -->\s*$")


class Thing(NamedTuple):
    """One object: its fields in canonical form and, if it is in Kuma, Kuma's number and all that Kuma says of it."""

    key: str
    name: str
    fields: Mapping[str, Any]
    id: Any = None
    raw: Mapping[str, Any] = {}


Things = dict[str, dict[str, Thing]]  # kind -> key -> object


class Live(NamedTuple):
    """What is in Kuma, in its own words, by its own numbers."""

    version: Version
    settings: dict[str, Any]
    notifications: list[dict[str, Any]]
    docker_hosts: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    monitors: list[dict[str, Any]]
    maintenances: list[dict[str, Any]]  # ours with `monitors` and `statusPages`, lists of numbers
    status_pages: list[dict[str, Any]]  # ours with `publicGroupList` and `incidents`


NOTHING = Live((), {}, [], [], [], [], [], [])


def tidy(value: Any) -> str | None:
    """A text beside a mark of ours, without the blank lines around it."""
    return str(value or "").strip() or None


def described(key: str, description: Any) -> str:
    """The description of a monitor: what people wrote, and the sentence that marks it."""
    sentence = f"Managed by crowsnest ({key}). Change the declaration, not this monitor: the next run puts it right."
    return f"{description}\n\n{sentence}" if description else sentence


def undescribed(key: str, description: Any) -> str | None:
    """What people wrote of it; a description whose mark was taken off is another one."""
    whole = description or ""
    mark = described(key, None)
    return tidy(whole[: -len(mark)]) if whole.endswith(mark) else whole + _UNMARKED


def commented(key: str, description: Any) -> str:
    """The description of a maintenance window: what people wrote, and a comment that no page shows."""
    return f"{description or ''}\n\n<!-- crowsnest:{key} -->".lstrip()


def canonical(table: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a table; what is not given has its default."""
    return {name: field.canonical(given.get(name)) for name, field in table.items()}


def options(given: Mapping[str, Any], without: Iterable[str]) -> dict[str, Any]:
    """The options of a notification that say something."""
    return {name: loose(it) for name, it in given.items() if name not in without and loose(it) is not None}


# --- declared ---


def _wanted_monitor(given: Mapping[str, Any]) -> Thing:
    key, kind = given["key"], given["type"]
    fields: dict[str, Any] = {
        "name": given["name"],
        "type": kind,
        "description": tidy(given.get("description")),
        "group": given.get("group") or None,
        "notifications": sorted(given.get("notifications") or []),
        "tags": sorted([[MARK, key], *([tag["name"], str(tag.get("value") or "")] for tag in given.get("tags") or [])]),
        "docker_host": given.get("docker_host") or None,
        "active": given.get("active") is not False,
    }
    for name, field in MONITOR.items():
        if name != "pushToken" or given.get(name):  # a token that is not declared stays as it is
            fields[name] = field.canonical(given.get(name), monitor_default(name, kind))
    return Thing(key, given["name"], fields)


def _wanted_window(given: Mapping[str, Any]) -> Thing:
    every = canonical(MAINTENANCE, {**given, "description": tidy(given.get("description"))})
    fields = {name: every[name] for name in OF_STRATEGY[given["strategy"]]}
    fields["monitors"] = sorted(given.get("monitors") or [])
    fields["status_pages"] = sorted(given.get("status_pages") or [])
    return Thing(given["key"], given["title"], fields)


def _wanted_page(given: Mapping[str, Any]) -> Thing:
    fields = canonical(STATUS_PAGE, {**given, "customCSS": tidy(given.get("customCSS"))})
    fields["groups"] = [[group["name"], list(group.get("monitors") or [])] for group in given.get("groups") or []]
    fields["incident"] = None
    if incident := given.get("incident"):
        fields["incident"] = canonical(INCIDENT, {**incident, "content": tidy(incident["content"])})
    return Thing(given["slug"], given["slug"], fields)


def _wanted_tags(given: Mapping[str, Any]) -> dict[str, Thing]:
    used = {tag["name"] for each in given["monitors"] for tag in each.get("tags") or []}
    if given["monitors"]:
        used.add(MARK)
    colours: dict[str, Any] = {**dict.fromkeys(sorted(used)), **{tag["name"]: tag["color"] for tag in given["tags"]}}
    return {name: Thing(name, name, {"color": colour} if colour else {}) for name, colour in colours.items()}


def groups_first(monitors: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Groups before what is in them, outer groups before inner ones; then the others, as declared."""
    by_key = {each["key"]: each for each in monitors}

    def depth(key: str) -> int:
        outer = by_key[key].get("group")
        return 1 + depth(outer) if outer else 0

    return sorted(by_key.values(), key=lambda each: (each["type"] != "group", depth(each["key"])))


def wanted_things(given: Mapping[str, Any]) -> Things:
    """The declared objects, in the order in which they are written. `given` has no mistakes (kuma_check)."""
    settings = {name: loose(value) for name, value in given["settings"].items()}
    return {
        SETTINGS: {SETTINGS: Thing(SETTINGS, "", settings, raw=given["settings"])} if settings else {},
        NOTIFICATION: {
            each["key"]: Thing(
                each["key"],
                each["name"],
                {"name": each["name"], "type": each["type"], **options(each, ("key", "name", "type"))},
                raw=each,
            )
            for each in given["notifications"]
        },
        HOST: {
            each["name"]: Thing(each["name"], each["name"], canonical(DOCKER_HOST, each))
            for each in given["docker_hosts"]
        },
        TAG: _wanted_tags(given),
        MONITORS: {each["key"]: _wanted_monitor(each) for each in groups_first(given["monitors"])},
        PAGE: {each["slug"]: _wanted_page(each) for each in given["status_pages"]},
        WINDOW: {each["key"]: _wanted_window(each) for each in given["maintenances"]},
    }


# --- in Kuma ---


def monitor_key(raw: Mapping[str, Any]) -> str | None:
    """The key of a monitor of ours: our tag, or the sentence in the description of one that was left half-made."""
    for tag in raw.get("tags") or []:
        if tag["name"] == MARK:
            return str(tag["value"])
    found = _SENTENCE.search(raw.get("description") or "")
    return found["key"] if found else None


def window_key(raw: Mapping[str, Any]) -> str | None:
    """The key of a maintenance window of ours."""
    found = _COMMENT.search(raw.get("description") or "")
    return found["key"] if found else None


def page_is_ours(raw: Mapping[str, Any]) -> bool:
    """Whether a status page was made by us, or left half-made."""
    return (raw.get("customCSS") or "").startswith(CSS_MARK) or raw.get("title") == HALF_MADE


def notification_key(raw: Mapping[str, Any]) -> str | None:
    """The key of a notification of ours."""
    return raw.get(MARK) or None


def _keys(raws: Iterable[Mapping[str, Any]], key_of: Any) -> dict[Any, str]:
    """Kuma's number -> our key; for what is not ours a name that no key has."""
    return {
        raw["id"]: key_of(raw) or f"{raw.get('name') or raw.get('title')} (made by hand, {raw['id']})" for raw in raws
    }


def host_key(raw: Mapping[str, Any]) -> str | None:
    """The name that a docker host of ours has in the declaration."""
    name = raw.get("name") or ""
    return name[len(HOST_PREFIX) :] if name.startswith(HOST_PREFIX) else None


def _found(table: Mapping[str, Field], raw: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
    """The fields that this version of Kuma has."""
    return {
        name: field.canonical(raw[name], monitor_default(name, kind) if kind else None)
        for name, field in table.items()
        if name in raw
    }


def _found_monitor(key: str, raw: Mapping[str, Any], names: Mapping[str, Mapping[Any, str]]) -> Thing:
    fields = _found(MONITOR, raw, raw["type"])
    fields.update(
        name=raw["name"],
        type=raw["type"],
        description=undescribed(key, raw.get("description")),
        group=names[MONITORS].get(raw.get("parent")),
        notifications=sorted(names[NOTIFICATION].get(each, str(each)) for each in raw["notificationIDList"]),
        tags=sorted([tag["name"], tag["value"] or ""] for tag in raw["tags"]),
        docker_host=names[HOST].get(raw.get("docker_host")),
    )
    if not raw.get("forceInactive"):  # else its group is paused, and Kuma does not say whether it is, too
        fields["active"] = bool(raw["active"])
    return Thing(key, raw["name"], fields, raw["id"], raw)


def _found_window(key: str, raw: Mapping[str, Any], names: Mapping[str, Mapping[Any, str]]) -> Thing:
    description = _COMMENT.sub("", raw["description"])
    every = canonical(MAINTENANCE, {**raw, "description": description, "timezone": raw.get("timezoneOption")})
    fields = {name: every[name] for name in OF_STRATEGY.get(raw["strategy"], tuple(MAINTENANCE))}
    fields["monitors"] = sorted(names[MONITORS].get(each, str(each)) for each in raw["monitors"])
    fields["status_pages"] = sorted(names[PAGE].get(each, str(each)) for each in raw["statusPages"])
    return Thing(key, raw["title"], fields, raw["id"], raw)


def our_incident(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pinned incident of ours, as Kuma has it."""
    return next((each for each in raw["incidents"] if (each.get("content") or "").endswith(INCIDENT_MARK)), None)


def _found_page(raw: Mapping[str, Any], names: Mapping[str, Mapping[Any, str]]) -> Thing:
    css = tidy((raw.get("customCSS") or "").replace(CSS_MARK, "", 1))
    fields = _found(STATUS_PAGE, {**raw, "customCSS": css})
    fields["groups"] = [
        [
            group["name"],
            [
                names[MONITORS].get(each["id"], "?") + " (link)" * bool(each.get("sendUrl"))
                for each in group["monitorList"]
            ],
        ]
        for group in raw["publicGroupList"]
    ]
    incident = our_incident(raw)
    fields["incident"] = None
    if incident:
        content = incident["content"][: -len(INCIDENT_MARK)]
        fields["incident"] = canonical(INCIDENT, {**incident, "content": tidy(content)})
    return Thing(raw["slug"], raw["slug"], fields, raw["id"], raw)


def _by_key(things: Iterable[Thing]) -> dict[str, Thing]:
    """Each key has its oldest object. What a person cloned from it has our mark as well, and gets a key of its own."""
    found: dict[str, Thing] = {}
    for each in sorted(things, key=lambda thing: int(thing.id)):
        key = f"{each.key}{COPY}{each.id}" if each.key in found else each.key
        found[key] = each._replace(key=key)
    return found


BOOKKEEPING = ("id", "name", "type", "active", "userId", "applyExisting", MARK)  # of a notification


def found_things(live: Live) -> Things:
    """What is ours in Kuma."""
    names = {
        MONITORS: _keys(live.monitors, monitor_key),
        NOTIFICATION: _keys(live.notifications, notification_key),
        HOST: _keys(live.docker_hosts, host_key),
        PAGE: {raw["id"]: raw["slug"] for raw in live.status_pages},
    }
    return {
        SETTINGS: {
            SETTINGS: Thing(SETTINGS, "", {name: loose(it) for name, it in live.settings.items()}, 0, live.settings)
        },
        NOTIFICATION: _by_key(
            Thing(
                key,
                raw["name"],
                {"name": raw["name"], "type": raw.get("type"), **options(raw, BOOKKEEPING)},
                raw["id"],
                raw,
            )
            for raw in live.notifications
            if (key := notification_key(raw))
        ),
        HOST: _by_key(
            Thing(key, key, canonical(DOCKER_HOST, raw), raw["id"], raw)
            for raw in live.docker_hosts
            if (key := host_key(raw))
        ),
        TAG: _by_key(Thing(raw["name"], raw["name"], {"color": raw["color"]}, raw["id"], raw) for raw in live.tags),
        MONITORS: _by_key(_found_monitor(key, raw, names) for raw in live.monitors if (key := monitor_key(raw))),
        PAGE: {raw["slug"]: _found_page(raw, names) for raw in live.status_pages if page_is_ours(raw)},
        WINDOW: _by_key(_found_window(key, raw, names) for raw in live.maintenances if (key := window_key(raw))),
    }


def plain(value: Any) -> Any:
    """Without the library's enumerations."""
    return json.loads(json.dumps(value))
