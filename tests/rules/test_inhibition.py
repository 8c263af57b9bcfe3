"""Which alerts are silent while another one fires, and what each is about: asked of the real programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from generated import Alertmanager, alertmanager, prometheus, write
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from programs import free_port, until
from promised import own_alerts

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    alert_names,
    stepped_alerts,
)

Labels = dict[str, str]
OWN = {"crowsnest_alert": "true"}  # what Prometheus gives to crowsnest's alerts, and only to these
FRESH = count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with alertmanager(write(tmp_path_factory.mktemp("inhibition"), {})) as found:
        yield found


def silent(running: Alertmanager, *alerts: Labels) -> list[bool]:
    """Which of the alerts are silenced by another one, when all of them fire at once.

    The last two alerts are of a pair of which the second is silent for certain: then all the others are judged, too.
    """
    thing = {**OWN, "alertname": "HostMemoryLow", "host": f"sentinel{next(FRESH)}"}
    sentinels = [{**thing, "severity": severity} for severity in ("critical", "high")]
    running.post([{"labels": labels} for labels in (*alerts, *sentinels)])

    def judged() -> dict[frozenset[tuple[str, str]], bool] | None:
        found = {frozenset(it["labels"].items()): bool(it["status"]["inhibitedBy"]) for it in running.alerts()}
        return found if found.get(frozenset(sentinels[1].items())) else None

    found = until(judged, 20)
    return [found[frozenset(labels.items())] for labels in alerts]


def steps(name: str) -> list[Labels]:
    """The labels of an alert of ours, once for each severity, the highest first; of a world of its own."""
    fired = [labels for labels in own_alerts() if labels["alertname"] == name]
    severities = sorted({labels["severity"] for labels in fired}, key=SEVERITIES.index)
    world = {"environment": f"world{next(FRESH)}", **OWN}
    return [{**fired[0], "severity": severity, **world} for severity in severities]


@pytest.mark.parametrize("name", stepped_alerts())
def test_a_higher_severity_silences_the_lower_ones_of_the_same_thing_and_of_no_other(
    running: Alertmanager, name: str
) -> None:
    highest, *lower = steps(name)
    others = [{**lower[-1], label: "another"} for label in lower[-1] if label not in ("severity", *OWN)]
    assert silent(running, highest, *lower, *others) == [False, *(True for _ in lower), *(False for _ in others)]


@pytest.mark.parametrize("name", stepped_alerts())
def test_what_tells_two_things_apart_is_on_the_alert_at_every_severity(name: str) -> None:
    """Else the lower one would not be silent."""
    seen = {labels["severity"]: set(labels) for labels in own_alerts() if labels["alertname"] == name}
    assert len(seen) > 1 and len({frozenset(names) for names in seen.values()}) == 1, seen


# A cause and what it explains. Who is told of an effect, is told its end: it waits in the rules, before it begins.
HOST, APP = {"host": "H"}, {"app": "A"}
JOB = {**HOST, **APP}
CAUSES: list[tuple[Labels, Labels]] = [
    ({"alertname": "HostDown", **HOST}, {"alertname": "HostDiskFilling", **HOST, **OWN}),
    ({"alertname": "HostDown", **HOST}, {"alertname": "QueueTooLong", **HOST}),
    ({"alertname": "HostDown", **HOST}, {"alertname": "BackupLate", **JOB, **OWN}),
    ({"alertname": "AppDown", **APP}, {"alertname": "AppLatencyHigh", **APP, **OWN}),
    ({"alertname": "AppDown", **APP}, {"alertname": "ProbeFailed", **APP, **OWN}),
    ({"alertname": "AppDown", **APP}, {"alertname": "AppOrdersStopped", **APP}),
    ({"alertname": "PostgresDown", **APP}, {"alertname": "ProbeComponentFailed", **APP, **OWN}),
    ({"alertname": "ContainerOutOfMemory", **HOST}, {"alertname": "HostOutOfMemoryKill", **HOST, **OWN}),
    ({"alertname": "BackupFailed", **JOB}, {"alertname": "BackupLate", **JOB, **OWN}),
    ({"alertname": "BackupNotRunning", **HOST}, {"alertname": "BackupDrillOverdue", **JOB, **OWN}),
    ({"alertname": "BackupLate", **JOB}, {"alertname": "BackupFailed", **JOB, **OWN}),
    ({"alertname": "BackupCorrupt", **JOB}, {"alertname": "BackupDrillFailed", **JOB, **OWN}),
]


@pytest.mark.parametrize(("cause", "effect"), CAUSES, ids=str)
def test_no_alert_silences_another_one_than_itself(running: Alertmanager, cause: Labels, effect: Labels) -> None:
    case = {"case": str(next(FRESH))}
    alerts = [{**cause, **OWN, **case, "severity": "critical"}, {**effect, **case, "severity": "high"}]
    assert silent(running, *alerts) == [False, False]


# Two alerts of a team's own that differ in something that crowsnest has never heard of.
PAIRS: list[tuple[Labels, Labels]] = [
    ({"alertname": "DiskSmart", "host": "lab1", "device": "sda"}, {"device": "sdb"}),
    ({"alertname": "QueueTooLong", "queue": "orders"}, {"queue": "mail"}),
    ({"alertname": "QueueTooLong"}, {}),
    *(({"alertname": name, "host": "lab1", "slot": "1"}, {"slot": "2"}) for name in (*stepped_alerts(), "HostDown")),
]


@pytest.mark.parametrize(("first", "other"), PAIRS, ids=str)
def test_alerts_of_a_team_never_silence_each_other(running: Alertmanager, first: Labels, other: Labels) -> None:
    alerts = [
        {**first, **changed, "severity": severity} for severity in (*SEVERITIES, "page") for changed in ({}, other)
    ]
    assert silent(running, *alerts) == [False] * len(alerts)


TEXT = st.text(min_size=1, max_size=12)
LABELS = st.dictionaries(st.sampled_from(["host", "app", "instance", "queue", "device"]) | TEXT, TEXT, max_size=4)
ALERT = st.tuples(
    st.sampled_from([*alert_names(), "DiskSmart"]) | TEXT, LABELS, st.sampled_from([*SEVERITIES, "none"]) | TEXT
).map(lambda it: {**it[1], "alertname": it[0], "severity": it[2]})


@settings(
    max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ALERT, min_size=20, max_size=40))
def test_whatever_a_teams_alerts_are_called_and_labelled_they_arrive(
    running: Alertmanager, alerts: list[Labels]
) -> None:
    assert silent(running, *alerts) == [False] * len(alerts)


# --- who gets the mark, and what each is about ---

OWN_RULES = """
groups:
  - name: own
    rules:
      - {alert: DiskSmart, expr: vector(1), labels: {severity: high, device: sda, crowsnest_alert: "true", app: shop}}
      - {alert: HostDown, expr: vector(1), labels: {severity: high, host: lab1}}
"""


def test_prometheus_marks_crowsnests_own_alerts_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(OWN_RULES)
    port = free_port()
    declared: Mapping[str, Any] = {
        "rule_files": ["own.yml"],
        "disabled_alerts": ["HostDown"],
        "scrape_interval": "1s",
        "ports": {"alertmanager": port},
    }
    with alertmanager(write(tmp_path, declared), port) as running, prometheus(tmp_path):
        wanted = {"AlertingPathAlive": "true", "DiskSmart": None, "HostDown": None}

        def marks() -> dict[str, Any]:
            found = {it["labels"]["alertname"]: it["labels"].get("crowsnest_alert") for it in running.alerts()}
            return {name: found[name] for name in wanted} if set(wanted) <= set(found) else {}

        assert until(marks, 60) == wanted
