"""What explains what, as data. Whether alerts then wait and end is asked of promtool in tests/rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from promised import own_alerts

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus import causes, ranks
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    EVERY_KIND,
    alert_names,
    app_files,
)

MakeContext = Callable[..., Context]
# What is seen by itself; a deploy is told by the containers of those apps that have some, `whole` is of those in parts.
SEEN = {*ranks.CAUSES} - {"deploy", "whole"}
# Alerts on an app that no other fault of it explains, so that they wait for nobody.
WAIT_FOR_NOBODY = {
    *("BackupCorrupt", "BackupDone", "BackupFailed", "BackupNotPruned", "BackupNotUploaded", "BackupShrunk"),
    *("CertificateExpiry", "MonitorCertificateExpiry", "JobSilent", "KpiOutOfRange"),
    *("PostgresTransactionLong", "PostgresUnreadable", "RedisMemoryHigh", "SentryFull", "SentryUnreachable"),
}


def waits(alert: str, severity: str) -> bool:
    rule = {"alert": alert, "labels": {"severity": severity}, "expr": "up == 0"}
    return causes.waiting(rule, {}) != rule


def of_apps() -> set[tuple[str, str]]:
    """(alert, severity) of all that may have the label `app`."""
    made = [rule for groups in app_files([EVERY_KIND], "en").values() for group in groups for rule in group["rules"]]
    seen = [(rule["alert"], rule["labels"]["severity"]) for rule in made if "alert" in rule]
    return {*seen, *((labels["alertname"], labels["severity"]) for labels in own_alerts() if "app" in labels)}


def test_every_alert_on_an_app_is_a_cause_an_effect_or_waits_for_nobody_on_purpose() -> None:
    """A new one has to choose: a level in ranks.py, a line in causes.py, or the list above."""
    alone = {alert for alert, severity in of_apps() if not waits(alert, severity)}
    assert alone - {"BackupLate"} == WAIT_FOR_NOBODY  # BackupLate waits with severity high


def test_every_alert_of_the_tables_exists() -> None:
    told = {alert for alerts in ranks.CAUSES.values() for alert in alerts}
    others = " ".join(f"{alert} {cause}" for alert, _, _, cause in causes._OTHERS)
    named = told | {*causes._EFFECTS} | {*re.findall(r"\b[A-Z]\w+[a-z]\b", others)}
    assert named <= {*alert_names()}


# Which alert explains which: whether one of the first waits for the second. A cause never waits for what it explains.
EXPLAINED: dict[tuple[str, str], bool] = {
    ("HostDown", "PostgresDown"): False,
    ("PostgresDown", "HostDown"): True,
    ("AppDown", "PostgresDown"): True,
    ("PostgresDown", "AppDown"): False,
    ("PostgresDown", "RedisDown"): False,
    ("CeleryWorkerMissing", "RedisDown"): True,
    ("ProbeComponentFailed", "CeleryWorkerMissing"): True,
    ("ProbeFailed", "ProbeComponentFailed"): True,
    ("ProbeFailed", "CertificateExpired"): True,
    ("MonitorDown", "ProbeFailed"): True,
    ("AppErrorRatioHigh", "AppDown"): True,
    ("QueueLong", "CeleryWorkerMissing"): True,
}


@pytest.mark.parametrize("pair", EXPLAINED, ids=" ".join)
def test_an_effect_waits_for_what_explains_it_and_never_the_other_way_round(pair: tuple[str, str]) -> None:
    alert, explains = pair
    (cause,) = (cause for cause, alerts in ranks.CAUSES.items() if explains in alerts)
    text = causes.waiting({"alert": alert, "labels": {"severity": "critical"}, "expr": "up == 0"}, {})["expr"]
    found = re.search(r'cause=~"([^"]*)"', text)
    assert (found is not None and cause in found[1].split("|")) == EXPLAINED[pair]


@pytest.mark.parametrize(("wait", "told"), [("2m", ""), ("3m", "database|probe"), ("5m", "database|app|probe")])
def test_what_is_told_in_time_explains_only_once_it_is_told(wait: str, told: str) -> None:
    rule = {"alert": "QueueLong", "labels": {"severity": "medium"}, "for": wait, "expr": "up == 0"}
    text = causes.waiting(rule, {"database": 120.0, "app": 180.0, "probe": 120.0})["expr"]
    assert re.findall(r'cause=~"([^"]*)"} and on \(app, host, environment, cause\) app:cause:told', text) == [
        told
    ] * bool(told)
    seen = re.search(r'explains{cause=~"([^"]*)"}\)', text)
    assert seen
    assert {*seen[1].split("|"), *told.split("|")} - {""} == {*ranks.CAUSES}


def test_the_last_alert_of_a_cause_says_when_it_is_told() -> None:
    def rule(alert: str, severity: str, **more: str) -> dict[str, Any]:
        return {"alert": alert, "labels": {"severity": severity}, **more}

    database = [
        rule("PostgresDown", "critical", **{"for": "30s"}),
        rule("PostgresConnectionsHigh", "critical", **{"for": "1m"}),
    ]
    others = [
        rule("PostgresConnectionsHigh", "high", **{"for": "5m"}),
        rule("CertificateExpired", "critical"),
        {"record": "a"},
    ]
    groups = [{"rules": database}, {"rules": [*others, rule("QueueLong", "medium", **{"for": "5m"})]}]
    assert causes.waits(groups) == {"database": 60.0, "certificate": 0.0}


@pytest.mark.parametrize("severity", ["critical", "high"])
def test_what_fires_already_goes_on_whatever_explains_it_meanwhile(severity: str) -> None:
    """By the labels that its own series has, whichever the rule adds."""
    labels = {"severity": severity, "app": "shop", "metric": "x"}
    text = causes.waiting({"alert": "AppLatencyHigh", "labels": labels, "expr": "slow > 2"}, {})["expr"]
    goes_on = text.rpartition("\nor ")[2]
    assert goes_on.startswith("(slow > 2)\n  and ignoring (alertname, alertstate, severity, metric) ALERTS{")
    assert f'alertname="AppLatencyHigh", alertstate="firing", severity="{severity}"' in goes_on


# Disabled alerts: the causes that are no longer recorded, as nobody would be told of them.
DISABLED: dict[tuple[str, ...], set[str]] = {
    (): set(),
    ("RedisDown",): {"redis"},
    ("PostgresDown",): set(),  # PostgresConnectionsHigh tells of the database as well
    ("PostgresDown", "PostgresConnectionsHigh"): {"database"},
    ("AppDown", "ProbeFailed"): {"app", "probe"},
    ("AppLatencyHigh",): set(),
}


@pytest.mark.parametrize("disabled", DISABLED, ids=str)
def test_the_cause_of_a_disabled_alert_silences_nothing(context: MakeContext, disabled: tuple[str, ...]) -> None:
    (group,) = causes.cause_series(context({"disabled_alerts": list(disabled)}))
    recorded = [rule["labels"]["cause"] for rule in group["rules"] if rule["record"] == "app:cause:active"]
    assert sorted(recorded) == sorted(SEEN - DISABLED[disabled])
    assert {*causes._STRONG} < SEEN


def test_a_deploy_is_known_of_apps_whose_container_is_on_the_server(context: MakeContext) -> None:
    apps = [
        {"name": "shop", "container": "shop-web-1", "thresholds": {"deploy_within": "90s"}},
        {"name": "plain"},
        {"name": "far", "host": "web2", "container": "far"},
    ]
    (group,) = causes.cause_series(context({"apps": apps}, hosts=["web1", "web2"]))
    (deploy,) = (rule for rule in group["rules"] if rule.get("labels", {}).get("cause") == "deploy")
    assert deploy["labels"]["app"] == "shop"
    assert "> time() - 90" in deploy["expr"] and "[90s]" in deploy["expr"]


def test_the_title_names_what_else_fails_where_that_says_more_than_the_alert_on_the_cause() -> None:
    told = {alert for alert in alert_names() if causes.also({"alert": alert})}
    assert told == {alert for alerts in ranks.CAUSES.values() for alert in alerts} - {"HostDown", "AppDown"}


@pytest.mark.parametrize("declared", [{}, {"database": {"name": "shop"}}, {"redis": {}}, {"redis": {"queues": ["q"]}}])
def test_an_app_is_told_of_what_it_declares_after_the_declared_time(declared: dict[str, Any]) -> None:
    app = App(name="shop", thresholds={"dependency_down_for": "10s"}, **declared)
    rules = [rule for group in app_files([app], "en").get("dependency.yml", []) for rule in group["rules"]]
    wanted = ["PostgresDown", "PostgresConnectionsHigh"] if "database" in declared else []
    wanted += ["RedisDown"] if "redis" in declared else []
    wanted += ["CeleryWorkerMissing"] if declared.get("redis") else []
    assert [rule["alert"] for rule in rules] == wanted
    for rule in rules:
        assert (rule["for"], rule["labels"]) == ("10s", {"severity": "critical", "app": "shop"})
        assert rule["annotations"]["threshold"].endswith(", 10 s")
        assert {*re.findall(r'app="([^"]*)"', rule["expr"])} == {"shop"}
