"""What the metrics say of what is declared: the state now, as the alerts see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify import state
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import Alert

# When Alertmanager's configuration came into force.
SINCE = 1_800_000_000.0
DAY = 86400
TARGET = {"app": "shop", "probe": "url"}
EXPECTED = {
    "receivers": {"slack": ["team"]},
    "heartbeat": True,
    "certificates": {},
    "hosts": ["web1", "web2"],
    "backups": [{"app": "shop", "host": "web1", "drill": True}],
    "weekly_report": "",
    "targets": [TARGET, {"app": "shop", "probe": "redis"}, {"app": "", "probe": ""}],
}
# Answers of a host on which all is well.
WELL: dict[str, Answer] = {
    **{name: [] for name in state.questions(3600)},
    "probes": [Sample({**TARGET, "instance": "https://shop.example.com/"}, 1)],
    "attempts": [Sample({"integration": "slack"}, 2.0)],
    "heartbeats": [Sample({}, 4.9)],
    "disk": [Sample({"host": "web1", "mountpoint": "/"}, 41.2), Sample({"host": "web2", "mountpoint": "/"}, 7.0)],
    "memory": [Sample({"host": "web1"}, 61.0)],
    "skew": [Sample({"host": "web1"}, -0.2)],
    "backup ages": [Sample({"app": "shop", "host": "web1"}, 5 * 3600)],
    "backup proofs": [Sample({"app": "shop", "host": "web1"}, 2 * DAY)],
}


def lines(
    answers: Mapping[str, Answer],
    expected: Mapping[str, Any] = EXPECTED,
    age: float = 900,
    alerts: Sequence[Alert] = (),
) -> list[str]:
    """`STATUS area: detail` of each check."""
    checks = state.state_checks(state.Now({**EXPECTED, **expected}, alerts, SINCE, age), {**WELL, **answers})
    assert all(check.advice for check in checks if check.status != "PASS")
    return [f"{check.status} {check.area}: {check.detail}" for check in checks]


def test_a_host_on_which_all_is_well_passes() -> None:
    assert lines({}) == [
        "PASS probes: 1 of 1 succeed",
        "PASS delivery: none of 2 messages failed recently",
        "PASS heartbeat: delivered 5 time(s) in the last 5 min",
        "PASS certificates: none: no URL with https is declared",
        "PASS disk: 2 file system(s), the fullest is web1 / at 41 %",
        "PASS memory: at most 61 % used, on web1",
        "PASS clock: 1 host(s), at most 0.2 s from the server's clock",
        "PASS backups: shop: last good 5 h ago, proven 2 d ago",
    ]


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels, value)


def failing(seconds: float = 60, integration: str = "slack") -> Sample:
    """A receiver whose last message failed so long after the configuration came into force."""
    return sample(SINCE + seconds, integration=integration, receiver_name="critical")


def alert(name: str, firing: bool = True, value: float = 1, **labels: str) -> Alert:
    return Alert(name, {"alertname": name, "severity": "critical", **labels}, firing, value)


UNDELIVERED = alert("AlertmanagerNotificationsFailing", integration="slack")
CERTIFICATE = {"shop": "https://shop.example.com/"}
# What is answered, declared and alerted about, and the lines that come of it.
CASES: dict[str, tuple[Mapping[str, Any], dict[str, Any], Sequence[Alert], str]] = {
    "a probe fails": (
        {"probes": [sample(0, app="shop", probe="redis", instance="http://a/")]},
        {},
        (),
        "WARN probes: shop is not reachable, or does not answer as it should: redis",
    ),
    "a message failed": (
        {"failing": [failing()]},
        {},
        (),
        "WARN delivery: the last message (critical) to team failed, and none has been sent since",
    ),
    "not long enough for the alert": (
        {"failing": [failing(899)]},
        {},
        [UNDELIVERED._replace(firing=False)],
        "WARN delivery: the last message (critical) to team failed, and none has been sent since",
    ),
    "the alert fires": (
        {"failing": [failing(751)]},
        {},
        [UNDELIVERED],
        "FAIL delivery: messages (critical) do not reach team",
    ),
    "one of several receivers": (
        {"failing": [failing(899)]},
        {"receivers": {"slack": ["team", "oncall"]}},
        [UNDELIVERED],
        "FAIL delivery: messages (critical) do not reach one of team, oncall",
    ),
    "the alert fires, and nothing was tried for a minute": (
        {"failing": [failing(749)]},
        {},
        [UNDELIVERED],
        "WARN delivery: the last message (critical) to team failed, and none has been sent since",
    ),
    "the alert of another receiver fires": (
        {"failing": [failing(899)]},
        {},
        [alert("AlertmanagerNotificationsFailing", integration="email")],
        "WARN delivery: the last message (critical) to team failed, and none has been sent since",
    ),
    "failed before the configuration in force": (
        {"failing": [failing(-1)]},
        {},
        [UNDELIVERED],
        "PASS delivery: none of 2 messages failed recently",
    ),
    "failed to a receiver that was removed": (
        {"failing": [failing(integration="email")], "failures": [sample(5, integration="email")]},
        {},
        [alert("AlertmanagerNotificationsFailing", integration="email")],
        "PASS delivery: none of 2 messages failed recently",
    ),
    "failed, and one was delivered since": (
        {"failures": [sample(1.02, integration="slack")]},
        {},
        [UNDELIVERED],
        "PASS delivery: 2 messages recently; 1 failed, but a later one arrived",
    ),
    "no receiver": (
        {"failing": [failing()]},
        {"receivers": {}},
        [UNDELIVERED],
        "WARN delivery: no receiver is declared: alerts go nowhere",
    ),
    "no heartbeat": ({"heartbeats": []}, {}, (), "FAIL heartbeat: not delivered in the last 5 min"),
    "only failed heartbeats": (
        {"heartbeats": [sample(0.2)]},
        {},
        (),
        "FAIL heartbeat: not delivered in the last 5 min",
    ),
    "no heartbeat declared": (
        {},
        {"heartbeat": False},
        (),
        "WARN heartbeat: none is declared: nothing outside notices when alerting itself dies",
    ),
    "a certificate": (
        {"certificates": [sample(3.9 * DAY, app="shop"), sample(1, app="gone")]},
        {"certificates": CERTIFICATE},
        (),
        "PASS certificates: 1, the first expires in 3 d",
    ),
    "an alert on a certificate": (
        {"certificates": [sample(90 * DAY, app="shop")]},
        {"certificates": CERTIFICATE},
        [alert("CertificateExpiry", app="shop", value=90 * DAY)],
        "WARN certificates: shop: its certificate expires in 90 d",
    ),
    "no certificate": (
        {},
        {"certificates": CERTIFICATE},
        (),
        "WARN certificates: shop: no certificate was read from https://shop.example.com/",
    ),
    "a full disk without an alert": (
        {"disk": [sample(99, host="web1", mountpoint="/")]},
        {},
        (),
        "PASS disk: 1 file system(s), the fullest is web1 / at 99 %",
    ),
    "an alert on an empty disk": (
        {},
        {},
        [alert("HostDiskFilling", host="web1", mountpoint="/", value=2)],
        "WARN disk: web1 / is 2 % full",
    ),
    "a disk that will be full": (
        {},
        {},
        [alert("HostDiskFullSoon", host="web1", mountpoint="/", value=DAY - 3600)],
        "WARN disk: web1 / will be full in 23 h at the present rate",
    ),
    "disks of hosts that were removed": (
        {"disk": [sample(99, host="gone", mountpoint="/")]},
        {},
        (),
        "WARN disk: nothing is known yet",
    ),
    "memory without an alert": (
        {"memory": [sample(99, host="web1")]},
        {},
        (),
        "PASS memory: at most 99 % used, on web1",
    ),
    "an alert on memory": (
        {},
        {},
        [alert("HostMemoryLow", host="web1", value=61)],
        "WARN memory: web1 uses 61 % of its memory",
    ),
    "no memory known": ({"memory": []}, {}, (), "WARN memory: nothing is known yet"),
    "a clock without an alert": (
        {"skew": [sample(-9, host="web2")]},
        {},
        (),
        "PASS clock: 1 host(s), at most 9.0 s from the server's clock",
    ),
    "an alert on a clock": (
        {"skew": [sample(-5.1, host="web2")]},
        {},
        [alert("HostClockSkewed", host="web2", value=5.1)],
        "WARN clock: web2's clock is 5.1 s behind the server's",
    ),
    "no clock known": ({"skew": [sample(9, host="gone")]}, {}, (), "WARN clock: nothing is known yet"),
    "a refused question": (
        {"memory": ServiceError("HTTP 422: too many samples")},
        {},
        (),
        "FAIL memory: Prometheus refuses the query: HTTP 422: too many samples",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_state_is_one_line(case: str) -> None:
    answers, declared, alerts, line = CASES[case]
    area = line.split(":")[0].split()[1]
    found = lines(answers, declared, alerts=alerts)
    assert [it for it in found if it.split(":")[0].split()[1] == area] == [line]


def test_a_probe_of_what_is_no_longer_declared_is_past() -> None:
    gone = [sample(0, app="gone", probe="url", instance="http://a/"), sample(0, app="shop", probe="old", instance="b")]
    assert not [line for line in lines({"probes": gone}) if " probes" in line]


@pytest.mark.parametrize("beats", [[], [sample(4.9)]], ids=["none", "of the one before"])
def test_a_new_heartbeat_need_not_have_been_delivered(beats: list[Sample]) -> None:
    age = 59 if beats else 299
    assert "WARN heartbeat: not delivered yet" in lines({"heartbeats": beats}, age=age)


def test_a_heartbeat_counts_since_the_configuration_in_force() -> None:
    assert "PASS heartbeat: delivered 2 time(s) in the last 2 min" in lines({"heartbeats": [sample(2)]}, age=140)
    assert '{receiver_name="heartbeat"}[140s]' in state.questions(140)["heartbeats"]
    assert '{receiver_name="heartbeat"}[300s]' in state.questions(3600)["heartbeats"]


def test_the_last_weekly_message_is_named_where_one_is_declared() -> None:
    declared = {"weekly_report": "Monday 09:00"}
    assert "PASS weekly: no message was sent yet; one comes every Monday 09:00" in lines({}, declared)
    sent = {"weekly report": [sample(3 * DAY)]}
    assert "PASS weekly: the last message was sent 3 d ago; one comes every Monday 09:00" in lines(sent, declared)
    assert not [line for line in lines(sent) if " weekly" in line]


def test_a_refused_question_leaves_the_other_checks() -> None:
    assert len(lines({"disk": ServiceError("HTTP 422")})) == len(lines({}))


def test_messages_to_people_count_for_the_given_time() -> None:
    for name in ("attempts", "failures"):
        assert '_total{receiver_name!="heartbeat"}[777s]' in state.questions(777)[name]


@pytest.mark.parametrize(
    ("probes", "alert"),
    {
        ("url", "answer", "database"): "ProbeFailed",
        ("health",): "ProbeFailed",
        ("answer",): "ProbeAnswerNotUnderstood",
        ("answer", "redis"): "ProbeAnswerNotUnderstood",
        ("database",): "ProbeComponentFailed",
    }.items(),
)
def test_a_failed_probe_leads_to_the_runbook_of_its_alert(probes: Sequence[str], alert: str) -> None:
    expected = {**EXPECTED, "targets": [{"app": "shop", "probe": name} for name in probes]}
    seen = [sample(0, app="shop", probe=name, instance="http://a/?x=1&y=2") for name in probes]
    (line, *_) = state.probe_checks(state.Now(expected, (), 0, 0), seen)
    assert line.advice == f"On the server: `curl -sv -o /dev/null 'http://a/?x=1&y=2'`. See the runbook {alert}."
