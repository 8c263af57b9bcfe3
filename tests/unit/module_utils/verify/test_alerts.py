"""What Prometheus alerts about, as the API of its rules gives it, and how a verification says it."""

from __future__ import annotations

import string
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.verify import alerts as module
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import Alert
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import alert_names


def alert(name: str, at: str = "firing", value: str = "1e+00", **labels: str) -> dict[str, Any]:
    """One alert of a rule, of which Prometheus hands on the value as text."""
    return {"labels": {"alertname": name, **labels}, "state": at, "value": value, "activeAt": "2026-11-21T11:42:06.7Z"}


def groups(*alerts: dict[str, Any], file: str = "host.yml") -> list[dict[str, Any]]:
    rule = {"name": "any", "health": "ok", "type": "alerting", "alerts": list(alerts)}
    recording = {"name": "host:x", "health": "ok", "type": "recording"}
    return [{"name": "g", "file": f"/etc/crowsnest/current/rules/{file}", "rules": [recording, rule]}]


def active(*alerts: dict[str, Any], file: str = "host.yml") -> list[Alert]:
    return module.active_alerts(groups(*alerts, file=file), ["shop"], ["web1", "web2"])


def test_alerts_that_fire_are_lines_the_worst_first_but_for_what_is_no_fault() -> None:
    found = active(
        alert("AlertingPathAlive", severity="none"),
        alert("BackupDone", app="shop", host="web1", severity="none"),
        alert("HostCpuHigh", "pending", host="web1", severity="medium"),
        alert("BackupFailed", app="shop", host="web1", severity="high"),  # the backups have their own lines
        alert("AppLatencyHigh", app="shop", host="web1", severity="medium"),
        alert("HostDown", host="web2", severity="critical"),
        alert("MonitorDown", app="shop", host="web1", monitor_name="shop: website", severity="critical"),
    )
    checks = module.alert_checks(found)
    assert [(check.status, check.detail, check.advice) for check in checks] == [
        ("WARN", "HostDown web2 (critical) fires", "See the runbook HostDown."),
        ("WARN", "MonitorDown shop: website (critical) fires", "See the runbook MonitorDown."),
        ("WARN", "AppLatencyHigh shop (medium) fires", "See the runbook AppLatencyHigh."),
    ]
    assert {check.kind for check in checks} == {"alerts fire"}


def test_without_alerts_that_fire_all_is_well() -> None:
    found = active(alert("AlertingPathAlive"), alert("HostCpuHigh", "pending", host="web1"))
    assert module.alert_checks(found)[0][:3] == ("PASS", "alerts", "none is firing")


@pytest.mark.parametrize(
    "labels", [{"app": "gone", "host": "web1"}, {"host": "gone"}, {"app": "shop", "host": "gone"}], ids=str
)
def test_an_alert_about_what_is_no_longer_declared_is_past(labels: dict[str, str]) -> None:
    assert active(alert("ProbeFailed", severity="critical", **labels)) == []


def test_a_rule_of_the_team_may_speak_of_anything() -> None:
    found = active(alert("HostDiskFilling", app="billing", host="mainframe", severity="page"), file="own-1-team.yml")
    (check,) = module.alert_checks(found)
    assert (check.detail, check.advice) == (
        "HostDiskFilling billing (page) fires",
        "It is a rule of your own: crowsnest_rule_files.",
    )
    assert module.area_checks("disk", found, {}) == []


def test_of_one_alert_only_the_highest_severity_counts() -> None:
    place = {"host": "web1", "mountpoint": "/", "value": "9.21e+01"}
    found = active(
        alert("HostDiskFilling", severity="medium", **place),
        alert("HostDiskFilling", "pending", severity="critical", **place),
        alert("HostDiskFilling", severity="medium", host="web1", mountpoint="/srv"),
    )
    assert [(it.severity, it.labels["mountpoint"]) for it in found] == [("medium", "/"), ("medium", "/srv")]


# alert and value: (area, line, how it stands in a line of many).
SAID: dict[tuple[str, str], tuple[str, str, str]] = {
    ("HostDiskFilling", "9.06e+01"): ("disk", "web1 / is 91 % full", "web1 / (91 %)"),
    ("HostDiskFullSoon", "82800"): ("disk", "web1 / will be full in 23 h at the present rate", "web1 / (23 h)"),
    ("HostInodesLow", "95"): ("disk", "web1 / has used 95 % of its inodes", "web1 / (95 %)"),
    ("HostReadOnlyFilesystem", "1"): ("disk", "web1 / is read-only", "web1 /"),
    ("HostMemoryLow", "96.4"): ("memory", "web1 uses 96 % of its memory", "web1 (96 %)"),
    ("HostClockSkewed", "7.3"): (
        "clock",
        "web1's clock is 7.3 s ahead of the server's",
        "web1 (+7.3 s)",
    ),
    ("HostClockNotSynchronised", "0"): ("clock", "no time server has corrected web1's clock for hours", "web1"),
    ("CertificateExpired", "-172800"): (
        "certificates",
        "shop: its certificate expired 2 d ago",
        "shop (expired 2 d ago)",
    ),
    ("CertificateExpiry", "1200960"): (
        "certificates",
        "shop: its certificate expires in 13 d",
        "shop (expires in 13 d)",
    ),
    ("MonitorCertificateExpiry", "2"): (
        "certificates",
        "Partner: its certificate expires in 2 d",
        "Partner (expires in 2 d)",
    ),
    ("MonitorCertificateExpiry", "-3"): (
        "certificates",
        "Partner: its certificate expired 3 d ago",
        "Partner (expired 3 d ago)",
    ),
}
EVERY_LABEL = {"app": "shop", "host": "web1", "mountpoint": "/", "monitor_name": "Partner", "severity": "high"}


@pytest.mark.parametrize("case", SAID, ids=str)
def test_an_alert_with_figures_has_a_line_of_its_own(case: tuple[str, str]) -> None:
    area, line, name = SAID[case]
    found = active(alert(case[0], value=case[1], **EVERY_LABEL))
    (check,) = module.area_checks(area, found, {"web1": 7.3})
    assert (check.status, check.detail, check.name) == ("WARN", line, name)
    assert check.advice == f"See the runbook {case[0]}."
    assert module.alert_checks(found) == []


def test_a_clock_may_be_behind() -> None:
    (check,) = module.area_checks("clock", active(alert("HostClockSkewed", **EVERY_LABEL)), {"web1": -5.1})
    assert check.detail == "web1's clock is 5.1 s behind the server's"


def test_what_lasts_not_long_enough_for_the_alert_says_so() -> None:
    (check,) = module.area_checks("memory", active(alert("HostMemoryLow", "pending", "93", **EVERY_LABEL)), {})
    assert (check.status, check.detail) == (
        "WARN",
        "web1 uses 93 % of its memory; the alert will fire if this goes on",
    )


def test_every_line_of_its_own_is_that_of_an_alert_there_is_and_is_tested() -> None:
    assert set(module.WORDINGS) == {name for name, _ in SAID}
    assert set(module.WORDINGS) <= set(alert_names())


def test_no_wording_holds_a_threshold() -> None:
    for wording in module.WORDINGS.values():
        texts = (
            text
            for word in (wording.detail, wording.plural, wording.name)
            for text, *_ in string.Formatter().parse(word)
        )
        assert not any(character.isdigit() for text in texts for character in text)
