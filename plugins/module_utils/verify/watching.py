# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Prometheus watches what is declared: targets, rules, panels. Pure: its answers go in, checks come out.

Python 3.9, standard library.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.answers import ActiveTarget, Rule, RuleGroup
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    duration,
    logs_of,
    runbook,
    some,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Query, Target

# A younger Prometheus may not have evaluated all rules yet, nor have two samples for every rate.
RULES_SECONDS, DATA_SECONDS = 120, 300
# Jobs whose targets are asked by blackbox exporter.
_PROBES = ("probe", "sentry")


class TargetKey(NamedTuple):
    """What tells targets apart: a `Target` as a hashable value."""

    job: str
    address: str
    path: str
    app: str
    probe: str
    host: str


# --- targets ---


def active_target(target: ActiveTarget) -> TargetKey:
    """The key of one of Prometheus' active targets, as it was before relabelling."""
    found, labels = target["discoveredLabels"], target["labels"]
    return TargetKey(
        found["job"],
        found["__address__"],
        found["__metrics_path__"],
        labels.get("app", ""),
        labels.get("probe", ""),
        labels.get("host", ""),
    )


def target_name(target: TargetKey) -> str:
    """`node web1 127.0.0.1:9100`, `app shop …`, `probe shop database …`; the path only if it is not the usual one."""
    job, address, path, app, probe, host = target
    place = address if job in _PROBES or path == "/metrics" else address + path
    return " ".join(part for part in (job, app or (host if job == "node" else ""), probe, place) if part)


def target_checks(wanted: Sequence[Target], active: Sequence[ActiveTarget]) -> list[Check]:
    """Exactly the declared targets, each scraped without an error.

    A target of an app that cannot be scraped is a warning: no run changes the app, and its own alert fires.
    """
    declared = dict.fromkeys(TargetKey(**target) for target in wanted)
    found = {active_target(target): target for target in active}
    missing = [target for target in declared if target not in found]
    extra = [target for target in found if target not in declared]
    common = [target for target in declared if target in found]
    checks = [_misplaced(target, "declared but not watched") for target in missing]
    checks += [_misplaced(target, "watched but not declared") for target in extra]
    checks += [_unread(target, found[target]) for target in common if found[target]["health"] != "up"]
    up = sum(1 for target in common if found[target]["health"] == "up")
    return [*checks, Check(PASS, "targets", f"{up} of {len(declared)} up")] if up else checks


def _misplaced(target: TargetKey, how: str) -> Check:
    name = target_name(target)
    return Check(FAIL, "targets", f"{name} is {how}", RUN_SITE, soon=True, kind=f"targets are {how}", name=name)


def _unread(target: TargetKey, state: ActiveTarget) -> Check:
    job, address, path, app, *_ = target
    name = target_name(target)
    if state["health"] == "unknown":
        advice, kind = "Verify again in a minute.", "targets have not been scraped yet"
        return Check(WARN, "targets", f"{name} has not been scraped yet", advice, soon=True, kind=kind, name=name)
    advice = {
        "app": f"On its host: `curl -s {address}{path} | head`. {runbook('AppDown')}",
        **dict.fromkeys(_PROBES, logs_of("blackbox")),
        "node": f"On that host: `systemctl status prometheus-node-exporter`. {runbook('HostDown')}",
    }.get(job, logs_of(job))
    why = state["lastError"] or "no reason given"
    kind = f"targets of app {app} are down" if job == "app" else f"targets of job {job} are down"
    status = WARN if job in ("app", *_PROBES) else FAIL
    short = f"{name.removeprefix(f'{job} {app} ')} ({why})"
    return Check(status, "targets", f"{name} is down: {why}", advice, soon=status == FAIL, kind=kind, name=short)


# --- rules ---


