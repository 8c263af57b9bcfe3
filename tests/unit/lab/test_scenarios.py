# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""No test and no role is forgotten by the scenarios."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import ports
from lab.state import REPOSITORY

MOLECULE = REPOSITORY / "molecule"
SCENARIOS = sorted(path.parent.name for path in MOLECULE.glob("*/molecule.yml"))
# Roles that make nothing of their own which could be there alone, and what they are for.
NOT_ALONE = {
    "analytics": "needs the templates of an app",
    "app_environment": "needs the env file of an app",
    "database_reader": "needs the database of an app",
    "host_program": "a helper of other roles",
    "packages": "a helper of other roles",
    "postgres_exporter": "needs the database of an app",
    "preflight": "the scenario role begins with it",
    "query_exporter": "needs the database of an app",
    "redis_exporter": "needs the Redis of an app",
    "secrets": "the scenario role begins with it",
    "sentry": "asks Sentry, writes nothing on a host",
    "service": "a helper of other roles",
    "slack": "asks Slack, writes nothing",
    "stack": "starts all services",
    "updates": "writes nothing unless it is declared",
    "verify": "asks all services",
    "weekly_report": "writes nothing unless it is declared",
}


def constant(path: Path, name: str) -> Any:
    """The value of a constant of a file that cannot be imported here."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path} has no constant {name}")


def test_every_test_of_the_complete_host_has_its_place() -> None:
    order = constant(MOLECULE / "complete/tests/conftest.py", "ORDER")
    files = [*(MOLECULE / "tests").glob("test_*.py"), *(MOLECULE / "complete/tests").glob("test_*.py")]
    assert sorted(order) == sorted(path.stem for path in files)


def test_every_role_can_be_tested_alone_or_says_why_not() -> None:
    roles = {path.parent.parent.name for path in (REPOSITORY / "roles").glob("*/tasks/main.yml")}
    checks = set(constant(MOLECULE / "role/tests/test_role.py", "CHECKS"))
    assert checks | NOT_ALONE.keys() == roles
    assert not checks & NOT_ALONE.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_a_lab_and_ports_of_its_own(name: str) -> None:
    """Two of them run at a time."""
    scenario = yaml.safe_load((MOLECULE / name / "molecule.yml").read_text())
    assert scenario["provisioner"]["env"]["CROWSNEST_LAB"] == name
    assert name in ports.PREFERRED


def test_no_two_labs_prefer_the_same_ports() -> None:
    assert len(set(ports.PREFERRED.values())) == len(ports.PREFERRED)
