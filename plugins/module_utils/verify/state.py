# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the metrics report: probes, delivery of alerts, certificates, disks, memory, clocks, backups.

Pure: the answers to `questions` and the alerts go in, checks come out. The alerts decide what is too much (alerts.py).
Python 3.9, standard library.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import DELIVERY_ALERT, Alert, area_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.backups import BACKUP_QUESTIONS, backup_checks
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

# Prometheus need not have seen a new heartbeat twice yet; before the first of these times, what it saw may belong to an
# older one.
NEW_HEARTBEAT_SECONDS, HEARTBEAT_SECONDS = 60, 300
# A receiver that refused a message within this time still refuses. An older one may be over, and no run can cure it: a
# receiver is tried again only when there is an alert to send. A minute, and the 90 s by which the series is early.
REFUSING_SECONDS = 150
# Messages to people: the heartbeat has a check of its own.
_PEOPLE = 'receiver_name!="heartbeat"'


class Now(NamedTuple):
    """What the answers are compared with: the declaration, the alerts, and the age of the configuration.

    `expected` is the module's option, `in_force_since` when Alertmanager's configuration came into force (seconds since
    1970), and `delivering_seconds` how long ago that is.
    """

    expected: Expected
    alerts: Sequence[Alert]
    in_force_since: float
    delivering_seconds: float


def questions(window_seconds: int) -> dict[str, str]:
    """{name of the query: PromQL}; deliveries count for the last `window_seconds`."""
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
        "weekly report": "time() - crowsnest_weekly_report_time_seconds",
        **BACKUP_QUESTIONS,
    }


def state_checks(now: Now, answers: Mapping[str, Answer]) -> list[Check]:
    """All checks of this file; `answers` is {name of the query: series}."""
    checks: list[Check] = []
    for area, names, check in _CHECKS:
        refusals = [answer for answer in (answers[name] for name in names) if isinstance(answer, ServiceError)]
        if refusals:
            checks.append(Check(FAIL, area, f"Prometheus refuses the query: {refusals[0]}", logs_of("prometheus")))
        else:
            checks += check(now, *(answers[name] for name in names))
    return checks


def probe_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """An app that does not answer its probes is a warning here; its own alert fires."""
    declared = {(target["app"], target["probe"]) for target in now.expected["targets"] if target["probe"]}
    probes = [sample for sample in answered if (sample.labels["app"], sample.labels["probe"]) in declared]
    failed: dict[str, list[Sample]] = {}
    for probe in probes:
        if probe.value == 0:
            failed.setdefault(probe.labels["app"], []).append(probe)
    checks = [_failed(app, samples) for app, samples in failed.items()]
    well = sum(1 for probe in probes if probe.value != 0)
    return [*checks, Check(PASS, "probes", f"{well} of {len(probes)} succeed")] if well else checks


def _failed(app: str, samples: Sequence[Sample]) -> Check:
    names = some(sample.labels["probe"] for sample in samples)
    detail = f"{app} is not reachable, or does not answer as it should: {names}"
    page, alert = shlex.quote(samples[0].labels["instance"]), _alert_of({sample.labels["probe"] for sample in samples})
    advice = f"On the server: `curl -sv -o /dev/null {page}`. {runbook(alert)}"
    return Check(WARN, "probes", detail, advice, kind="apps are not reachable or not well", name=f"{app} ({names})")


def _alert_of(probes: Collection[str]) -> str:
    """The alert that fires for an app with these failed probes."""
    if {"url", "health"} & set(probes):
        return "ProbeFailed"
    return "ProbeAnswerNotUnderstood" if "answer" in probes else "ProbeComponentFailed"


def delivery_checks(
    now: Now, attempts: Sequence[Sample], failures: Sequence[Sample], failing: Sequence[Sample]
) -> list[Check]:
    """Declared receivers that do not take messages: a fault while the alert fires and they still refuse.

    Refusals of receivers that are not (or no longer) declared, or from before the configuration in force, do not count;
    the time that Prometheus has for the last one may be half a minute old.
    """
    receivers = now.expected["receivers"]
    if not receivers:
        detail = "no receiver is declared: alerts go nowhere"
        return [Check(WARN, "delivery", detail, "Declare crowsnest_receivers.")]
    broken = [
        sample for sample in failing if sample.labels["integration"] in receivers and sample.value > now.in_force_since
    ]
    if broken:
        return [_undelivered(now, sample) for sample in broken]
    sent, lost = (
        sum(round(sample.value) for sample in counted if sample.labels["integration"] in receivers)
        for counted in (attempts, failures)
    )
    if lost:
        return [Check(PASS, "delivery", f"{sent} messages recently; {lost} failed, but a later one arrived")]
    return [Check(PASS, "delivery", f"none of {sent} messages failed recently")]


