# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the metrics say: probes, delivery of alerts, certificates, disks, memory, clocks.

Pure: the answers to `questions` go in, checks come out. Thresholds are those of the alerts in files/rules, so that a
verification and an alert agree. Python 3.9, standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.verify_check import (
    FAIL,
    PASS,
    WARN,
    Check,
    duration,
    logs_of,
    some,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify_client import Answer, Sample, ServiceError

DAY = 86400
HEARTBEAT_ALERT = "AlertingPathAlive"
# The window of the question, within which a new Prometheus need not have seen two deliveries.
HEARTBEAT_SECONDS = 300


class Moment(NamedTuple):
    """When was asked, in seconds since 1970, and for how long Prometheus has had its configuration then."""

    now: float
    age_seconds: float


def questions(window_seconds: int) -> dict[str, str]:
    """{name of the question: PromQL}; deliveries count for the last `window_seconds`."""
    window = f"[{window_seconds}s]"
    by_receiver = "sum by (integration, receiver_name)"
    return {
        "settled apps": 'min by (app) (min_over_time(up{job=~"app|probe"}[5m])) == 1'
        ' and count by (app) (up{job=~"app|probe"} offset 5m)',
        "probes": 'probe_success{job="probe"}',
        "attempts": f"{by_receiver} (increase(alertmanager_notifications_total{window}))",
        "failures": f"{by_receiver} (increase(alertmanager_notifications_failed_total{window})) > 0.5",
        # Receivers that got none of their messages of the last 5 minutes.
        "lost": f"{by_receiver} (increase(alertmanager_notifications_failed_total[5m])) > 0.5"
        f" >= {by_receiver} (increase(alertmanager_notifications_total[5m]))",
        "errors": f"sum(increase(prometheus_notifications_errors_total{window})) > 0.5",
        "dropped": f"sum(increase(prometheus_notifications_dropped_total{window})) > 0.5",
        "heartbeats": 'sum(increase(alertmanager_notification_requests_total{receiver_name="heartbeat"}[5m]))'
        ' - sum(increase(alertmanager_notification_requests_failed_total{receiver_name="heartbeat"}[5m]))',
        # An expired certificate makes the probe fail before it can read the date: the last known one counts for 2 days.
        "certificates": "last_over_time(probe_ssl_earliest_cert_expiry[2d]) and probe_success",
        "disk": "host:filesystem_used:percent",
        # Seconds until it is full at the pace of the last 6 hours, if the last hour shrank too and there is one. Only
        # above 60 %, as in the alert HostDiskFullSoon: on an empty disk one image looks like growth.
        "disk forecast": "host:filesystem_avail:bytes / -deriv(host:filesystem_avail:bytes[6h]) > 0"
        " and deriv(host:filesystem_avail:bytes[1h]) < 0 and host:filesystem_avail:bytes offset 1h"
        " and host:filesystem_used:percent > 60",
        # As long as the alert waits: a run itself, with its packages and images, takes memory for a moment.
        "memory": "100 * (1 - avg_over_time(node_memory_MemAvailable_bytes[5m]) / node_memory_MemTotal_bytes)",
        "skew": "node_time_seconds - timestamp(node_time_seconds)",
        "unsynchronised": "max_over_time(node_timex_sync_status[5m]) == 0 and node_timex_maxerror_seconds >= 16",
    }


def state_checks(expected: Mapping[str, Any], answers: Mapping[str, Answer], moment: Moment) -> list[Check]:
    """All checks of this file; `answers` is {question: series}."""
    checks: list[Check] = []
    for area, names, check in _CHECKS:
        refusals = [answer for answer in (answers[name] for name in names) if isinstance(answer, ServiceError)]
        if refusals:
            checks.append(Check(FAIL, area, f"Prometheus refuses the question: {refusals[0]}", logs_of("prometheus")))
        else:
            checks += check(expected, moment, *(answers[name] for name in names))
    return checks


def probe_checks(expected: Mapping[str, Any], moment: Moment, probes: Sequence[Sample]) -> list[Check]:
    """An app that does not answer from outside is a warning here; its own alert fires."""
    if not probes:
        return []
    failed: dict[str, list[Sample]] = {}
    for it in probes:
        if it.value == 0:
            failed.setdefault(it.labels["app"], []).append(it)
    checks = []
    for app, samples in failed.items():
        word = f"{app}: {some(it.labels['probe'] for it in samples)} cannot be reached, or not well"
        advice = f"On the server: `curl -sv -o /dev/null {samples[0].labels['instance']}`. See the runbook ProbeFailed."
        checks.append(Check(WARN, "probes", word, advice))
    well = sum(1 for it in probes if it.value != 0)
    return [*checks, Check(PASS, "probes", f"{well} of {len(probes)} succeed")] if well else checks


def delivery_checks(
    expected: Mapping[str, Any],
    moment: Moment,
    attempts: Sequence[Sample],
    failures: Sequence[Sample],
    lost: Sequence[Sample],
    errors: Sequence[Sample],
    dropped: Sequence[Sample],
) -> list[Check]:
    """Messages that did not leave within the window of `questions`; a fault where lately none did."""
    tried = {_receiver(it): it.value for it in attempts}
    checks = []
    for failure in failures:
        integration, group = _receiver(failure)
        if group == "heartbeat":
            continue  # has a check of its own
        names = some(expected["receivers"].get(integration, [])) or integration
        total = max(round(tried.get((integration, group), 0.0)), round(failure.value))
        status = FAIL if (integration, group) in {_receiver(it) for it in lost} else WARN
        word = f"{round(failure.value)} of {total} messages ({group}) to {names} failed lately"
        advice = "`./crowsnest alert-test` with the same -i shows the receiver's own words."
        checks.append(Check(status, "delivery", word, advice))
    for alerts in dropped:
        word = f"alerts Prometheus gave up lately: {round(alerts.value)}; it sends those again that still fire"
        checks.append(Check(WARN, "delivery", word, "See the runbook PrometheusNotificationsFailing."))
    for error in errors:
        word = f"alerts Prometheus could not hand to Alertmanager at once: {round(error.value)}"
        checks.append(Check(WARN, "delivery", word, "See the runbook PrometheusNotificationsFailing."))
    if not expected["receivers"]:
        checks.append(
            Check(WARN, "delivery", "no receiver is declared: alerts go nowhere", "Declare crowsnest_receivers.")
        )
    sent = sum(round(it.value) for it in attempts)
    return checks or [Check(PASS, "delivery", f"none of {sent} messages failed lately")]


def _receiver(sample: Sample) -> tuple[str, str]:
    return sample.labels["integration"], sample.labels.get("receiver_name", "")


def heartbeat_checks(expected: Mapping[str, Any], moment: Moment, beats: Sequence[Sample]) -> list[Check]:
    """The dead man's switch hears of us, if one is declared."""
    if not expected["heartbeat"]:
        word = "none is declared: nothing outside notices when alerting itself dies"
        return [Check(WARN, "heartbeat", word, "Declare crowsnest_heartbeat_url.")]
    count = round(beats[0].value) if beats else 0
    if count > 0:
        return [Check(PASS, "heartbeat", f"delivered {count} time(s) in the last 5 min")]
    if moment.age_seconds < HEARTBEAT_SECONDS:
        return [Check(WARN, "heartbeat", "not delivered yet", "Ask again in 5 minutes.")]
    advice = f"See the runbook AlertingPathAlive. {logs_of('alertmanager')}"
    return [Check(FAIL, "heartbeat", "not delivered in the last 5 min", advice)]


def certificate_checks(expected: Mapping[str, Any], moment: Moment, expiries: Sequence[Sample]) -> list[Check]:
    """Days left of every certificate: less than 3 is a fault, less than 14 a warning."""
    left = {it.labels["instance"]: (it.value - moment.now) / DAY for it in expiries}
    checks = [
        Check(
            FAIL if days < 3 else WARN,
            "certificates",
            f"{url}: {_days_left(days)}",
            "See the runbook CertificateExpiry.",
        )
        for url, days in sorted(left.items(), key=lambda item: item[1])
        if days < 14
    ]
    checks += [
        Check(
            WARN,
            "certificates",
            f"{url}: its certificate was not seen in the last 2 d",
            f"On the server: `curl -sv -o /dev/null {url}`.",
        )
        for url in expected["certificates"]
        if url not in left
    ]
    if checks:
        return checks
    if not left:
        return [Check(PASS, "certificates", "none: no URL with https is declared")]
    return [Check(PASS, "certificates", f"{len(left)}, the first one ends in {int(min(left.values()))} d")]


def _days_left(days: float) -> str:
    return f"ends in {duration(days * DAY)}" if days > 0 else f"ended {duration(-days * DAY)} ago"


def disk_checks(
    expected: Mapping[str, Any], moment: Moment, used: Sequence[Sample], forecast: Sequence[Sample]
) -> list[Check]:
    """Per host and mount point: over 90 % or full within a day is a fault, over 80 % or within a week a warning."""
    if not used:
        return [Check(WARN, "disk", "nothing is known yet", "Ask again in a minute.", soon=True)]
    until = {_place(it): it.value for it in forecast}
    checks = []
    for it in used:
        seconds = until.get(_place(it), float("inf"))
        status = FAIL if it.value > 90 or seconds < DAY else WARN if it.value > 80 or seconds < 7 * DAY else PASS
        if status != PASS:
            soon = f", full in {duration(seconds)} at the pace of the last 6 h" if seconds < 7 * DAY else ""
            word = f"{it.labels['host']} {it.labels['mountpoint']} is {it.value:.0f} % full{soon}"
            checks.append(Check(status, "disk", word, "See the runbook HostDiskFilling."))
    fullest = max(used, key=lambda it: it.value)
    word = f"{len(used)} file system(s), the fullest: {' '.join(_place(fullest))} with {fullest.value:.0f} %"
    return checks or [Check(PASS, "disk", word)]


def _place(sample: Sample) -> tuple[str, str]:
    return sample.labels["host"], sample.labels["mountpoint"]


def memory_checks(expected: Mapping[str, Any], moment: Moment, used: Sequence[Sample]) -> list[Check]:
    """Per host: over 95 % is a fault, over 90 % a warning."""
    if not used:
        return [Check(WARN, "memory", "nothing is known yet", "Ask again in a minute.", soon=True)]
    checks = [
        Check(
            FAIL if it.value > 95 else WARN,
            "memory",
            f"{it.labels['host']} uses {it.value:.0f} % of its memory",
            "See the runbook HostMemoryLow.",
        )
        for it in used
        if it.value > 90
    ]
    most = max(used, key=lambda it: it.value)
    return checks or [Check(PASS, "memory", f"at most {most.value:.0f} % used, on {most.labels['host']}")]


def clock_checks(
    expected: Mapping[str, Any], moment: Moment, skew: Sequence[Sample], unsynchronised: Sequence[Sample]
) -> list[Check]:
    """Per host: more than 5 s beside the server is a fault, no time server for hours a warning."""
    if not skew:
        return [Check(WARN, "clock", "nothing is known yet", "Ask again in a minute.", soon=True)]
    checks = [
        Check(
            FAIL,
            "clock",
            f"{it.labels['host']} is {it.value:+.1f} s beside the server",
            "See the runbook HostClockSkewed.",
        )
        for it in skew
        if abs(it.value) > 5
    ]
    checks += [
        Check(
            WARN,
            "clock",
            f"{it.labels['host']} has had no time server for hours",
            "See the runbook HostClockNotSynchronised.",
        )
        for it in unsynchronised
    ]
    worst = max(abs(it.value) for it in skew)
    return checks or [Check(PASS, "clock", f"{len(skew)} host(s), at most {worst:.1f} s beside the server")]


_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[..., list[Check]]], ...] = (
    ("probes", ("probes",), probe_checks),
    ("delivery", ("attempts", "failures", "lost", "errors", "dropped"), delivery_checks),
    ("heartbeat", ("heartbeats",), heartbeat_checks),
    ("certificates", ("certificates",), certificate_checks),
    ("disk", ("disk", "disk forecast"), disk_checks),
    ("memory", ("memory",), memory_checks),
    ("clock", ("skew", "unsynchronised"), clock_checks),
)


def alert_checks(alerts: Sequence[Mapping[str, Any]]) -> list[Check]:
    """What fires now, but for the heartbeat; `alerts` as Prometheus' API gives them."""
    firing = [it["labels"] for it in alerts if it["state"] == "firing" and it["labels"]["alertname"] != HEARTBEAT_ALERT]
    if not firing:
        return [Check(PASS, "alerts", "none fires")]
    names = [
        " ".join(
            part
            for part in (it["alertname"], it.get("app") or it.get("host", ""), f"({it.get('severity', 'none')})")
            if part
        )
        for it in firing
    ]
    return [Check(WARN, "alerts", f"{len(firing)} fire: {some(names)}", "Each has a runbook: docs/runbooks/<name>.md.")]
