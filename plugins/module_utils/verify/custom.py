# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether apps export the metrics that are declared of them. Pure. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    WARN,
    Check,
    logs_of,
    runbook,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import CustomMetric


def exported_question(wanted: Sequence[CustomMetric]) -> str:
    """PromQL: one series per app and name of those that are exported; nothing where nothing is declared."""
    names = "|".join(sorted({metric["series"] for metric in wanted}))
    return f'group by (app, __name__) ({{__name__=~"{names}", job="app"}})'


def custom_checks(wanted: Sequence[CustomMetric], answer: Answer, settled_apps: Collection[str]) -> list[Check]:
    """One line per declared metric that an app does not export, if the app has been up for some minutes."""
    if not wanted:
        return []
    if isinstance(answer, ServiceError):
        return [Check(FAIL, "metrics", f"Prometheus refuses the query: {answer}", logs_of("prometheus"))]
    found = {(sample.labels["app"], sample.labels["__name__"]) for sample in answer}
    known = [metric for metric in wanted if (metric["app"], metric["series"]) in found]
    checks = [_missing(metric) for metric in wanted if metric not in known and metric["app"] in settled_apps]
    detail = f"{len(known)} of {len(wanted)} declared ones are exported"
    return [*checks, Check(PASS, "metrics", detail)] if known else checks


def _missing(metric: CustomMetric) -> Check:
    name = f"{metric['app']}: {metric['series']}"
    advice = f"Is the name right, and has it counted something? Correct `{metric['setting']}`, or the app. "
    return Check(
        WARN,
        "metrics",
        f"{name} is declared, but not exported",
        advice + runbook("AppMetricOutOfRange" if metric["setting"] == "custom_metrics" else "AppSignalMissing"),
        kind="declared metrics are not exported",
        name=name,
    )
