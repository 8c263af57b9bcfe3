"""What a verification tells of backups: the last good one, its age, whether one was proven, or why there is none."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import Sample
from ansible_collections.crowsnest.core.plugins.module_utils.verify.backups import backup_checks
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Backup

SHOP: Backup = {"app": "shop", "host": "web1", "drill": True}
STACK: Backup = {"app": "stack", "host": "web1", "drill": False}
OF_SHOP = {"app": "shop", "host": "web1", "environment": "production"}
HOUR, DAY = 3600, 86400
NOT_YET = "there is no backup of it yet; cron makes the first one within a quarter of an hour"
# (what is declared, ages, reasons of failures, ages of proofs): the lines.
CASES: dict[str, tuple[list[Backup], list[Sample], list[Sample], list[Sample], list[str]]] = {
    "proven": (
        [SHOP], [Sample(OF_SHOP, 5 * HOUR)], [], [Sample(OF_SHOP, 3 * DAY)],
        ["PASS shop: last good 5 h ago, proven 3 d ago"],
    ),
    "not proven": ([SHOP], [Sample(OF_SHOP, 5 * HOUR)], [], [], ["PASS shop: last good 5 h ago, not proven yet"]),
    "never proven": (
        [STACK], [Sample({"app": "stack", "host": "web1"}, 90)], [], [], ["PASS stack: last good 90 s ago"]
    ),
    "failed after a good one": (
        [SHOP], [Sample(OF_SHOP, 30 * HOUR)], [Sample({**OF_SHOP, "why": "no"}, 1)], [],
        ["WARN shop is not backed up: no (last good 30 h ago, not proven yet)"],
    ),
    "never succeeded": (
        [SHOP], [], [Sample({**OF_SHOP, "why": "The container shop-db-1 does not run."}, 1)], [],
        ["WARN shop is not backed up: The container shop-db-1 does not run."],
    ),
    "not tried": ([SHOP], [], [], [], [f"WARN shop is not backed up: {NOT_YET}"]),
    "another host's": (
        [SHOP], [Sample({"app": "shop", "host": "old"}, HOUR)], [], [], [f"WARN shop is not backed up: {NOT_YET}"]
    ),
    "not declared any more": ([STACK], [Sample(OF_SHOP, HOUR)], [], [], [f"WARN stack is not backed up: {NOT_YET}"]),
    "nothing": ([], [], [], [], ["PASS none: no app has a `database`, and the stack's own backup is switched off"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_backup_has_a_line(case: str) -> None:
    *given, expected = CASES[case]
    checks = backup_checks(*given)
    assert [f"{check.status} {check.detail}" for check in checks] == expected
    assert [check.area for check in checks] == ["backups"] * len(checks)
    assert [check for check in checks if check.status == "WARN" and not check.advice] == []
