"""docs/coverage.md: every requirement has a row, and every file and test that a row names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/coverage.md").read_text().splitlines()
    if re.match(r"\| [A-Z]{2}\d+ ", line)
]
IDS = ["ME1", "ME2", "ME3", "ME4", "ME5", "ME6", "ME7"]
IDS += ["AL1", "AL2", "AL3", "AL4", "AL5", "AL6", "AL7", "AL8", "AL10", "AL11"]
IDS += ["DA1", "DA2", "DA3", "DA4", "DA5", "HE1", "UP2", "HO2"]


def named(cell: str) -> list[tuple[str, str]]:
    """[(path, name of a test or an alert, or "")] of a cell: `path` or `path` (`name`)."""
    return re.findall(r"`([^`]+)`(?: \(`([^`]+)`\))?", cell)


def has(path: str, name: str) -> bool:
    """Whether the file has a test of this name, or a case in which the alert of this name fires."""
    text = (ROOT / path).read_text()
    if path.endswith(".py"):
        return f"def {name}(" in text
    cases = [case for test in yaml.safe_load(text)["tests"] for case in test.get("alert_rule_test", [])]
    return any(case["alertname"] == name and case.get("exp_alerts") for case in cases)


def test_every_requirement_has_a_row() -> None:
    assert sorted({row[0] for row in ROWS}) == sorted(IDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_names_a_file_and_a_test_that_exist(row: list[str]) -> None:
    _, _, done, shown = row
    assert named(done)
    assert named(shown)
    assert all(name for _, name in named(shown)), "a file alone shows nothing"
    assert [path for path, _ in named(done) if not (ROOT / path).is_file()] == []
    assert [path for path, _ in named(shown) if not (ROOT / path).is_file()] == []
    assert [(path, name) for path, name in named(shown) if not has(path, name)] == []
