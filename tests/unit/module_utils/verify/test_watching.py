"""Targets, rules and panels against what Prometheus answers (recorded from 3.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify import watching
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import Check

REFUSED = 'Get "http://127.0.0.1:8000/metrics": dial tcp 127.0.0.1:8000: connect: connection refused'


def lines(checks: list[Check]) -> list[tuple[str, str]]:
    return [(check.status, check.detail) for check in checks]


def target(job: str, address: str, app: str = "", probe: str = "", path: str = "/metrics") -> dict[str, str]:
    return {"job": job, "address": address, "path": path, "app": app, "probe": probe, "host": "web1"}


NODE = target("node", "127.0.0.1:9100")
APP = target("app", "127.0.0.1:8000", "shop")
PROBES = [target("probe", "http://127.0.0.1:8000/health/", "shop", name, "/probe") for name in ("redis", "database")]
STACK = target("alertmanager", "127.0.0.1:9093")


def active(wanted: Mapping[str, str], health: str = "up", error: str = "") -> dict[str, Any]:
    """A target as /api/v1/targets shows it; relabelling made another address of a probe's."""
    labels = {name: wanted[name] for name in ("job", "app", "probe", "host") if wanted[name]}
    found = {"__address__": wanted["address"], "__metrics_path__": wanted["path"], "__scheme__": "http", **labels}
    return {"discoveredLabels": found, "labels": {**labels, "instance": "any"}, "health": health, "lastError": error}


ALL = [NODE, APP, STACK, *PROBES]


def test_exactly_the_declared_targets_that_are_all_up_pass() -> None:
    assert lines(watching.target_checks(ALL, [active(it) for it in ALL])) == [("PASS", "5 of 5 up")]


# What is wrong: (declared, found, lines without those that pass)
WRONG_TARGETS: dict[str, tuple[list[Any], list[Any], list[tuple[str, str]]]] = {
    "missing": (
        [NODE, PROBES[0]],
        [active(NODE)],
        [("FAIL", "probe shop redis http://127.0.0.1:8000/health/ is declared but not watched")],
    ),
    "extra": (
        [NODE],
        [active(NODE), active(target("app", "127.0.0.1:9", "old", path="/m"))],
        [("FAIL", "app old 127.0.0.1:9/m is watched but not declared")],
    ),
    "another path is another target": (
        [target("app", "127.0.0.1:8000", "shop", path="/m")],
        [active(APP)],
        [
            ("FAIL", "app shop 127.0.0.1:8000/m is declared but not watched"),
            ("FAIL", "app shop 127.0.0.1:8000 is watched but not declared"),
        ],
    ),
    "an app down": ([APP], [active(APP, "down", REFUSED)], [("WARN", f"app shop 127.0.0.1:8000 is down: {REFUSED}")]),
    "a probe down": (
        PROBES[:1],
        [active(PROBES[0], "down", "EOF")],
        [("WARN", "probe shop redis http://127.0.0.1:8000/health/ is down: EOF")],
    ),
    "a host down": ([NODE], [active(NODE, "down", "EOF")], [("FAIL", "node web1 127.0.0.1:9100 is down: EOF")]),
    "the stack down": (
        [STACK],
        [active(STACK, "down")],
        [("FAIL", "alertmanager 127.0.0.1:9093 is down: no reason given")],
    ),
    "not scraped yet": (
        [NODE],
        [active(NODE, "unknown")],
        [("WARN", "node web1 127.0.0.1:9100 has not been scraped yet")],
    ),
    "nothing at all": ([NODE], [], [("FAIL", "node web1 127.0.0.1:9100 is declared but not watched")]),
}


@pytest.mark.parametrize("case", WRONG_TARGETS)
def test_a_target_that_is_not_as_declared_is_named(case: str) -> None:
    wanted, found, expected = WRONG_TARGETS[case]
    checks = watching.target_checks(wanted, found)
    assert [line for line in lines(checks) if line[0] != "PASS"] == expected
    assert all(check.advice for check in checks if check.status != "PASS")
    # Nobody waits for an app that is down: no run cures that.
    assert all(check.soon for check in checks if check.status == "FAIL" or "not been scraped yet" in check.detail)
    assert not any(check.soon for check in checks if " is down" in check.detail and check.status == "WARN")


def test_what_is_wrong_with_many_targets_is_of_one_kind_for_each_app() -> None:
    apps = [target("app", f"127.0.0.1:{port}", app) for app in ("shop", "blog") for port in (1, 2)]
    checks = watching.target_checks(apps, [active(it, "down", "EOF") for it in apps])
    assert [(check.kind, check.name) for check in checks] == [
        ("targets of app shop are down", "127.0.0.1:1 (EOF)"),
        ("targets of app shop are down", "127.0.0.1:2 (EOF)"),
        ("targets of app blog are down", "127.0.0.1:1 (EOF)"),
        ("targets of app blog are down", "127.0.0.1:2 (EOF)"),
    ]


# --- rules ---

GROUPS = {"host.yml/host_cpu": 2, "own-1-team.yml/host_cpu": 1}


def rule(name: str, health: str = "ok", error: str = "") -> dict[str, str]:
    return {"name": name, "health": health, **({"lastError": error} if error else {}), "type": "alerting"}


def group(file: str, *rules: dict[str, str], interval: int = 15) -> dict[str, Any]:
    path = f"/etc/crowsnest/current/rules/{file}"
    return {"name": "host_cpu", "file": path, "rules": list(rules), "interval": interval}


TEAM = group("own-1-team.yml", rule("Mine"))


def test_all_rules_that_evaluate_pass() -> None:
    found = [group("host.yml", rule("HostCpuHigh"), rule("HostCpuSteal")), TEAM]
    assert lines(watching.rule_checks(GROUPS, found, 900)) == [
        ("PASS", "3 of 3 rules in 2 groups evaluate without an error")
    ]


