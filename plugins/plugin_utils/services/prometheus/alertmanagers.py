# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where Prometheus sends alerts: to Alertmanager, and those that escalate a second time as marked copies. Pure.

Alertmanager holds a copy back until a receiver with `after` is to get it. As it is an alert of its own, silencing it
says "I am on it": the message about the alert itself goes on, and ends.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES, later
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

ESCALATION_LABEL = "escalation"


def alerting(declaration: Declaration, target: str, relabel: list[dict[str, Any]]) -> dict[str, Any]:
    """The part `alerting` of prometheus.yml; `relabel` is for all alerts, `target` is Alertmanager's host:port."""
    usual = {"static_configs": [{"targets": [target]}]}
    escalated = [severity for severity in SEVERITIES if later(declaration.receivers, severity)]
    if not escalated:
        return {"alert_relabel_configs": relabel, "alertmanagers": [usual]}
    others = ["none", *(severity for severity in SEVERITIES if severity not in escalated)]
    # Alertmanager routes as `high` what has no known severity.
    known = {"regex": "|".join(others), "action": "drop"}
    chosen = known if "high" in escalated else {"regex": "|".join(escalated), "action": "keep"}
    mark = {"target_label": ESCALATION_LABEL, "replacement": "true"}
    # A rule of the team's own may have the mark by chance. Before 3.6, what one entry writes is still there for the
    # other one, which may come first or second: https://github.com/prometheus/prometheus/pull/17063
    unmark = {"source_labels": [ESCALATION_LABEL], "regex": "true", **mark, "replacement": ""}
    return {
        "alert_relabel_configs": relabel,
        "alertmanagers": [
            {**usual, "alert_relabel_configs": [unmark]},
            {**usual, "alert_relabel_configs": [{"source_labels": ["severity"], **chosen}, mark]},
        ],
    }
