# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of KPIs as a service of the stack: https://github.com/albertodonato/query-exporter"""

from __future__ import annotations

import hashlib

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER, Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Scrape,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.config import (
    KEPT,
    apps_with_kpis,
    databases,
    queries,
    relabelled,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.dashboard import business

_QUERIES, _DATABASES = "queries.yml", "secrets/databases.yml"


def _container(context: Context, planned: Planned) -> Container:
    """It reads its files at its start only, so they are summed up in a label."""
    files = {**_files(context, planned), **_secret_files(context, planned)}
    return Container(
        command=[
            "--host=127.0.0.1",
            f"--port={planned.port}",
            "--process-stats",
            *(f"--config={CONFIG_IN_CONTAINER}/{name}" for name in files),
        ],
        labels={"crowsnest.configuration": hashlib.sha256("".join(files.values()).encode()).hexdigest()[:16]},
    )


def _files(context: Context, _planned: Planned) -> Files:
    return {_QUERIES: yaml_text(queries(context))}


def _secret_files(context: Context, _planned: Planned) -> Files:
    return {_DATABASES: yaml_text(databases(context))}


def _dashboards(context: Context) -> list[Dashboard]:
    return [business(context)]


def _expected(context: Context) -> OfServices:
    return {
        "kpis": [{"app": app.name, "kpi": kpi.name} for app in apps_with_kpis(context.declaration) for kpi in app.kpis]
    }


QUERY_EXPORTER = Service(
    name="query_exporter",
    port=9560,
    need_mib=80,
    limit_mib=160,
    wanted=lambda declaration: bool(apps_with_kpis(declaration)),
    container=_container,
    files=_files,
    secret_files=_secret_files,
    generated_secrets=(GeneratedSecret("database_kpi_password", replaceable=True),),
    scrape=Scrape(kept=KEPT, relabel=relabelled),
    dashboards=_dashboards,
    expected=_expected,
    unasked="KPIs",
    without="; KPIs are neither recorded nor shown, and cannot alert",
)
