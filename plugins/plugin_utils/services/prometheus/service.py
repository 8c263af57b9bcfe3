# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus as a service of the stack."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.paths import KEYS_DIRECTORY
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
    KEYS_IN_CONTAINER,
    Container,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Files, Page, Service
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_pages import (
    authority_files,
    secret_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import (
    gives_key,
    prometheus_config,
    targets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import rule_counts, rule_files


def _container(context: Context, planned: Planned) -> Container:
    keys = any(gives_key(context, name) for name in context.services)
    return Container(
        go=True,
        command=[
            f"--config.file={CONFIG_IN_CONTAINER}/prometheus.yml",
            f"--storage.tsdb.path={DATA_IN_CONTAINER}",
            f"--storage.tsdb.retention.time={context.declaration.retention}",
            f"--storage.tsdb.retention.size={context.plan.retention_size_mib}MB",  # Prometheus counts in powers of two
            f"--web.listen-address=127.0.0.1:{planned.port}",
            f"--web.external-url={planned.external_url}",
            "--web.route-prefix=/",  # a proxy removes the path of the external URL
            "--web.enable-lifecycle",
        ],
        volumes=[f"{KEYS_DIRECTORY}:{KEYS_IN_CONTAINER}:ro"] if keys else [],
    )


def _files(context: Context, _planned: Planned) -> Files:
    return {
        "prometheus.yml": yaml_text(prometheus_config(context)),
        **rule_files(context),
        **authority_files(context.declaration.apps, context.inventory_dir),
    }


def _secret_files(context: Context, _planned: Planned) -> Files:
    return secret_files(context.declaration.apps)


def _expected(context: Context) -> OfServices:
    return {
        "targets": targets(prometheus_config(context)),
        "rules": rule_counts(rule_files(context)),
    }


PROMETHEUS = Service(
    name="prometheus",
    port=9090,
    need_mib=110,
    limit_mib=256,
    need_per_host_mib=6,
    need_per_app_mib=6,
    needed=True,
    data=True,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    validate=("promtool", "check config", f"{CONFIG_IN_CONTAINER}/prometheus.yml"),
    reload_metric="prometheus_config_last_reload_successful",
    expected=_expected,
    unasked="targets, rules, alerts, delivery, panels, certificates, hosts",
    subdomain="prometheus",
    page=Page(4, "try queries, see which target is silent (Status, Target health)"),
)
