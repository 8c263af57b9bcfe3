# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""prometheus.yml and blackbox.yml as pure functions of the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.compose import CONFIG_IN_CONTAINER, KEYS_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import (
    CATALOGUE,
    CONFIG_ROOT,
    NODE_EXPORTER_PORT,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.values import AUTHORIZATION, duration_seconds

PROMETHEUS_YML = f"{CONFIG_ROOT}/prometheus/current/prometheus.yml"
# An app with more series than this is cut off instead of filling the server's memory (about 4 KiB a series).
APP_SAMPLE_LIMIT = 20_000
PROBE_INTERVAL = "30s"
# Monitors look once a minute; Kuma logs a line for each question, and refuses more than 60 a minute.
_UPTIME_KUMA_INTERVAL = "30s"
# Of a service with thousands of series, only those that a panel or an alert uses: a small host pays for each.
_KEPT = {
    "grafana": "process_.+|go_memstats_.+|grafana_build_info|grafana_stat_totals?_.+|grafana_stat_active_.+"
    "|grafana_http_request_duration_seconds_(count|sum)|grafana_datasource_request_total",
    "uptime_kuma": "monitor_(status|response_time|cert_days_remaining)|process_.+",
}
# What a component of a detailed health answer says when it is well.
WELL = ("healthy", "ok", "up", "pass")


def prometheus_config(plan: Plan) -> dict[str, Any]:
    """prometheus.yml: https://prometheus.io/docs/prometheus/latest/configuration/configuration/"""
    interval, environment = plan.settings.scrape_interval, plan.settings.environment
    jobs = [*_stack_jobs(plan), _node_job(plan), _app_job(plan)]
    if "blackbox" in plan.services:
        port = plan.services["blackbox"].port
        jobs += [_probe_job(plan, port), _service_probe_job(plan, port)]
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": min(interval, "10s", key=duration_seconds),
            "evaluation_interval": interval,
            "external_labels": {"environment": environment},
        },
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{plan.services['alertmanager'].port}"]}]}]
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [job for job in jobs if job["static_configs"]],
    }


def _targets(plan: Plan, address: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": {"environment": plan.settings.environment, **labels}}


def _stack_jobs(plan: Plan) -> list[dict[str, Any]]:
    own: dict[str, dict[str, Any]] = {"uptime_kuma": _uptime_kuma_asked()}
    return [
        {
            "job_name": name,
            **own.get(name, {}),
            "static_configs": [_targets(plan, f"127.0.0.1:{service.port}", host=plan.server)],
            **({"metric_relabel_configs": _relabelled(plan, name)} if name in _KEPT else {}),
        }
        for name, service in plan.services.items()
        if CATALOGUE[name].exports
    ]


def _relabelled(plan: Plan, service: str) -> list[dict[str, Any]]:
    """What is kept of a service's series, under which labels."""
    kept = {"source_labels": ["__name__"], "regex": _KEPT[service], "action": "keep"}
    return [kept, *(_monitor_labels(plan.settings.apps) if service == "uptime_kuma" else [])]


def _uptime_kuma_asked() -> dict[str, Any]:
    """Kuma takes one of its API keys as the password, whoever the user is."""
    login = {"username": "crowsnest", "password_file": f"{KEYS_IN_CONTAINER}/uptime_kuma"}
    return {"scrape_interval": _UPTIME_KUMA_INTERVAL, "basic_auth": login}


def _monitor_labels(apps: Sequence[App]) -> list[dict[str, Any]]:
    """Labels `app`, `host` and `probe` as the job `probe` has them, from the names that uptime/monitors.py gives.

    A port has the label of the component of its name, so that one fault of both is told once.

    Kuma's other labels go: ids that change when a monitor is made again, addresses with what may be secret in them, and
    one for each tag, which comes and goes.
    """
    names, components = _any_of(app.name for app in apps), _any_of(it for app in apps for it in app.health.components)
    part = {"url": "website", "health": "health", "$2": f"({components})( port)?" if components else ""}
    return [
        *([_labelled("app", f"({names})(: .+)?", "$1")] if names else []),
        *(_labelled("host", f"{app.name}(: .+)?", app.host) for app in apps if app.host),
        *(_labelled("probe", f"({names}): {pattern}", value) for value, pattern in part.items() if names and pattern),
        {
            "regex": "__name__|job|instance|environment|host|app|probe|monitor_name|monitor_type|window",
            "action": "labelkeep",
        },
    ]


def _labelled(label: str, name: str, value: str) -> dict[str, Any]:
    return {"source_labels": ["monitor_name"], "regex": name, "target_label": label, "replacement": value}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words)))


