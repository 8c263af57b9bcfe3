# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The options of the module uptime_kuma: shapes, secrets, and mistakes that a shape cannot reveal. Python 3.9.

Kuma itself checks next to nothing: it accepts monitors without an address, and never answers again when a group
contains itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    EMPTY,
    Field,
    moment,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    INCIDENT,
    MAINTENANCE,
    MONITOR,
    NEEDED,
    OF_STRATEGY,
    OF_TYPE,
    STATUS_PAGE,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import CSS_MARK, MARK
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import one_of, secret_texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import (
    circles,
    duplicates,
    missing,
    out_of_range,
    paths,
    unknown,
    unlike,
)

Row = Mapping[str, Any]
Option = dict[str, Any]
Known = Mapping[str, list[str]]
_TEXT: Option = {"type": "str"}
_REQUIRED: Option = {"type": "str", "required": True}
_KEYS: Option = {"type": "list", "elements": "str"}
_TIME: Option = {"hours": {"type": "int"}, "minutes": {"type": "int"}}


def _objects(options: Mapping[str, Option], **more: Any) -> Option:
    return {"type": "list", "elements": "dict", "options": dict(options), **more}


def _of(table: Mapping[str, Field]) -> dict[str, Option]:
    """The options that a table of fields makes."""
    return {name: {**field.option, **({"no_log": True} if field.secret else {})} for name, field in table.items()}


_MONITOR: dict[str, Option] = {
    **_of(MONITOR),
    "key": {**_REQUIRED, "no_log": False},
    "name": _REQUIRED,
    "type": {**_REQUIRED, "choices": sorted(NEEDED)},
    "description": _TEXT,
    "group": _TEXT,
    "notifications": _KEYS,
    "tags": _objects({"name": _REQUIRED, "value": _TEXT}),
    "docker_host": _TEXT,
    "active": {"type": "bool"},
    "url": {"type": "str", "no_log": True},
}
_WINDOW: dict[str, Option] = {
    **_of(MAINTENANCE),
    "key": {**_REQUIRED, "no_log": False},
    "title": _REQUIRED,
    "strategy": {**_REQUIRED, "choices": list(OF_STRATEGY)},
    "timeRange": _objects(_TIME),
    "monitors": _KEYS,
    "status_pages": _KEYS,
}
_PAGE: dict[str, Option] = {
    **_of(STATUS_PAGE),
    "slug": _REQUIRED,
    "title": _REQUIRED,
    "theme": one_of("auto", "light", "dark"),
    "groups": _objects({"name": _REQUIRED, "monitors": _KEYS}),
    "incident": {"type": "dict", "options": {**_of(INCIDENT), "title": _REQUIRED, "content": _REQUIRED}},
}
_HOST: dict[str, Option] = {
    "name": _REQUIRED,
    "dockerType": one_of("socket", "tcp"),
    "dockerDaemon": _TEXT,
}
_KEY_FILE: dict[str, Option] = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "int"},
    "reader": {
        "type": "dict",
        "required": True,
        "options": {"url": _REQUIRED, "container": _TEXT},
    },
}
ARGUMENT_SPEC: dict[str, Option] = {
    "url": _REQUIRED,
    "username": {"type": "str", "default": "admin"},
    "password": {"type": "str", "required": True, "no_log": True},
    "timeout": {"type": "int", "default": 180},
    "settings": {"type": "dict", "default": {}},
    "notifications": {"type": "list", "elements": "dict", "default": [], "no_log": True},
    "docker_hosts": _objects(_HOST, default=[]),
    "tags": _objects({"name": _REQUIRED, "color": _REQUIRED}, default=[]),
    "monitors": _objects(_MONITOR, default=[]),
    "maintenances": _objects(_WINDOW, default=[]),
    "status_pages": _objects(_PAGE, default=[]),
    "metrics_key": {"type": "dict", "no_log": False, "options": _KEY_FILE},
    "container": {"type": "str", "default": ""},
    "state_directory": {"type": "path"},
}
# Of a notification, and not its key. The others, such as a host name, would mask ordinary words of a message.
_SECRET_OPTION = re.compile("url|hook(?!Content)|token|pass|secret|auth|.key", re.IGNORECASE)
_LIMITS = {"interval": (1, 2073600), "retryInterval": (1, 2073600), "maxretries": (0, 10**9), "port": (1, 65535)}


def secrets(declared: Row) -> set[str]:
    """What no message shows: the password, secret options of notifications, secret fields of monitors.

    Addresses are kept out of the log of the host only: a change of one is shown, without what is secret in it.
    """
    return secret_texts(ARGUMENT_SPEC, declared, 5, {"notifications": _SECRET_OPTION}, visible=("url",))


def mistakes(declared: Row, providers: Mapping[str, Iterable[str]]) -> list[str]:
    """One sentence for each; `providers` are the types of notifications with the options that each needs."""
    known = _known(declared)
    return [
        *missing(ARGUMENT_SPEC, declared),
        *_settings(declared["settings"]),
        *_twice(declared),
        *_each(declared, "notifications", _notification, providers),
        *_each(declared, "monitors", _monitor, known),
        *circles("monitors", "group", declared["monitors"]),
        *_each(declared, "maintenances", _window, known),
        *_each(declared, "status_pages", _page, known),
    ]


def _each(declared: Row, option: str, check: Callable[[str, Row, Any], Iterator[str]], other: Any) -> Iterator[str]:
    """The mistakes in each object of an option; `other` is what the check needs besides."""
    for path, row in paths(option, declared[option]):
        yield from check(path, row, other)


