# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""An alert rule of an app before its texts, and as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Severity

Language = Literal["en", "ko"]
# alert: {language: (summary, description)}. Prometheus fills in the labels.
Texts = Mapping[str, Mapping[Language, tuple[str, str]]]


@dataclass(frozen=True)
class Rule:
    """One alert rule before its texts; `value` is a Prometheus template, `wait` the rule's `for`.

    `instead_of_sentry`: it speaks only while Sentry does not.
    """

    alert: str
    severity: Severity
    expr: str
    value: str
    threshold: str
    wait: str = "0s"
    instead_of_sentry: bool = False


def as_prometheus(rule: Rule, app: str, summary: str, description: str) -> dict[str, Any]:
    """The rule of the app of this name: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/"""
    texts = {"summary": summary, "description": description, "value": rule.value, "threshold": rule.threshold}
    # The series have the label as well; without it here promtool takes the rules of two apps for duplicates.
    labels = {"severity": rule.severity, "app": app}
    return {"alert": rule.alert, "expr": rule.expr, "for": rule.wait, "labels": labels, "annotations": texts}


def recorded(name: str, app: str, expr: str, **labels: str) -> dict[str, Any]:
    """A recording rule of the app of this name, with the label `app` as above; `labels` are added to its series."""
    return {"record": name, "expr": expr, "labels": {"app": app, **labels}}
