# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes between values, and between values and the inventory: names and hosts must exist, names only once. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    KINDS,
    SEVERITIES,
    SnsReceiver,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.redis import Redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    AUTHORIZATION,
    LOOPBACK,
    duration_seconds,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    HIDDEN,
    entries,
    entry,
    key,
    mapping,
    nearest,
    shown,
    yes,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.ports import usual_ports
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import PROMISES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.anomaly_rules import HISTORY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import alert_names


def app_mistakes(apps: Any, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Mistakes within each app, between apps, and between apps and the inventory."""
    apps = [mapping(app) for app in entries(apps)]
    counts = Counter(str(app["name"]) for app in apps if "name" in app)
    hosts, servers = list(groups.get("monitored", [])), list(groups.get("server", []))
    for index, app in enumerate(apps):
        path = entry("crowsnest_apps", index, app, "name")
        if (count := counts.get(str(app.get("name")), 0)) > 1:
            yield f"{path}.name: {shown(app['name'])} is declared {count} times. Allowed: each name once."
        yield from _header_mistakes(path, mapping(app.get("headers")))
        if (whole := app.get("part_of")) is not None and whole not in (allowed := _wholes(apps, app)):
            yield (
                f"{path}.part_of: {shown(whole)} is not allowed.{nearest(str(whole), allowed)} "
                f"Allowed: another app that is part of none: {', '.join(allowed) or 'there is none'}."
            )
        host = app.get("host")
        if host is not None and host not in hosts:
            yield (
                f"{path}.host: {shown(host)} is not a host in group `monitored`.{nearest(str(host), hosts)} "
                f"Allowed: {', '.join(hosts)}. Or add the host to the inventory."
            )
        elif host is not None and host not in servers:
            yield from _loopback_mistakes(path, str(host), app)
    yield from _read_twice(apps, servers)


def _wholes(apps: Sequence[Mapping[str, Any]], part: Mapping[str, Any]) -> list[str]:
    """Names of the other apps that are part of none."""
    return [str(app.get("name")) for app in apps if app is not part and app.get("part_of") is None]


def _read_twice(apps: Sequence[Mapping[str, Any]], servers: Sequence[str]) -> Iterator[str]:
    """A metrics page that is declared twice would count twice, or for the wrong app."""
    first: dict[MetricsPage, str] = {}
    for index, app in enumerate(apps):
        for position, target in enumerate(entries(app.get("metrics"))):
            path = f"{entry('crowsnest_apps', index, app, 'name')}.metrics[{position}]"
            page = _metrics_page(target)
            if page is None:
                continue
            elsewhere = app.get("host") not in (None, *servers)
            own = str(app["host"]) if elsewhere else "127.0.0.1"
            same = first.setdefault(replace(page, host=own) if page.host in ("", "localhost") else page, path)
            if same != path:
                yield f"{path}: {shown(_address(target))} is already declared as {same}. Allowed: each page once."


def _address(target: Any) -> str:
    """The address of an item of `metrics`: text, or a mapping with it."""
    return str(mapping(target).get("address") if isinstance(target, dict) else target)


def _metrics_page(target: Any) -> MetricsPage | None:
    """None for a target that the model refuses."""
    path = mapping(target).get("path")
    try:
        return MetricsPage.parse(_address(target), path if isinstance(path, str) else None)
    except ValueError:
        return None


def _header_mistakes(path: str, headers: Mapping[str, Any]) -> Iterator[str]:
    """What blackbox exporter takes as the header Authorization: a scheme, and credentials from a file."""
    for name, value in headers.items():
        if str(name).lower() == "authorization" and isinstance(value, str) and not AUTHORIZATION.fullmatch(value):
            yield (
                f"{path}.headers.{name}: {HIDDEN} does not fit. Allowed: a scheme and its credentials, such as "
                "`Bearer TOKEN`. For `Basic`, set `username` and `password`."
            )


def _loopback_mistakes(path: str, host: str, app: Mapping[str, Any]) -> Iterator[str]:
    why = f"cannot be reached from the server, as the app runs on {host}"
    targets = app.get("metrics")
    for position, target in enumerate(entries(targets)):
        if LOOPBACK.match(address := _address(target)):
            page, quoted = _metrics_page(target), shown(address)
            # The declared target without its host.
            written = f", written as `{address.removeprefix(page.host)}`" if page and quoted != HIDDEN else ""
            yield f"{path}.metrics[{position}]: {quoted} {why}. Allowed: a port on {host}'s private address{written}."
    health = mapping(app.get("health"))
    urls = {"url": app.get("url"), "health.basic": health.get("basic"), "health.detailed": health.get("detailed")}
    for position, job in enumerate(entries(app.get("jobs"))):
        yield (
            f"{entry(f'{path}.jobs', position, job, 'name')}: Uptime Kuma listens on the server's "
            f"loopback, which a job on {host} cannot reach. Allowed: jobs of apps on the server."
        )
    for name, address in mapping(app.get("tcp")).items():
        if LOOPBACK.match(str(address)):
            allowed = f"Allowed: an address of {host} that the server reaches."
            yield f"{path}.tcp.{key(name)}: {shown(address)} {why}. {allowed}"
    redis = mapping(app.get("redis"))
    address = redis.get("address", Redis.model_fields["address"].default)
    if app.get("redis") is not None and LOOPBACK.match(str(address)):
        yield f"{path}.redis.address: {shown(address)} {why}. Allowed: an address of {host} that the server reaches."
    for place, url in urls.items():
        if LOOPBACK.match(str(url).partition("://")[2]):
            yield f"{path}.{place}: {shown(url)} {why}. Allowed: a URL with the address of {host}."


def history_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """Unusual requests are told from those of the last four weeks, which must still be there."""
    kept = str(variables.get("crowsnest_retention", Declaration.model_fields["retention"].default))
    try:
        enough = duration_seconds(kept) >= duration_seconds(HISTORY)
    except ValueError:  # a duration that the model refuses
        return
    for index, app in enumerate(entries(variables.get("crowsnest_apps"))):
        if not enough and yes(mapping(app).get("anomaly")):
            yield (
                f"{entry('crowsnest_apps', index, app, 'name')}.anomaly: True needs the metrics of four weeks, but "
                f"crowsnest_retention is {shown(kept)}. Allowed: a crowsnest_retention of {HISTORY} or more, or "
                "`anomaly: false`."
            )


def service_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """Settings by name of a service: the service must exist, and no two may share a port."""
    for setting in ("crowsnest_images", "crowsnest_ports", "crowsnest_external_urls"):
        known = [*REGISTRY, *([NODE_EXPORTER] if setting == "crowsnest_ports" else [])]
        for name in mapping(variables.get(setting)):
            if name not in known:
                yield f"{setting}.{key(name)}: no such service.{nearest(name, known)} Allowed: {', '.join(known)}."
    declared = mapping(variables.get("crowsnest_ports"))
    ports = {name: str(declared.get(name, port)) for name, port in usual_ports(REGISTRY).items()}
    for name in ports:
        others = [other for other, port in ports.items() if other != name and port == ports[name]]
        if name in declared and others:
            yield f"crowsnest_ports.{name}: {ports[name]} is also the port of {', '.join(others)}. Allowed: a free one."


def alert_mistakes(disabled: Any) -> Iterator[str]:
    """Disabled alerts must exist."""
    known = alert_names()
    for index, name in enumerate(entries(disabled)):
        if name not in known:
            close = nearest(str(name), known)
            yield f"crowsnest_disabled_alerts[{index}]: {shown(name)} is not a known alert.{close}"


def report_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """A weekly message that nobody gets would be missed by nobody."""
    receivers = [mapping(receiver) for receiver in entries(variables.get("crowsnest_receivers"))]
    wanted = variables.get("crowsnest_weekly_report")
    if wanted in (None, False) or any(_gets_report(receiver) for receiver in receivers):
        return
    if any(receiver.get("type") not in KINDS for receiver in receivers):
        return  # a misspelt type is told already, and is perhaps the one that gets it
    yield (
        "crowsnest_weekly_report: no receiver gets it. Allowed: with a receiver in crowsnest_receivers of type "
        f"{', '.join(_TOLD_WEEKLY)} whose `severities` have low among them, without `after`."
    )


_TOLD_WEEKLY = [name for name, kind in KINDS.items() if kind.read or kind is SnsReceiver]


def _gets_report(receiver: Mapping[str, Any]) -> bool:
    return receiver.get("type") in _TOLD_WEEKLY and not receiver.get("after") and "low" in _severities(receiver)


def _severities(receiver: Mapping[str, Any]) -> list[Any]:
    kind = KINDS.get(str(receiver.get("type")))
    return entries(receiver.get("severities", kind.model_fields["severities"].default if kind else []))


def receiver_mistakes(receivers: Any) -> Iterator[str]:
    """Names of receivers must be unique, and somebody must be told at once of what others are told later."""
    named = [mapping(receiver) for receiver in entries(receivers)]
    counts = Counter(str(name) for receiver in named if (name := receiver.get("name") or receiver.get("type")))
    for name, count in counts.items():
        if count > 1:
            yield f"crowsnest_receivers: {count} receivers are called {shown(name)}. Give each a `name` of its own."
    prompt = [severity for receiver in named if not receiver.get("after") for severity in _severities(receiver)]
    for index, receiver in enumerate(named):
        where = f"{entry('crowsnest_receivers', index, receiver, 'name', 'type')}.after"
        mine = [severity for severity in SEVERITIES if receiver.get("after") and severity in _severities(receiver)]
        if alone := [severity for severity in mine if severity not in prompt]:
            yield (
                f"{where}: nobody is told of {' and '.join(alone)} alerts at once. Allowed: with another receiver that "
                "gets them and has no `after`."
            )
        waits = [PROMISES[severity]["group_wait"] for severity in mine]
        if early := [wait for wait in waits if _seconds(receiver["after"]) <= duration_seconds(wait)]:
            longest = max(early, key=duration_seconds)
            yield f"{where}: others get the first message after {longest} only. Allowed: a duration longer than that."


def _seconds(duration: Any) -> float:
    """What is no duration is told already."""
    try:
        return duration_seconds(duration)
    except (TypeError, ValueError):
        return inf
