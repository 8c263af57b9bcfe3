# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark measures, as far as it needs no lab."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from lab.play import Lab, Run
from shapes import misfits

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import alertmanager_config
from bench import cli, delivery, host, parts, scaling
from bench.host import BenchError, apps, must


def test_all_parts_are_measured_unless_some_are_named_and_always_in_the_same_order() -> None:
    assert cli.chosen("") == list(parts.PARTS)
    assert cli.chosen("first,second") == ["second", "first"]
    with pytest.raises(BenchError, match="--only frist: there are second"):
        cli.chosen("frist")


def test_wrong_usage_starts_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "laboratory", lambda *_: pytest.fail("a lab was started"))
    assert cli.main(["--only", "frist"]) == 2
    assert cli.main(["--runs", "0"]) == 2


def test_what_needs_no_host_starts_no_lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "laboratory", lambda *_: pytest.fail("a lab was started"))
    assert cli.main(["--only", "generate", "--runs", "1"]) == 0
    assert "Declaration to all files" in capsys.readouterr().out


def test_the_lab_is_removed_also_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def laboratory(*words: str) -> None:
        done.append(words[0])
        if words[0] == "up":
            raise BenchError("no Docker")

    monkeypatch.setattr(cli, "laboratory", laboratory)
    assert cli.main(["--runs", "1"]) == 1
    assert done == ["up", "down"]
    assert cli.main(["--runs", "1", "--keep"]) == 1
    assert done == ["up", "down", "up"]


def test_a_part_that_fails_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise BenchError("the play failed\nwith details")

    monkeypatch.setitem(parts.PARTS, "second", broken)
    figures = cli.measure(["second", "generate"], None, 1)  # type: ignore[arg-type]
    assert (figures[0].name, figures[0].values, figures[0].failed) == ("second", (), "the play failed")
    assert len(figures) == 4
    assert all(figure.values for figure in figures[1:])


def test_a_failed_play_is_no_measurement() -> None:
    assert must(Run(0, "", 1.0)).seconds == 1.0
    with pytest.raises(BenchError, match="no route to host"):
        must(Run(2, "no route to host", 1.0))


def test_a_bench_that_would_change_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "lab1 | CHANGED | rc=0 | (stdout) 172.17.0.1 10.213.40.10 "
    monkeypatch.setattr(host.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=said, stderr=""))
    host.make_sure_of_the_host(Lab("bench", {"hosts": [{"address": "10.213.40.10"}]}))
    with pytest.raises(BenchError, match="does not reach the host"):
        host.make_sure_of_the_host(Lab("bench", {"hosts": [{"address": "10.213.40.1"}]}))


def test_a_changed_threshold_is_seen_in_the_rule_of_the_lab_s_app() -> None:
    changed = parts._with_error_ratio(0.61)
    assert [app["name"] for app in changed] == [app["name"] for app in apps()]
    assert all(app["thresholds"]["error_ratio"] == 0.61 for app in changed)
    assert changed[0]["thresholds"].keys() > {"error_ratio"}


def test_the_generated_fleet_is_what_was_asked_for() -> None:
    names = [f"host{number}" for number in range(20)]
    variables = scaling.declared(names, 7)
    assert len(variables["crowsnest_apps"]) == 7
    assert filters.declaration_mistakes(variables, {"server": names[:1], "monitored": names}, "/nowhere") == []
    assert scaling.seconds(20, 7) > 0


def test_the_facts_of_a_made_up_host_are_as_those_of_the_module() -> None:
    assert misfits(scaling.host_facts(0), HostFacts) == []


def alerting(variables: dict[str, Any]) -> dict[str, Any]:
    """alertmanager.yml of a declaration on the lab's host."""
    hostvars = {"lab1": {"preflight_look": {"host": scaling.host_facts(0)}}}
    plan = filters.plan(variables, "lab1", ["lab1"], hostvars, "/nowhere", "/nowhere")
    return alertmanager_config(filters.context_of(plan["context"]))


def test_every_severity_is_measured_and_none_is_silenced_by_a_higher_one() -> None:
    (group,) = delivery.rule_file()["groups"]
    assert [rule["labels"]["severity"] for rule in group["rules"]] == list(SEVERITIES)
    assert len({rule["alert"] for rule in group["rules"]}) == len(SEVERITIES)
    declared = {"crowsnest_apps": delivery.declared(["bench1"]), "crowsnest_office_hours": delivery.ALWAYS}
    for rule in alerting(declared)["inhibit_rules"]:
        # A rule that names its source is not about the bench's alerts.
        by_name = any(matcher.startswith('alertname="') for matcher in rule["source_matchers"])
        assert by_name or "alertname" in rule["equal"], f"{rule} may silence an alert of the bench"


def test_each_fault_has_a_group_and_a_message_of_its_own() -> None:
    assert "app" in alerting({})["route"]["group_by"]
    assert all("by (app)" in rule["expr"] for rule in delivery.rule_file()["groups"][0]["rules"])
    texts = [delivery.summary(name, severity) for name in ("bench1", "bench11") for severity in delivery.SEVERITIES]
    assert not [(one, other) for one in texts for other in texts if one != other and one in other]


def without_lookups(app: dict[str, Any]) -> dict[str, Any]:
    """An app without the keys for which Ansible asks the lab."""
    return {name: value for name, value in app.items() if "{{" not in str(value)}


def test_the_targets_are_apps_that_may_be_declared() -> None:
    declared = delivery.declared([f"bench{number}" for number in range(1, 6)])
    groups = {"server": ["lab1"], "monitored": ["lab1"]}
    variables = {
        "crowsnest_apps": [*(without_lookups(app) for app in apps()), *declared],
        "crowsnest_office_hours": delivery.ALWAYS,
        "crowsnest_backup_remotes": {"offsite": {"bucket": "offsite", "region": "us-east-1"}},
    }
    assert filters.declaration_mistakes(variables, groups, "/nowhere") == []
    assert len({app["metrics"][0] for app in declared}) == 5
