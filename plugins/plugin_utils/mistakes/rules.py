# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the team's own rule files; promtool checks their PromQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import HIDDEN, entries, mapping, shown
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import alert_names


def own_rule_mistakes(paths: Sequence[Any], disabled: Sequence[Any], inventory_dir: str) -> list[str]:
    """One line per mistake in the declared rule files; promtool checks their PromQL.

    An alert may have the name of one of crowsnest's own alerts only when that one is `disabled`.
    """
    lines: list[str] = []
    taken = set(alert_names()) - {str(name) for name in disabled}
    for index, path in enumerate(paths):
        if isinstance(path, str):  # the model refuses everything else
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
        yield f"{where} has no list `groups`. Allowed: a Prometheus rule file."
        return
    names = [mapping(rule).get("alert") for group in groups for rule in entries(mapping(group).get("rules"))]
    for name in dict.fromkeys(str(name) for name in names if str(name) in taken):
        yield (
            f"{where}: the alert {name} has the name of one of crowsnest's alerts. Give it another name, or switch "
            f"crowsnest's own off: crowsnest_disabled_alerts: [{name}]."
        )


def _line_of(error: Exception) -> str:
    """The line of a mistake in YAML, without its text: a file named by mistake may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    if not mark:
        return ": it holds something that cannot be read"
    return f": line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