def _node_job(plan: Plan) -> dict[str, Any]:
    return {
        "job_name": "node",
        "static_configs": [
            _targets(plan, f"{address}:{NODE_EXPORTER_PORT}", host=name) for name, address in plan.hosts.items()
        ],
    }


def _app_job(plan: Plan) -> dict[str, Any]:
    return {
        "job_name": "app",
        "sample_limit": APP_SAMPLE_LIMIT,
        "static_configs": [
            _targets(
                plan,
                plan.app_address(app, target),
                app=app.name,
                host=app.host or plan.server,
                __metrics_path__=f"/{path or 'metrics'}",
            )
            for app in plan.settings.apps
            for target in app.metrics
            for path in [target.partition("/")[2]]
        ],
    }


def _probe_job(plan: Plan, port: int) -> dict[str, Any]:
    return {
        "job_name": "probe",
        "metrics_path": "/probe",
        "scrape_interval": PROBE_INTERVAL,
        "static_configs": [
            _targets(
                plan,
                url,
                app=app.name,
                host=app.host or plan.server,
                probe=probe,
                __param_module=module,
            )
            for app in plan.settings.apps
            for probe, module, url in _probes(app)
        ],
        "relabel_configs": _through_blackbox(port),
    }


def _service_probe_job(plan: Plan, port: int) -> dict[str, Any]:
    """Services of the stack that export nothing themselves where only this host reaches it."""
    return {
        "job_name": "service_probe",
        "metrics_path": "/probe",
        "params": {"module": ["http"]},
        "scrape_interval": PROBE_INTERVAL,
        "static_configs": [
            _targets(plan, f"http://127.0.0.1:{service.port}{CATALOGUE[name].answers}", host=plan.server, service=name)
            for name, service in plan.services.items()
            if CATALOGUE[name].probed
        ],
        "relabel_configs": _through_blackbox(port),
    }


def _through_blackbox(port: int) -> list[dict[str, Any]]:
    """What was a target becomes what blackbox exporter asks."""
    return [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{port}"},
    ]


def _probes(app: App) -> Iterator[tuple[str, str, str]]:
    """(label `probe`, blackbox module, URL) of everything that is asked from outside an app."""
    base = app.url or ""
    if app.url:
        yield "url", _module_name(app, "http"), app.url
    if app.health.basic:
        yield "health", _module_name(app, "http"), urljoin(base, app.health.basic)
    if app.health.detailed:
        for component in app.health.components:
            yield component, _module_name(app, f"component_{component}"), urljoin(base, app.health.detailed)


def _module_name(app: App, name: str) -> str:
    """`shop/http` where the app is asked in a way of its own, else the module that all others share."""
    return name if app.as_usual else f"{app.name}/{name}"


def watched_addresses(files: Mapping[str, str]) -> dict[str, str]:
    """{host: address} of the job `node` in the prometheus.yml that is in force, from the fact `files` of the server."""
    job = _node_job_of(yaml.safe_load(files.get(PROMETHEUS_YML, "")) or {})
    return {entry["labels"]["host"]: entry["targets"][0].rpartition(":")[0] for entry in job["static_configs"]}


def _node_job_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    jobs = [job for job in config.get("scrape_configs", []) if job["job_name"] == "node"]
    return jobs[0] if jobs else {"static_configs": []}


# --- blackbox.yml -----------------------------------------------------------------------------------------------------

# Headers that blackbox exporter takes from no file, as they are no secrets to it.
_IN_THE_CLEAR = ("host", "user-agent")