def _undelivered(now: Now, sample: Sample) -> Check:
    """`sample` is the time of the last failure; its labels are the integration and, as receiver_name, the severity."""
    integration, severity = sample.labels["integration"], sample.labels["receiver_name"]
    names = now.expected["receivers"][integration]
    receiver = names[0] if len(names) == 1 else f"one of {some(names)}"
    alerting = any(
        alert.firing and alert.name == DELIVERY_ALERT and alert.labels["integration"] == integration
        for alert in now.alerts
    )
    ago = now.in_force_since + now.delivering_seconds - sample.value
    lasting = alerting and ago < REFUSING_SECONDS
    return Check(
        FAIL if lasting else WARN,
        "delivery",
        f"messages ({severity}) do not reach {receiver}"
        if lasting
        else f"the last message ({severity}) to {receiver} failed, and none has been sent since",
        f"`./crowsnest alert-test` with the same -i shows the receiver's own words. {runbook(DELIVERY_ALERT)}",
        kind="kinds of messages do not arrive",
        name=f"{severity} to {receiver}",
    )


def heartbeat_checks(now: Now, beats: Sequence[Sample]) -> list[Check]:
    """The dead man's switch receives the heartbeat, if one is declared."""
    if not now.expected["heartbeat"]:
        detail = "none is declared: nothing outside notices when alerting itself dies"
        return [Check(WARN, "heartbeat", detail, "Declare crowsnest_heartbeat_url.")]
    count, age = round(beats[0].value) if beats else 0, now.delivering_seconds
    if count > 0 and age >= NEW_HEARTBEAT_SECONDS:
        return [Check(PASS, "heartbeat", f"delivered {count} time(s) in the last {_window(age)}")]
    if age < HEARTBEAT_SECONDS:
        return [Check(WARN, "heartbeat", "not delivered yet", "Verify again in 5 minutes.")]
    advice = f"{runbook('AlertingPathAlive')} {logs_of('alertmanager')}"
    return [Check(FAIL, "heartbeat", f"not delivered in the last {_window(age)}", advice)]


def _window(age_seconds: float) -> str:
    return duration(min(age_seconds, HEARTBEAT_SECONDS))


def certificate_checks(now: Now, left: Sequence[Sample]) -> list[Check]:
    """Certificates of the declared apps; one that was never seen is a warning."""
    declared = now.expected["certificates"]
    days = {sample.labels["app"]: sample.value / 86400 for sample in left if sample.labels["app"] in declared}
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
    return [Check(PASS, "certificates", f"{len(days)}, the first expires in {int(min(days.values()))} d")]


def disk_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """File systems of the declared hosts."""
    used = _on_declared_hosts(now, answered)
    if not used:
        return [_unknown("disk")]
    fullest = max(used, key=lambda sample: sample.value)
    place = f"{fullest.labels['host']} {fullest.labels['mountpoint']}"
    detail = f"{len(used)} file system(s), the fullest is {place} at {fullest.value:.0f} %"
    return area_checks("disk", now.alerts, {}) or [Check(PASS, "disk", detail)]


def memory_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """Memory of the declared hosts."""
    used = _on_declared_hosts(now, answered)
    if not used:
        return [_unknown("memory")]
    most = max(used, key=lambda sample: sample.value)
    detail = f"at most {most.value:.0f} % used, on {most.labels['host']}"
    return area_checks("memory", now.alerts, {}) or [Check(PASS, "memory", detail)]


def clock_checks(now: Now, answered: Sequence[Sample]) -> list[Check]:
    """Clocks of the declared hosts."""
    skew = {sample.labels["host"]: sample.value for sample in _on_declared_hosts(now, answered)}
    if not skew:
        return [_unknown("clock")]
    worst = max(abs(seconds) for seconds in skew.values())
    detail = f"{len(skew)} host(s), at most {worst:.1f} s from the server's clock"
    return area_checks("clock", now.alerts, skew) or [Check(PASS, "clock", detail)]


def report_checks(now: Now, sent: Sequence[Sample]) -> list[Check]:
    """The last weekly message; that none comes for too long is for its alert to tell."""
    when = now.expected["weekly_report"]
    if not when:
        return []
    last = f"the last message was sent {duration(sent[0].value)} ago" if sent else "no message was sent yet"
    return [Check(PASS, "weekly", f"{last}; one comes every {when}")]


def _on_declared_hosts(now: Now, samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.labels["host"] in now.expected["hosts"]]


def _unknown(area: str) -> Check:
    return Check(WARN, area, "nothing is known yet", "Verify again in a minute.", soon=True)


_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[..., list[Check]]], ...] = (
    ("probes", ("probes",), probe_checks),
    ("delivery", ("attempts", "failures", "failing"), delivery_checks),
    ("heartbeat", ("heartbeats",), heartbeat_checks),
    ("certificates", ("certificates",), certificate_checks),
    ("disk", ("disk",), disk_checks),
    ("memory", ("memory",), memory_checks),
    ("clock", ("skew",), clock_checks),
    ("weekly", ("weekly report",), report_checks),
    ("backups", tuple(BACKUP_QUESTIONS), lambda now, *answers: backup_checks(now.expected["backups"], *answers)),
)
