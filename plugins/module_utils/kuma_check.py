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

from ansible_collections.crowsnest.core.plugins.module_utils.kuma_fields import (
    EMPTY,
    INCIDENT,
    MAINTENANCE,
    MONITOR,
    OF_STRATEGY,
    OF_TYPE,
    STATUS_PAGE,
    data,
    moment,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma_objects import CSS_MARK, MARK

Given = Mapping[str, Any]

# Types of monitors, and what each cannot do without.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "group": (),
    "push": (),
    "manual": (),
    "http": ("url",),
    "keyword": ("url", "keyword"),
    "json-query": ("url", "jsonPath", "expectedValue"),
    "real-browser": ("url",),
    "websocket-upgrade": ("url",),
    "port": ("hostname", "port"),
    "ping": ("hostname",),
    "dns": ("hostname", "dns_resolve_server", "port"),
    "docker": ("docker_container", "docker_host"),
    "grpc-keyword": ("grpcUrl", "keyword", "grpcServiceName", "grpcMethod"),
    "mqtt": ("hostname", "port", "mqttTopic"),
    "kafka-producer": ("kafkaProducerBrokers", "kafkaProducerTopic", "kafkaProducerMessage"),
    "rabbitmq": ("rabbitmqNodes",),
    "sqlserver": ("databaseConnectionString",),
    "postgres": ("databaseConnectionString",),
    "mysql": ("databaseConnectionString",),
    "mongodb": ("databaseConnectionString",),
    "redis": ("databaseConnectionString",),
    "oracledb": ("databaseConnectionString",),
    "radius": ("hostname", "radiusUsername", "radiusPassword", "radiusSecret"),
    "snmp": ("hostname", "snmpOid"),
    "smtp": ("hostname",),
    "ntp": ("hostname",),
    "tailscale-ping": ("hostname",),
    "sip-options": ("hostname", "port"),
    "globalping": ("hostname",),
    "steam": ("hostname", "port"),
    "gamedig": ("game", "hostname", "port"),
    "system-service": ("system_service_name",),
    "pm2": ("system_service_name",),
}
_OF_MONITOR = {
    "key",
    "name",
    "type",
    "description",
    "group",
    "notifications",
    "tags",
    "docker_host",
    "active",
    *MONITOR,
}
_OF_WINDOW = {"key", "monitors", "status_pages", *MAINTENANCE}
_OF_PAGE = {"slug", "groups", "incident", *STATUS_PAGE}
_OF_HOST = {"name", "dockerType", "dockerDaemon"}
_LISTS = {"notifications", "tags", "accepted_statuscodes", "monitors", "status_pages", "groups", "domainNameList"}
_LISTS |= {"dateRange", "timeRange", "weekdays", "daysOfMonth"}
_OF_DICTS = {"tags", "groups", "timeRange"}
_LIMITS = {"interval": (20, 2073600), "retryInterval": (20, 2073600), "maxretries": (0, None), "port": (1, 65535)}


def mistakes(given: Given, providers: Mapping[str, Iterable[str]]) -> list[str]:
    """One sentence for each; `providers` are the types of notifications with the options that each needs."""
    if shapes := [*_shapes(given)]:
        return shapes  # the other checks need lists where lists belong
    return [
        *(
            f"settings: {name} cannot be set here, it would lock this module out"
            for name in given["settings"]
            if name == "disableAuth"
        ),
        *(
            mistake
            for zone in [given["settings"].get("serverTimezone")]
            if zone
            for mistake in _zone("settings: serverTimezone", zone)
        ),
        *_unique(given),
        *(mistake for each in given["notifications"] for mistake in _notification(each, providers)),
        *(mistake for each in given["docker_hosts"] for mistake in _docker_host(each)),
        *(
            f"tags[{index}]: {need} is missing"
            for index, tag in enumerate(given["tags"])
            for need in ("name", "color")
            if not tag.get(need)
        ),
        *(mistake for each in given["monitors"] for mistake in _monitor(each, given)),
        *_circles(given["monitors"]),
        *(mistake for each in given["maintenances"] for mistake in _window(each, given)),
        *(mistake for each in given["status_pages"] for mistake in _page(each, given)),
    ]


def _shapes(given: Given) -> Iterator[str]:
    for what in ("monitors", "maintenances", "status_pages"):
        for each in given[what]:
            for name in sorted(_LISTS & set(each)):
                value = each[name] or []
                if not isinstance(value, list):
                    yield f"{_title(what, each)}: {name} is no list"
                elif name in _OF_DICTS and not all(isinstance(item, dict) for item in value):
                    yield f"{_title(what, each)}: {name} is no list of dictionaries"
            if not isinstance(each.get("incident") or {}, dict):
                yield f"{_title(what, each)}: incident is no dictionary"


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


def _title(kind: str, each: Given) -> str:
    return f"{kind} {each.get('name') or each.get('key') or each.get('slug') or each.get('title') or 'without a name'}"


def _missing(title: str, each: Given, needed: Iterable[str], defaults: Given) -> Iterator[str]:
    for name in needed:
        if each.get(name) in EMPTY and name not in defaults:
            yield f"{title}: {name} is missing"


def _unknown(title: str, each: Given, known: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(each) - set(known)):
        yield f"{title}: unknown field {name}"


