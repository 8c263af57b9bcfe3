# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""prometheus.yml as a pure function of the plan and the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Target
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import USUAL, Probe, probes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.sentry import sentry_probes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import KEYS_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Scrape
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.alertmanagers import alerting
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_pages import (
    AppPage,
    app_pages,
    request_options,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    OWN_LABEL,
    OWN_VALUE,
    alert_names,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import is_internal
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.probes import PAGES, page_probes

# An app with more series than this is cut off instead of filling the server's memory (about 4 KiB a series).
APP_SAMPLE_LIMIT = 20_000
# Whether Sentry takes errors is asked of other people's servers.
SENTRY_INTERVAL = "60s"
# How a page without a usable content type is read: many apps send text/html or nothing at all.
_TEXT = {"fallback_scrape_protocol": "PrometheusText0.0.4"}
_APP = {**_TEXT, "sample_limit": APP_SAMPLE_LIMIT}


def prometheus_config(context: Context) -> dict[str, Any]:
    """prometheus.yml: https://prometheus.io/docs/prometheus/latest/configuration/configuration/"""
    interval, environment = context.declaration.scrape_interval, context.declaration.environment
    alertmanager = context.services["alertmanager"]
    jobs = [*_stack_jobs(context), _node_job(context), *_app_jobs(context)]
    if "blackbox" in context.services:
        port, apps = context.services["blackbox"].port, context.declaration.apps
        jobs += [
            _probe_job(context, port, "probe", ((app, each) for app in apps for each in probes(app))),
            _probe_job(context, port, "sentry", sentry_probes(context), scrape_interval=SENTRY_INTERVAL),
            _service_probe_job(context, port),
            _page_job(context, port),
        ]
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": scrape_timeout(interval),
            "evaluation_interval": interval,
            "external_labels": {"environment": environment},
        },
        "alerting": alerting(
            context.declaration,
            f"127.0.0.1:{alertmanager.port}",
            _marked(context.declaration.disabled_alerts),
        ),
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [job for job in jobs if job["static_configs"]],
    }


def scrape_timeout(interval: str) -> str:
    """How long a target may take to answer; Prometheus refuses a timeout longer than the interval."""
    return min(interval, "10s", key=duration_seconds)


def _marked(disabled: Sequence[str]) -> list[dict[str, Any]]:
    """Marks crowsnest's own alerts; a team's alert may have the name of a disabled one."""
    own = "|".join(name for name in alert_names() if name not in disabled)
    return [
        {"regex": OWN_LABEL, "action": "labeldrop"},
        {"source_labels": ["alertname"], "regex": own, "target_label": OWN_LABEL, "replacement": OWN_VALUE},
    ]


