# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs all queries in parallel and collects the checks. Python 3.9, standard library."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.loaded import in_force_since
from ansible_collections.crowsnest.core.plugins.module_utils.http import (
    Prometheus,
    ServiceError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import active_alerts, alert_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.analytics import page_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.answers import Container
from ansible_collections.crowsnest.core.plugins.module_utils.verify.app_metrics import app_metrics_checks, asked_of_apps
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    logs_of,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.custom import custom_checks, exported_question
from ansible_collections.crowsnest.core.plugins.module_utils.verify.door import door_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import (
    ComposeProject,
    Expected,
    Line,
    PageHeaders,
    Report,
    SecretDigests,
    Service,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.grafana import grafana_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.kpis import ANSWERED_KPIS, kpi_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.kuma import kuma_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.metabase import metabase_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.server import (
    container_checks,
    file_checks,
    find_containers,
    loaded_checks,
    read_metrics,
    seconds_of,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.slack import bot_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.state import (
    Now,
    questions,
    state_checks,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.versions import version_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.watching import (
    panel_checks,
    rule_checks,
    target_checks,
)

_ORDER = {FAIL: 0, WARN: 1, PASS: 2}
_PAUSE_SECONDS = 2.0
# `://user:password@host`, where the password may hold a slash; not the @ of a path behind `host` or `host:port`.
_LOGIN = re.compile(r"://(?:[^/?#\s]*|[^\s/:@]+:(?!\d+(?:[/?#]|$))\S*)@")
# How far back deliveries count: an hour, but not beyond the time when Alertmanager's configuration came into force, as
# the one before may have had another webhook. A rate needs at least the second number.
_LONGEST_SECONDS, _SHORTEST_SECONDS = 3600, 60


def report(
    expected: Expected, secrets: SecretDigests, password: str, page_headers: PageHeaders, wait_seconds: float
) -> Report:
    """The verification as it is passed on.

    As long as something is wrong that may be right in a moment, all is checked again, for at most `wait_seconds`.
    """
    started = time.monotonic()
    while True:
        checks = all_checks(expected, secrets, password, time.time())
        waits = any(check.soon for check in checks)
        if not waits or time.monotonic() - started + _PAUSE_SECONDS > wait_seconds:
            break
        time.sleep(_PAUSE_SECONDS)
    # Only once: these ask the app's own database, the app itself, and Slack.
    if "metabase" in expected["services"]:
        url, business = expected["services"]["metabase"]["url"], expected["business"]
        checks += metabase_checks(url, business["key_file"], business["questions"], business["connections"])
    checks += page_checks(expected["analytics"], page_headers)
    checks += bot_checks(expected["services"]["alertmanager"]["path"], expected["slack_bots"])
    checks.sort(key=lambda check: _ORDER[check.status])
    counts = {status: sum(check.status == status for check in checks) for status in _ORDER}
    return {
        "host": expected["host"],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - started, 1),
        "passed": counts[PASS],
        "warnings": counts[WARN],
        "failed": counts[FAIL],
        "checks": [plain(check) for check in checks],
    }


def plain(check: Check) -> Line:
    """A line as it is passed on."""
    return {
        "status": check.status,
        "area": check.area,
        "detail": _without_login(check.detail),
        "advice": _without_login(check.advice),
        "kind": _without_login(check.kind),
        "name": _without_login(check.name),
    }


def _without_login(text: str) -> str:
    """Masks a login inside an address: nobody may read it, whoever wrote it there."""
    return _LOGIN.sub("://***@", text)


def all_checks(expected: Expected, secrets: SecretDigests, password: str, now: float) -> list[Check]:
    """Every check once. A service that does not answer is one line, and what depends on it is left out."""
    services = expected["services"]
    try:
        containers = find_containers(services)
    except ServiceError as error:
        return [Check(FAIL, "containers", str(error), "See `sudo systemctl status docker` on the server.")]
    answers = read_metrics(services)
    metrics = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
    parts: list[Callable[[], list[Check]]] = [
        lambda: [Check(**check) for check in expected["checks"]],
        lambda: container_checks(services, containers, now),
        lambda: [*compose_checks(expected["compose"]), *file_checks(services, secrets)],
        lambda: [*silent_checks(services, containers, answers), *loaded_checks(services, metrics)],
        lambda: version_checks(services, metrics),
    ]
    if "prometheus" in metrics:
        parts.append(lambda: prometheus_checks(expected, now))
    if "grafana" in metrics:
        grafana, dashboards, plugins = services["grafana"]["url"], expected["dashboards"], expected["grafana_plugins"]
        parts.append(lambda: grafana_checks(grafana, "admin", password, dashboards, plugins))
    if "uptime_kuma" in metrics:
        kuma = services["uptime_kuma"]["url"]
        parts.append(lambda: kuma_checks(kuma, metrics["uptime_kuma"], expected["monitors"], expected["status_pages"]))
    if "proxy" in services:
        parts.append(lambda: door_checks(expected["door"], now - in_force_since(services["proxy"]["path"])))
    with ThreadPoolExecutor(len(parts)) as pool:
        return [check for checks in pool.map(lambda part: part(), parts) for check in checks]


def silent_checks(
    services: Mapping[str, Service],
    containers: Mapping[str, Container],
    answers: Mapping[str, str | ServiceError],
) -> list[Check]:
    """Services that run but do not answer; a container that does not run is reported elsewhere."""
    return [
        Check(
            FAIL,
            "services",
            _silent(name, services[name], answer),
            logs_of(name),
            soon=True,
            kind="services do not answer",
            name=f"{name} ({answer})",
        )
        for name, answer in answers.items()
        if isinstance(answer, ServiceError) and name in containers and containers[name]["State"]["Running"]
    ]


def _silent(name: str, service: Service, error: ServiceError) -> str:
    unasked = f"; not checked: {service['unasked']}" if service["unasked"] else ""
    return f"{name} does not answer at {service['url']} ({error}){unasked}"


def compose_checks(compose: ComposeProject) -> list[Check]:
    """The compose project itself: it names the fragments of all services."""
    try:
        digest = hashlib.sha256(Path(compose["path"]).read_bytes()).hexdigest()
    except OSError as error:
        return [Check(FAIL, "files", f"{compose['path']}: {error.strerror}", RUN_SITE)]
    return (
        []
        if digest == compose["sha256"]
        else [Check(FAIL, "files", f"{compose['path']} is not as generated", RUN_SITE)]
    )


def prometheus_checks(expected: Expected, now: float) -> list[Check]:
    """Everything that needs a query to Prometheus; one line when it does not answer."""
    url = expected["services"]["prometheus"]["url"]
    since = in_force_since(expected["services"]["alertmanager"]["path"])
    prometheus, exprs = Prometheus(url), questions(_window(now - since))
    exported = exported_question(expected["custom_metrics"])
    try:
        runtime = prometheus.get("/api/v1/status/runtimeinfo")
        targets = prometheus.get("/api/v1/targets?state=active")["activeTargets"]
        groups = prometheus.get("/api/v1/rules")["groups"]
        alertmanagers = prometheus.get("/api/v1/alertmanagers")["activeAlertmanagers"]
        of_panels = [query["expr"] for query in expected["queries"]]
        of_apps = [exported, ANSWERED_KPIS, *asked_of_apps(expected["app_metrics"])]
        answers = prometheus.query_all([*exprs.values(), *of_panels, *of_apps])
        if prometheus.silent:
            raise prometheus.silent
    except ServiceError as error:
        return [
            Check(
                FAIL,
                "services",
                _silent("prometheus", expected["services"]["prometheus"], error),
                logs_of("prometheus"),
                soon=True,
            )
        ]
    # A new configuration counts like a new Prometheus: what it adds has no data yet.
    age = now - max(seconds_of(runtime["startTime"]), seconds_of(runtime["lastConfigTime"]))
    facts = {name: answers[expr] for name, expr in exprs.items()}
    settled = facts["settled apps"]
    apps = {sample.labels["app"] for sample in settled} if not isinstance(settled, ServiceError) else set()
    alerts = active_alerts(groups, expected["apps"], expected["hosts"])
    return [
        *target_checks(expected["targets"], targets),
        *rule_checks(expected["rules"], groups, age),
        *discovery_checks(expected["services"]["alertmanager"]["url"], alertmanagers),
        *alert_checks(alerts),
        *state_checks(Now(expected, alerts, since, now - since), facts),
        *panel_checks(expected["queries"], answers, age, apps),
        *app_metrics_checks(expected["app_metrics"], answers),
        *custom_checks(expected["custom_metrics"], answers[exported], apps),
        *kpi_checks(expected["kpis"], answers[ANSWERED_KPIS], age),
    ]


def _window(age_seconds: float) -> int:
    """Seconds for which the configuration of Alertmanager has been in force, within bounds."""
    return int(max(_SHORTEST_SECONDS, min(_LONGEST_SECONDS, age_seconds)))


def discovery_checks(url: str, active: list[Mapping[str, str]]) -> list[Check]:
    """Prometheus sends its alerts to crowsnest's Alertmanager."""
    if any(alertmanager["url"].startswith(f"{url}/") for alertmanager in active):
        return [Check(PASS, "alertmanager", "Prometheus sends its alerts to it")]
    detail = "Prometheus sends no alerts to it"
    return [Check(FAIL, "alertmanager", detail, "See the runbook PrometheusNotConnectedToAlertmanager.", soon=True)]
