# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Pushgateway as a service of the stack: https://github.com/prometheus/pushgateway#run-it"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import DATA_IN_CONTAINER, Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Scrape, Service
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import recorded


def _container(_context: Context, planned: Planned) -> Container:
    return Container(
        go=True,
        configured=False,
        command=[
            f"--web.listen-address=127.0.0.1:{planned.port}",
            f"--persistence.file={DATA_IN_CONTAINER}/metrics",
        ],
    )


def push_limits(context: Context) -> dict[str, Any]:
    """A rule group that records how many seconds each declared job may be silent, and since when it is declared.

    Without a Pushgateway, as on a host that has no memory for it, no job is missed.
    """
    declared = (context.declaration.pushgateway or {}) if PUSHGATEWAY.name in context.services else {}
    rules = [
        recorded(name, expr, push_job=job, host=context.server, environment=context.declaration.environment)
        for job, every in declared.items()
        for name, expr in {
            "push:limit:seconds": f"vector({duration_seconds(every)})",
            "push:declared:timestamp": _first_seen(f'push:declared:timestamp{{push_job="{job}"}}'),
        }.items()
    ]
    return {"name": "pushgateway_declared", "rules": rules}


def _first_seen(series: str) -> str:
    """PromQL: the time at which this series was first recorded; looks back a day, in case Prometheus was away."""
    return f"min(last_over_time({series}[1d])) or vector(time())"


PUSHGATEWAY = Service(
    name="pushgateway",
    port=9091,
    need_mib=20,
    limit_mib=64,
    wanted=lambda declaration: declaration.pushgateway is not None,
    data=True,
    container=_container,
    scrape=Scrape(honor_labels=True),
    without="; batch jobs cannot leave their numbers anywhere",
)
