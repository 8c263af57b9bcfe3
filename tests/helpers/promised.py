# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Crowsnest's own alerts with the labels that they really have: those that the promtool tests of tests/rules demand."""

from __future__ import annotations

from pathlib import Path

import yaml

RULE_TESTS = Path(__file__).resolve().parents[1] / "rules"


def own_alerts() -> list[dict[str, str]]:
    """The labels of every alert that a promtool test sees fire, each once."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULE_TESTS.glob("*_test.yml"))]
    cases = [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", [])]
    fired = [
        {"alertname": case["alertname"], **alert["exp_labels"]}
        for case in cases
        for alert in case.get("exp_alerts") or []
    ]
    return [dict(labels) for labels in dict.fromkeys(tuple(sorted(each.items())) for each in fired)]