def rule_checks(wanted: Mapping[str, int], groups: Sequence[RuleGroup], age_seconds: float) -> list[Check]:
    """All rule groups are loaded with all their rules, and each can be evaluated. `wanted` is {file/group: rules}."""
    found = {f"{PurePosixPath(group['file']).name}/{group['name']}": group["rules"] for group in groups}
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    other = [name for name, count in wanted.items() if name in found and len(found[name]) != count]
    checks = [
        Check(FAIL, "rules", f"{kind}: {some(names)}", RUN_SITE)
        for kind, names in (("not loaded", missing), ("not declared", extra), ("a different number of rules", other))
        if names
    ]
    rules = [(group, rule) for group, entries in found.items() for rule in entries]
    checks += [_broken(group, rule) for group, rule in rules if rule["health"] == "err"]
    # A group is first evaluated at some time within its interval; nobody waits for one with a long interval.
    waiting = [
        rule["name"]
        for group in groups
        for rule in group["rules"]
        if rule["health"] == "unknown" and (group["interval"] <= RULES_SECONDS or age_seconds > group["interval"])
    ]
    if waiting:
        young = age_seconds < RULES_SECONDS
        detail = f"{len(waiting)} not evaluated yet: {some(waiting)}"
        advice = "Verify again in a minute." if young else logs_of("prometheus")
        checks.append(Check(WARN if young else FAIL, "rules", detail, advice, soon=True))
    healthy = sum(1 for _, rule in rules if rule["health"] == "ok")
    detail = f"{healthy} of {sum(wanted.values())} rules in {len(found)} groups evaluate without an error"
    later = sum(1 for _, rule in rules if rule["health"] == "unknown") - len(waiting)
    detail += f", {later} in groups with a long interval are not due yet" if later else ""
    return [*checks, Check(PASS, "rules", detail)] if healthy else checks


def _broken(group: str, rule: Rule) -> Check:
    """A rule that cannot be evaluated; one of the team's own is a warning: no run changes what they wrote."""
    name, why = f"{rule['name']} in {group}", rule.get("lastError", "no reason given")
    status = WARN if group.startswith("own-") else FAIL
    detail, advice, kind = (
        f"{name} cannot be evaluated: {why}",
        runbook("PrometheusRuleFailures"),
        "rules cannot be evaluated",
    )
    return Check(status, "rules", detail, advice, kind=kind, name=f"{name} ({why})")


# --- panels ---


def panel_checks(
    queries: Sequence[Query],
    answers: Mapping[str, Answer],
    age_seconds: float,
    settled_apps: Collection[str],
) -> list[Check]:
    """Every query of every panel returns data, or its panel itself states why it may be empty.

    No data on the dashboard of an app is a warning: the app does not export it. `settled_apps` have been up for as long
    as a rate needs.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    checks = []
    for query in queries:
        kind, reason = _verdict(query, answers[query["expr"]], age_seconds, settled_apps)
        found.setdefault(kind, []).append((f"{query['dashboard']}: {query['panel']}", reason))
        if kind in ("empty", "refused"):
            checks.append(_blank(query, reason if kind == "refused" else ""))
    early = found.get("early", [])
    for cause in dict.fromkeys(reason for _, reason in early):
        names = list(dict.fromkeys(name for name, reason in early if reason == cause))
        detail = f"{len(names)} without data because {cause}: {some(names, 3)}"
        kind = "reasons why panels have no data yet"
        checks.append(Check(WARN, "panels", detail, "Verify again in 5 minutes.", kind=kind, name=cause))
    full, explained = len(found.get("data", [])), len(found.get("reason", []))
    detail = f"{full} of {len(queries)} queries return data"
    detail += f", {explained} are empty for the reason that their panel states" if explained else ""
    return [*checks, Check(PASS, "panels", detail)] if full else checks


def _verdict(query: Query, answer: Answer, age_seconds: float, settled_apps: Collection[str]) -> tuple[str, str]:
    """(data, reason, early, empty or refused; the explanation)."""
    if isinstance(answer, ServiceError):
        return "refused", str(answer)
    if any(not math.isnan(sample.value) for sample in answer):
        return "data", ""
    if query["empty"]:
        return "reason", query["empty"]
    if age_seconds < DATA_SECONDS:
        return "early", f"Prometheus has had this configuration for {duration(age_seconds)}"
    if query["app"] and query["app"] not in settled_apps:
        return "early", f"{query['app']} is down, or was less than {duration(DATA_SECONDS)} ago"
    return "empty", query["expr"]


def _blank(query: Query, refusal: str) -> Check:
    """A panel without data, or one whose query Prometheus refuses."""
    name = f"{query['dashboard']}: {query['panel']}"
    if refusal:
        detail, advice = f"{name}: the query is refused: {refusal}", logs_of("prometheus")
        return Check(FAIL, "panels", detail, advice, kind="queries are refused", name=name)
    status, advice = (WARN, runbook("AppMetricsMissing") + " ") if query["app"] else (FAIL, "")
    advice += f"Query Prometheus yourself: {query['expr']}"
    return Check(status, "panels", f"{name}: no data", advice, kind="panels have no data", name=name)
