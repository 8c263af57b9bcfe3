# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Alert history": what fired when, how often, for how long, and whether it was told."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.alerts import (
    alert_history,
    fired_table,
    firing_by_severity,
    firing_count,
    firing_table,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    COUNT,
    FOLDER_OPERATIONS,
    RANGE,
    TO_OVERVIEW,
    TO_STACK,
    Column,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    runbook_link,
)

# Many an alert has no app, and one of a team's own may have no host.
_LABELS = {"severity": "Severity", "app": "App", "host": "Host"}


def history(context: Context) -> Dashboard:
    """The alerts chosen at the top."""
    only = ", ".join(f'{label}=~"${label}"' for label in _LABELS)
    return Dashboard(
        uid="alerts",
        title="Alert history",
        folder=FOLDER_OPERATIONS,
        description="What fired when, how often and for how long? As far back as metrics are kept.",
        rows=(
            Row("Now", (firing_count(only), firing_table(context, only))),
            Row("What fired", (alert_history(only), fired_table(context, only))),
            Row("How much, and was it told", (firing_by_severity(only), _notifications())),
        ),
        variables=tuple(
            Variable(label, title, query=f"label_values(ALERTS, {label})", multi=True, every=".*")
            for label, title in _LABELS.items()
        ),
        links=(TO_OVERVIEW, TO_STACK, runbook_link(context.declaration.runbook_url)),
        since="now-7d",
    )


def _notifications() -> Panel:
    """Of all alerts, since Alertmanager counts by receiver only."""
    counted = [
        (Column("Sent", 90, COUNT, 0), "alertmanager_notifications_total"),
        (Column("Failed", 90, COUNT, 0), "alertmanager_notifications_failed_total"),
    ]
    return Panel(
        "Notifications",
        "Messages of all alerts in the chosen time by the way that they went; heartbeat is the dead man's switch. Any "
        "failed: docker logs --tail 50 crowsnest-alertmanager-1 says why; alert AlertmanagerNotificationsFailing has "
        "the runbook.",
        "table",
        tuple(
            Query(f"round(sum by (integration, receiver_name) (increase({series}[{RANGE}])))") for _, series in counted
        ),
        width=12,
        columns={
            "integration": Column("Way", 110),
            "receiver_name": Column("Receiver"),
            **{f"Value #{letter}": column for letter, (column, _) in zip("AB", counted, strict=True)},
        },
        empty="No message has been sent since Alertmanager was started.",
    )
