# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules that are made of the declaration, as Prometheus reads them, and an alert of an app before its texts.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Severity
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import units

Language = Literal["en", "ko"]
# alert: {language: (summary, description)}. Prometheus fills in the labels.
Texts = Mapping[str, Mapping[Language, tuple[str, str]]]
# What is measured, as people of each language write it; a str is the same in all, such as `up = 0`.
Figure = str | Mapping[Language, str]


@dataclass(frozen=True)
class Rule:
    """One alert rule before its texts; `value` is a Prometheus template, `wait` the rule's `for`.

    `threshold` is without the wait, which every message adds. `instead_of_sentry`: it speaks only while Sentry does
    not. `labels` are added to severity and app. `keep` is `keep_firing_for`, a duration of Prometheus.
    """

    alert: str
    severity: Severity
    expr: str
    value: Figure
    threshold: Figure
    wait: str = "0s"
    instead_of_sentry: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    keep: str | None = None


def as_prometheus(rule: Rule, app: str, summary: str, description: str, language: Language) -> dict[str, Any]:
    """The rule of the app of this name, with its texts in this language."""
    value, threshold = (it if isinstance(it, str) else it[language] for it in (rule.value, rule.threshold))
    texts = {"summary": summary, "description": description, "value": value, "threshold": threshold}
    if rule.wait != "0s":
        texts["threshold"] += _WAITS[language].format(duration(rule.wait, language))
    # The series have the label as well; without it here promtool takes the rules of two apps for duplicates.
    labels = {"severity": rule.severity, "app": app, **rule.labels}
    times = {"for": rule.wait, **({"keep_firing_for": rule.keep} if rule.keep else {})}
    return {"alert": rule.alert, "expr": rule.expr, **times, "labels": labels, "annotations": texts}


_WAITS: Mapping[Language, str] = {"en": ", {}", "ko": ", {} 지속"}


def duration(text: str, language: Language) -> str:
    """A declared duration as people write it: 90m is `90 min` or `90분`, 1h30m is `1 h 30 min` or `1시간 30분`."""
    words = {"en": {"m": " min"}, "ko": units("ko")}[language]
    return " ".join(f"{number}{words.get(unit, f' {unit}')}" for number, unit in re.findall(r"(\d+)([a-z])", text))


def with_texts(rules: Iterable[Rule], app: str, texts: Texts, language: Language) -> list[dict[str, Any]]:
    """The rules of the app of this name, each with what its alert says in this language."""
    return [as_prometheus(rule, app, *texts[rule.alert][language], language) for rule in rules]


def recorded(name: str, expr: str, **labels: str) -> dict[str, Any]:
    """A recording rule; `labels` are added to its series, those of one app have `app`, as above."""
    return {"record": name, "expr": expr, "labels": labels}
