# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that Uptime Kuma must hold, as the options of the module `uptime_kuma`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import (
    Maintenance,
    StatusGroup,
    StatusPage,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import WEEKDAYS, days_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import monitors, notifications
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.broken_path import ALERTING_KEY

Fields = dict[str, Any]


def objects(context: Context) -> dict[str, Any]:
    """{"settings", "notifications", "docker_hosts", "monitors", "maintenances", "status_pages"}.

    Notifications and monitors hold secrets, which the module masks.
    """
    declaration, watched = context.declaration, monitors.monitors(context)
    pages = status_pages(context, watched)
    return {
        "settings": settings(context),
        "notifications": notifications.notifications(context),
        "docker_hosts": monitors.docker_hosts(declaration),
        "monitors": watched,
        "maintenances": [
            maintenance(window, declaration.timezone, watched, [page["slug"] for page in pages])
            for window in declaration.maintenance
        ],
        "status_pages": pages,
    }


def settings(context: Context) -> Fields:
    """Settings by Kuma's own names. It does not check for updates, as images.yml decides."""
    return {
        "serverTimezone": context.declaration.timezone,
        "keepDataPeriodDays": context.declaration.uptime_kuma_keep_days,
        "primaryBaseURL": context.services["uptime_kuma"].external_url.rstrip("/"),
        # The status page has a name of its own; only our proxy and its own host reach Kuma's port.
        "trustProxy": context.declaration.proxy_mode != "none",
        "checkUpdate": False,
        "searchEngineIndex": False,
    }


def maintenance(window: Maintenance, timezone: str, watched: list[Fields], slugs: list[str]) -> Fields:
    """A window in Kuma's terms; it covers what is in the groups of the named apps, or everything.

    Not for groups and push monitors: a report within a window is one of maintenance, after which Kuma calls the monitor
    down at once (beat() of server/model/monitor.js); Alertmanager keeps silent about them. Nor for the alerting path.
    """
    others = [monitor for monitor in watched if monitor.get("group") != ALERTING_KEY]
    checked = [monitor for monitor in others if monitor["type"] not in ("group", "push")]
    outer = {monitor["key"]: monitor.get("group") for monitor in watched}
    names = [
        monitor["key"] for monitor in checked if not window.apps or set(_groups(monitor, outer)) & set(window.apps)
    ]
    return {
        "key": window.title,
        "title": window.title,
        "description": window.description,
        "timezone": timezone,
        **_when(window),
        "monitors": names,
        "status_pages": slugs,
    }


def _groups(monitor: Fields, outer: Mapping[str, str | None]) -> Iterator[str]:
    """Keys of the groups that a monitor is in, the nearest first; the outermost one may be an app's."""
    group = monitor.get("group")
    while group:
        yield group
        group = outer.get(group)


def _when(window: Maintenance) -> Fields:
    if window.once:
        return {"strategy": "single", "dateRange": [f"{window.start}:00", f"{window.end}:00"]}
    times = {"timeRange": [_time(window.start), _time(window.end)]}
    if window.days_of_month:
        return {"strategy": "recurring-day-of-month", "daysOfMonth": sorted(window.days_of_month), **times}
    # Kuma counts Monday as 1 and Sunday as 0.
    chosen = days_of(window.weekdays) if window.weekdays else WEEKDAYS
    days = sorted((WEEKDAYS.index(day) + 1) % len(WEEKDAYS) for day in chosen)
    return {"strategy": "recurring-weekday", "weekdays": days, **times}


def _time(clock: str) -> dict[str, int]:
    hours, _, minutes = clock.partition(":")
    return {"hours": int(hours), "minutes": int(minutes)}


def status_pages(context: Context, watched: list[Fields]) -> list[Fields]:
    """The pages; one without anything to show is left out. The one that nobody declared is in the declared language."""
    keys = {monitor["name"]: monitor["key"] for monitor in watched}
    pages = [
        (page, page.groups if page.groups is not None else _app_groups(context, keys))
        for page in context.declaration.status_pages
    ]
    shown = [_status_page(page, groups, keys) for page, groups in pages if groups or page.groups is not None]
    if "status_pages" in context.declaration.model_fields_set:
        return shown
    language = context.declaration.language
    return [{**page, "title": translated(page["title"], language, "status_pages")} for page in shown]


def _app_groups(context: Context, keys: Mapping[str, str]) -> list[StatusGroup]:
    """What the public may know of each app: whether its address and its health endpoint answer."""
    public = {app.name: [f"{app.name}: {part}" for part in ("website", "health")] for app in context.declaration.apps}
    present = {app: [name for name in names if name in keys] for app, names in public.items()}
    return [StatusGroup(name=app, monitors=names) for app, names in present.items() if names]


def _status_page(page: StatusPage, groups: list[StatusGroup], keys: Mapping[str, str]) -> Fields:
    return {
        "slug": page.slug,
        "title": page.title,
        "description": page.description,
        "footerText": page.footer,
        "theme": page.theme,
        "domainNameList": page.domains,
        "showCertificateExpiry": page.certificates,
        "showPoweredBy": False,
        "groups": [{"name": group.name, "monitors": [keys[name] for name in group.monitors]} for group in groups],
        "incident": page.incident.model_dump() if page.incident else None,
    }
