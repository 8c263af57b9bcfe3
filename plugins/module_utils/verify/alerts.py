# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Prometheus alerts about now, as lines of a verification.

The alerts themselves decide what is too full, too late or too slow, so a verification cannot disagree with them. Pure:
answers of Prometheus' API go in. Python 3.9, standard library.
API: https://prometheus.io/docs/prometheus/latest/querying/api/#rules
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.verify.answers import RuleGroup
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    PASS,
    WARN,
    Check,
    duration,
    runbook,
)

HEARTBEAT_ALERT = "AlertingPathAlive"
# It tells of a success (files/rules/backup.yml).
NOTICE_ALERT = "BackupDone"
# The weekly message, which its program posts to Alertmanager itself (files/weekly_report).
REPORT_ALERT = "WeeklyReport"
# Alerts of crowsnest's own that are no faults.
NO_FAULTS = (HEARTBEAT_ALERT, NOTICE_ALERT)
DELIVERY_ALERT = "AlertmanagerNotificationsFailing"
# Alerts about which other areas have a line: receivers and backups.
_TOLD_ELSEWHERE = (DELIVERY_ALERT, "BackupFailed")
_SEVERITIES = ("critical", "high", "medium", "low")


class Alert(NamedTuple):
    """One alert that fires or is pending: its condition holds, but not yet for long enough.

    `own`: its rule is the team's. `value` is the value of its expression, in the expression's unit.
    """

    name: str
    labels: Mapping[str, str]
    firing: bool
    value: float
    own: bool = False

    @property
    def severity(self) -> str:
        """critical, high, …; `none` without one."""
        return self.labels.get("severity", "none")

    @property
    def thing(self) -> str:
        """What it is about, in a word or two; empty when no label names it."""
        known = (self.labels.get(name, "") for name in ("monitor_name", "container", "app", "host"))
        return next((label for label in known if label), "")


class Wording(NamedTuple):
    """How a verification reports an alert: its area, the text for one thing, for many, and the name of each of those.

    The texts may use the alert's labels, its `value` and what `_figures` derives from it; `seconds` is the length of
    the value's unit where it is a time.
    """

    area: str
    detail: str
    plural: str
    name: str
    seconds: int = 1


_CERTIFICATE = Wording(
    "certificates", "{app}: its certificate {expires}", "certificates have expired or expire soon", "{app} ({expires})"
)
# Alerts that get a line of their own, with figures, instead of a name in the list of alerts.
WORDINGS: dict[str, Wording] = {
    "HostDiskFilling": Wording(
        "disk",
        "{host} {mountpoint} is {value:.0f} % full",
        "file systems are filling up",
        "{host} {mountpoint} ({value:.0f} %)",
    ),
    "HostDiskFullSoon": Wording(
        "disk",
        "{host} {mountpoint} will be full in {time} at the present rate",
        "file systems will be full soon",
        "{host} {mountpoint} ({time})",
    ),
    "HostInodesLow": Wording(
        "disk",
        "{host} {mountpoint} has used {value:.0f} % of its inodes",
        "file systems are running out of inodes",
        "{host} {mountpoint} ({value:.0f} %)",
    ),
    "HostReadOnlyFilesystem": Wording(
        "disk", "{host} {mountpoint} is read-only", "file systems are read-only", "{host} {mountpoint}"
    ),
    "HostMemoryLow": Wording(
        "memory", "{host} uses {value:.0f} % of its memory", "hosts are short of memory", "{host} ({value:.0f} %)"
    ),
    "HostClockSkewed": Wording(
        "clock",
        "{host}'s clock is {skew} the server's",
        "clocks differ from the server's",
        "{host} ({offset})",
    ),
    "HostClockNotSynchronised": Wording(
        "clock", "no time server has corrected {host}'s clock for hours", "clocks are not synchronised", "{host}"
    ),
    "CertificateExpired": _CERTIFICATE,
    "CertificateExpiry": _CERTIFICATE,
    "MonitorCertificateExpiry": _CERTIFICATE._replace(
        detail="{monitor_name}: its certificate {expires}", name="{monitor_name} ({expires})", seconds=86400
    ),
}


def active_alerts(groups: Sequence[RuleGroup], apps: Collection[str], hosts: Collection[str]) -> list[Alert]:
    """Alerts that fire or are pending, from all groups of the API, worst first; each only with its highest severity.

    Alerts of crowsnest's own rules about an app or a host that is not (or no longer) declared are left out: Prometheus
    may still return its last values for five minutes.
    """
    found: dict[tuple[str, frozenset[tuple[str, str]]], Alert] = {}
    for alert in sorted((alert for group in groups for alert in _alerts(group)), key=_rank):
        undeclared = not alert.own and not (
            alert.labels.get("app", "") in ("", *apps) and alert.labels.get("host", "") in ("", *hosts)
        )
        thing = frozenset(label for label in alert.labels.items() if label[0] != "severity")
        if not undeclared and alert.name not in NO_FAULTS:
            found.setdefault((alert.name, thing), alert)
    return list(found.values())


def _alerts(group: RuleGroup) -> list[Alert]:
    own = PurePosixPath(group["file"]).name.startswith("own-")
    return [
        Alert(row["labels"]["alertname"], row["labels"], row["state"] == "firing", float(row["value"]), own)
        for rule in group["rules"]
        for row in rule.get("alerts", [])
    ]


def _rank(alert: Alert) -> tuple[bool, int, str]:
    severity = alert.severity
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return not alert.firing, rank, alert.name


def has_own_line(alert: Alert) -> bool:
    """Whether another line of the verification reports it."""
    return not alert.own and (alert.name in _TOLD_ELSEWHERE or alert.name in WORDINGS)


def alert_checks(alerts: Sequence[Alert]) -> list[Check]:
    """The alerts that fire, except those that have a line elsewhere."""
    checks = []
    for alert in (alert for alert in alerts if alert.firing and not has_own_line(alert)):
        name = " ".join(part for part in (alert.name, alert.thing, f"({alert.severity})") if part)
        advice = "It is a rule of your own: crowsnest_rule_files." if alert.own else runbook(alert.name)
        checks.append(Check(WARN, "alerts", f"{name} fires", advice, kind="alerts fire", name=name))
    return checks if any(alert.firing for alert in alerts) else [Check(PASS, "alerts", "none is firing")]


def area_checks(area: str, alerts: Sequence[Alert], skew: Mapping[str, float]) -> list[Check]:
    """What is wrong in an area such as `disk`, by its alerts; `skew` is {host: seconds ahead of the server}."""
    return [
        _check(alert, WORDINGS[alert.name], skew)
        for alert in alerts
        if has_own_line(alert) and alert.name in WORDINGS and WORDINGS[alert.name].area == area
    ]


def _check(alert: Alert, wording: Wording, skew: Mapping[str, float]) -> Check:
    values = {**alert.labels, **_figures(alert.value, wording.seconds, skew.get(alert.labels.get("host", ""), 0.0))}
    detail, name = wording.detail.format_map(values), wording.name.format_map(values)
    later = "" if alert.firing else "; the alert will fire if this goes on"
    return Check(WARN, wording.area, detail + later, runbook(alert.name), kind=wording.plural, name=name)


def _figures(value: float, seconds: int, skew: float) -> dict[str, float | str]:
    """An alert's value, and how far the host's clock is ahead of the server's, as a wording may show them."""
    time = duration(abs(value) * seconds)
    return {
        "value": value,
        "time": time,
        "expires": f"expires in {time}" if value > 0 else f"expired {time} ago",
        "skew": f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'}",
        "offset": f"{skew:+.1f} s",
    }
