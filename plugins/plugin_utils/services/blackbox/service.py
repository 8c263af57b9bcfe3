# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The blackbox exporter as a service of the stack."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import (
    blackbox_config,
    blackbox_secrets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.dashboard import probed_apps, probes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.sentry import (
    sentry_probes,
    sentry_secrets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER, Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Files, Service
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.probes import page_probes


def _container(_context: Context, planned: Planned) -> Container:
    return Container(
        go=True,
        command=[
            f"--config.file={CONFIG_IN_CONTAINER}/blackbox.yml",
            f"--web.listen-address=127.0.0.1:{planned.port}",
        ],
    )


def _files(context: Context, _planned: Planned) -> Files:
    further = [*(probe for _, probe in sentry_probes(context)), *page_probes(context)]
    return {"blackbox.yml": yaml_text(blackbox_config(context.declaration.apps, further))}


def _secret_files(context: Context, _planned: Planned) -> Files:
    return {**blackbox_secrets(context.declaration.apps), **sentry_secrets(context)}


def _dashboards(context: Context) -> list[Dashboard]:
    return [probes(context)] if probed_apps(context) else []


def _expected(context: Context) -> OfServices:
    apps = context.declaration.apps
    return {"certificates": {app.name: app.url for app in apps if app.url and app.url.startswith("https:")}}


BLACKBOX = Service(
    name="blackbox",
    port=9115,
    need_mib=25,
    limit_mib=96,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    validate=("", f"--config.check --config.file={CONFIG_IN_CONTAINER}/blackbox.yml"),
    reload_metric="blackbox_exporter_config_last_reload_successful",
    dashboards=_dashboards,
    expected=_expected,
)
