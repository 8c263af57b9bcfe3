# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What must be true after a run, as plain data for the module `verify`. Pure.

Everything is derived with the functions that make the configuration, so it cannot say something else than they.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import (
    Declaration,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import PROJECT
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    CATALOGUE,
    CONFIG_ROOT,
    KEYS_DIRECTORY,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard, queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import (
    VERIFY_CONNECTIONS,
    first_parameters,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config

# Path and text of all files of a service, and the facts of a host.
Files = Mapping[str, str]
Facts = Mapping[str, Any]


def expectations(
    plan: Plan,
    declaration: Declaration,
    files: Mapping[str, Files],
    compose: str,
    dashboards: Sequence[Dashboard],
    uptime: Mapping[str, Any],
    business: Mapping[str, Any],
    facts: Mapping[str, Facts | str],
    kept: Mapping[str, Any],
    limited: bool,
) -> dict[str, Any]:
    """Parameter `expected` of the module `verify`; it holds no secrets.

    `files` is {service: its generated files}, `compose` the text of the compose project, `uptime` and `business` the
    objects of Uptime Kuma and of Metabase, `facts` {host: what `host_facts` found last, or why it was not looked at},
    `limited` says that the run was told to leave out hosts, `kept` holds what other tasks of this run kept for its end.
    `checks` are those that are decided here.
    """
    # As long as Grafana's: four scrapes, so that a rate finds two samples even when one scrape is lost.
    window = f"{4 * duration_seconds(plan.settings.scrape_interval)}s"
    seen = {name: found for name, found in facts.items() if not isinstance(found, str)}
    unseen = {name: why for name, why in facts.items() if isinstance(why, str)}
    return {
        "host": plan.server,
        "hosts": list(plan.hosts),
        "apps": [app.name for app in plan.settings.apps],
        "services": {name: _service(plan, name, files[name]) for name in plan.services},
        "compose": {"path": f"{CONFIG_ROOT}/compose.yaml", "sha256": digest(compose)},
        "targets": targets(prometheus_config(plan)),
        "rules": rules(files["prometheus"]),
        "receivers": _receivers(declaration),
        "heartbeat": declaration.heartbeat_url is not None,
        "certificates": {
            app.name: app.url
            for app in plan.settings.apps
            if "blackbox" in plan.services and app.url and app.url.startswith("https:")
        },
        "dashboards": {each.uid: each.title for each in dashboards},
        "grafana_plugins": dict(plan.settings.grafana_plugins),
        "monitors": [
            it["name"] for it in uptime.get("monitors", []) if it["type"] != "push" and it.get("active", True)
        ],
        "status_pages": [it["slug"] for it in uptime.get("status_pages", [])],
        "business": {
            "key_file": business.get("key_file", ""),
            "connections": VERIFY_CONNECTIONS,
            "questions": [
                {"key": it["key"], "app": it["collection"], "name": it["name"], "parameters": first_parameters(it)}
                for it in business.get("questions", [])
            ],
        },
        "queries": [
            {"dashboard": it.dashboard, "panel": it.panel, "expr": it.expr, "empty": it.empty, "app": it.app}
            for each in dashboards
            for it in queries(each, window)
        ],
        "checks": [
            *_host_checks(plan, unseen, limited),
            *_off_checks(plan),
            *port_checks(plan, seen),
            *_kept_checks(kept),
        ],
    }


def digest(text: str) -> str:
    """SHA-256 of a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _service(plan: Plan, name: str, files: Files) -> dict[str, Any]:
    """One service: its container as its compose fragment says, and its files as {path: sha256}."""
    service = plan.services[name]
    container = yaml.safe_load(files["compose.yml"])["services"][name]
    return {
        "url": f"http://127.0.0.1:{service.port}",
        "path": service.config_directory,
        "container": f"{PROJECT}-{name}-1",
        "image": service.image,
        "user": service.user,
        "limit_mib": service.limit_mib,
        "command": [word.replace("$$", "$") for word in container.get("command", [])],
        "environment": container["environment"],
        "labels": container.get("labels", {}),
        "reloads": CATALOGUE[name].reloads,
        "answers": CATALOGUE[name].answers,
        "key": f"{KEYS_DIRECTORY}/{name}" if name == "uptime_kuma" else "",
        "files": {path: digest(text) for path, text in files.items()},
    }


def targets(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """[{"job", "address", "path", "app", "probe", "host"}] of a prometheus.yml."""
    return [
        {
            "job": job["job_name"],
            "address": address,
            "path": group["labels"].get("__metrics_path__", job.get("metrics_path", "/metrics")),
            "app": group["labels"].get("app", ""),
            "probe": group["labels"].get("probe", ""),
            "host": group["labels"].get("host", ""),
        }
        for job in config["scrape_configs"]
        for group in job["static_configs"]
        for address in group["targets"]
    ]


def rules(files: Files) -> dict[str, int]:
    """{file/group: number of its rules} of all rule files, such as {"host.yml/host_cpu": 2}.

    A group without rules, of which all alerts are disabled, counts as well: Prometheus lists it.
    """
    return {
        f"{PurePosixPath(path).name}/{group['name']}": len(group.get("rules") or [])
        for path, text in files.items()
        if path.startswith("rules/")
        for group in yaml.safe_load(text)["groups"]
    }


def _receivers(declaration: Declaration) -> dict[str, list[str]]:
    """{integration of Alertmanager: names of the receivers that use it}."""
    names: dict[str, list[str]] = {}
    for receiver in declaration.receivers:
        names.setdefault(receiver.type, []).append(receiver_name(receiver))
    return names


# --- checks that need no question ---


def _check(status: str, area: str, detail: str, advice: str = "", kind: str = "", name: str = "") -> dict[str, str]:
    """One line; `kind` and `name` as those of `Check` in module_utils/verify/check.py."""
    return {"status": status, "area": area, "detail": detail, "advice": advice, "kind": kind, "name": name}


def _host_checks(plan: Plan, unseen: Mapping[str, str], limited: bool) -> list[dict[str, str]]:
    status, advice = (
        "WARN" if limited else "FAIL",
        "Does `ssh` reach it? An alert HostDown fires when it is really down.",
    )
    lines = [
        _check(
            status, "hosts", f"{name} was not looked at: {why}", advice, "hosts were not looked at", f"{name} ({why})"
        )
        for name, why in unseen.items()
    ]
    return [*lines, _check("PASS", "hosts", f"{len(plan.hosts) - len(unseen)} of {len(plan.hosts)} looked at")]


def _off_checks(plan: Plan) -> list[dict[str, str]]:
    advice, kind = "A larger bundle, or stop what uses the memory.", "services are switched off"
    return [
        _check("WARN", "containers", f"{name} is switched off: {reason}", advice, kind, name)
        for name, reason in plan.switched_off.items()
    ]


# (status, area, fact, what many of them are): what roles keep for the end of a run, as [{"message"}], with "change"
# where it says of what. A database that cannot be read is a warning: no run changes the app.
_KEPT = (
    ("FAIL", "business", "metabase_failed", "changes in Metabase failed"),
    ("WARN", "databases", "database_reader_failed", "databases cannot be read"),
    ("WARN", "databases", "database_reader_notes", "databases are not as they should be"),
)


def _kept_checks(kept: Mapping[str, Any]) -> list[dict[str, str]]:
    lines = []
    for status, area, fact, kind in _KEPT:
        for it in kept.get(fact, []):
            message = f"{it['change']}: {it['message']}" if "change" in it else it["message"]
            lines.append(_check(status, area, message, kind=kind, name=it.get("change") or it.get("app") or message))
    return lines


def port_checks(plan: Plan, facts: Mapping[str, Facts]) -> list[dict[str, str]]:
    """Which TCP ports others can reach, on every host that answers: only those of `crowsnest_open_ports`."""
    checks = [check for name, found in facts.items() for check in _odd_ports(plan, name, found)]
    if checks:
        return checks
    ports = sorted({port for found in facts.values() for port in open_ports(found)})
    shown = ", ".join(map(str, ports)) or "none"
    return [_check("PASS", "ports", f"only declared ones can be reached from outside: {shown}")]


def _odd_ports(plan: Plan, host: str, facts: Facts) -> list[dict[str, str]]:
    ours = {service.port: name for name, service in plan.services.items()} if host == plan.server else {}
    ours[plan.node_exporter_port] = "node exporter"
    # Further hosts are watched at their private address, and so are apps on them.
    wanted = {plan.hosts[host].strip("[]")} if host != plan.server else set()
    watched = {plan.node_exporter_port} | {
        int(target.partition("/")[0].rpartition(":")[2])
        for app in plan.settings.apps
        if (app.host or plan.server) == host
        for target in app.metrics
    }
    published = {
        row["port"]: row["container"] for row in facts.get("published", []) if _from_outside(row["address"], facts)
    }
    checks = []
    for port, addresses in sorted(open_ports(facts).items()):
        if port in plan.settings.open_ports or (port in watched and addresses <= wanted):
            continue
        who = ours.get(port) or (f"container {published[port]}" if port in published else "a program")
        addressed = ", ".join(sorted(addresses))
        # Docker opens its ports past the host's own firewall; for other programs that one may be closed.
        status = "FAIL" if port in ours or port in published else "WARN"
        checks.append(
            _check(
                status,
                "ports",
                f"{host}: {who} can be reached from outside at port {port} ({addressed})",
                _port_advice(port, port in ours, published.get(port)),
                "ports can be reached from outside",
                f"{host} {port} ({who})",
            )
        )
    return checks


def _port_advice(port: int, ours: bool, container: str | None) -> str:
    if ours:
        return (
            f"The stack listens on loopback only: `sudo ss -ltnp 'sport = :{port}'` there names who does this. "
            "Run `./crowsnest site` with the same -i, or add the port to crowsnest_open_ports."
        )
    if container:
        return (
            f"Docker opens it past the host's firewall. In its compose file write 127.0.0.1:{port} instead of {port}, "
            "or add it to crowsnest_open_ports."
        )
    return (
        f"Unless a firewall keeps others out. `sudo ss -ltnp 'sport = :{port}'` there names the program: let it listen "
        "on 127.0.0.1, or add the port to crowsnest_open_ports."
    )


def open_ports(facts: Facts) -> dict[int, set[str]]:
    """{port: addresses} that others can reach, of what listens on a host and what Docker publishes there."""
    listening = [(int(port), address) for port, addresses in facts["ports"].items() for address in addresses]
    published = [(int(row["port"]), row["address"]) for row in facts.get("published", [])]
    found: dict[int, set[str]] = {}
    for port, address in [*listening, *published]:
        if _from_outside(address, facts):
            found.setdefault(port, set()).add(address)
    return found


def _from_outside(address: str, facts: Facts) -> bool:
    """Whether others can reach it: any address, a public one, or the one that the host itself uses towards others.

    The last is a private one behind a provider's address translation. Other private ones are those of Docker's bridges.
    """
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip.is_unspecified or (mapped or ip).is_global or str(mapped or ip) == facts["address"]
