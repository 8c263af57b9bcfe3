# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Uptime Kuma as a service of the stack."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.paths import KEYS_DIRECTORY
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
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
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.dashboard import uptime
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.objects import objects
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import job_urls, own_urls
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.series import monitor_labels


def _container(_context: Context, planned: Planned) -> Container:
    """SQLite, so that its start needs no setup by hand.

    https://github.com/louislam/uptime-kuma/wiki/Environment-Variables
    """
    return Container(
        pids=256,  # one process more for each monitor that pings at this moment
        configured=False,
        environment={
            "DATA_DIR": DATA_IN_CONTAINER,
            "UPTIME_KUMA_DB_TYPE": "sqlite",
            "UPTIME_KUMA_HOST": "127.0.0.1",
            "UPTIME_KUMA_PORT": str(planned.port),
            # The rest of the limit is for SQLite's cache and for buffers.
            "NODE_OPTIONS": f"--max-old-space-size={planned.limit_mib * 2 // 3}",
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
    )


def _secret_files(context: Context, _planned: Planned) -> Files:
    return {
        "secrets/admin_password": context.secret("uptime_kuma_admin_password"),
        "secrets/push_key": context.secret("uptime_kuma_push_key"),
        **job_urls(context),
        **own_urls(context),
    }


def _objects(context: Context) -> dict[str, Any]:
    """Options of the module `uptime_kuma`."""
    planned, prometheus = context.services["uptime_kuma"], context.services["prometheus"]
    return {
        "url": planned.url,
        "password": context.secret("uptime_kuma_admin_password"),
        "container": container_name("uptime_kuma"),
        "state_directory": planned.config_directory,
        "metrics_key": {
            "path": f"{KEYS_DIRECTORY}/uptime_kuma",
            "owner": prometheus.user,
            "reader": {"url": prometheus.url, "container": container_name("prometheus")},
        },
        **objects(context),
    }


def _dashboards(context: Context) -> list[Dashboard]:
    return [uptime(context)]


def _expected(context: Context) -> OfServices:
    held = objects(context)
    monitors = [monitor for monitor in held["monitors"] if monitor.get("active", True)]
    checking = [monitor for monitor in monitors if monitor["type"] != "push"]
    return {
        "monitors": [monitor["name"] for monitor in checking],
        "status_pages": [page["slug"] for page in held["status_pages"]],
    }


UPTIME_KUMA = Service(
    name="uptime_kuma",
    port=3001,
    need_mib=200,
    limit_mib=448,
    data=True,
    container=_container,
    secret_files=_secret_files,
    generated_secrets=(GeneratedSecret("uptime_kuma_admin_password"), GeneratedSecret("uptime_kuma_push_key")),
    sqlite="kuma.db",
    folders=("upload",),  # icons of status pages
    objects=_objects,
    # Monitors check once a minute; Kuma logs a line for each request, and refuses more than 60 a minute.
    scrape=Scrape(
        interval="30s",
        kept="monitor_(status|response_time|cert_days_remaining)|process_.+",
        relabel=monitor_labels,
        with_key=True,
    ),
    dashboards=_dashboards,
    expected=_expected,
    unasked="monitors, status pages",
    subdomain="uptime",
    page=Page(3, "see what answers from outside; the status page is for everybody"),
    login=Login("Uptime Kuma", lambda _declaration: "admin"),
    without="; jobs, ports and monitors of your own are not watched, and there is no status page",
)
