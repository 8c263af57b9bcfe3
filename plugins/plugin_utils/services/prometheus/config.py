# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""prometheus.yml as a pure function of the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import USUAL, probes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import KEYS_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    CATALOGUE,
    CONFIG_ROOT,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    OWN_LABEL,
    OWN_VALUE,
    alert_names,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import series_labels

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
# How a page is read that does not say what it is, as many apps send text/html or nothing at all.
_TEXT = {"fallback_scrape_protocol": "PrometheusText0.0.4"}


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
            "scrape_timeout": scrape_timeout(interval),
            "evaluation_interval": interval,
            "external_labels": {"environment": environment},
        },
        "alerting": {
            "alert_relabel_configs": _marked(plan.settings.disabled_alerts),
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{plan.services['alertmanager'].port}"]}]}],
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [job for job in jobs if job["static_configs"]],
    }


def scrape_timeout(interval: str) -> str:
    """How long a target may take to answer; Prometheus refuses a timeout longer than the interval."""
    return min(interval, "10s", key=duration_seconds)


def _marked(disabled: Sequence[str]) -> list[dict[str, Any]]:
    """What tells crowsnest's own alerts from all others; the name of a disabled one may be that of a team's alert."""
    ours = "|".join(name for name in alert_names() if name not in disabled)
    return [
        {"regex": OWN_LABEL, "action": "labeldrop"},
        {"source_labels": ["alertname"], "regex": ours, "target_label": OWN_LABEL, "replacement": OWN_VALUE},
    ]


def _targets(plan: Plan, address: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": {"environment": plan.settings.environment, **labels}}


def _stack_jobs(plan: Plan) -> list[dict[str, Any]]:
    own: dict[str, dict[str, Any]] = {"uptime_kuma": _uptime_kuma_asked()}
    return [
        {
            "job_name": name,
            **_TEXT,
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
    """Labels `app`, `host` and `probe` as the job `probe` has them, one rule for each value of a label.

    The names are exact: a monitor that somebody makes by hand gets none of them, whatever it is called.

    Kuma's other labels go: ids that change when a monitor is made again, addresses with what may be secret in them, and
    one for each tag, which comes and goes.
    """
    monitors: dict[tuple[str, str], list[str]] = {}
    for name, labels in series_labels(apps).items():
        for label in labels.items():
            monitors.setdefault(label, []).append(name)
    return [
        *(_labelled(label, value, names) for (label, value), names in monitors.items()),
        {
            "regex": "__name__|job|instance|environment|host|app|probe|monitor_name|monitor_type|window",
            "action": "labelkeep",
        },
    ]


def _labelled(label: str, value: str, names: Iterable[str]) -> dict[str, Any]:
    """The label for monitors of these names; a dollar stands for a part of the name unless it is written twice."""
    return {
        "source_labels": ["monitor_name"],
        "regex": "|".join(re.escape(name).replace("\\ ", " ") for name in names),
        "target_label": label,
        "replacement": value.replace("$", "$$"),
    }


def _node_job(plan: Plan) -> dict[str, Any]:
    return {
        "job_name": "node",
        **_TEXT,
        "static_configs": [
            _targets(plan, f"{address}:{plan.node_exporter_port}", host=name) for name, address in plan.hosts.items()
        ],
    }


def _app_job(plan: Plan) -> dict[str, Any]:
    return {
        "job_name": "app",
        **_TEXT,
        "sample_limit": APP_SAMPLE_LIMIT,
        "static_configs": [
            _targets(
                plan,
                address,
                app=app.name,
                host=app.host or plan.server,
                __metrics_path__=path,
                instance=address if path == "/metrics" else address + path,
            )
            for app in plan.settings.apps
            for address, path in (plan.app_target(app, target) for target in app.metrics)
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
                probe.url,
                app=app.name,
                host=app.host or plan.server,
                probe=probe.name,
                __param_module=probe.module,
            )
            for app in plan.settings.apps
            for probe in probes(app)
        ],
        "relabel_configs": _through_blackbox(port),
    }


def _service_probe_job(plan: Plan, port: int) -> dict[str, Any]:
    """Services of the stack that export nothing themselves where only this host reaches it."""
    return {
        "job_name": "service_probe",
        "metrics_path": "/probe",
        "params": {"module": [USUAL]},
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


def watched_addresses(files: Mapping[str, str]) -> dict[str, str]:
    """{host: address} of the job `node` in the prometheus.yml that is in force, from the fact `files` of the server."""
    job = _node_job_of(yaml.safe_load(files.get(PROMETHEUS_YML, "")) or {})
    return {entry["labels"]["host"]: entry["targets"][0].rpartition(":")[0] for entry in job["static_configs"]}


def _node_job_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    jobs = [job for job in config.get("scrape_configs", []) if job["job_name"] == "node"]
    return jobs[0] if jobs else {"static_configs": []}
