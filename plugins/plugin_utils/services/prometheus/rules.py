# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Rule files of Prometheus: the static ones of files/rules, the per-app ones, and the team's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import HIDDEN, entries, mapping, shown
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_rules import app_rule_groups

# Label that Prometheus gives to crowsnest's own alerts on their way to Alertmanager, and to no others. Only alerts that
# have it silence others: what a team's rules or other programs send is never mistaken for ours.
OWN_LABEL, OWN_VALUE = "crowsnest_alert", "true"


def rule_files(plan: Plan, inventory_dir: str) -> dict[str, str]:
    """{"rules/host.yml": text, …}; a profile's recording rules only when an app uses that profile.

    A file of the team's own ends with .yml whatever it was called, as prometheus.yml loads rules/*.yml.
    """
    settings = plan.settings
    profiles = {f"profile_{app.framework}.yml" for app in settings.apps}
    static = {name: file for name, file in static_rules().items() if name in profiles or "profile_" not in name}
    groups = {name: file["groups"] for name, file in static.items()}
    groups["app.yml"] = app_rule_groups(settings.apps, settings.language)
    return {
        **{f"rules/{name}": yaml_text({"groups": _finished(entries, plan)}) for name, entries in groups.items()},
        **{
            f"rules/own-{number}-{Path(path).stem}.yml": (Path(inventory_dir) / path).read_text()
            for number, path in enumerate(settings.rule_files, 1)
        },
    }


def _finished(groups: Sequence[Mapping[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    return [
        {**group, "rules": [_rule(rule, plan) for rule in group["rules"] if _wanted(rule, plan)]} for group in groups
    ]


def _wanted(rule: Mapping[str, Any], plan: Plan) -> bool:
    return rule.get("alert") not in plan.settings.disabled_alerts


def _rule(rule: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The rule with its runbook and its texts in the declared language (`summary_ko` becomes `summary`)."""
    if "alert" not in rule:
        return dict(rule)
    texts = {name: text for name, text in rule["annotations"].items() if not name.endswith("_ko")}
    if plan.settings.language == "ko":
        texts.update({name: rule["annotations"].get(f"{name}_ko", text) for name, text in texts.items()})
    texts["runbook_url"] = f"{plan.settings.runbook_url.rstrip('/')}/{rule['alert']}.md"
    return {**rule, "annotations": texts}


def alert_names() -> list[str]:
    """Names of all alerts there are, for whatever app."""
    return sorted({str(rule["alert"]) for rule in _alerts()})


def stepped_alerts() -> list[str]:
    """Names of the alerts with several severities. Each severity of them has the condition of the lower ones in it."""
    steps = Counter(name for name, _ in {(str(rule["alert"]), rule["labels"]["severity"]) for rule in _alerts()})
    return sorted(name for name, count in steps.items() if count > 1)


def _alerts() -> list[Mapping[str, Any]]:
    """All alerting rules there are, those of an app for one that has every kind."""
    static = [group for file in static_rules().values() for group in file["groups"]]
    per_app = app_rule_groups([App(name="any", framework="django", metrics=[":8000"])], "en")
    return [rule for group in [*static, *per_app] for rule in group["rules"] if "alert" in rule]


def own_rule_mistakes(paths: Sequence[Any], disabled: Sequence[Any], inventory_dir: str) -> list[str]:
    """One line per mistake of the declared rule files; their PromQL is promtool's to judge.

    An alert may only have the name of one of crowsnest's when that one is `disabled`.
    """
    lines: list[str] = []
    taken = set(alert_names()) - {str(name) for name in disabled}
    for index, path in enumerate(paths):
        if isinstance(path, str):  # all else is the model's to refuse
            lines += _file_mistakes(f"crowsnest_rule_files[{index}]: {shown(path)}", Path(inventory_dir) / path, taken)
    return lines


def _file_mistakes(where: str, path: Path, taken: set[str]) -> Iterator[str]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        place = f" ({path})" if HIDDEN not in where else ""
        yield f"{where}: {error.strerror}{place}. Relative paths start at the inventory's folder."
        return
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # not UTF-8, a date such as 2026-13-01
        yield f"{where} is not YAML{_line_of(error)}."
        return
    groups = mapping(content).get("groups")
    if not isinstance(groups, list):
        yield f"{where} has no list `groups`. Allowed: a rule file of Prometheus."
        return
    names = [mapping(rule).get("alert") for group in groups for rule in entries(mapping(group).get("rules"))]
    for name in dict.fromkeys(str(name) for name in names if str(name) in taken):
        yield (
            f"{where}: the alert {name} has the name of one of crowsnest's alerts. Give it another name, or switch "
            f"crowsnest's own off: crowsnest_disabled_alerts: [{name}]."
        )


def _line_of(error: Exception) -> str:
    """The line of a mistake in YAML, without the text there: the wrong file may be one with a secret."""
    mark = getattr(error, "problem_mark", None)
    if not mark:
        return ": it holds something that cannot be read"
    return f": line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
