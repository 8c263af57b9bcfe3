# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether what apps export can be trusted: one process answers for all, and buckets stand where alerts begin.

Pure: answers of Prometheus go in, checks come out. Python 3.9, standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import PASS, WARN, Check, logs_of, some
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import AppMetrics

AREA = "app metrics"
# Between the bounds of a bucket a p95 is a guess. Usual ones are narrow, as 1 to 2.5 s, but some go from 1.5 to 10 s.
WIDEST_BUCKET = 3.0
_BUCKETS = (
    "Declare buckets in the app's library of metrics that have {limit:g} s as a bound, "
    "or other `thresholds` of the app. See the runbook AppLatencyHigh."
)


def asked_of_apps(wanted: Sequence[AppMetrics]) -> list[str]:
    """All PromQL of these apps."""
    return [expr for app in wanted for expr in (app["falling"], app["buckets"]) if expr]


def app_metrics_checks(wanted: Sequence[AppMetrics], answers: Mapping[str, Answer]) -> list[Check]:
    """What is doubtful about the metrics of apps; `answers` is {PromQL: series}."""
    checks = [check for app in wanted for check in _doubts(app, answers)]
    doubtful = {check.name for check in checks}
    well = sum(1 for app in wanted if app["app"] not in doubtful)
    detail = f"nothing is doubtful about those of {well} of {len(wanted)} apps"
    return [*checks, Check(PASS, AREA, detail)] if well else checks


def _doubts(app: AppMetrics, answers: Mapping[str, Answer]) -> Iterator[Check]:
    falling, buckets = (answers[expr] if expr else [] for expr in (app["falling"], app["buckets"]))
    if isinstance(falling, ServiceError) or isinstance(buckets, ServiceError):
        why = falling if isinstance(falling, ServiceError) else buckets
        detail = f"{app['app']}: Prometheus refuses the query: {why}"
        yield Check(WARN, AREA, detail, logs_of("prometheus"), name=app["app"])
        return
    if falling:
        yield _several_processes(app, sorted(sample.labels["instance"] for sample in falling))
    bounds = sorted(float(sample.labels["le"]) for sample in buckets)
    for limit in app["limits"]:
        yield from _wide_bucket(app["app"], limit, bounds)


def _several_processes(app: AppMetrics, instances: Sequence[str]) -> Check:
    detail = (
        f"{app['app']}: counters of {some(instances)} fall and rise again: several processes count for themselves and "
        "answer in turn, so requests and errors are wrong"
    )
    return Check(WARN, AREA, detail, app["together"], kind="apps answer with counters that fall", name=app["app"])


def _wide_bucket(app: str, limit: float, bounds: Sequence[float]) -> Iterator[Check]:
    """A line if a p95 cannot be compared with `limit` seconds; `bounds` are in seconds, the last one infinite."""
    if not bounds or limit in bounds:
        return
    lower = max((bound for bound in bounds if bound < limit), default=0.0)
    upper = min(bound for bound in bounds if bound > limit)
    if upper == inf:
        detail = f"{app}: its largest bucket ends at {lower:g} s, so AppLatencyHigh at {limit:g} s can never fire"
    elif lower and upper / lower > WIDEST_BUCKET:
        detail = (
            f"{app}: between {lower:g} and {upper:g} s it has no bucket, so AppLatencyHigh at {limit:g} s is a guess"
        )
    else:
        return
    kind = "apps have buckets too wide for alerts"
    yield Check(WARN, AREA, detail, _BUCKETS.format(limit=limit), kind=kind, name=app)
