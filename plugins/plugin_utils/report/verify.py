# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a verification prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Line, Report


def verify_report(report: Report) -> list[str]:
    """What the module `verify` returns as lines of text: what failed first, with what to do about it.

    The report is empty where the module had nothing to check.
    """
    if not report:
        return ["The stack does not run here yet, so there is nothing to check."]
    checks = gathered(report["checks"])
    width = max(len(check["area"]) for check in checks)
    lines = [f"STATUS  {'AREA':<{width}}  DETAIL"]
    for check, following in zip(checks, [*checks[1:], None], strict=True):
        lines.append(f"{check['status']:<6}  {check['area']:<{width}}  {check['detail']}")
        again = following is not None and _advised(check) == _advised(following)
        if check["advice"] and not again:  # equal advice is printed once, after its last line
            lines.append(f"{'':<{width + 10}}-> {check['advice']}")
    return [*lines, "", summary(report)]


def _advised(line: Line) -> tuple[str, str, str]:
    """Lines with equal results share their advice."""
    return line["status"], line["area"], line["advice"]


def gathered(checks: Sequence[Line]) -> list[Line]:
    """The lines in order; more than three of one status, area and kind become one, at the place of the first."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for number, check in enumerate(checks):
        kind = check["kind"] or f"line {number}"
        groups.setdefault((check["status"], check["area"], kind), []).append(check)
    return [line for group in groups.values() for line in (group if len(group) <= 3 else [_one_line(group)])]


def _one_line(group: Sequence[Line]) -> Line:
    """`7 targets of app shop are down: A, B, C and 4 more`; the advice is that of the first."""
    names = ", ".join(check["name"] for check in group[:3])
    return {**group[0], "detail": f"{len(group)} {group[0]['kind']}: {names} and {len(group) - 3} more"}


def summary(report: Report) -> str:
    """`verified in 1.9 s: 14 passed, 1 warning, 0 failed`."""
    warnings = f"{report['warnings']} warning{'' if report['warnings'] == 1 else 's'}"
    return f"verified in {report['seconds']:.1f} s: {report['passed']} passed, {warnings}, {report['failed']} failed"
