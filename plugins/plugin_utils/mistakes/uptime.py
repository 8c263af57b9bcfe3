# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what monitors, maintenance windows and status pages refer to: each other, apps, receivers. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    entries,
    entry,
    key,
    mapping,
    names,
    nearest,
    shown,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.broken_path import ALERTING_PATH
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import app_monitors

# The tag that marks Kuma's monitors as crowsnest's, and labels of their series: Kuma makes a label of each tag.
_RESERVED_TAGS = ("crowsnest", "app", "probe", "window")


def uptime_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`."""
    apps, broken = _apps(variables)
    monitors = _mappings(variables, "crowsnest_monitors")
    yield from _name_mistakes(monitors, apps)
    yield from _monitor_mistakes(monitors, apps, _receivers(variables), broken)
    yield from _window_mistakes(_mappings(variables, "crowsnest_maintenance"), apps, broken)
    known = [*_app_monitor_names(apps), *(str(monitor.get("name")) for monitor in monitors)]
    yield from _page_mistakes(_mappings(variables, "crowsnest_status_pages"), known, broken)


def _apps(variables: Mapping[str, Any]) -> tuple[list[App], bool]:
    """(the apps without mistakes of their own, whether there are others)."""
    apps, broken = [], False
    for raw in _mappings(variables, "crowsnest_apps"):
        try:
            apps.append(App.model_validate(raw))
        except ValidationError:
            broken = True
    return apps, broken


def _app_monitor_names(apps: Sequence[App]) -> list[str]:
    """Names of the monitors that are made from the apps."""
    return [monitor["name"] for app in apps for monitor in app_monitors(app)]


def _receivers(variables: Mapping[str, Any]) -> dict[str, str]:
    """{name: type} of the declared receivers."""
    receivers = _mappings(variables, "crowsnest_receivers")
    return {str(receiver.get("name") or receiver.get("type")): str(receiver.get("type")) for receiver in receivers}


def _name_mistakes(monitors: Sequence[Mapping[str, Any]], apps: Sequence[App]) -> Iterator[str]:
    of_path = tuple(ALERTING_PATH.values())
    taken, beginnings = [app.name for app in apps], (*of_path, *(f"{app.name}:" for app in apps))
    counts = Counter(str(monitor.get("name")) for monitor in monitors)
    ids = Counter(str(monitor.get("id") or monitor.get("name")) for monitor in monitors)
    for index, monitor in enumerate(monitors):
        name, monitor_id = str(monitor.get("name")), str(monitor.get("id") or monitor.get("name"))
        path = entry("crowsnest_monitors", index, monitor, "name")
        if counts[name] > 1:
            yield f"{path}.name: {shown(name)} is declared {counts[name]} times. Allowed: each name once."
        elif ids[monitor_id] > 1:
            yield (
                f"{path}.id: {shown(monitor_id)} is declared {ids[monitor_id]} times. "
                "Allowed: each id once; without `id`, the name is the id."
            )
        if name in taken or name.startswith(beginnings):
            yield (
                f"{path}.name: names of apps, alone or before a colon, and {' and '.join(map(repr, of_path))} are "
                "reserved for the monitors that crowsnest makes. Allowed: another name."
            )
        for tag in mapping(monitor.get("tags")):
            if tag in _RESERVED_TAGS or str(tag).startswith("monitor_"):
                reserved = "is reserved for crowsnest's mark and for labels of metrics"
                yield f"{path}.tags.{key(tag)}: {reserved}. Allowed: other tags."


def _monitor_mistakes(
    monitors: Sequence[Mapping[str, Any]], apps: Sequence[App], receivers: Mapping[str, str], broken: bool
) -> Iterator[str]:
    groups = {str(item.get("name")): item.get("group") for item in monitors if item.get("type") == "group"}
    known_groups = [*(app.name for app in apps if app_monitors(app)), *groups]
    for index, monitor in enumerate(monitors):
        path = entry("crowsnest_monitors", index, monitor, "name")
        group = monitor.get("group")
        if group is not None and group not in known_groups and not broken:
            close = nearest(group, names(known_groups))
            allowed = "Allowed (apps with something to watch, monitors of `type: group`):"
            yield f"{path}.group: {shown(group)} is not a group.{close} {allowed} {_listed(known_groups)}."
        if monitor.get("type") == "group" and _circles(str(monitor.get("name")), groups):
            yield f"{path}.group: {shown(group)} leads back to itself. Allowed: groups within groups, without a cycle."
        for position, name in enumerate(entries(monitor.get("notifications"))):
            if receivers.get(str(name)) == "sns":
                where = f"{path}.notifications[{position}]"
                yield f"{where}: Uptime Kuma cannot notify {shown(name)}, a receiver of type sns."
            elif str(name) not in receivers:
                where, known = f"{path}.notifications[{position}]", names(receivers)
                yield f"{where}: {shown(name)} is not a receiver.{nearest(name, known)} Allowed: {_listed(known)}."


def _circles(name: str, groups: Mapping[str, Any]) -> bool:
    """Whether a group is within itself; Kuma 2.5 then hangs forever."""
    above = groups.get(name)
    for _ in groups:
        if above == name:
            return True
        above = groups.get(str(above))
    return False


def _window_mistakes(windows: Sequence[Mapping[str, Any]], apps: Sequence[App], broken: bool) -> Iterator[str]:
    known = [app.name for app in apps]
    titles = Counter(str(window.get("title")) for window in windows)
    for index, window in enumerate(windows):
        title = str(window.get("title"))
        path = entry("crowsnest_maintenance", index, window, "title")
        if titles[title] > 1:
            yield f"{path}.title: {shown(title)} is declared {titles[title]} times. Allowed: each title once."
        for position, name in enumerate(entries(window.get("apps"))):
            if name not in known and not broken:
                where = f"{path}.apps[{position}]"
                yield f"{where}: {shown(name)} is not an app.{nearest(name, known)} Allowed: {_listed(known)}."


def _page_mistakes(pages: Sequence[Mapping[str, Any]], known: Sequence[str], broken: bool) -> Iterator[str]:
    slugs = Counter(str(page.get("slug")) for page in pages)
    domains = Counter(str(name).lower() for page in pages for name in entries(page.get("domains")))
    for index, page in enumerate(pages):
        slug = str(page.get("slug"))
        path = entry("crowsnest_status_pages", index, page, "slug")
        if slugs[slug] > 1:
            yield f"{path}.slug: {shown(slug)} is declared {slugs[slug]} times. Allowed: each slug once."
        for name in entries(page.get("domains")):
            if (count := domains[str(name).lower()]) > 1:
                yield (
                    f"{path}.domains: {shown(name)} is declared {count} times. Allowed: each domain once, for one page."
                )
        for group, content in enumerate(entries(page.get("groups"))):
            for position, name in enumerate(entries(mapping(content).get("monitors"))):
                if name not in known and not broken:
                    where = f"{path}.groups[{group}].monitors[{position}]"
                    yield (
                        f"{where}: {shown(name)} is not a monitor.{nearest(name, names(known))} "
                        f"Allowed: {_listed(known)}."
                    )


def _listed(known: Sequence[str]) -> str:
    return ", ".join(names(known)) or "none yet"


def _mappings(variables: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [mapping(item) for item in entries(variables.get(name))]
