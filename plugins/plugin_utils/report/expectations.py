# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What must be true after a run, as plain data for the module `verify`. Pure.

Everything is derived with the functions that make the configuration, so the two cannot differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.module_utils.http import basic
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_FILE, KEYS_DIRECTORY
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import parse
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import (
    Expected,
    Kept,
    KeptFact,
    Line,
    OfServices,
    PageHeaders,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files import environment, tags
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import dsn_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import name_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import STACK, backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.firewall import watched_ports
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.reachable import from_outside, open_ports
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.events import events
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import accepted_codes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import (
    compose_file,
    fragment,
    service_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import container_name
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import gives_key
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import app_metrics


def expectations(context: Context, facts: Mapping[str, HostFacts | str], kept: Kept, limited: bool) -> Expected:
    """Parameter `expected` of the module `verify`; it holds no secrets.

    `facts` is {host: what `host_facts` found last, or why it was not checked}, `limited` means that --limit left
    out hosts, `kept` holds what other tasks of this run kept for its end. `checks` are those that are decided here.
    """
    seen = {name: found for name, found in facts.items() if not isinstance(found, str)}
    unseen = {name: why for name, why in facts.items() if isinstance(why, str)}
    of_services: OfServices = {
        "targets": [],
        "rules": {},
        "receivers": {},
        "slack_bots": {},
        "heartbeat": False,
        "certificates": {},
        "dashboards": {},
        "monitors": [],
        "status_pages": [],
        "business": {"key_file": "", "connections": 0, "questions": []},
        "queries": [],
        "kpis": [],
        "door": {"names": {}, "behind": False, "authority": ""},
    }
    for name in context.services:
        of_services.update(context.definition(name).expected(context))
    return {
        "host": context.server,
        "hosts": list(context.plan.hosts),
        "apps": [*(app.name for app in context.declaration.apps), STACK],
        "services": {name: _service(context, name) for name in context.services},
        "compose": {"path": COMPOSE_FILE, "sha256": digest(yaml_text(compose_file(context)))},
        "grafana_plugins": dict(context.declaration.grafana_plugins),
        "backups": [
            {"app": job.name, "host": job.host, "drill": job.drill != "never"}
            for job in backup_jobs(context.declaration, context.server)
        ],
        "weekly_report": weekly.when if (weekly := context.declaration.weekly_report) else "",
        "analytics": [
            {
                "app": app.name,
                "url": app.url,
                "measurement_id": app.analytics.measurement_id,
                "in_templates": bool(app.analytics.templates),
                "consent_by_default": app.analytics.consent_by_default,
                "verify_tls": app.verify_tls,
                "accepted": accepted_codes(app),
            }
            for app in context.declaration.apps
            if app.analytics and app.url
        ],
        "app_metrics": [app_metrics(app) for app in context.declaration.apps if app.metrics],
        "custom_metrics": [
            {"app": app.name, "series": series, "setting": setting}
            for app in context.declaration.apps
            for series, setting in _own_series(app).items()
        ],
        **of_services,
        "checks": [
            *_host_checks(context, unseen, limited),
            *_off_checks(context),
            *port_checks(context, seen),
            *_app_file_checks(context, seen),
            *_event_checks(context, seen),
            *_kept_checks(kept),
        ],
    }


def _own_series(app: App) -> dict[str, str]:
    """{series that the app must export: the setting that names it}."""
    return {
        **{name_of(series): f"signals.{name}" for name, series in app.signals.model_dump(exclude_none=True).items()},
        **{metric.exported: "custom_metrics" for metric in app.custom_metrics},
    }


def digest(text: str) -> str:
    """SHA-256 of a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def secret_digests(context: Context) -> dict[str, dict[str, str]]:
    """{service: {relative path: sha256}} of the secret files."""
    return {
        name: {path: digest(text) for path, text in context.secret_files(name).items()} for name in context.services
    }


def page_headers(context: Context) -> PageHeaders:
    """Headers of the apps whose pages are requested, as blackbox exporter sends them."""
    found = {app.name: dict(_headers(app)) for app in context.declaration.apps if app.analytics and app.url}
    return {app: headers for app, headers in found.items() if headers}


def _headers(app: App) -> Iterator[tuple[str, str]]:
    for name, value in app.headers.items():
        yield name, value.get_secret_value()
    if app.password:
        yield "Authorization", basic(app.username or "", app.password.get_secret_value())


def _service(context: Context, name: str) -> Service:
    """One service: its container as in its compose fragment, and its files as {path: sha256}."""
    planned, service = context.services[name], context.definition(name)
    container = service.container(context, planned)
    described = fragment(context, name)["services"][name]
    return {
        "url": planned.url,
        "path": planned.config_directory,
        "container": container_name(name),
        "image": planned.image,
        "user": planned.user,
        "limit_mib": planned.limit_mib,
        "command": list(container.command),
        "environment": described["environment"],
        "labels": dict(container.labels),
        "reloads": bool(service.reload_metric),
        "answers": service.answers,
        "unasked": service.unasked,
        "key": f"{KEYS_DIRECTORY}/{name}" if gives_key(context, name) else "",
        "files": {path: digest(text) for path, text in service_files(context, name).items()},
    }


# --- checks that need no request ---


def _check(status: str, area: str, detail: str, advice: str = "", kind: str = "", name: str = "") -> Line:
    """One line; `kind` and `name` as those of `Check` in module_utils/verify/check.py."""
    return {"status": status, "area": area, "detail": detail, "advice": advice, "kind": kind, "name": name}


def _host_checks(context: Context, unseen: Mapping[str, str], limited: bool) -> list[Line]:
    status, advice = (
        "WARN" if limited else "FAIL",
        "Does `ssh` reach it? An alert HostDown fires when it is really down.",
    )
    lines = [
        _check(status, "hosts", f"{name} was not checked: {why}", advice, "hosts were not checked", f"{name} ({why})")
        for name, why in unseen.items()
    ]
    total = len(context.plan.hosts)
    return [*lines, _check("PASS", "hosts", f"{total - len(unseen)} of {total} checked")]


def _off_checks(context: Context) -> list[Line]:
    advice, kind = "Choose a larger bundle, or stop what uses the memory.", "services are switched off"
    return [
        _check("WARN", "containers", f"{name} is switched off: {reason}", advice, kind, name)
        for name, reason in context.plan.switched_off.items()
    ]


def _app_file_checks(context: Context, facts: Mapping[str, HostFacts]) -> list[Line]:
    """Whether the apps' env files and templates hold what is declared of Sentry and Analytics."""
    declared, lines = context.declaration, []
    for host, found in facts.items():
        stale = environment.left(declared, host, context.server, found, context.sentry)
        lines += [_stale("environment", host, path) for path in stale]
        lines += [_stale("analytics", host, path) for path in tags.left(declared, host, context.server, found)]
        own = [app for app in declared.apps if context.plan.host_of(app) == host]
        lines += [line for app in own for line in _release_checks(app, found["releases"])]
    written = [app for app in declared.apps if app.sentry or (app.analytics and app.analytics.env)]
    if written and not lines:
        files = ", ".join(f"{app.name} ({app.env_file})" for app in written)
        lines.append(_check("PASS", "environment", f"the env files hold the keys of Sentry and Analytics: {files}"))
    return lines


def _event_checks(context: Context, facts: Mapping[str, HostFacts]) -> list[Line]:
    """Apps that send sentry.io more errors than their plan takes; other servers have no such limit."""
    traffic = facts[context.server]["traffic"] if context.server in facts else {}
    return [
        _check(
            "WARN",
            "sentry",
            f"{month.app.name} fails about {month.errors:,} times a month; "
            f"Sentry takes {month.sentry.monthly_errors:,} of its errors",
            "Repair first what Sentry lists first: once that is used up, it takes nothing until the next month. "
            "With a larger plan declare `monthly_errors`.",
        )
        for month in events(context.declaration, traffic)
        if month.errors > month.sentry.monthly_errors
        if (dsn := dsn_of(month.app, context.sentry)) and parse(dsn).is_of_sentry_io
    ]


def _release_checks(app: App, releases: Mapping[str, str]) -> Iterator[Line]:
    """A commit is missing without git, outside a checkout, before the first one, and where a part of it has an owner
    whom git does not trust; a tag without a container, and where its image has only a digest.
    """
    if app.sentry is None or not environment.is_untold(app, releases):
        return
    if app.sentry.release == "git":
        folder = PurePosixPath(app.compose or "").parent
        detail = f"no commit can be told of {folder}"
        advice = f'`sudo -u "$(stat -c %U {folder})" git -C {folder} rev-parse --short HEAD` on its host says why.'
    else:
        detail = f"no tag can be told of the image of {app.sentry.restart[0]}"
        advice = f"Start that service of {app.compose}, with an image that has a tag."
    advice += " Or write the release itself, such as `release: 1.2.3`."
    yield _check("WARN", "environment", f"{app.name}: {detail}, so Sentry does not learn its release", advice)


def _stale(area: str, host: str, path: str) -> Line:
    advice = "Run `./crowsnest site` with the same -i; with `release: git` or `image` after each deploy."
    return _check("WARN", area, f"{host}: {path} does not hold what is declared, or does not exist", advice)


# (status, area, fact, heading of several lines): what roles keep for the end of a run, as [{"message"}], with "change"
# where a change failed. A database that cannot be read is a warning: no run changes the app.
_KEPT: tuple[tuple[str, str, KeptFact, str], ...] = (
    ("FAIL", "business", "metabase_failed", "changes in Metabase failed"),
    ("WARN", "databases", "database_reader_failed", "databases cannot be read"),
    ("WARN", "databases", "database_reader_notes", "databases are not as they should be"),
)


def _kept_checks(kept: Kept) -> list[Line]:
    lines = []
    for status, area, fact, kind in _KEPT:
        for entry in kept.get(fact, []):
            message = f"{entry['change']}: {entry['message']}" if "change" in entry else entry["message"]
            name = entry.get("change") or entry.get("app") or message
            lines.append(_check(status, area, message, kind=kind, name=name))
    return lines


def port_checks(context: Context, facts: Mapping[str, HostFacts]) -> list[Line]:
    """Which TCP ports others can reach, on every host that answers: only those of `crowsnest_open_ports`."""
    if context.declaration.firewall:
        return _firewall_checks(context, facts)
    checks = [check for name, found in facts.items() for check in _odd_ports(context, name, found)]
    if checks:
        return checks
    ports = sorted({port for found in facts.values() for port in open_ports(found)})
    listed = ", ".join(map(str, ports)) or "none"
    return [_check("PASS", "ports", f"only declared ports can be reached from outside: {listed}")]


def _firewall_checks(context: Context, facts: Mapping[str, HostFacts]) -> list[Line]:
    """Whether the firewall of each host is as planned; what listens behind it is nobody's business then."""
    odd = [name for name, found in facts.items() if found["firewall"]["rules"] != context.plan.firewall.get(name)]
    if odd:
        advice = (
            "Run `./crowsnest site` with the same -i. `sudo nft list table inet crowsnest` there shows the rules in "
            "force, `systemctl status crowsnest-firewall` whether they are loaded at a start."
        )
        kind = "firewalls are not as declared"
        return [_check("FAIL", "ports", f"{name}: the firewall is not as declared", advice, kind, name) for name in odd]
    listed = ", ".join(dict.fromkeys(map(str, context.declaration.open_ports))) or "none"
    return [_check("PASS", "ports", f"the firewall closes all ports but {listed}")]


def _odd_ports(context: Context, host: str, facts: HostFacts) -> list[Line]:
    own = {service.port: name for name, service in context.services.items()} if host == context.server else {}
    own[context.plan.node_exporter_port] = "node exporter"
    # Further hosts are watched at their private address, and so are apps on them.
    wanted = {context.plan.hosts[host].strip("[]")} if host != context.server else set()
    watched = watched_ports(context.declaration, host, context.server, context.plan.node_exporter_port)
    published = {row["port"]: row["container"] for row in facts["published"] if from_outside(row["address"], facts)}
    declared = {each.port for each in context.declaration.open_ports if each.protocol == "tcp"}
    checks = []
    for port, addresses in sorted(open_ports(facts).items()):
        if port in declared or (port in watched and addresses <= wanted):
            continue
        who = own.get(port) or (f"container {published[port]}" if port in published else "a program")
        addressed = ", ".join(sorted(addresses))
        # Docker opens its ports past the host's own firewall; that firewall may block other programs.
        status = "FAIL" if port in own or port in published else "WARN"
        checks.append(
            _check(
                status,
                "ports",
                f"{host}: {who} can be reached from outside at port {port} ({addressed})",
                _port_advice(port, port in own, published.get(port)),
                "ports can be reached from outside",
                f"{host} {port} ({who})",
            )
        )
    return checks


def _port_advice(port: int, own: bool, container: str | None) -> str:
    if own:
        return (
            f"The stack listens on loopback only: `sudo ss -ltnp 'sport = :{port}'` there names the program. "
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
