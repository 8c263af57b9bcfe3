"""What the metrics say, for each threshold once on either side of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import verify_state as state
from ansible_collections.crowsnest.core.plugins.module_utils.verify_client import Answer, Sample, ServiceError

NOW = 1_800_000_000.0
DAY = 86400
EXPECTED = {"receivers": {"slack": ["team"]}, "heartbeat": True, "certificates": []}
# Answers of a host on which all is well.
WELL: dict[str, Answer] = {
    **{name: [] for name in state.questions(3600)},
    "probes": [Sample({"app": "shop", "probe": "url", "instance": "https://shop.example.com/"}, 1)],
    "attempts": [Sample({"integration": "slack", "receiver_name": "high"}, 2.0)],
    "heartbeats": [Sample({}, 4.9)],
    "disk": [Sample({"host": "web1", "mountpoint": "/"}, 41.2), Sample({"host": "web2", "mountpoint": "/"}, 7.0)],
    "memory": [Sample({"host": "web1"}, 61.0)],
    "skew": [Sample({"host": "web1"}, -0.2)],
}


def lines(answers: Mapping[str, Answer], expected: Mapping[str, Any] = EXPECTED, age: float = 900) -> list[str]:
    """`STATUS area: detail` of each check."""
    checks = state.state_checks({**EXPECTED, **expected}, {**WELL, **answers}, state.Moment(NOW, age))
    assert all(check.advice for check in checks if check.status != "PASS")
    return [f"{check.status} {check.area}: {check.detail}" for check in checks]


def test_a_host_on_which_all_is_well_passes() -> None:
    assert lines({}) == [
        "PASS probes: 1 of 1 succeed",
        "PASS delivery: none of 2 messages failed lately",
        "PASS heartbeat: delivered 5 time(s) in the last 5 min",
        "PASS certificates: none: no URL with https is declared",
        "PASS disk: 2 file system(s), the fullest: web1 / with 41 %",
        "PASS memory: at most 61 % used, on web1",
        "PASS clock: 1 host(s), at most 0.2 s beside the server",
    ]


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels, value)


def disk(used: float, until_full: float | None = None) -> dict[str, Sequence[Sample]]:
    place = {"host": "web1", "mountpoint": "/"}
    return {"disk": [Sample(place, used)], "disk forecast": [Sample(place, until_full)] if until_full else []}


def certificate(days: float) -> dict[str, Sequence[Sample]]:
    return {"certificates": [sample(NOW + days * DAY, instance="https://a.example/")]}


FAILURE = {"integration": "slack", "receiver_name": "critical"}
# What is answered and declared, and the line that comes of it.
CASES: list[tuple[Mapping[str, Any], dict[str, Any], str]] = [
    (
        {"probes": [sample(0, app="shop", probe="redis", instance="http://a/")]},
        {},
        "WARN probes: shop: redis cannot be reached, or not well",
    ),
    (
        {"failures": [Sample(FAILURE, 1.02)], "attempts": [Sample(FAILURE, 3.1)]},
        {},
        "WARN delivery: 1 of 3 messages (critical) to team failed lately",
    ),
    (
        {"failures": [Sample(FAILURE, 3.1)], "attempts": [Sample(FAILURE, 3.1)]},
        {},
        "WARN delivery: 3 of 3 messages (critical) to team failed lately",
    ),
    (
        {"failures": [Sample(FAILURE, 3.1)], "lost": [Sample(FAILURE, 1.2)]},
        {},
        "FAIL delivery: 3 of 3 messages (critical) to team failed lately",
    ),
    (
        {"failures": [Sample(FAILURE, 2.0)], "lost": [Sample(FAILURE, 2.0)]},
        {"receivers": {"email": ["boss"]}},
        "FAIL delivery: 2 of 2 messages (critical) to slack failed lately",
    ),
    (
        {"dropped": [sample(2.01)]},
        {},
        "WARN delivery: alerts Prometheus gave up lately: 2; it sends those again that still fire",
    ),
    ({"errors": [sample(1.0)]}, {}, "WARN delivery: alerts Prometheus could not hand to Alertmanager at once: 1"),
    ({}, {"receivers": {}}, "WARN delivery: no receiver is declared: alerts go nowhere"),
    ({"heartbeats": []}, {}, "FAIL heartbeat: not delivered in the last 5 min"),
    ({"heartbeats": [sample(0.2)]}, {}, "FAIL heartbeat: not delivered in the last 5 min"),
    ({}, {"heartbeat": False}, "WARN heartbeat: none is declared: nothing outside notices when alerting itself dies"),
    (certificate(14), {}, "PASS certificates: 1, the first one ends in 14 d"),
    (certificate(13.9), {}, "WARN certificates: https://a.example/: ends in 13 d"),
    (certificate(3), {}, "WARN certificates: https://a.example/: ends in 3 d"),
    (certificate(2.9), {}, "FAIL certificates: https://a.example/: ends in 2 d"),
    (certificate(-2), {}, "FAIL certificates: https://a.example/: ended 2 d ago"),
    (
        {},
        {"certificates": ["https://b.example/"]},
        "WARN certificates: https://b.example/: its certificate was not seen in the last 2 d",
    ),
    (disk(80), {}, "PASS disk: 1 file system(s), the fullest: web1 / with 80 %"),
    (disk(80.6), {}, "WARN disk: web1 / is 81 % full"),
    (disk(90.6), {}, "FAIL disk: web1 / is 91 % full"),
    (disk(61, 7 * DAY), {}, "PASS disk: 1 file system(s), the fullest: web1 / with 61 %"),
    (disk(61, 6.5 * DAY), {}, "WARN disk: web1 / is 61 % full, full in 6 d at the pace of the last 6 h"),
    (disk(61, DAY - 1), {}, "FAIL disk: web1 / is 61 % full, full in 23 h at the pace of the last 6 h"),
    (disk(61, DAY + 1), {}, "WARN disk: web1 / is 61 % full, full in 24 h at the pace of the last 6 h"),
    ({"disk": []}, {}, "WARN disk: nothing is known yet"),
    ({"memory": [sample(90, host="web1")]}, {}, "PASS memory: at most 90 % used, on web1"),
    ({"memory": [sample(91, host="web1")]}, {}, "WARN memory: web1 uses 91 % of its memory"),
    ({"memory": [sample(96, host="web1")]}, {}, "FAIL memory: web1 uses 96 % of its memory"),
    ({"memory": []}, {}, "WARN memory: nothing is known yet"),
    ({"skew": [sample(-5.1, host="web2")]}, {}, "FAIL clock: web2 is -5.1 s beside the server"),
    ({"skew": [sample(5, host="web2")]}, {}, "PASS clock: 1 host(s), at most 5.0 s beside the server"),
    ({"unsynchronised": [sample(0, host="web2")]}, {}, "WARN clock: web2 has had no time server for hours"),
    ({"skew": []}, {}, "WARN clock: nothing is known yet"),
    (
        {"memory": ServiceError("HTTP 422: too many samples")},
        {},
        "FAIL memory: Prometheus refuses the question: HTTP 422: too many samples",
    ),
]


@pytest.mark.parametrize(
    ("answers", "declared", "line"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_fault_is_one_line(answers: Mapping[str, Answer], declared: Mapping[str, Any], line: str) -> None:
    area = line.split(":")[0].split()[1]
    assert [found for found in lines(answers, declared) if found.split(":")[0].split()[1] == area] == [line]


def test_a_new_prometheus_need_not_have_seen_a_heartbeat() -> None:
    assert "WARN heartbeat: not delivered yet" in lines({"heartbeats": []}, age=299)


def test_a_refused_question_leaves_the_other_checks() -> None:
    assert len(lines({"disk": ServiceError("HTTP 422")})) == len(lines({}))


def alert(name: str, at: str = "firing", **labels: str) -> dict[str, Any]:
    return {"labels": {"alertname": name, **labels}, "state": at}


def test_alerts_that_fire_are_named_but_for_the_heartbeat() -> None:
    found = [
        alert("AlertingPathAlive"),
        alert("HostCpuHigh", "pending", host="web1"),
        alert("AppDown", app="shop", host="web1", severity="critical"),
        alert("HostDown", host="web2", severity="critical"),
        alert("Mine"),
    ]
    (check,) = state.alert_checks(found)
    assert (check.status, check.detail) == (
        "WARN",
        "3 fire: AppDown shop (critical), HostDown web2 (critical), Mine (none)",
    )
    assert state.alert_checks(found[:2])[0][:3] == ("PASS", "alerts", "none fires")


def test_deliveries_count_for_the_given_time() -> None:
    assert "alertmanager_notifications_failed_total[777s]" in state.questions(777)["failures"]


def test_a_heartbeat_that_fails_is_not_blamed_on_a_receiver() -> None:
    beat = Sample({"integration": "webhook", "receiver_name": "heartbeat"}, 60.0)
    found = lines(
        {"failures": [beat], "lost": [beat], "heartbeats": [sample(0)]},
        {**EXPECTED, "receivers": {"webhook": ["pager"]}},
    )
    assert not [line for line in found if "pager" in line]
    assert "FAIL heartbeat: not delivered in the last 5 min" in found
