# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Uptime Kuma watches: the monitors of the apps, the backups, the alerting path, and the team's own. Pure.

A monitor is a mapping as the module `uptime_kuma` takes it: `key` identifies it from run to run, `group` and
`notifications` name other keys, the rest are Kuma's own fields. Some of them are secret: tokens, passwords, headers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import (
    DnsMonitor,
    DockerMonitor,
    GroupMonitor,
    HttpMonitor,
    HttpOptions,
    JsonMonitor,
    KeywordMonitor,
    Monitor,
    PingMonitor,
    PortMonitor,
    PushMonitor,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds, host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import BackupJob
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import health
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import notifications
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.broken_path import (
    ALERTING_KEY,
    ALERTING_PATH,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import (
    HEARTBEAT_KEY,
    PUSH_KEY,
    backup_key,
    in_key,
    job_key,
    own_key,
    push_token,
    reporting_backups,
)

Fields = dict[str, Any]

# One check a minute, and a second one half a minute after a failure: a blip is not an outage.
_PACE = {"interval": 60, "maxretries": 1, "retryInterval": 30}
# Alertmanager reports every minute; two reports in a row may get lost.
_HEARTBEAT_SECONDS = 150
# Prometheus and Alertmanager are asked every 20 s, and every 5 s once one does not answer: what is away for 35 s, as
# while a run makes its container again, is told to nobody, and what stays away is told within a minute.
_PATH_PACE = {"interval": 20, "retryInterval": 5}
_HEARTBEAT = {"en": "heartbeat", "ko": "하트비트"}


def monitors(context: Context) -> list[Fields]:
    """All monitors; the token of a push monitor is made from a generated key."""
    declaration = context.declaration
    watched = [
        *(monitor for app in declaration.apps for monitor in app_monitors(app)),
        *backup_monitors(context),
        *alerting_path(context, [notifications.path_key(name) for name in notifications.names(declaration)]),
        *(own_monitor(monitor, declaration) for monitor in declaration.monitors),
    ]
    return [_with_token(context, monitor) if monitor["type"] == "push" else monitor for monitor in watched]


def _with_token(context: Context, monitor: Fields) -> Fields:
    return {**monitor, "pushToken": push_token(context.secret(PUSH_KEY), monitor["key"])}


def docker_hosts(declaration: Declaration) -> list[Fields]:
    """The engines that are queried about containers."""
    engines = sorted({monitor.engine for monitor in declaration.monitors if isinstance(monitor, DockerMonitor)})
    return [{"name": engine, "dockerType": "tcp", "dockerDaemon": engine} for engine in engines]


# --- the apps -------------------------------------------------------------------------------------------------------


def app_monitors(app: App) -> list[Fields]:
    """A group named as the app, and in it everything that can be checked from outside; empty when there is nothing."""
    return [monitor for monitor, _ in _with_probes(app)]


def series_labels(apps: Sequence[App]) -> dict[str, dict[str, str]]:
    """{name of a monitor: labels that its series get in Prometheus}, for all monitors of the apps.

    `app`, `host` where the app names one, and `probe` as in `_parts`.
    """
    return {
        monitor["name"]: {
            "app": app.name,
            **({"host": app.host} if app.host else {}),
            **({"probe": probe} if probe else {}),
        }
        for app in apps
        for monitor, probe in _with_probes(app)
    }


def _with_probes(app: App) -> list[tuple[Fields, str]]:
    """The group of the app and its parts, as `_parts` gives them; nothing when there is nothing to watch."""
    group: Fields = {"key": app.name, "name": app.name, "type": "group", **_PACE}
    parts = list(_parts(app))
    return [(group, ""), *parts] if parts else []


def _parts(app: App) -> Iterator[tuple[Fields, str]]:
    """Each monitor, with the name of the blackbox exporter's probe of the same thing, or an empty text.

    A port has the probe of the component of its name, so that one fault of both is reported once.
    """
    if app.url:
        yield _of(app, "website", "website", _app_http(app, app.url)), "url"
    if app.health.basic:
        yield _of(app, "health", "health", _app_http(app, urljoin(app.url or "", app.health.basic))), "health"
    for component in app.health.components:
        yield _of(app, f"component/{in_key(component)}", component, _component(app, component)), component
    for name, address in app.tcp.items():
        host, port = host_and_port(address)
        fields = {"type": "port", "hostname": host, "port": port, **_PACE}
        yield _of(app, f"tcp/{name}", f"{name} port", fields), name if name in app.health.components else ""
    for job in app.jobs:
        push = _push(job.silent_seconds)
        yield _of(app, job_key(app, job).removeprefix(f"{app.name}/"), f"job {job.name}", push), ""


def _of(app: App, key: str, name: str, fields: Fields) -> Fields:
    return {"key": f"{app.name}/{key}", "name": f"{app.name}: {name}", "group": app.name, **fields}


def _push(seconds: int) -> Fields:
    """Down when no report has come for this long."""
    return {"type": "push", "interval": seconds, "maxretries": 0, "retryInterval": 60}


def _http(url: str) -> Fields:
    return {"type": "http", "url": url, "expiryNotification": url.startswith("https:"), **_PACE}


def _app_http(app: App, url: str) -> Fields:
    return {**_http(url), **_asked(app), **({} if app.follows_redirects else {"maxredirects": 0})}


def _asked(options: HttpOptions) -> Fields:
    """Login, headers, certificate and status codes, where they are not Kuma's own."""
    # Kuma takes headers as the text of a JSON mapping.
    headers = json.dumps({name: value.get_secret_value() for name, value in options.headers.items()})
    login: Fields = {}
    if options.username and options.password is not None:
        password = options.password.get_secret_value()
        login = {"authMethod": "basic", "basic_auth_user": options.username, "basic_auth_pass": password}
    return {
        **login,
        **({"headers": headers} if options.headers else {}),
        **({"accepted_statuscodes": options.own_status} if options.own_status else {}),
        **({} if options.verify_tls else {"ignoreTls": True}),
    }


def _component(app: App, component: str) -> Fields:
    return {**_app_http(app, urljoin(app.url or "", app.health.detailed or "")), **health.component_in_kuma(component)}


# --- the backups ----------------------------------------------------------------------------------------------------

# Their probe: BackupLate reports one that is silent, so JobSilent does not (files/rules/uptime.yml).
_BACKUP = "backup"


def backup_monitors(context: Context) -> list[Fields]:
    """One for each backup of the server, in the group of its app if that has one; down when BackupLate would say so."""
    groups = {app.name for app in context.declaration.apps if app_monitors(app)}
    seconds = int(threshold("BackupLate", "high") * 3600)
    return [
        {
            "key": backup_key(job),
            "name": _backup_name(job),
            **({"group": job.name} if job.name in groups else {}),
            **_push(seconds),
        }
        for job in reporting_backups(context)
    ]


def backup_labels(context: Context) -> dict[str, dict[str, str]]:
    """As `series_labels`, for the monitors of backups; all of them are of the server."""
    return {_backup_name(job): {"app": job.name, "probe": _BACKUP} for job in reporting_backups(context)}


def _backup_name(job: BackupJob) -> str:
    return f"{job.name}: backup"


# --- the alerting path ----------------------------------------------------------------------------------------------


def alerting_path(context: Context, told: list[str]) -> list[Fields]:
    """Watches what sends all other alerts, so Kuma itself notifies of this one group, once for it all."""
    language = context.declaration.language
    path = ALERTING_PATH[language]
    return [
        {
            "key": ALERTING_KEY,
            "name": path,
            "type": "group",
            "description": f"Runbook: {context.declaration.runbook('AlertingPathAlive')}",
            "notifications": told,
            **_PATH_PACE,
            # In checks. What is declared is never shorter than the ten minutes of critical alerts.
            "resendInterval": duration_seconds(context.declaration.repeat_after) // _PATH_PACE["interval"],
        },
        {
            "key": HEARTBEAT_KEY,
            "name": f"{path}: {_HEARTBEAT[language]}",
            "group": ALERTING_KEY,
            **_push(_HEARTBEAT_SECONDS),
        },
        *(
            {
                "key": f"{ALERTING_KEY}/{name}",
                "name": f"{path}: {name.capitalize()}",
                "group": ALERTING_KEY,
                **_http(f"http://127.0.0.1:{context.services[name].port}/-/healthy"),
                **_PATH_PACE,
                "maxretries": 7,
                "timeout": 5,
            }
            for name in ("prometheus", "alertmanager")
        ),
    ]


# --- the team's own -------------------------------------------------------------------------------------------------


def group_key(declaration: Declaration, name: str) -> str:
    """Key of the group of this name: a declared one, or an app."""
    groups = [monitor for monitor in declaration.monitors if monitor.type == "group"]
    declared = {group.name: own_key(group.id or group.name) for group in groups}
    return declared.get(name, name)


def own_monitor(monitor: Monitor, declaration: Declaration) -> Fields:
    """A declared monitor in Kuma's terms."""
    seconds = duration_seconds(monitor.interval)
    return {
        "key": own_key(monitor.id or monitor.name),
        "name": monitor.name,
        "type": monitor.type,
        "active": not monitor.paused,
        "interval": seconds,
        "retryInterval": min(seconds, 60),
        "maxretries": 0 if isinstance(monitor, PushMonitor) else monitor.retries,
        **({"group": group_key(declaration, monitor.group)} if monitor.group else {}),
        **({"description": monitor.description} if monitor.description else {}),
        "notifications": monitor.notifications,
        "tags": [{"name": name, "value": value} for name, value in monitor.tags.items()],
        **_own_fields(monitor),
    }


def _own_fields(monitor: Monitor) -> Fields:
    match monitor:
        case PortMonitor():
            host, port = host_and_port(monitor.address)
            return {"hostname": host, "port": port}
        case PingMonitor():
            return {"hostname": monitor.hostname}
        case DnsMonitor():
            return {
                "hostname": monitor.hostname,
                "port": 53,
                "dns_resolve_server": monitor.server,
                "dns_resolve_type": monitor.record,
            }
        case DockerMonitor():
            return {"docker_container": monitor.container, "docker_host": monitor.engine}
        case PushMonitor() | GroupMonitor():
            return {}
        case KeywordMonitor():
            return {**_own_http(monitor), "keyword": monitor.keyword, "invertKeyword": monitor.absent}
        case JsonMonitor():
            condition = {
                "jsonPath": monitor.query,
                "jsonPathOperator": monitor.operator,
                "expectedValue": monitor.expected,
            }
            return {**_own_http(monitor), **condition}
        case _:
            return _own_http(monitor)


def _own_http(monitor: HttpMonitor | KeywordMonitor | JsonMonitor) -> Fields:
    followed = monitor.follows_redirects or "redirects" in monitor.model_fields_set
    return {
        "url": monitor.url,
        "method": monitor.method,
        **({"body": monitor.body.get_secret_value()} if monitor.body else {}),
        **_asked(monitor),
        "maxredirects": monitor.redirects if followed else 0,
        "timeout": duration_seconds(monitor.timeout),
        "expiryNotification": monitor.certificate and monitor.url.startswith("https:"),
    }
