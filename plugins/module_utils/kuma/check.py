# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what is declared for Uptime Kuma, all at once, before it is asked anything. Pure. Python 3.9.

Kuma itself checks next to nothing: it takes unknown types, monitors without an address, and hangs for ever when a
group contains itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.check_monitor import (
    Given,
    circles,
    missing,
    of_monitor,
    references,
    title_of,
    unknown,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    INCIDENT,
    MAINTENANCE,
    OF_STRATEGY,
    STATUS_PAGE,
    moment,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import CSS_MARK

_OF_WINDOW = {"key", "monitors", "status_pages", *MAINTENANCE}
_OF_PAGE = {"slug", "groups", "incident", *STATUS_PAGE}
_OF_HOST = {"name", "dockerType", "dockerDaemon"}
_LISTS = {"notifications", "tags", "accepted_statuscodes", "monitors", "status_pages", "groups", "domainNameList"}
_LISTS |= {"dateRange", "timeRange", "weekdays", "daysOfMonth"}
_OF_DICTS = {"tags", "groups", "timeRange"}


def mistakes(given: Given, providers: Mapping[str, Iterable[str]]) -> list[str]:
    """One sentence for each; `providers` are the types of notifications with the options that each needs."""
    if shapes := [*_shapes(given)]:
        return shapes  # the other checks need lists where lists belong
    return [
        *_settings(given["settings"]),
        *_unique(given),
        *(mistake for each in given["notifications"] for mistake in _notification(each, providers)),
        *(mistake for each in given["docker_hosts"] for mistake in _docker_host(each)),
        *(mistake for each in given["tags"] for mistake in missing(title_of("tag", each), each, ("name", "color"), {})),
        *(mistake for each in given["monitors"] for mistake in of_monitor(each, given)),
        *circles(given["monitors"]),
        *(mistake for each in given["maintenances"] for mistake in _window(each, given)),
        *(mistake for each in given["status_pages"] for mistake in _page(each, given)),
    ]


def _settings(settings: Given) -> Iterator[str]:
    if "disableAuth" in settings:
        yield "settings: disableAuth cannot be set here, it would lock this module out"
    if settings.get("serverTimezone"):
        yield from _zone("settings: serverTimezone", settings["serverTimezone"])


def _shapes(given: Given) -> Iterator[str]:
    for what in ("monitors", "maintenances", "status_pages"):
        for each in given[what]:
            for name in sorted(_LISTS & set(each)):
                value = each[name] or []
                if not isinstance(value, list):
                    yield f"{title_of(what, each)}: {name} must be a list"
                elif name in _OF_DICTS and not all(isinstance(item, dict) for item in value):
                    yield f"{title_of(what, each)}: {name} must be a list of dictionaries"
            if not isinstance(each.get("incident") or {}, dict):
                yield f"{title_of(what, each)}: incident must be a dictionary"


def _unique(given: Given) -> Iterator[str]:
    for what, names in (
        ("notifications", ("key", "name")),
        ("monitors", ("key", "name")),
        ("maintenances", ("key",)),
        ("docker_hosts", ("name",)),
        ("tags", ("name",)),
        ("status_pages", ("slug",)),
    ):
        for name in names:
            counted = Counter(str(each[name]) for each in given[what] if each.get(name))
            yield from (f"{what}: {count} have the {name} {value}" for value, count in counted.items() if count > 1)
    domains = Counter(domain for page in given["status_pages"] for domain in page.get("domainNameList") or [])
    yield from (f"status_pages: {count} have the domain name {name}" for name, count in domains.items() if count > 1)


def _notification(each: Given, providers: Mapping[str, Iterable[str]]) -> Iterator[str]:
    title = title_of("notification", each)
    yield from missing(title, each, ("key", "name", "type"), {})
    if each.get("type") and each["type"] not in providers:
        yield f"{title}: unknown type {each['type']}"
    yield from missing(title, each, sorted(providers.get(each.get("type", ""), ())), {})


def _docker_host(each: Given) -> Iterator[str]:
    title = title_of("docker host", each)
    yield from missing(title, each, ("name",), {})
    yield from unknown(title, each, _OF_HOST)
    if each.get("dockerType", "socket") not in ("socket", "tcp"):
        yield f"{title}: dockerType is socket or tcp, not {each['dockerType']}"


def _window(each: Given, given: Given) -> Iterator[str]:
    title, strategy = title_of("maintenance", each), each.get("strategy")
    yield from missing(title, each, ("key", "title", "strategy"), {})
    yield from unknown(title, each, _OF_WINDOW)
    if strategy and strategy not in OF_STRATEGY:
        yield f"{title}: unknown strategy {strategy}, known are {', '.join(OF_STRATEGY)}"
    dates = [date for date in each.get("dateRange") or [] if date]
    if strategy == "single" and len(dates) != 2:
        yield f"{title}: dateRange needs a start and an end"
    if strategy == "recurring-interval" and not dates:
        yield f"{title}: dateRange needs a start, from which the days are counted"
    if str(strategy).startswith("recurring-") and len(each.get("timeRange") or []) != 2:
        yield f"{title}: timeRange needs a start and an end"
    needed = {
        "recurring-weekday": ("weekdays",),
        "recurring-day-of-month": ("daysOfMonth",),
        "cron": ("cron", "durationMinutes"),
    }
    yield from missing(title, each, needed.get(strategy or "", ()), {})
    yield from (
        f"{title}: dateRange has {it}, which is not like 2026-12-24 22:00" for it in dates if not _is_moment(it)
    )
    if strategy == "cron" and each.get("cron") and not re.fullmatch(r"(\S+\s+){4}\S+", str(each["cron"]).strip()):
        yield f"{title}: cron is not five words: {each['cron']}"
    if each.get("timezone") not in (None, "", "SAME_AS_SERVER"):
        yield from _zone(f"{title}: timezone", each["timezone"])
    yield from references(title, "monitor", each.get("monitors"), [it.get("key") for it in given["monitors"]])
    yield from references(
        title, "status page", each.get("status_pages"), [it.get("slug") for it in given["status_pages"]]
    )


def _is_moment(date: Any) -> bool:
    try:
        return bool(datetime.strptime(moment(date), "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return False


def _zone(what: str, name: Any) -> Iterator[str]:
    """Kuma stores an unknown zone before it looks at it, and then fails at every maintenance window, also at logins."""
    try:
        ZoneInfo("Europe/Berlin")  # a host without any zones cannot tell
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if "Berlin" not in str(error):
            yield f"{what}: {name} is not a time zone such as Europe/Berlin"


def _page(each: Given, given: Given) -> Iterator[str]:
    title, slug = title_of("status page", each), str(each.get("slug") or "")
    yield from missing(title, each, ("slug", "title"), {})
    yield from unknown(title, each, _OF_PAGE)
    if slug and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        yield f"{title}: a slug has small letters, digits and single hyphens between them"
    if each.get("theme") not in (None, "", "auto", "light", "dark"):
        yield f"{title}: theme is auto, light or dark, not {each['theme']}"
    if str(each.get("icon") or "").startswith("data:"):
        yield f"{title}: icon is an address; Kuma stores a picture under a name of its own"
    if str(each.get("customCSS") or "").startswith(CSS_MARK):
        yield f"{title}: customCSS begins with the mark that this module writes itself"
    keys = [it.get("key") for it in given["monitors"]]
    for group in each.get("groups") or []:
        yield from missing(f"{title}, group", group, ("name",), {})
        yield from references(title, "monitor", group.get("monitors"), keys)
    if each.get("incident"):
        yield from missing(f"{title}, incident", each["incident"], ("title", "content"), {})
        yield from unknown(f"{title}, incident", each["incident"], INCIDENT)
