# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run prints for people, in the declared language: before anything is changed the plan, then the report."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Traffic
from ansible_collections.crowsnest.core.plugins.module_utils.paths import NODE_EXPORTER_DEFAULTS
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import parse
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import monitors as monitors_in_sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import dsn_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    KINDS,
    SEVERITIES,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.connection import (
    is_here,
    left_out,
    ssh_command,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import (
    MIB,
    BackupSize,
    backup_jobs,
    not_backed_up,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.events import Events, events
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import told_weekly
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.sentry import told_by_sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_rules import counts_exceptions
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import STATUS, guarded
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.in_front import FOLDER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import notifications
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import monitors
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.objects import status_pages

# The part of files/words.
REPORT = "report"


def plan_table(context: Context, traffic: Mapping[str, Traffic] = MappingProxyType({})) -> list[str]:
    """The plan as lines of text for a terminal. `traffic` is that of the apps that report to Sentry, if known."""
    size = context.plan.retention_size_mib
    left = sum(mib for _, mib in context.plan.memory_rows)
    return [
        *_said(
            context,
            f"Server {context.server}, environment {context.declaration.environment}, {len(context.plan.hosts)} "
            f"host(s), {len(context.declaration.apps)} app(s)",
        ),
        "",
        *_columns(
            [_said(context, "SERVICE", "ADDRESS", "MEMORY", "LIMIT", "IMAGE")]
            + [
                [name, f"127.0.0.1:{row.port}", f"{row.need_mib} MiB", f"{row.limit_mib} MiB", row.image]
                for name, row in context.services.items()
            ]
        ),
        *_said(
            context,
            *(f"switched off: {name} - {reason}" for name, reason in context.plan.switched_off.items()),
            *(_replaced(host, flags) for host, flags in context.plan.replaced_flags.items()),
        ),
        "",
        *_columns(
            [[*_said(context, label), f"{mib:+d} MiB"] for label, mib in [*context.plan.memory_rows, ("left", left)]]
        ),
        "",
        *_backups(context),
        *_said(
            context,
            f"Metrics are kept {context.declaration.retention} or {size} MiB, whichever is reached first.",
            *(_events(each) for each in events(context.declaration, traffic)),
        ),
    ]


def _said(context: Context, *lines: str) -> list[str]:
    """Lines of text, or cells of a table, in the declared language."""
    return [translated(line, context.declaration.language, REPORT) for line in lines]


def _events(month: Events) -> str:
    share, most_errors = month.sentry.traces_sample_rate, month.sentry.monthly_errors
    return (
        f"{month.app.name} sends Sentry about {month.traces:,} traces a month ({share:.3g} of its requests) and "
        f"{month.errors:,} errors; monthly_errors is {most_errors:,}."
    )


def _backups(context: Context) -> list[str]:
    """What is backed up where, and how much of the disk that takes; sizes are known once there is a backup."""
    declared, sizes = context.declaration, context.plan.backups
    rows = [
        (
            job.name,
            job.host,
            f"{job.at} {declared.timezone}",
            str(job.keep.total),
            job.remote or "",
            *(_sizes(sizes[job.name]) if job.name in sizes else _said(context, "not yet", "", "")),
        )
        for job in backup_jobs(declared, context.server)
    ]
    heads = _said(context, "BACKUP", "HOST", "AT", "KEPT", "COPIED TO", "NEWEST", "ALL", "AT MOST")
    left = _said(context, *(f"not backed up: {app} - {why}" for app, why in not_backed_up(declared).items()))
    return [*(_columns([heads, *rows]) if rows else []), *left, ""]


def _sizes(size: BackupSize) -> tuple[str, str, str]:
    newest, now, at_most = (f"{number / MIB:.1f} MiB" for number in (size.newest, size.now, size.at_most))
    return newest, now, at_most


def _replaced(host: str, flags: str) -> str:
    return (
        f"replaced on {host}: your node exporter flags, {flags} - {NODE_EXPORTER_DEFAULTS} is kept with a date in "
        "its name; what you still need goes into node_exporter_flags or crowsnest_textfile_directory"
    )


def report(context: Context, server: Mapping[str, Any], inventory: str, secrets: str) -> list[str]:
    """What runs where and what is missing, for the end of a run.

    `server` are the variables of the server (how SSH reaches it), `inventory` is `-i …` quoted for a shell, `secrets`
    the folder of generated secrets.
    """
    pages = _with_page(context)
    return [
        *_columns([(planned.name, planned.external_url) for planned in pages]),
        *_said(
            context,
            *_tunnel(context, pages, server),
            *_logins(context, secrets),
            *_status_pages(context),
            *_firewall(context),
            "",
            *_alerts(context, inventory),
            *_weekly(context),
            *_restorable(context, inventory),
            *_wired(context, inventory),
            *_exceptions(context),
            *_monitors_by_hand(context),
            *(
                f"{name} is switched off: {reason}{_without(context, name)}"
                for name, reason in context.plan.switched_off.items()
            ),
        ),
    ]


def _without(context: Context, name: str) -> str:
    """What is missing without this container; empty where its name tells."""
    names = {
        container: service
        for service in context.registry.values()
        for container in (service.instances(context.declaration) if service.instances else [service.name])
    }
    return names[name].without if name in names else ""


def _with_page(context: Context) -> list[Planned]:
    """Services with a page for people, the first to open first."""
    ranks = {name: page.rank for name in context.services if (page := context.definition(name).page)}
    return [context.services[name] for name in sorted(ranks, key=lambda name: ranks[name])]


def _logins(context: Context, secrets: str) -> list[str]:
    """Who may open which page."""
    lines = []
    for name in context.services:
        if login := context.definition(name).login:
            password = f"{name}_admin_password"
            declared = getattr(context.declaration, password)
            where = f"the declared crowsnest_{password}" if declared else f"in {secrets}/{password}"
            lines.append(f"{login.title}'s user is {login.user(context.declaration)}, the password is {where}.")
    return [*lines, *_at_the_door(context, secrets)]


def _at_the_door(context: Context, secrets: str) -> list[str]:
    """Who may open the pages that have no login of their own, once strangers could reach them."""
    if "proxy" not in context.services:
        return []
    others = [page.name for page in _with_page(context) if guarded(context, page.name)]
    who = [
        f"{user.name}: {'crowsnest_users' if user.password else f'{secrets}/proxy_password_{user.name}'}"
        for user in context.declaration.users
    ]
    lines = [f"{', '.join(others)} and the portal ask for one of crowsnest_users. Passwords: {', '.join(who)}."]
    if context.declaration.proxy_mode == "behind":
        folder = f"{context.services['proxy'].config_directory}/current/{FOLDER}"
        lines.append(f"What to paste into your own nginx, Caddy, Traefik or Apache: {folder} on {context.server}.")
    return lines


def _firewall(context: Context) -> list[str]:
    """Which ports of the hosts are open, where the others are closed."""
    if not context.declaration.firewall:
        return []
    ports = context.declaration.open_ports
    everybody, some = (
        ", ".join(str(port) for port in ports if bool(port.sources) is limited) for limited in (False, True)
    )
    for_some = f" {some} for declared addresses," if some else ""
    return [f"Firewall of every host: {everybody or 'none'} open,{for_some} all other ports closed."]


def _status_pages(context: Context) -> list[str]:
    """Pages that anybody who reaches them may read."""
    if "uptime_kuma" not in context.services:
        return []
    url = context.services["uptime_kuma"].external_url.rstrip("/")
    if "proxy" in context.services:
        url = f"https://{STATUS}.{context.declaration.domain}"
    pages = status_pages(context, monitors(context))
    return [f"Status page without a login: {url}/status/{page['slug']}" for page in pages]


def _tunnel(context: Context, pages: Sequence[Planned], server: Mapping[str, Any]) -> list[str]:
    """How to reach pages that are on the host's loopback; nothing when the declaration gives them other addresses."""
    ports = [service.port for service in pages if "//127.0.0.1:" in service.external_url]
    if not ports or context.declaration.external_urls:
        return []
    if is_here(server):
        return ["These pages listen on the loopback of this machine."]
    forwards = [argument for port in ports for argument in ("-L", f"{port}:127.0.0.1:{port}")]
    command = ssh_command(server, "-N", *forwards)
    if not command:
        return ["These pages listen on the host's loopback."]
    more = f", and with {' and '.join(names)} of the inventory" if (names := left_out(server)) else ""
    return [f"These pages listen on the host's loopback. From your machine{more}: {command}"]


def _alerts(context: Context, inventory: str) -> list[str]:
    declaration = context.declaration
    receivers = [
        f"{receiver_name(item)} ({', '.join(item.severities)}{f'; after: {item.after}' if item.after else ''})"
        for item in declaration.receivers
    ]
    lines = [f"Alerts go to {'; '.join(receivers)}. Prove it: ./crowsnest alert-test {inventory}"]
    if not receivers:
        lines = ["Alerts go nowhere: declare crowsnest_receivers."]
    unheard = [name for name in SEVERITIES if not any(name in item.severities for item in declaration.receivers)]
    if receivers and unheard:
        lines.append(f"No receiver gets alerts of severity {', '.join(unheard)}.")
    if "uptime_kuma" in context.services and not notifications.names(declaration):
        lines.append(
            "Uptime Kuma can notify nobody when the alerting path is broken: declare a receiver of critical alerts of "
            f"type {', '.join(name for name in KINDS if name != 'sns')}."
        )
    if not declaration.heartbeat_url:
        lines.append("Nothing outside notices when alerting itself dies: declare crowsnest_heartbeat_url.")
    return lines


def _weekly(context: Context) -> list[str]:
    """When the weekly message comes, and to whom."""
    weekly = context.declaration.weekly_report
    names = ", ".join(receiver_name(item) for item in told_weekly(context.declaration))
    return [f"Every {weekly.when} a summary goes to {names}."] if weekly else []


def _exceptions(context: Context) -> list[str]:
    """Who tells exceptions of the apps that report them to Sentry."""
    voices: dict[str, list[str]] = {}
    by_sentry = told_by_sentry(context)
    for app in context.declaration.apps:
        if app.sentry:
            voices.setdefault(_voice(context, app, app.name in by_sentry), []).append(app.name)
    return [f"Exceptions of {', '.join(names)} are told by {voice}." for voice, names in voices.items()]


def _voice(context: Context, app: App, by_sentry: bool) -> str:
    account, disabled = context.declaration.sentry, context.declaration.disabled_alerts
    ours = counts_exceptions(app) and "AppExceptions" not in disabled
    if not by_sentry:
        return ("the alert AppExceptions, and by " if ours else "") + "Sentry as it is set up there"
    slack = f"Sentry in Slack {account.slack_channel if account and account.slack_channel else ''}".rstrip()
    return f"{slack}; the alert AppExceptions speaks while Sentry is down or full" if ours else slack


def _restorable(context: Context, inventory: str) -> list[str]:
    """What is backed up nightly, and how to see what can be restored."""
    names = ", ".join(job.name for job in backup_jobs(context.declaration, context.server))
    left = [f"{app} is not backed up: {why}." for app, why in not_backed_up(context.declaration).items()]
    if not names:
        return ["Nothing is backed up.", *left]
    return [f"Backed up every night: {names}. What can be restored: ./crowsnest backup --list {inventory}", *left]


def _monitors_by_hand(context: Context) -> list[str]:
    """Cron monitors of apps that have a DSN of their own: only people can make them."""
    return [
        f"Make a cron monitor {each['slug']} in the project of {app.name} in Sentry: {_schedule(each)}, grace period "
        f"{each['margin_minutes']} minutes."
        for app in context.declaration.apps
        if app.sentry and app.sentry.dsn
        for each in monitors_in_sentry(app, context.declaration.timezone)
    ]


def _schedule(monitor: Mapping[str, Any]) -> str:
    if "crontab" in monitor:
        return f"crontab {monitor['crontab']} in {monitor['timezone']}"
    return f"every {monitor['every_minutes']} minutes"


def _wired(context: Context, inventory: str) -> list[str]:
    """Where errors are reported to, and whose visits are counted."""
    apps = context.declaration.apps
    errors = [f"those of {app.name} to {parse(dsn).place}" for app in apps if (dsn := dsn_of(app, context.sentry))]
    visits = [f"{app.name} ({app.analytics.measurement_id})" for app in apps if app.analytics]
    lines = []
    if errors:
        lines.append(f"Errors go to Sentry, {', '.join(errors)}. Prove it: ./crowsnest sentry-test {inventory}")
    if visits:
        lines.append(f"Google Analytics counts visits of {', '.join(visits)}.")
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ([cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in padded]


def _width(text: str) -> int:
    """Columns of a terminal: Korean letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
