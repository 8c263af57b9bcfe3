"""What is doubtful about the metrics of apps, from Prometheus' answers."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.app_metrics import (
    app_metrics_checks,
    asked_of_apps,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import AppMetrics

WEB: AppMetrics = {"app": "web", "falling": "F", "together": "Count as one.", "buckets": "B", "limits": [2.0, 1.0]}
DJANGO = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0)


def bounds(*seconds: float) -> list[Sample]:
    """Buckets with these upper bounds, as Prometheus names them."""
    return [Sample({"le": le}, 1) for le in (*map(str, seconds), "+Inf")]


def lines(falling: Answer, buckets: Answer, app: AppMetrics = WEB) -> list[str]:
    checks = app_metrics_checks([app], {"F": falling, "B": buckets})
    assert all(check.advice for check in checks if check.status != "PASS")
    return [f"{check.status} {check.detail}" for check in checks]


WELL = ["PASS nothing is doubtful about those of 1 of 1 apps"]
GUESS = "WARN web: between {} and {} s it has no bucket, so AppLatencyHigh at {} s is a guess"
NEVER = "WARN web: its largest bucket ends at 1 s, so AppLatencyHigh at 2 s can never fire"
BUCKETS: dict[str, tuple[list[Sample], list[str]]] = {
    "none yet": ([], WELL),
    "a bound at each limit": (bounds(0.1, 1, 2, 10), WELL),
    "django-prometheus": (bounds(*DJANGO), WELL),
    "express-prom-bundle": (
        bounds(0.003, 0.03, 0.1, 0.3, 1.5, 10),
        [GUESS.format(1.5, 10, 2), GUESS.format(0.3, 1.5, 1)],
    ),
    "none above a limit": (bounds(0.1, 0.5, 1), [NEVER]),
}


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_that_cannot_tell_whether_an_alert_is_due(name: str) -> None:
    found, wanted = BUCKETS[name]
    assert lines([], found) == wanted


def test_several_processes_that_answer_in_turn() -> None:
    (line,) = lines([Sample({"instance": "127.0.0.1:8000"}, 3)], [])
    assert line.startswith("WARN web: counters of 127.0.0.1:8000 fall and rise again: several processes")


def test_an_app_of_which_only_its_process_is_known_is_asked_for_no_buckets() -> None:
    generic: AppMetrics = {**WEB, "buckets": ""}
    assert asked_of_apps([WEB, generic]) == ["F", "B", "F"]
    assert lines([], bounds(0.1), generic) == WELL


def test_what_prometheus_refuses_is_told() -> None:
    for falling, buckets in ((ServiceError("no"), []), ([], ServiceError("no"))):
        assert lines(falling, buckets) == ["WARN web: Prometheus refuses the query: no"]


def test_without_metrics_there_is_no_line() -> None:
    assert app_metrics_checks([], {}) == []
