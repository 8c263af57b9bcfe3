# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Grafana as a service of the stack."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
    Container,
    container_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Login,
    Page,
    Scrape,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana import config as grafana
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries


def _container(context: Context, _planned: Planned) -> Container:
    """Only paths, as its image sets them in the same way; everything else is in grafana.ini.

    What it reads only at its start is summed up in a label.
    """
    return Container(
        pids=256,
        go=True,
        environment={
            "GF_PATHS_CONFIG": f"{CONFIG_IN_CONTAINER}/grafana.ini",
            "GF_PATHS_PROVISIONING": f"{CONFIG_IN_CONTAINER}/provisioning",
            "GF_PATHS_DATA": DATA_IN_CONTAINER,
            "GF_PATHS_PLUGINS": f"{DATA_IN_CONTAINER}/plugins",
            "GF_PATHS_LOGS": f"{DATA_IN_CONTAINER}/log",
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
        labels={"crowsnest.configuration": _start_digest(context)},
    )


def _read_at_start(context: Context) -> Files:
    providers = grafana.dashboard_providers(dashboards(context), context.declaration.language)
    return {
        "grafana.ini": HEADER + grafana.ini_text(grafana.grafana_ini(context)),
        "provisioning/datasources/crowsnest.yml": yaml_text(grafana.datasources(context)),
        "provisioning/dashboards/crowsnest.yml": yaml_text(providers),
        **{f"provisioning/{kind}/crowsnest.yml": yaml_text({"apiVersion": 1}) for kind in grafana.NOT_PROVISIONED},
    }


def _start_digest(context: Context) -> str:
    """Without the admin's password, which can be changed while Grafana runs."""
    secrets = grafana.grafana_secrets(context.declaration, "", context.secret("grafana_secret_key"))
    return grafana.start_digest(_read_at_start(context).values(), secrets)


def _files(context: Context, _planned: Planned) -> Files:
    timezone = context.declaration.timezone
    files = {grafana.dashboard_path(item): dashboard_json(item, timezone) for item in dashboards(context)}
    return {**_read_at_start(context), **files}


def _secret_files(context: Context, _planned: Planned) -> Files:
    password, key = context.secret("grafana_admin_password"), context.secret("grafana_secret_key")
    return grafana.grafana_secrets(context.declaration, password, key)


def _objects(context: Context) -> dict[str, Any]:
    """Options of the module `grafana_admin`."""
    return {
        "url": context.services["grafana"].url,
        "password": context.secret("grafana_admin_password"),
        "container": container_name("grafana"),
        "datasources": grafana.datasources(context)["datasources"],
        "folders": grafana.folder_titles(context.declaration.language),
    }


def _expected(context: Context) -> OfServices:
    # As long as Grafana's: four scrapes, so that a rate finds two samples even when one scrape is lost.
    window = f"{4 * duration_seconds(context.declaration.scrape_interval)}s"
    expected = dashboards(context)
    return {
        "dashboards": {dashboard.uid: dashboard.title for dashboard in expected},
        "queries": [
            {
                "dashboard": query.dashboard,
                "panel": query.panel,
                "expr": query.expr,
                "empty": query.empty,
                "app": query.app,
            }
            for dashboard in expected
            for query in queries(dashboard, window)
        ],
    }


GRAFANA = Service(
    name="grafana",
    port=3000,
    # Not measured: the official image cannot be had in the laboratory. The limit leaves room for Grafana's
    # command line, a second process in the container, which sets a new password; plugins are processes as well.
    need_mib=200,
    limit_mib=512,
    data=True,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    stable=grafana.DASHBOARDS,
    generated_secrets=(GeneratedSecret("grafana_admin_password"), GeneratedSecret("grafana_secret_key")),
    sqlite="grafana.db",
    objects=_objects,
    scrape=Scrape(
        kept="process_.+|go_memstats_.+|grafana_build_info|grafana_stat_totals?_.+|grafana_stat_active_.+"
        "|grafana_http_request_duration_seconds_(count|sum)|grafana_datasource_request_total"
    ),
    expected=_expected,
    unasked="login, data sources, dashboards",
    subdomain="grafana",
    page=Page(1, "dashboards: is anything wrong, and where"),
    login=Login("Grafana", lambda _declaration: grafana.USER),
)
