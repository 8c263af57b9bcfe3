# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Declared objects and those of crowsnest in Uptime Kuma, in the form in which they are compared. Pure. Python 3.9.

`kind -> key -> Thing`. Declared ones are in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    Field,
    loose,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    DOCKER_HOST,
    INCIDENT,
    MAINTENANCE,
    MONITOR,
    OF_STRATEGY,
    STATUS_PAGE,
    monitor_default,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import (
    COMMENT,
    COPY,
    CSS_MARK,
    HOST,
    INCIDENT_MARK,
    MARK,
    MONITORS,
    NOTIFICATION,
    PAGE,
    SETTINGS,
    TAG,
    WINDOW,
    Live,
    host_key,
    monitor_key,
    notification_key,
    our_incident,
    page_is_ours,
    tidy,
    undescribed,
    window_key,
)
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import outer_first
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Thing, Things

Row = Mapping[str, Any]
Names = Mapping[str, Mapping[Any, str]]  # kind -> Kuma's number -> our key, or a name that no key has
_BOOKKEEPING = ("id", "name", "type", "active", "userId", "applyExisting", MARK)  # of a notification in Kuma


def _canonical(table: Mapping[str, Field], row: Row) -> dict[str, Any]:
    """All fields of a table; one that the row does not have has its default."""
    return {name: field.canonical(row.get(name)) for name, field in table.items()}


def _options(row: Row, without: Iterable[str]) -> dict[str, Any]:
    """The options of a notification that say something."""
    return {name: loose(value) for name, value in row.items() if name not in without and loose(value) is not None}


# --- what is declared ---


def _wanted_notification(row: Row) -> Thing:
    fields = {"name": row["name"], "type": row["type"], **_options(row, ("key", "name", "type"))}
    return Thing(row["key"], row["name"], fields, raw=row)


def _wanted_tags(declared: Row) -> dict[str, Thing]:
    used = {tag["name"] for row in declared["monitors"] for tag in row.get("tags", [])}
    if declared["monitors"]:
        used.add(MARK)
    colours = {**dict.fromkeys(sorted(used)), **{tag["name"]: tag["color"] for tag in declared["tags"]}}
    return {name: Thing(name, name, {"color": colour} if colour else {}) for name, colour in colours.items()}


def _wanted_monitor(row: Row) -> Thing:
    key, kind = row["key"], row["type"]
    fields: dict[str, Any] = {
        "name": row["name"],
        "type": kind,
        "description": tidy(row.get("description")),
        "group": row.get("group") or None,
        "notifications": sorted(row.get("notifications", [])),
        "tags": sorted([[MARK, key], *([tag["name"], tag.get("value") or ""] for tag in row.get("tags", []))]),
        "docker_host": row.get("docker_host") or None,
        "active": row.get("active", True),
    }
    for name, field in MONITOR.items():
        if name != "pushToken" or row.get(name):  # a token that is not declared stays as it is
            fields[name] = field.canonical(row.get(name), monitor_default(name, kind))
    return Thing(key, row["name"], fields)


def _wanted_window(row: Row) -> Thing:
    every = _canonical(MAINTENANCE, {**row, "description": tidy(row.get("description"))})
    fields = {name: every[name] for name in OF_STRATEGY[row["strategy"]]}
    fields["monitors"] = sorted(row.get("monitors", []))
    fields["status_pages"] = sorted(row.get("status_pages", []))
    return Thing(row["key"], row["title"], fields)


def _wanted_page(row: Row) -> Thing:
    fields = _canonical(STATUS_PAGE, {**row, "customCSS": tidy(row.get("customCSS"))})
    fields["groups"] = [[group["name"], list(group.get("monitors", []))] for group in row.get("groups", [])]
    fields["incident"] = None
    if incident := row.get("incident"):
        fields["incident"] = _canonical(INCIDENT, {**incident, "content": tidy(incident["content"])})
    return Thing(row["slug"], row["slug"], fields)


def wanted_things(declared: Row) -> Things:
    """The options of the module, which have no mistakes, as objects."""
    settings = {name: loose(value) for name, value in declared["settings"].items()}
    hosts = {
        row["name"]: Thing(row["name"], row["name"], _canonical(DOCKER_HOST, row)) for row in declared["docker_hosts"]
    }
    groups_first = sorted(outer_first(declared["monitors"], "group"), key=lambda row: row["type"] != "group")
    return {
        SETTINGS: {SETTINGS: Thing(SETTINGS, "", settings, raw=declared["settings"])} if settings else {},
        NOTIFICATION: {row["key"]: _wanted_notification(row) for row in declared["notifications"]},
        HOST: hosts,
        TAG: _wanted_tags(declared),
        MONITORS: {row["key"]: _wanted_monitor(row) for row in groups_first},
        PAGE: {row["slug"]: _wanted_page(row) for row in declared["status_pages"]},
        WINDOW: {row["key"]: _wanted_window(row) for row in declared["maintenances"]},
    }


