# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alertmanager as a service of the stack."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import (
    alertmanager_config,
    alertmanager_secrets,
    receivers_by_integration,
    slack_bots,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import message_templates
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
    Container,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Files, Page, Service


def _container(_context: Context, planned: Planned) -> Container:
    return Container(
        go=True,
        command=[
            f"--config.file={CONFIG_IN_CONTAINER}/alertmanager.yml",
            f"--storage.path={DATA_IN_CONTAINER}",
            f"--web.listen-address=127.0.0.1:{planned.port}",
            f"--web.external-url={planned.external_url}",
            "--web.route-prefix=/",
            "--cluster.listen-address=",
            # What a killed one has told and not written down, it tells again; its silences of that time are lost.
            "--data.maintenance-interval=1m",
            "--enable-feature=receiver-name-in-metrics",  # alert_test reports per severity
        ],
        environment={"AWS_SHARED_CREDENTIALS_FILE": f"{CONFIG_IN_CONTAINER}/secrets/aws_credentials"},
    )


def _files(context: Context, _planned: Planned) -> Files:
    return {
        "alertmanager.yml": yaml_text(alertmanager_config(context)),
        **{f"templates/{name}": template for name, template in message_templates(context).items()},
    }


def _expected(context: Context) -> OfServices:
    return {
        "receivers": receivers_by_integration(context.declaration),
        "slack_bots": slack_bots(context.declaration),
        "heartbeat": context.declaration.heartbeat_url is not None,
    }


def _secret_files(context: Context, _planned: Planned) -> Files:
    return alertmanager_secrets(context)


ALERTMANAGER = Service(
    name="alertmanager",
    port=9093,
    need_mib=35,
    limit_mib=128,
    needed=True,
    data=True,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    validate=("amtool", "check-config", f"{CONFIG_IN_CONTAINER}/alertmanager.yml"),
    reload_metric="alertmanager_config_last_reload_successful",
    expected=_expected,
    subdomain="alerts",
    page=Page(5, "silence an alert during planned work"),
)
