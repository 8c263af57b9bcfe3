# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a verification prints for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verify_report(report: Mapping[str, Any]) -> list[str]:
    """The `report` of the module `verify` as lines of text: what failed first, with what to do about it."""
    if not report:
        return ["The stack does not run here yet, so there is nothing to ask."]
    width = max(len(check["area"]) for check in report["checks"])
    lines = [f"STATUS  {'AREA':<{width}}  DETAIL"]
    for check, following in zip(report["checks"], [*report["checks"][1:], {}], strict=True):
        lines.append(f"{check['status']:<6}  {check['area']:<{width}}  {check['detail']}")
        again = all(check[key] == following.get(key) for key in ("status", "area", "advice"))
        if check["advice"] and not again:  # the same advice is given once, after the last line it is for
            lines.append(f"{'':<{width + 10}}-> {check['advice']}")
    return [*lines, "", summary(report)]


def summary(report: Mapping[str, Any]) -> str:
    """`verified in 1.9 s: 14 passed, 1 warning, 0 failed`."""
    warnings = f"{report['warnings']} warning{'' if report['warnings'] == 1 else 's'}"
    return f"verified in {report['seconds']:.1f} s: {report['passed']} passed, {warnings}, {report['failed']} failed"
