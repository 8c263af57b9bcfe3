"""Module host_facts on this very machine: complete, and without leaving a trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.modules import host_facts

Run = Callable[..., dict[str, Any]]


def shape(value: Any) -> Any:
    """Names and kinds of a mapping of facts, two levels deep."""
    return {key: sorted(inner) if isinstance(inner, dict) else type(inner) for key, inner in value.items()}


@pytest.mark.parametrize("check", [False, True])
def test_the_facts_are_those_that_are_documented(run_module: Run, tmp_path: Path, check: bool) -> None:
    result = run_module(host_facts, check=check, data_path=str(tmp_path / "data"))
    sample = yaml.safe_load(host_facts.RETURN)["host"]["sample"]
    found = result["host"]
    assert result["changed"] is False
    assert sorted(found) == sorted(sample)
    for name in ("os", "memory", "disk"):
        assert shape({name: found[name]}) == shape({name: sample[name]})
    assert found["memory"]["total_mib"] >= found["memory"]["available_mib"] > 0
    assert found["disk"]["path"] == str(tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_broken_daemon_json_fails_with_what_to_do(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        return dict(json.loads("{"))

    monkeypatch.setattr(host_facts, "host_facts", broken)
    assert run_module(host_facts)["msg"] == (
        "/etc/docker/daemon.json cannot be read: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1). Mend or remove the file, then run again."
    )
