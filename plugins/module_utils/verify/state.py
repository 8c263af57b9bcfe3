# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the metrics say: probes, delivery of alerts, certificates, disks, memory, clocks.

Pure: the answers to `questions` and the alerts go in, checks come out. What is too much is the alerts' to decide
(alerts.py). Python 3.9, standard library.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import DELIVERY_ALERT, Alert, area_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    WARN,
    Check,
    duration,
    logs_of,
    runbook,
    some,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Expected

# A heartbeat that is new need not have been seen twice by Prometheus; before the first of these times what was seen may
# be of an older one.
NEW_HEARTBEAT_SECONDS, HEARTBEAT_SECONDS = 60, 300
# A receiver that refused a message so lately refuses messages now. What is older may be past, and no run can cure it: a
# receiver is tried again only when there is something to say. A minute, and the 90 s by which the series is early.
REFUSING_SECONDS = 150
# Messages to people: the heartbeat has a check of its own.
_PEOPLE = 'receiver_name!="heartbeat"'


class Now(NamedTuple):
    """What is compared with: what is declared, what alerts, and since when what is in force is so.

    `expected` is that of the module, `in_force_since` when Alertmanager's configuration came into force (seconds since
    1970), and `delivering_seconds` how long ago that is.
    """

    expected: Expected
    alerts: Sequence[Alert]
    in_force_since: float
    delivering_seconds: float


def questions(window_seconds: int) -> dict[str, str]:
    """{name of the question: PromQL}; deliveries count for the last `window_seconds`."""
    window = f"[{window_seconds}s]"
    beats = f"[{min(window_seconds, HEARTBEAT_SECONDS)}s]"
    return {
        "settled apps": 'min by (app) (min_over_time(up{job=~"app|probe"}[5m])) == 1'
        ' and count by (app) (up{job=~"app|probe"} offset 5m)',
        "probes": 'probe_success{job="probe"}',
        "attempts": f"sum by (integration) (increase(alertmanager_notifications_total{{{_PEOPLE}}}{window}))",
        "failures": f"sum by (integration) (increase(alertmanager_notifications_failed_total{{{_PEOPLE}}}{window}))",
        "failing": f"receiver:failing:timestamp{{{_PEOPLE}}}",
        "heartbeats": f'sum(increase(alertmanager_notification_requests_total{{receiver_name="heartbeat"}}{beats}))'
        f' - sum(increase(alertmanager_notification_requests_failed_total{{receiver_name="heartbeat"}}{beats}))',
        "certificates": "app:certificate_left:seconds",
        "disk": "host:filesystem_used:percent",
        "memory": "host:memory_used:percent",
        "skew": "host:clock_ahead:seconds",
    }


def state_checks(now: Now, answers: Mapping[str, Answer]) -> list[Check]:
    """All checks of this file; `answers` is {question: series}."""
    checks: list[Check] = []
    for area, names, check in _CHECKS:
        refusals = [answer for answer in (answers[name] for name in names) if isinstance(answer, ServiceError)]
        if refusals:
            checks.append(Check(FAIL, area, f"Prometheus refuses the question: {refusals[0]}", logs_of("prometheus")))
        else:
            checks += check(now, *(answers[name] for name in names))
    return checks


def probe_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """An app that does not answer from outside is a warning here; its own alert fires."""
    declared = {(it["app"], it["probe"]) for it in now.expected["targets"] if it["probe"]}
    probes = [it for it in answered if (it.labels["app"], it.labels["probe"]) in declared]
    failed: dict[str, list[Sample]] = {}
    for it in probes:
        if it.value == 0:
            failed.setdefault(it.labels["app"], []).append(it)
    checks = [_failed(app, samples) for app, samples in failed.items()]
    well = sum(1 for it in probes if it.value != 0)
    return [*checks, Check(PASS, "probes", f"{well} of {len(probes)} succeed")] if well else checks


def _failed(app: str, samples: Sequence[Sample]) -> Check:
    names = some(it.labels["probe"] for it in samples)
    word = f"{app} is not reachable, or its answer is not as it should be: {names}"
    page, alert = shlex.quote(samples[0].labels["instance"]), _alert_of({it.labels["probe"] for it in samples})
    advice = f"On the server: `curl -sv -o /dev/null {page}`. {runbook(alert)}"
    return Check(WARN, "probes", word, advice, kind="apps are not reachable or not well", name=f"{app} ({names})")


def _alert_of(probes: Collection[str]) -> str:
    """The alert that speaks of an app with these failed probes."""
    if {"url", "health"} & set(probes):
        return "ProbeFailed"
    return "ProbeAnswerNotUnderstood" if "answer" in probes else "ProbeComponentFailed"


def delivery_checks(
    now: Now, attempts: Sequence[Sample], failures: Sequence[Sample], failing: Sequence[Sample]
) -> list[Check]:
    """Declared receivers that do not take messages: a fault while the alert fires and they still refuse.

    Refusals of receivers that are not declared (any more), or from before the configuration in force, are past; what
    Prometheus knows of the time of that may be half a minute old.
    """
    receivers = now.expected["receivers"]
    if not receivers:
        word = "no receiver is declared: alerts go nowhere"
        return [Check(WARN, "delivery", word, "Declare crowsnest_receivers.")]
    broken = [it for it in failing if it.labels["integration"] in receivers and it.value > now.in_force_since]
    if broken:
        return [_undelivered(now, it) for it in broken]
    sent, lost = (
        sum(round(it.value) for it in counted if it.labels["integration"] in receivers)
        for counted in (attempts, failures)
    )
    if lost:
        return [Check(PASS, "delivery", f"{sent} messages lately, {lost} failed and a later one arrived")]
    return [Check(PASS, "delivery", f"none of {sent} messages failed lately")]