WRONG_RULES: dict[str, tuple[list[Any], float, tuple[str, str]]] = {
    "a group is missing": ([TEAM], 900, ("FAIL", "not loaded: host.yml/host_cpu")),
    "a group too many": (
        [group("host.yml", rule("a"), rule("b")), TEAM, group("old.yml")],
        900,
        ("FAIL", "not declared: old.yml/host_cpu"),
    ),
    "a rule is missing": (
        [group("host.yml", rule("a")), TEAM],
        900,
        ("FAIL", "a different number of rules: host.yml/host_cpu"),
    ),
    "a rule fails": (
        [group("host.yml", rule("a"), rule("b", "err", "many-to-many")), TEAM],
        900,
        ("FAIL", "b in host.yml/host_cpu cannot be evaluated: many-to-many"),
    ),
    "a rule of the team fails": (
        [group("host.yml", rule("a"), rule("b")), group("own-1-team.yml", rule("Mine", "err", "many-to-many"))],
        900,
        ("WARN", "Mine in own-1-team.yml/host_cpu cannot be evaluated: many-to-many"),
    ),
    "a new Prometheus": (
        [group("host.yml", rule("a"), rule("b", "unknown")), TEAM],
        119,
        ("WARN", "1 not evaluated yet: b"),
    ),
    "an old Prometheus": (
        [group("host.yml", rule("a"), rule("b", "unknown")), TEAM],
        120,
        ("FAIL", "1 not evaluated yet: b"),
    ),
    "a slow group that had its time": (
        [group("host.yml", rule("a"), rule("b", "unknown"), interval=300), TEAM],
        301,
        ("FAIL", "1 not evaluated yet: b"),
    ),
}


@pytest.mark.parametrize("case", WRONG_RULES)
def test_a_rule_that_is_not_as_declared_is_named(case: str) -> None:
    groups, age, expected = WRONG_RULES[case]
    assert [line for line in lines(watching.rule_checks(GROUPS, groups, age)) if line[0] != "PASS"] == [expected]


def test_a_slow_group_is_not_waited_for() -> None:
    found = [group("host.yml", rule("a"), rule("b", "unknown"), interval=300), TEAM]
    assert lines(watching.rule_checks(GROUPS, found, 300)) == [
        (
            "PASS",
            "2 of 3 rules in 2 groups evaluate without an error, 1 in groups with a long interval are not due yet",
        )
    ]


# --- panels ---

NAN = [Sample({}, float("nan"))]
DATA = [Sample({"host": "web1"}, 0.0)]


def query(panel: str = "CPU", expr: str = "x", empty: str = "", app: str = "") -> dict[str, str]:
    return {"dashboard": "host", "panel": panel, "expr": expr, "empty": empty, "app": app}


# (query, answer, seconds since the configuration, apps that were there, lines)
PANELS: dict[str, tuple[dict[str, str], Answer, float, set[str], list[tuple[str, str]]]] = {
    "data": (query(), DATA, 900, set(), [("PASS", "1 of 1 queries return data")]),
    "one number of many is one": (query(), [*NAN, *DATA], 900, set(), [("PASS", "1 of 1 queries return data")]),
    "empty": (query(), [], 900, set(), [("FAIL", "host: CPU: no data")]),
    "no number is no data": (query(), NAN, 900, set(), [("FAIL", "host: CPU: no data")]),
    "a reason": (query(empty="No swap."), [], 900, set(), []),
    "refused": (
        query(empty="No swap."),
        ServiceError("HTTP 400: parse error"),
        10,
        set(),
        [("FAIL", "host: CPU: the query is refused: HTTP 400: parse error")],
    ),
    "a young configuration": (
        query(),
        [],
        299,
        set(),
        [("WARN", "1 without data because Prometheus has had this configuration for 4 min: host: CPU")],
    ),
    "an app that is down": (
        query(app="shop"),
        [],
        300,
        {"blog"},
        [("WARN", "1 without data because shop is down, or was less than 5 min ago: host: CPU")],
    ),
    "an app that does not export it": (query(app="shop"), [], 300, {"shop"}, [("WARN", "host: CPU: no data")]),
}


@pytest.mark.parametrize("case", PANELS)
def test_a_panel_gives_data_or_says_why_not(case: str) -> None:
    asked, answer, age, apps, expected = PANELS[case]
    assert lines(watching.panel_checks([asked], {"x": answer}, age, apps)) == expected


def test_what_to_ask_oneself_stands_beside_an_empty_panel() -> None:
    (check,) = watching.panel_checks([query(expr="rate(x[1m])")], {"rate(x[1m])": []}, 900, set())
    assert check.advice == "Query Prometheus yourself: rate(x[1m])"


def test_many_empty_panels_are_of_one_kind_for_the_report() -> None:
    many = [query(f"Panel {number}") for number in range(14)]
    *empty, last = watching.panel_checks([*many, query(expr="y")], {"x": [], "y": DATA}, 900, set())
    assert [check.name for check in empty] == [f"host: Panel {number}" for number in range(14)]
    assert {(check.status, check.kind) for check in empty} == {("FAIL", "panels have no data")}
    assert last[:3] == ("PASS", "panels", "1 of 15 queries return data")


def test_empty_ones_with_a_reason_are_counted() -> None:
    asked = [query(expr="y"), query("Swap", empty="No swap.")]
    checks = watching.panel_checks(asked, {"x": [], "y": DATA}, 900, set())
    assert lines(checks) == [("PASS", "1 of 2 queries return data, 1 are empty for the reason that their panel states")]


def test_without_grafana_nothing_is_said_of_panels() -> None:
    assert watching.panel_checks([], {}, 900, set()) == []
