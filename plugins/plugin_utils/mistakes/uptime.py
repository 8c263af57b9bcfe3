# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What monitors, windows of maintenance and status pages say of each other, of apps and of receivers. Pure.

It reads the raw variables, as `mistakes.py` does, so that it also finds something when single values are wrong.
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
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import (
    ALERTING_PATH,
    app_monitors,
)

# The tag by which Kuma's monitors are known as ours, and labels of their series, as Kuma makes a label of each tag.
_RESERVED_TAGS = ("crowsnest", "app", "probe", "window")


def uptime_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`."""
    apps, broken = _apps(variables)
    monitors = _mappings(variables, "crowsnest_monitors")
    yield from _name_mistakes(monitors, apps)
    yield from _monitor_mistakes(monitors, apps, _receivers(variables), broken)
    yield from _window_mistakes(_mappings(variables, "crowsnest_maintenance"), apps, broken)
    known = [*_made(apps), *(str(each.get("name")) for each in monitors)]
    yield from _page_mistakes(_mappings(variables, "crowsnest_status_pages"), known, broken)


def _apps(variables: Mapping[str, Any]) -> tuple[list[App], bool]:
    """The apps that have no mistake of their own, and whether others have one."""
    apps, broken = [], False
    for raw in _mappings(variables, "crowsnest_apps"):
        try:
            apps.append(App.model_validate(raw))
        except ValidationError:
            broken = True
    return apps, broken


def _made(apps: Sequence[App]) -> list[str]:
    """Names of the monitors that are made from the apps."""
    return [monitor["name"] for app in apps for monitor in app_monitors(app)]


def _receivers(variables: Mapping[str, Any]) -> dict[str, str]:
    """{name: type} of the declared receivers."""
    named = {str(each.get("name") or each.get("type")): each for each in _mappings(variables, "crowsnest_receivers")}
    return {name: str(each.get("type")) for name, each in named.items()}


def _name_mistakes(monitors: Sequence[Mapping[str, Any]], apps: Sequence[App]) -> Iterator[str]:
    taken, beginnings = [app.name for app in apps], (ALERTING_PATH, *(f"{app.name}:" for app in apps))
    counts = Counter(str(each.get("name")) for each in monitors)
    ids = Counter(str(each.get("id") or each.get("name")) for each in monitors)
    for index, monitor in enumerate(monitors):
        name, found = str(monitor.get("name")), str(monitor.get("id") or monitor.get("name"))
        path = entry("crowsnest_monitors", index, monitor, "name")
        if counts[name] > 1:
            yield f"{path}.name: {shown(name)} is declared {counts[name]} times. Allowed: each name once."
        elif ids[found] > 1:
            yield (
                f"{path}.id: {shown(found)} is declared {ids[found]} times. "
                "Allowed: each once; without `id` it is the name."
            )
        if name in taken or name.startswith(beginnings):
            yield (
                f"{path}.name: names of apps, alone or with a colon, and {ALERTING_PATH!r} are for monitors that "
                "crowsnest makes. Allowed: another name."
            )
        for tag in mapping(monitor.get("tags")):
            if tag in _RESERVED_TAGS or str(tag).startswith("monitor_"):
                yield f"{path}.tags.{key(tag)}: a mark, or a label of the monitor's metrics. Allowed: other tags."


def _monitor_mistakes(
    monitors: Sequence[Mapping[str, Any]], apps: Sequence[App], receivers: Mapping[str, str], broken: bool
) -> Iterator[str]:
    groups = {str(each.get("name")): each.get("group") for each in monitors if each.get("type") == "group"}
    there = [*(app.name for app in apps if app_monitors(app)), *groups]
    for index, monitor in enumerate(monitors):
        path = entry("crowsnest_monitors", index, monitor, "name")
        group = monitor.get("group")
        if group is not None and group not in there and not broken:
            what = "Allowed, apps with something to watch and monitors of `type: group`:"
            yield f"{path}.group: {shown(group)} is not a group.{nearest(group, names(there))} {what} {_listed(there)}."
        if monitor.get("type") == "group" and _circles(str(monitor.get("name")), groups):
            yield f"{path}.group: {shown(group)} leads back to itself. Allowed: groups within groups, without a circle."
        for position, name in enumerate(entries(monitor.get("notifications"))):
            if receivers.get(str(name)) == "sns":
                where = f"{path}.notifications[{position}]"
                yield f"{where}: Uptime Kuma cannot tell {shown(name)}, a receiver of type sns."
            elif str(name) not in receivers:
                where, known = f"{path}.notifications[{position}]", names(receivers)
                yield f"{where}: {shown(name)} is not a receiver.{nearest(name, known)} Allowed: {_listed(known)}."


def _circles(name: str, groups: Mapping[str, Any]) -> bool:
    """Whether a group is within itself; Kuma 2.5 then hangs for ever."""
    above = groups.get(name)
    for _ in groups:
        if above == name:
            return True
        above = groups.get(str(above))
    return False


def _window_mistakes(windows: Sequence[Mapping[str, Any]], apps: Sequence[App], broken: bool) -> Iterator[str]:
    known = [app.name for app in apps]
    titles = Counter(str(each.get("title")) for each in windows)
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
    slugs = Counter(str(each.get("slug")) for each in pages)
    domains = Counter(str(name).lower() for each in pages for name in entries(each.get("domains")))
    for index, page in enumerate(pages):
        slug = str(page.get("slug"))
        path = entry("crowsnest_status_pages", index, page, "slug")
        if slugs[slug] > 1:
            yield f"{path}.slug: {shown(slug)} is declared {slugs[slug]} times. Allowed: each once."
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
    return [mapping(each) for each in entries(variables.get(name))]
