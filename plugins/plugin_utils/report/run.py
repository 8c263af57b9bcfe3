# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run prints for a person: the plan before anything is changed, the report at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import (
    SEVERITIES,
    Declaration,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.connection import (
    is_here,
    left_out,
    ssh_command,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import NODE_EXPORTER_DEFAULTS, PAGES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import notifications
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import monitors
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.objects import status_pages


def plan_table(plan: Plan) -> list[str]:
    """The plan as lines of text for a terminal."""
    size = plan.retention_size_mib
    left = sum(mib for _, mib in plan.memory_rows)
    return [
        f"Server {plan.server}, environment {plan.settings.environment}, {len(plan.hosts)} host(s), "
        f"{len(plan.settings.apps)} app(s)",
        "",
        *_columns(
            [("SERVICE", "ADDRESS", "MEMORY", "LIMIT", "IMAGE")]
            + [
                (name, f"127.0.0.1:{it.port}", f"{it.need_mib} MiB", f"{it.limit_mib} MiB", it.image)
                for name, it in plan.services.items()
            ]
        ),
        *(f"switched off: {name} - {reason}" for name, reason in plan.switched_off.items()),
        *(_replaced(host, flags) for host, flags in plan.replaced_flags.items()),
        "",
        *_columns([(label, f"{mib:+d} MiB") for label, mib in plan.memory_rows] + [("left", f"{left:+d} MiB")]),
        "",
        f"Metrics are kept {plan.settings.retention} or {size} MiB, whichever is reached first.",
    ]


def _replaced(host: str, flags: str) -> str:
    return (
        f"replaced on {host}: your flags of node exporter, {flags} - {NODE_EXPORTER_DEFAULTS} is kept with a date in "
        "its name; what you still need goes into node_exporter_flags or crowsnest_textfile_directory"
    )


def report(plan: Plan, declaration: Declaration, server: Mapping[str, Any], inventory: str, secrets: str) -> list[str]:
    """What runs where and what is missing, for the end of a run.

    `server` are the variables of the server (how SSH reaches it), `inventory` is `-i …` as a shell takes it, `secrets`
    the folder of generated ones.
    """
    pages = [(name, plan.services[name].external_url) for name in PAGES if name in plan.services]
    return [
        *_columns(pages),
        *_tunnel(plan, server),
        *_logins(plan, declaration, secrets),
        *_status_pages(plan, declaration),
        "",
        *_alerts(plan, declaration, inventory),
        *(f"{name} is switched off: {reason}{_WITHOUT.get(name, '')}" for name, reason in plan.switched_off.items()),
    ]


# What a service that is switched off does not do, where its name does not say it.
_WITHOUT = {
    "uptime_kuma": "; jobs, ports and monitors of your own are not watched, and there is no status page",
    "metabase": "; there are no numbers of the business (4 GB of memory fit it beside an app)",
}


def _logins(plan: Plan, declaration: Declaration, secrets: str) -> list[str]:
    """Who may open which page."""
    lines = []
    people = {"grafana": ("Grafana", "admin"), "uptime_kuma": ("Uptime Kuma", "admin")}
    people["metabase"] = ("Metabase", declaration.metabase_admin_email)
    for service, (title, user) in people.items():
        if service in plan.services:
            name = f"{service}_admin_password"
            where = f"the declared crowsnest_{name}" if getattr(declaration, name) else f"in {secrets}/{name}"
            lines.append(f"{title}'s user is {user}, the password is {where}.")
    return lines


def _status_pages(plan: Plan, declaration: Declaration) -> list[str]:
    """What everybody may read who reaches it."""
    if "uptime_kuma" not in plan.services:
        return []
    url = plan.services["uptime_kuma"].external_url.rstrip("/")
    pages = status_pages(plan, declaration, monitors(plan, declaration, ""))
    return [f"Status page without a login: {url}/status/{page['slug']}" for page in pages]


def _tunnel(plan: Plan, server: Mapping[str, Any]) -> list[str]:
    """How to reach pages that are on the host's loopback; nothing when people have an address of their own for them."""
    shown = [plan.services[name] for name in PAGES if name in plan.services]
    ports = [service.port for service in shown if "//127.0.0.1:" in service.external_url]
    if not ports or plan.settings.external_urls:
        return []
    if is_here(server):
        return ["They listen on the loopback of this machine."]
    forwards = [word for port in ports for word in ("-L", f"{port}:127.0.0.1:{port}")]
    command = ssh_command(server, "-N", *forwards)
    if not command:
        return ["They listen on the host's loopback."]
    more = f", and with {' and '.join(names)} of the inventory" if (names := left_out(server)) else ""
    return [f"They listen on the host's loopback. From your machine{more}: {command}"]


def _alerts(plan: Plan, declaration: Declaration, inventory: str) -> list[str]:
    receivers = [f"{receiver_name(it)} ({', '.join(it.severities)})" for it in declaration.receivers]
    lines = [f"Alerts go to {'; '.join(receivers)}. Prove it: ./crowsnest alert-test {inventory}"]
    if not receivers:
        lines = ["Alerts go nowhere: declare crowsnest_receivers."]
    unheard = [name for name in SEVERITIES if not any(name in it.severities for it in declaration.receivers)]
    if receivers and unheard:
        lines.append(f"No receiver gets alerts of severity {', '.join(unheard)}.")
    if "uptime_kuma" in plan.services and not notifications.names(declaration):
        lines.append(
            "Uptime Kuma can tell nobody when the alerting path is broken: declare a receiver of critical alerts of "
            "type slack, discord, email or webhook."
        )
    if not declaration.heartbeat_url:
        lines.append("Nothing outside notices when alerting itself dies: declare crowsnest_heartbeat_url.")
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