# --- what is in Kuma ---


def _keys(rows: Iterable[Row], key_of: Any) -> dict[Any, str]:
    """Kuma's number -> our key; for what is not ours a name that no key has."""
    return {
        row["id"]: key_of(row) or f"{row.get('name') or row.get('title')} (made by hand, {row['id']})" for row in rows
    }


def _known(table: Mapping[str, Field], row: Row, kind: str = "") -> dict[str, Any]:
    """The fields that this version of Kuma has."""
    return {
        name: field.canonical(row[name], monitor_default(name, kind) if kind else None)
        for name, field in table.items()
        if name in row
    }


def _found_notification(key: str, row: Row) -> Thing:
    fields = {"name": row["name"], "type": row.get("type"), **_options(row, _BOOKKEEPING)}
    return Thing(key, row["name"], fields, row["id"], row)


def _found_monitor(key: str, row: Row, names: Names) -> Thing:
    fields = _known(MONITOR, row, row["type"])
    fields.update(
        name=row["name"],
        type=row["type"],
        description=undescribed(key, row.get("description")),
        group=names[MONITORS].get(row.get("parent")),
        notifications=sorted(names[NOTIFICATION].get(number, str(number)) for number in row["notificationIDList"]),
        tags=sorted([tag["name"], tag["value"] or ""] for tag in row["tags"]),
        docker_host=names[HOST].get(row.get("docker_host")),
    )
    if not row.get("forceInactive"):  # else its group is paused, and Kuma does not say whether it is, too
        fields["active"] = bool(row["active"])
    return Thing(key, row["name"], fields, row["id"], row)


def _found_window(key: str, row: Row, names: Names) -> Thing:
    description = COMMENT.sub("", row["description"])
    every = _canonical(MAINTENANCE, {**row, "description": description, "timezone": row.get("timezoneOption")})
    fields = {name: every[name] for name in OF_STRATEGY.get(row["strategy"], tuple(MAINTENANCE))}
    fields["monitors"] = sorted(names[MONITORS].get(number, str(number)) for number in row["monitors"])
    fields["status_pages"] = sorted(names[PAGE].get(number, str(number)) for number in row["statusPages"])
    return Thing(key, row["title"], fields, row["id"], row)


def _shown_monitor(row: Row, names: Names) -> str:
    """A monitor in a group of a page; by hand its address can be shown, too."""
    return names[MONITORS].get(row["id"], "?") + " (link)" * bool(row.get("sendUrl"))


def _found_page(row: Row, names: Names) -> Thing:
    css = tidy((row.get("customCSS") or "").replace(CSS_MARK, "", 1))
    fields = _known(STATUS_PAGE, {**row, "customCSS": css})
    fields["groups"] = [
        [group["name"], [_shown_monitor(monitor, names) for monitor in group["monitorList"]]]
        for group in row["publicGroupList"]
    ]
    fields["incident"] = None
    if incident := our_incident(row):
        content = incident["content"][: -len(INCIDENT_MARK)]
        fields["incident"] = _canonical(INCIDENT, {**incident, "content": tidy(content)})
    return Thing(row["slug"], row["slug"], fields, row["id"], row)


def _by_key(things: Iterable[Thing]) -> dict[str, Thing]:
    """Each key has its oldest object. What a person cloned from it has our mark as well, and gets a key of its own."""
    found: dict[str, Thing] = {}
    for thing in sorted(things, key=lambda thing: int(thing.id)):
        key = f"{thing.key}{COPY}{thing.id}" if thing.key in found else thing.key
        found[key] = thing._replace(key=key)
    return found


def found_things(live: Live) -> Things:
    """What is ours in Kuma."""
    names = {
        MONITORS: _keys(live.monitors, monitor_key),
        NOTIFICATION: _keys(live.notifications, notification_key),
        HOST: _keys(live.docker_hosts, host_key),
        PAGE: {row["id"]: row["slug"] for row in live.status_pages},
    }
    settings = {name: loose(value) for name, value in live.settings.items()}
    hosts = ((host_key(row), row) for row in live.docker_hosts)
    return {
        SETTINGS: {SETTINGS: Thing(SETTINGS, "", settings, 0, live.settings)},
        NOTIFICATION: _by_key(
            _found_notification(key, row) for row in live.notifications if (key := notification_key(row))
        ),
        HOST: _by_key(Thing(key, key, _canonical(DOCKER_HOST, row), row["id"], row) for key, row in hosts if key),
        TAG: _by_key(Thing(row["name"], row["name"], {"color": row["color"]}, row["id"], row) for row in live.tags),
        MONITORS: _by_key(_found_monitor(key, row, names) for row in live.monitors if (key := monitor_key(row))),
        PAGE: {row["slug"]: _found_page(row, names) for row in live.status_pages if page_is_ours(row)},
        WINDOW: _by_key(_found_window(key, row, names) for row in live.maintenances if (key := window_key(row))),
    }
