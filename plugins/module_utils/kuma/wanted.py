# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declared objects in the form in which they are compared. Pure. Python 3.9."""

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
    loose,
    monitor_default,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import (
    HOST,
    MARK,
    MONITORS,
    NOTIFICATION,
    PAGE,
    SETTINGS,
    TAG,
    WINDOW,
    Thing,
    Things,
    canonical,
    options,
    tidy,
)


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
