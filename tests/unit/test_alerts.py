"""Every alert has a runbook and a promtool test, and nothing of that is left over from an alert that is gone."""

import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import PROFILES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    EVERY_KIND,
    app_files,
    stepped_alerts,
)

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
# An app that uses every feature, so that it gets every per-app alert there is.
APP: dict[str, Any] = {
    "name": "shop",
    "url": "https://shop.example.com/",
    "metrics": [":8000"],
    "health": {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database"]},
    "custom_metrics": [{"name": "shop_campaigns", "description": "Campaigns", "alert": {"below": 1}}],
}
FRAMEWORKS = [*PROFILES, "generic"]


def alerting_rules() -> list[dict[str, Any]]:
    apps = [*(App(**APP, framework=framework) for framework in FRAMEWORKS), EVERY_KIND]
    groups = [group for file in static_rules().values() for group in file["groups"]]
    groups += [group for app in apps for file in app_files([app], "en").values() for group in file]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


RULES = alerting_rules()
ALERTS = sorted({rule["alert"] for rule in RULES})
per_alert = pytest.mark.parametrize("alert", ALERTS)


def rules_of(alert: str) -> list[dict[str, Any]]:
    return [rule for rule in RULES if rule["alert"] == alert]


def test_there_are_alerts() -> None:
    assert ALERTS


def test_every_runbook_belongs_to_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)


@per_alert
def test_the_runbook_has_the_four_parts(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n")
    assert re.findall(r"(?m)^## (.+)$", page) == HEADINGS
    parts = re.split(r"(?m)^## .+$", page)[1:]
    assert [heading for heading, part in zip(HEADINGS, parts, strict=True) if not part.strip()] == []


@per_alert
def test_the_diagnosis_has_a_command_to_paste(alert: str) -> None:
    diagnosis = re.split(r"(?m)^## ", (RUNBOOKS / f"{alert}.md").read_text())[3]
    assert re.search(r"(?m)^```", diagnosis)
    assert "TODO" not in diagnosis


@cache
def promtool_cases() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "tests/rules").glob("*.yml"))]
    return [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", [])]


@per_alert
def test_promtool_sees_the_alert_fire_and_keep_silent(alert: str) -> None:
    expected = [case.get("exp_alerts") or [] for case in promtool_cases() if case["alertname"] == alert]
    fired = {entry["exp_labels"].get("severity") for entries in expected for entry in entries}
    assert {rule["labels"]["severity"] for rule in rules_of(alert)} <= fired, "not seen to fire at every severity"
    # An alert that always fires is never silent.
    if not all("vector(1)" in rule["expr"] for rule in rules_of(alert)):
        assert [] in expected, "not seen to be silent"


@per_alert
def test_the_alert_says_what_where_and_how_much(alert: str) -> None:
    for rule in rules_of(alert):
        assert rule["labels"]["severity"] in (*SEVERITIES, "none")
        if rule["labels"]["severity"] != "none":
            assert {"summary", "description", "value", "threshold"} <= set(rule["annotations"])


@pytest.mark.parametrize("alert", stepped_alerts())
def test_a_higher_severity_goes_on_no_longer_than_the_lower_ones(alert: str) -> None:
    """While it fires they are silent: of one that ends meanwhile nobody would be told the end."""
    kept = {rule["labels"]["severity"]: duration_seconds(rule.get("keep_firing_for", "0s")) for rule in rules_of(alert)}
    in_order = [kept[severity] for severity in SEVERITIES if severity in kept]
    assert len(in_order) > 1 and in_order == sorted(in_order)


# Unit of a threshold: how a runbook writes it, and what it is in the units of series.
UNITS: dict[str, tuple[str, set[float]]] = {
    "%": ("%", {1, 0.01}),
    "s": ("seconds", {1}),
    "min": ("minutes", {60}),
    "h": ("hours", {3600}),
    "d": ("days", {1, 86400}),
    "MiB": ("MiB", {1024 * 1024}),
}


def measured_rules() -> list[dict[str, Any]]:
    """Static alerts that begin at a number with a unit, such as "90 %, 5 min" or "24 h, 90 min"."""
    rules = [rule for file in static_rules().values() for group in file["groups"] for rule in group["rules"]]
    measured = re.compile(rf"[1-9]\d* ({'|'.join(UNITS)})( left)?(,|$)")
    return [rule for rule in rules if measured.match(rule.get("annotations", {}).get("threshold", ""))]


def rule_name(rule: dict[str, Any]) -> str:
    return f"{rule['alert']} {rule['labels']['severity']}"


def compared(expr: str) -> set[float]:
    """The numbers that something is compared with: 86400 of `time() - x > 24 * 3600`."""
    found = re.findall(r"[<>]=? *(\d+(?: \* \d+)*)", expr)
    return {float(math.prod(int(factor) for factor in text.split(" * "))) for text in found}


# Panels read the annotation, and people what it says.
@pytest.mark.parametrize("rule", measured_rules(), ids=rule_name)
def test_the_threshold_that_an_alert_names_is_the_one_it_has(rule: dict[str, Any]) -> None:
    number, unit = rule["annotations"]["threshold"].partition(", ")[0].split()[:2]
    assert {float(number) * factor for factor in UNITS[unit][1]} & compared(rule["expr"])


@pytest.mark.parametrize("rule", measured_rules(), ids=rule_name)
def test_the_runbook_names_the_threshold(rule: dict[str, Any]) -> None:
    number, unit = rule["annotations"]["threshold"].rstrip(",").replace(",", "").split()[:2]
    meaning = re.split(r"(?m)^## .+$", (RUNBOOKS / f"{rule['alert']}.md").read_text())[1]
    assert f"{number} {UNITS[unit][0]}" in " ".join(meaning.split())


def test_alert_names_are_a_subject_and_a_condition() -> None:
    assert [alert for alert in ALERTS if not re.fullmatch(r"([A-Z][A-Za-z0-9]*)", alert)] == []