def _targets(context: Context, address: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": {"environment": context.declaration.environment, **labels}}


def gives_key(context: Context, name: str) -> bool:
    """Whether a container that runs gives out a key, without which its metrics cannot be read."""
    scrape = context.definition(name).scrape
    return scrape is not None and scrape.with_key


def _stack_jobs(context: Context) -> list[dict[str, Any]]:
    """A job for each service that exports something, with all its containers."""
    containers = context.services.values()
    return [
        _stack_job(context, service.scrape, service.name, [each for each in containers if each.service == service.name])
        for service in context.running
        if service.scrape
    ]


def _stack_job(context: Context, scrape: Scrape, name: str, containers: Sequence[Planned]) -> dict[str, Any]:
    # Kuma takes one of its API keys as the password, whoever the user is.
    login = {"username": "crowsnest", "password_file": f"{KEYS_IN_CONTAINER}/{name}"}
    keep = {"source_labels": ["__name__"], "regex": scrape.kept, "action": "keep"}
    further = scrape.relabel(context) if scrape.relabel else []
    return {
        "job_name": name,
        **_TEXT,
        **({"scrape_interval": scrape.interval} if scrape.interval else {}),
        **({"basic_auth": login} if scrape.with_key else {}),
        **({"honor_labels": True} if scrape.honor_labels else {}),
        "static_configs": [
            _targets(
                context, f"127.0.0.1:{planned.port}", **{"host": context.server, **scrape.labels(context, planned)}
            )
            for planned in containers
        ],
        **({"metric_relabel_configs": [keep, *further]} if scrape.kept else {}),
    }


def _node_job(context: Context) -> dict[str, Any]:
    port = context.plan.node_exporter_port
    return {
        "job_name": "node",
        **_TEXT,
        "static_configs": [
            _targets(context, f"{address}:{port}", host=name) for name, address in context.plan.hosts.items()
        ],
    }


def _app_jobs(context: Context) -> list[dict[str, Any]]:
    """One for all pages without options of their own, and one for each other page; the label `job` of all is app."""
    pages = list(app_pages(context.declaration.apps))
    usual = [_app_target(context, page) for page in pages if page.source.as_usual]
    own = [_own_app_job(context, page) for page in pages if not page.source.as_usual]
    return [{"job_name": "app", **_APP, "static_configs": usual}, *own]


def _own_app_job(context: Context, page: AppPage) -> dict[str, Any]:
    address = context.plan.app_target(page.app, page.source).address
    return {
        "job_name": f"app/{page.name}",
        **_APP,
        **request_options(page, address),
        "static_configs": [_app_target(context, page, job="app")],
    }


def _app_target(context: Context, page: AppPage, **labels: str) -> dict[str, Any]:
    target = context.plan.app_target(page.app, page.source)
    return _targets(
        context,
        target.address,
        app=page.app.name,
        host=context.plan.host_of(page.app),
        __metrics_path__=target.path,
        instance=target.instance,
        **labels,
    )


def _probe_job(
    context: Context, port: int, name: str, asked: Iterable[tuple[App, Probe]], **options: str
) -> dict[str, Any]:
    return {
        "job_name": name,
        "metrics_path": "/probe",
        **options,
        "static_configs": [
            _targets(
                context,
                probe.url,
                app=app.name,
                host=context.plan.host_of(app),
                probe=probe.name,
                __param_module=probe.module,
            )
            for app, probe in asked
        ],
        "relabel_configs": _through_blackbox(port),
    }


def _service_probe_job(context: Context, port: int) -> dict[str, Any]:
    """Services of the stack that export nothing themselves where only this host reaches it."""
    paths = {
        name: definition.health_path
        for name in context.services
        if (definition := context.definition(name)).health_path and not definition.scrape
    }
    return {
        "job_name": "service_probe",
        "metrics_path": "/probe",
        "params": {"module": [USUAL]},
        "static_configs": [
            _targets(context, f"{context.services[name].url}{path}", host=context.server, service=name)
            for name, path in paths.items()
        ],
        "relabel_configs": _through_blackbox(port),
    }


def _page_job(context: Context, port: int) -> dict[str, Any]:
    """The pages at their public names. Certificates of our own authority last for hours, and Caddy renews them."""
    of_certificates = {"source_labels": ["__name__"], "regex": "probe_ssl_.+", "action": "drop"}
    return {
        "job_name": PAGES,
        "metrics_path": "/probe",
        "scrape_interval": "60s",
        "params": {"module": [PAGES]},
        "static_configs": [_targets(context, probe.url, host=context.server) for probe in page_probes(context)],
        "relabel_configs": _through_blackbox(port),
        **({"metric_relabel_configs": [of_certificates]} if is_internal(context) else {}),
    }


def _through_blackbox(port: int) -> list[dict[str, Any]]:
    """The target becomes the address that blackbox exporter probes."""
    return [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{port}"},
    ]


def targets(config: Mapping[str, Any]) -> list[Target]:
    """[{"job", "address", "path", "app", "probe", "host"}] of a prometheus.yml."""
    return [
        {
            "job": group["labels"].get("job", job["job_name"]),
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
