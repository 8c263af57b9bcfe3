"""Module host_facts on this very machine: complete, and without leaving a trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from server_facts import FACTS
from shapes import misfits

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.modules import host_facts

Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("check", [False, True])
def test_the_facts_are_those_that_are_documented(run_module: Run, tmp_path: Path, check: bool) -> None:
    result = run_module(host_facts, check=check, data_path=str(tmp_path / "data"))
    sample = yaml.safe_load(host_facts.RETURN)["host"]["sample"]
    found = result["host"]
    assert result["changed"] is False
    assert misfits(sample, HostFacts, "sample") == []
    assert misfits(found, HostFacts, "found") == []
    assert found["memory"]["total_mib"] >= found["memory"]["available_mib"] > 0
    assert found["disk"]["path"] == str(tmp_path)
    assert not (tmp_path / "data").exists()


def test_the_facts_of_tests_are_as_those_of_the_module() -> None:
    assert misfits(FACTS, HostFacts) == []


def test_a_broken_daemon_json_fails_with_what_to_do(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        return dict(json.loads("{"))

    monkeypatch.setattr(host_facts, "host_facts", broken)
    assert run_module(host_facts)["msg"] == (
        "/etc/docker/daemon.json cannot be read: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1). Repair or remove the file, then run again."
    )