def blackbox_config(apps: Sequence[App]) -> dict[str, Any]:
    """blackbox.yml: https://github.com/prometheus/blackbox_exporter/blob/master/CONFIGURATION.md

    `apps` are those of the declaration; their secrets are in the files of `blackbox_secrets`.
    """
    own = {name: module for app in apps for name, module in _modules(app).items()}
    return {"modules": {"http": _http_module(None), **dict(sorted(own.items()))}}


def _modules(app: App) -> dict[str, dict[str, Any]]:
    """The modules by which an app is asked; one that other apps ask in the same way is the same for all."""
    judged = {"http": _accepted(app), **{f"component_{it}": _component_judged(it) for it in app.health.components}}
    return {_module_name(app, name): _http_module(app, **how) for name, how in judged.items()}


def _http_module(app: App | None, **more: Any) -> dict[str, Any]:
    """A module that asks over HTTP; with an app in the way that this one is asked."""
    asked = _asked(app) if app else {}
    return {"prober": "http", "timeout": "8s", "http": {"preferred_ip_protocol": "ip4", **asked, **more}}


def _asked(app: App) -> dict[str, Any]:
    """Login, headers and certificate of an app; secrets by their files.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
    """
    login = {"username": app.username, "password_file": _secret_path(app, "password")}
    values = {name: value.get_secret_value() for name, value in app.headers.items()}
    clear = {name: value for name, value in values.items() if name.lower() in _IN_THE_CLEAR}
    files = {
        name: {"files": [_secret_path(app, f"headers/{name}")]}
        for name in values
        if name not in clear and name.lower() != "authorization"
    }
    schemes = [found[1] for name in values if (found := _authorization(name, values[name]))]
    credentials = [{"type": it, "credentials_file": _secret_path(app, "authorization")} for it in schemes]
    return {
        **({"basic_auth": login} if app.username else {}),
        **({"authorization": credentials[0]} if credentials else {}),
        **({"headers": clear} if clear else {}),
        **({"http_headers": files} if files else {}),
        **({} if app.verify_tls else {"tls_config": {"insecure_skip_verify": True}}),
        **({} if app.follows_redirects else {"follow_redirects": False}),
    }


def _authorization(name: str, value: str) -> re.Match[str] | None:
    """Scheme and credentials of this header, for which blackbox exporter has keys of their own."""
    return AUTHORIZATION.fullmatch(value) if name.lower() == "authorization" else None


def _accepted(app: App) -> dict[str, list[int]]:
    """The status codes that are well, if not the usual ones; what judges a component has its own."""
    ranges = [status.partition("-") for status in app.own_status]
    codes = {code for first, _, last in ranges for code in range(int(first), int(last or first) + 1)}
    return {"valid_status_codes": sorted(codes)} if codes else {}


def blackbox_secrets(apps: Sequence[App]) -> dict[str, str]:
    """{"secrets/shop/password": …}: what blackbox exporter reads for each probe."""
    files = {}
    for app in apps:
        if app.password is not None:
            files[_secret_file(app, "password")] = app.password.get_secret_value()
        for name, secret in app.headers.items():
            value = secret.get_secret_value()
            if found := _authorization(name, value):
                files[_secret_file(app, "authorization")] = found[2]
            elif name.lower() not in _IN_THE_CLEAR:
                files[_secret_file(app, f"headers/{name}")] = value
    return files


def _secret_file(app: App, name: str) -> str:
    return f"secrets/{app.name}/{name}"


def _secret_path(app: App, name: str) -> str:
    return f"{CONFIG_IN_CONTAINER}/{_secret_file(app, name)}"


def _component_judged(component: str) -> dict[str, Any]:
    """One component of a detailed health answer; the page may say 503 because of another component.

    A pattern instead of a CEL expression, which blackbox exporters before 0.27 do not know. It asks for the component's
    object to be flat, as {"database": {"status": "healthy", "response_time_ms": 1.2}} is.
    """
    well = "|".join(WELL)
    pattern = rf'"{component}"\s*:\s*\{{[^{{}}]*"status"\s*:\s*"({well})"'
    return {"valid_status_codes": [200, 503], "fail_if_body_not_matches_regexp": [pattern]}
