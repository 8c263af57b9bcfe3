# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in declared monitors of Uptime Kuma, and the words that all checks share. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import EMPTY, MONITOR, OF_TYPE, data
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import MARK

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
_LIMITS = {"interval": (20, 2073600), "retryInterval": (20, 2073600), "maxretries": (0, None), "port": (1, 65535)}


def title_of(kind: str, each: Given) -> str:
    """The kind and the name of an object, also of one without a name."""
    return f"{kind} {each.get('name') or each.get('key') or each.get('slug') or each.get('title') or 'without a name'}"


def missing(title: str, each: Given, needed: Iterable[str], defaults: Given) -> Iterator[str]:
    """One sentence for each field that must say something."""
    for name in needed:
        if each.get(name) in EMPTY and name not in defaults:
            yield f"{title}: {name} is missing"


def unknown(title: str, each: Given, known: Iterable[str]) -> Iterator[str]:
    """One sentence for each field that nobody knows."""
    for name in sorted(set(each) - set(known)):
        yield f"{title}: unknown field {name}"


def references(title: str, what: str, keys: Any, known: Iterable[Any]) -> Iterator[str]:
    """One sentence for each key that is not declared."""
    strange = set(keys or []) - set(known)
    yield from (f"{title}: unknown {what} {key}" for key in sorted(strange, key=str))


def of_monitor(each: Given, given: Given) -> Iterator[str]:
    """Mistakes in one monitor."""
    title, kind = title_of("monitor", each), each.get("type")
    yield from missing(title, each, ("key", "name", "type"), {})
    yield from unknown(title, each, _OF_MONITOR)
    if kind and kind not in NEEDED:
        yield f"{title}: unknown type {kind}, known are {', '.join(sorted(NEEDED))}"
    yield from missing(title, each, NEEDED.get(kind or "", ()), OF_TYPE.get(kind or "", {}))
    if re.search(r"[()\n]", str(each.get("key") or "")):
        yield f"{title}: the key {each['key']} has a bracket or a line end"
    yield from _numbers(title, each)
    if each.get("headers") and not isinstance(data(each["headers"]), dict):
        yield f"{title}: headers is neither a dictionary nor the JSON text of one"
    for code in each.get("accepted_statuscodes") or []:
        if not re.fullmatch(r"[1-9]\d\d(-[1-9]\d\d)?", str(code)):
            yield f"{title}: accepted_statuscodes has {code}, which is neither like 404 nor like 200-299"
    groups = [other.get("key") for other in given["monitors"] if other.get("type") == "group"]
    yield from references(title, "group", [each["group"]] if each.get("group") else [], groups)
    yield from references(
        title, "notification", each.get("notifications"), [it.get("key") for it in given["notifications"]]
    )
    hosts = [host.get("name") for host in given["docker_hosts"]]
    yield from references(title, "docker host", [each["docker_host"]] if each.get("docker_host") else [], hosts)
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
            yield f"{title}: {name} must be a number, not {each[name]}"
            continue
        if value < least:
            yield f"{title}: {name} is {each[name]}, the least is {least}"
        if most is not None and value > most:
            yield f"{title}: {name} is {each[name]}, the most is {most}"


def circles(monitors: Iterable[Given]) -> Iterator[str]:
    """A group that contains itself: the server would never answer again."""
    outer = {each["key"]: each.get("group") for each in monitors if each.get("key")}
    for key in outer:
        seen, at = {key}, outer[key]
        while at in outer and at not in seen:
            seen.add(at)
            at = outer[at]
        if at == key:
            yield f"monitor group {key} is inside itself"