def _undelivered(now: Now, sample: Sample) -> Check:
    """`sample` is the time of the last failure by integration and, as receiver_name, severity."""
    integration, severity = sample.labels["integration"], sample.labels["receiver_name"]
    names = now.expected["receivers"][integration]
    receiver = names[0] if len(names) == 1 else f"one of {some(names)}"
    alerting = any(
        it.firing and it.name == DELIVERY_ALERT and it.labels["integration"] == integration for it in now.alerts
    )
    ago = now.in_force_since + now.delivering_seconds - sample.value
    lasting = alerting and ago < REFUSING_SECONDS
    return Check(
        FAIL if lasting else WARN,
        "delivery",
        f"messages ({severity}) do not reach {receiver}"
        if lasting
        else f"the last message ({severity}) to {receiver} failed, and none was sent since",
        f"`./crowsnest alert-test` with the same -i shows the receiver's own words. {runbook(DELIVERY_ALERT)}",
        kind="kinds of messages do not arrive",
        name=f"{severity} to {receiver}",
    )


def heartbeat_checks(now: Now, beats: Sequence[Sample]) -> list[Check]:
    """The dead man's switch hears of us, if one is declared."""
    if not now.expected["heartbeat"]:
        word = "none is declared: nothing outside notices when alerting itself dies"
        return [Check(WARN, "heartbeat", word, "Declare crowsnest_heartbeat_url.")]
    count, age = round(beats[0].value) if beats else 0, now.delivering_seconds
    if count > 0 and age >= NEW_HEARTBEAT_SECONDS:
        return [Check(PASS, "heartbeat", f"delivered {count} time(s) in the last {_window(age)}")]
    if age < HEARTBEAT_SECONDS:
        return [Check(WARN, "heartbeat", "not delivered yet", "Ask again in 5 minutes.")]
    advice = f"{runbook('AlertingPathAlive')} {logs_of('alertmanager')}"
    return [Check(FAIL, "heartbeat", f"not delivered in the last {_window(age)}", advice)]


def _window(age_seconds: float) -> str:
    return duration(min(age_seconds, HEARTBEAT_SECONDS))


def certificate_checks(now: Now, left: Sequence[Sample]) -> list[Check]:
    """Certificates of the declared apps; one that was never seen is a warning."""
    declared = now.expected["certificates"]
    days = {it.labels["app"]: it.value / 86400 for it in left if it.labels["app"] in declared}
    checks = [
        Check(
            WARN,
            "certificates",
            f"{app}: no certificate was read from {url}",
            f"On the server: `curl -sv -o /dev/null {url}`.",
            kind="certificates could not be read",
            name=app,
        )
        for app, url in declared.items()
        if app not in days
    ]
    checks += area_checks("certificates", now.alerts, {})
    if checks:
        return checks
    if not days:
        return [Check(PASS, "certificates", "none: no URL with https is declared")]
    return [Check(PASS, "certificates", f"{len(days)}, the first one expires in {int(min(days.values()))} d")]


def disk_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """File systems of the declared hosts."""
    used = _on_declared_hosts(now, answered)
    if not used:
        return [_unknown("disk")]
    fullest = max(used, key=lambda it: it.value)
    place = f"{fullest.labels['host']} {fullest.labels['mountpoint']}"
    word = f"{len(used)} file system(s), the fullest: {place} with {fullest.value:.0f} %"
    return area_checks("disk", now.alerts, {}) or [Check(PASS, "disk", word)]


def memory_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """Memory of the declared hosts."""
    used = _on_declared_hosts(now, answered)
    if not used:
        return [_unknown("memory")]
    most = max(used, key=lambda it: it.value)
    word = f"at most {most.value:.0f} % used, on {most.labels['host']}"
    return area_checks("memory", now.alerts, {}) or [Check(PASS, "memory", word)]


def clock_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """Clocks of the declared hosts."""
    skew = {it.labels["host"]: it.value for it in _on_declared_hosts(now, answered)}
    if not skew:
        return [_unknown("clock")]
    worst = max(abs(seconds) for seconds in skew.values())
    word = f"{len(skew)} host(s), at most {worst:.1f} s from the server's clock"
    return area_checks("clock", now.alerts, skew) or [Check(PASS, "clock", word)]


def _on_declared_hosts(now: Now, samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.labels["host"] in now.expected["hosts"]]


def _unknown(area: str) -> Check:
    return Check(WARN, area, "nothing is known yet", "Ask again in a minute.", soon=True)


_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[..., list[Check]]], ...] = (
    ("probes", ("probes",), probe_checks),
    ("delivery", ("attempts", "failures", "failing"), delivery_checks),
    ("heartbeat", ("heartbeats",), heartbeat_checks),
    ("certificates", ("certificates",), certificate_checks),
    ("disk", ("disk",), disk_checks),
    ("memory", ("memory",), memory_checks),
    ("clock", ("skew",), clock_checks),
)
