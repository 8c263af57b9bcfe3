# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of ours in Uptime Kuma, in the form in which they are compared. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    DOCKER_HOST,
    INCIDENT,
    MAINTENANCE,
    MONITOR,
    OF_STRATEGY,
    STATUS_PAGE,
    Field,
    loose,
    monitor_default,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import (
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
    Thing,
    Things,
    canonical,
    host_key,
    monitor_key,
    notification_key,
    options,
    our_incident,
    page_is_ours,
    tidy,
    undescribed,
    window_key,
)


def _keys(raws: Iterable[Mapping[str, Any]], key_of: Any) -> dict[Any, str]:
    """Kuma's number -> our key; for what is not ours a name that no key has."""
    return {
        raw["id"]: key_of(raw) or f"{raw.get('name') or raw.get('title')} (made by hand, {raw['id']})" for raw in raws
    }


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
    description = COMMENT.sub("", raw["description"])
    every = canonical(MAINTENANCE, {**raw, "description": description, "timezone": raw.get("timezoneOption")})
    fields = {name: every[name] for name in OF_STRATEGY.get(raw["strategy"], tuple(MAINTENANCE))}
    fields["monitors"] = sorted(names[MONITORS].get(each, str(each)) for each in raw["monitors"])
    fields["status_pages"] = sorted(names[PAGE].get(each, str(each)) for each in raw["statusPages"])
    return Thing(key, raw["title"], fields, raw["id"], raw)


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