def _known(declared: Row) -> dict[str, list[str]]:
    """What is declared -> the names by which others refer to it."""
    return {
        "group": [row["key"] for row in declared["monitors"] if row["type"] == "group"],
        "monitor": [row["key"] for row in declared["monitors"]],
        "notification": [str(row.get("key")) for row in declared["notifications"]],
        "docker host": [row["name"] for row in declared["docker_hosts"]],
        "status page": [row["slug"] for row in declared["status_pages"]],
    }


def _settings(settings: Row) -> Iterator[str]:
    if "disableAuth" in settings:
        yield "settings.disableAuth: cannot be set here: it would lock this module out"
    yield from _zone("settings.serverTimezone", settings.get("serverTimezone"))


def _twice(declared: Row) -> Iterator[str]:
    for option, fields in (
        ("notifications", ("key", "name")),
        ("monitors", ("key", "name")),
        ("maintenances", ("key",)),
        ("docker_hosts", ("name",)),
        ("tags", ("name",)),
        ("status_pages", ("slug",)),
    ):
        for field in fields:
            yield from duplicates(option, field, (row.get(field) for row in declared[option]))
    domains = (domain for page in declared["status_pages"] for domain in page.get("domainNameList", []))
    yield from duplicates("status_pages", "domain name", domains)


def _empty(path: str, row: Row, needed: Iterable[str], why: str = "") -> Iterator[str]:
    yield from (f"{path}.{name}: is missing{why}" for name in needed if row.get(name) in EMPTY)


def _notification(path: str, row: Row, providers: Mapping[str, Iterable[str]]) -> Iterator[str]:
    kind = row.get("type")
    yield from _empty(path, row, ("key", "name", "type"))
    if kind and kind not in providers:
        yield f"{path}.type: {kind} is not one of {', '.join(sorted(providers))}"
    yield from _empty(path, row, sorted(providers.get(kind or "", ())), f", which the type {kind} needs")


def _monitor(path: str, row: Row, known: Known) -> Iterator[str]:
    kind = row["type"]
    needed = [name for name in NEEDED[kind] if name not in OF_TYPE.get(kind, {})]
    yield from _empty(path, row, needed, f", which the type {kind} needs")
    yield from unlike(f"{path}.key", row["key"], r"[^()\n]+", "a text without brackets and line breaks")
    yield from out_of_range(path, row, _LIMITS)
    for code in row.get("accepted_statuscodes", []):
        yield from unlike(f"{path}.accepted_statuscodes", code, r"[1-9]\d\d(-[1-9]\d\d)?", "like 404 or like 200-299")
    yield from unknown(f"{path}.group", "group", [row.get("group")], known["group"])
    yield from unknown(f"{path}.notifications", "notification", row.get("notifications", []), known["notification"])
    yield from unknown(f"{path}.docker_host", "docker host", [row.get("docker_host")], known["docker host"])
    if any(tag["name"] == MARK for tag in row.get("tags", [])):
        yield f"{path}.tags: {MARK} is the tag that marks this module's own monitors"


def _window(path: str, row: Row, known: Known) -> Iterator[str]:
    yield from _times(path, row)
    if row["strategy"] == "cron" and not re.fullmatch(r"(\S+\s+){4}\S+", row.get("cron", "").strip()):
        yield f"{path}.cron: {row.get('cron', '')!r} does not have five fields"
    if row.get("timezone") != "SAME_AS_SERVER":
        yield from _zone(f"{path}.timezone", row.get("timezone"))
    yield from unknown(f"{path}.monitors", "monitor", row.get("monitors", []), known["monitor"])
    yield from unknown(f"{path}.status_pages", "status page", row.get("status_pages", []), known["status page"])


def _times(path: str, row: Row) -> Iterator[str]:
    """When a window is, as its strategy needs it."""
    strategy, dates = row["strategy"], [date for date in row.get("dateRange", []) if date]
    needed = {"recurring-weekday": "weekdays", "recurring-day-of-month": "daysOfMonth", "cron": "durationMinutes"}
    yield from _empty(path, row, [needed[strategy]] if strategy in needed else [], f", which {strategy} needs")
    if strategy == "single" and len(dates) != 2:
        yield f"{path}.dateRange: needs a start and an end"
    if strategy == "recurring-interval" and not dates:
        yield f"{path}.dateRange: needs a start, from which the days are counted"
    if strategy.startswith("recurring-") and len(row.get("timeRange", [])) != 2:
        yield f"{path}.timeRange: needs a start and an end"
    yield from (f"{path}.dateRange: {date} is not like 2026-12-24 22:00" for date in dates if not _is_moment(date))


def _is_moment(date: Any) -> bool:
    try:
        return bool(datetime.strptime(moment(date), "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return False


def _zone(path: str, name: Any) -> Iterator[str]:
    """Kuma stores an unknown zone before it checks it, and then fails at every maintenance window and every login."""
    try:
        ZoneInfo("Europe/Berlin")  # a host without any zones cannot tell
        ZoneInfo(str(name or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if "Berlin" not in str(error):
            yield f"{path}: {name} is not a time zone such as Europe/Berlin"


def _page(path: str, row: Row, known: Known) -> Iterator[str]:
    like = "made of lower-case letters, digits and single hyphens"
    yield from unlike(f"{path}.slug", row["slug"], r"[a-z0-9]+(-[a-z0-9]+)*", like)
    if row.get("icon", "").startswith("data:"):
        yield f"{path}.icon: must be an address; Kuma stores an image under a name of its own"
    if row.get("customCSS", "").startswith(CSS_MARK):
        yield f"{path}.customCSS: starts with the mark that this module writes itself"
    for group_path, group in paths(f"{path}.groups", row.get("groups", [])):
        yield from unknown(f"{group_path}.monitors", "monitor", group.get("monitors", []), known["monitor"])
