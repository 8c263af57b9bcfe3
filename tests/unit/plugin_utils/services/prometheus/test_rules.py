"""Rule files as they reach Prometheus. Whether the rules fire is tested with promtool in tests/rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    EVERY_KIND,
    alert_names,
    rule_files,
)

MakeContext = Callable[..., Context]
ALWAYS = [*(f"rules/{name}" for name in static_rules()), "rules/app.yml", "rules/causes.yml"]
CAMPAIGNS = {"name": "shop_campaigns", "description": "Campaigns", "alert": {"below": 1}}
APPS = [{"name": "shop", "framework": "django", "metrics": [":8000"], "custom_metrics": [CAMPAIGNS]}]
EVERYTHING = [EVERY_KIND.model_dump(by_alias=True, exclude_unset=True)]


def rules_in(files: dict[str, str]) -> Iterator[dict[str, Any]]:
    for text in files.values():
        for group in yaml.safe_load(text)["groups"]:
            yield from group["rules"]


# Frameworks of the declared apps: the profiles that are written.
PROFILES: dict[tuple[str, ...], list[str]] = {
    (): [],
    ("generic",): [],
    ("django",): ["rules/profile_django.yml"],
    ("django", "django"): ["rules/profile_django.yml"],
    ("prom_client", "fastapi"): ["rules/profile_fastapi.yml", "rules/profile_prom_client.yml"],
    ("express", "nestjs", "prom_client"): ["rules/profile_prom_client.yml"],  # twice recorded is refused
    ("flask",): ["rules/profile_flask.yml"],
}


@pytest.mark.parametrize("frameworks", PROFILES, ids=str)
def test_a_profile_is_written_when_an_app_has_it(context: MakeContext, frameworks: tuple[str, ...]) -> None:
    apps = [{"name": f"app{number}", "framework": framework} for number, framework in enumerate(frameworks)]
    assert sorted(rule_files(context({"apps": apps}))) == sorted(ALWAYS + PROFILES[frameworks])


def test_rules_that_do_not_depend_on_apps_are_always_there() -> None:
    names = ("backup", "containers", "host", "metabase", "probes", "stack", "uptime", "app")
    assert {f"rules/{name}.yml" for name in names} <= set(ALWAYS)


def test_what_an_app_does_not_declare_gets_no_file(context: MakeContext) -> None:
    declared: dict[str, dict[str, Any]] = {
        "rules/budget.yml": {"slo": 0.99},
        "rules/anomaly.yml": {"anomaly": True},
        "rules/signals.yml": {"signals": {"refunds": "refunds_total"}},
    }
    for name, keys in declared.items():
        apps = [{**APPS[0], **keys}, {"name": "other", "framework": "django", "metrics": [":8001"]}]
        files = rule_files(context({"apps": apps}))
        assert set(files) & set(declared) == {name}
        (group,) = yaml.safe_load(files[name])["groups"]
        assert group["name"].endswith("_shop")


def test_no_rule_is_lost_on_the_way(context: MakeContext) -> None:
    static = [rule for file in static_rules().values() for group in file["groups"] for rule in group["rules"]]
    files = rule_files(context({"backup_stack": False}))
    written = [rule for rule in rules_in(files) if not str(rule.get("record")).startswith("app:cause:")]
    assert len(written) == len(static)
    for rule, made in zip(static, written, strict=True):  # what waits for a cause has it in its expression
        assert rule["expr"] in made["expr"]


OWN_RUNBOOKS = "https://github.com/crowsnest-ops/crowsnest/blob/main/docs/runbooks"
# What is declared: the folder that alerts lead to. Nobody knows whether a team's pages have a folder for a language.
RUNBOOKS: list[tuple[dict[str, Any], str]] = [
    ({}, OWN_RUNBOOKS),
    ({"language": "ko"}, f"{OWN_RUNBOOKS}/ko"),
    ({"language": "ko", "runbook_url": f"{OWN_RUNBOOKS}/"}, f"{OWN_RUNBOOKS}/ko"),
    ({"language": "ko", "runbook_url": f"{OWN_RUNBOOKS}/ko"}, f"{OWN_RUNBOOKS}/ko"),
    ({"language": "en", "runbook_url": "https://wiki.example.com/runbooks/"}, "https://wiki.example.com/runbooks"),
    ({"language": "ko", "runbook_url": "https://wiki.example.com/runbooks"}, "https://wiki.example.com/runbooks"),
]


@pytest.mark.parametrize("declared, folder", RUNBOOKS)
def test_every_alert_links_to_its_runbook(context: MakeContext, declared: dict[str, Any], folder: str) -> None:
    files = rule_files(context({"apps": EVERYTHING, **declared}))
    alerts = [rule for rule in rules_in(files) if "alert" in rule]
    assert {rule["alert"] for rule in alerts} == set(alert_names())
    for rule in alerts:
        assert rule["annotations"]["runbook_url"] == f"{folder}/{rule['alert']}.md"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_alerts_speak_the_declared_language_only(context: MakeContext, language: str) -> None:
    files = rule_files(context({"apps": EVERYTHING, "language": language}))
    for rule in rules_in(files):
        texts = rule.get("annotations", {})
        assert not [name for name in texts if name.endswith("_ko")]
        korean = any("가" <= letter <= "힣" for letter in texts.get("summary", "") + texts.get("description", ""))
        assert korean == ("alert" in rule and language == "ko"), rule


def test_the_language_changes_words_and_nothing_else(context: MakeContext) -> None:
    def without_words(language: str) -> list[dict[str, Any]]:
        rules = list(rules_in(rule_files(context({"apps": EVERYTHING, "language": language}))))
        for rule in rules:
            for name in ("summary", "description", "value", "threshold", "runbook_url"):
                rule.get("annotations", {}).pop(name, None)
        return rules

    assert without_words("en") == without_words("ko")


def test_a_disabled_alert_is_gone_at_every_severity_and_nothing_else(context: MakeContext) -> None:
    def others(**declared: Any) -> list[dict[str, Any]]:
        files = rule_files(context({"apps": APPS, **declared}))
        return list(rules_in({name: text for name, text in files.items() if name != "rules/causes.yml"}))

    before, disabled = others(), ["HostMemoryLow", "AppDown"]
    after = others(disabled_alerts=disabled)
    assert after == [rule for rule in before if rule.get("alert") not in disabled]
    assert len(before) - len(after) == 3


def test_each_host_with_backups_is_known_with_the_number_of_its_jobs(context: MakeContext) -> None:
    login = {"address": "10.0.0.2:5432", "admin_user": "postgres", "admin_password": "hush"}
    apps = [
        {"name": "shop", "database": {"name": "shop"}},
        {"name": "blog", "host": "web2", "database": {"name": "blog", **login}},
    ]
    rules = rules_in(rule_files(context({"apps": apps, "environment": "staging"}, hosts=["web1", "web2"])))
    found = {rule["labels"]["host"]: rule for rule in rules if rule.get("record") == "backup:jobs:count"}
    assert {host: (rule["expr"], rule["labels"]["environment"]) for host, rule in found.items()} == {
        "web1": ("vector(2)", "staging"),
        "web2": ("vector(1)", "staging"),
    }


def test_successes_are_told_unless_that_is_switched_off(context: MakeContext) -> None:
    for notices in (True, False):
        rules = rules_in(rule_files(context({"backup_notices": notices})))
        assert ("BackupDone" in {rule.get("alert") for rule in rules}) == notices


def test_a_weekly_message_is_missed_only_where_it_is_declared(context: MakeContext) -> None:
    for declared in (True, False):
        rules = rules_in(rule_files(context({"weekly_report": {}} if declared else {})))
        found = [rule["labels"] for rule in rules if rule.get("record") == "report:declared:info"]
        assert found == ([{"host": "web1", "environment": "production"}] if declared else [])


def test_own_rule_files_are_copied_to_the_letter_where_prometheus_loads_them(
    context: MakeContext, tmp_path: Path
) -> None:
    text = "# ours\ngroups: []\n"
    (tmp_path / "inventory").mkdir()
    for path in ("inventory/orders.yaml", "inventory/app.yml", "orders.rules"):
        (tmp_path / path).write_text(text)
    declared = ["orders.yaml", "app.yml", str(tmp_path / "orders.rules"), "../orders.rules"]
    files = rule_files(context({"apps": APPS, "rule_files": declared}, folder=tmp_path / "inventory"))
    own = {name: content for name, content in files.items() if "own" in name}
    assert own == dict.fromkeys(
        ["rules/own-1-orders.yml", "rules/own-2-app.yml", "rules/own-3-orders.yml", "rules/own-4-orders.yml"], text
    )
    assert {*ALWAYS, "rules/profile_django.yml", "rules/custom.yml", *own} == set(files)


def test_making_the_rules_leaves_the_static_ones_as_they_are(context: MakeContext) -> None:
    before = yaml.safe_dump(static_rules())
    rule_files(context({"apps": APPS, "language": "ko"}))
    assert yaml.safe_dump(static_rules()) == before