def _references(title: str, what: str, keys: Any, known: Iterable[Any]) -> Iterator[str]:
    unknown = set(keys or []) - set(known)
    yield from (f"{title}: unknown {what} {key}" for key in sorted(unknown, key=str))


def _notification(each: Given, providers: Mapping[str, Iterable[str]]) -> Iterator[str]:
    title = _title("notification", each)
    yield from _missing(title, each, ("key", "name", "type"), {})
    if each.get("type") and each["type"] not in providers:
        yield f"{title}: unknown type {each['type']}"
    yield from _missing(title, each, sorted(providers.get(each.get("type", ""), ())), {})


def _docker_host(each: Given) -> Iterator[str]:
    title = _title("docker host", each)
    yield from _missing(title, each, ("name",), {})
    yield from _unknown(title, each, _OF_HOST)
    if each.get("dockerType", "socket") not in ("socket", "tcp"):
        yield f"{title}: dockerType is socket or tcp, not {each['dockerType']}"


def _monitor(each: Given, given: Given) -> Iterator[str]:
    title, kind = _title("monitor", each), each.get("type")
    yield from _missing(title, each, ("key", "name", "type"), {})
    yield from _unknown(title, each, _OF_MONITOR)
    if kind and kind not in NEEDED:
        yield f"{title}: unknown type {kind}, known are {', '.join(sorted(NEEDED))}"
    yield from _missing(title, each, NEEDED.get(kind or "", ()), OF_TYPE.get(kind or "", {}))
    if re.search(r"[()\n]", str(each.get("key") or "")):
        yield f"{title}: the key {each['key']} has a bracket or a line end"
    yield from _numbers(title, each)
    if each.get("headers") and not isinstance(data(each["headers"]), dict):
        yield f"{title}: headers is neither a dictionary nor the JSON text of one"
    for code in each.get("accepted_statuscodes") or []:
        if not re.fullmatch(r"[1-9]\d\d(-[1-9]\d\d)?", str(code)):
            yield f"{title}: accepted_statuscodes has {code}, which is neither like 404 nor like 200-299"
    groups = [other.get("key") for other in given["monitors"] if other.get("type") == "group"]
    yield from _references(title, "group", [each["group"]] if each.get("group") else [], groups)
    yield from _references(
        title, "notification", each.get("notifications"), [it.get("key") for it in given["notifications"]]
    )
    hosts = [host.get("name") for host in given["docker_hosts"]]
    yield from _references(title, "docker host", [each["docker_host"]] if each.get("docker_host") else [], hosts)
    for tag in each.get("tags") or []:
        if not tag.get("name") or tag["name"] == MARK:
            yield f"{title}: a tag needs a name, and another one than {MARK}"


def _numbers(title: str, each: Given) -> Iterator[str]:
    for name, (least, most) in _LIMITS.items():
        if each.get(name) in EMPTY:
            continue
        try:
            value = float(each[name])
        except (TypeError, ValueError):
            yield f"{title}: {name} is no number: {each[name]}"
            continue
        if value < least:
            yield f"{title}: {name} is {each[name]}, the least is {least}"
        if most is not None and value > most:
            yield f"{title}: {name} is {each[name]}, the most is {most}"


def _circles(monitors: Iterable[Given]) -> Iterator[str]:
    """A group that contains itself: the server would never answer again."""
    outer = {each["key"]: each.get("group") for each in monitors if each.get("key")}
    for key in outer:
        seen, at = {key}, outer[key]
        while at in outer and at not in seen:
            seen.add(at)
            at = outer[at]
        if at == key:
            yield f"monitor group {key} is inside itself"


def _window(each: Given, given: Given) -> Iterator[str]:
    title, strategy = _title("maintenance", each), each.get("strategy")
    yield from _missing(title, each, ("key", "title", "strategy"), {})
    yield from _unknown(title, each, _OF_WINDOW)
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
    yield from _missing(title, each, needed.get(strategy or "", ()), {})
    yield from (
        f"{title}: dateRange has {it}, which is not like 2026-12-24 22:00" for it in dates if not _is_moment(it)
    )
    if strategy == "cron" and each.get("cron") and not re.fullmatch(r"(\S+\s+){4}\S+", str(each["cron"]).strip()):
        yield f"{title}: cron is not five words: {each['cron']}"
    if each.get("timezone") not in (None, "", "SAME_AS_SERVER"):
        yield from _zone(f"{title}: timezone", each["timezone"])
    yield from _references(title, "monitor", each.get("monitors"), [it.get("key") for it in given["monitors"]])
    yield from _references(
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
            yield f"{what}: {name} is no time zone such as Europe/Berlin"


def _page(each: Given, given: Given) -> Iterator[str]:
    title, slug = _title("status page", each), str(each.get("slug") or "")
    yield from _missing(title, each, ("slug", "title"), {})
    yield from _unknown(title, each, _OF_PAGE)
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
        yield from _missing(f"{title}, group", group, ("name",), {})
        yield from _references(title, "monitor", group.get("monitors"), keys)
    if each.get("incident"):
        yield from _missing(f"{title}, incident", each["incident"], ("title", "content"), {})
        yield from _unknown(f"{title}, incident", each["incident"], INCIDENT)
