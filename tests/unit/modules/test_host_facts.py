"""Module host_facts on this very machine: complete, and without leaving a trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from server_facts import FACTS
from shapes import misfits

from ansible_collections.crowsnest.core.plugins.module_utils.host import facts
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


def test_a_broken_daemon_json_fails_with_what_to_do(
    run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daemon.json").write_text("{")
    monkeypatch.setattr(facts, "daemon_json", partial(facts.daemon_json, str(tmp_path / "daemon.json")))
    assert run_module(host_facts)["msg"] == (
        "/etc/docker/daemon.json cannot be read: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1). Repair or remove the file, then run again."
    )


def test_what_is_remembered_of_apps_files_may_be_damaged(
    run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("templates.json", "0123456789abcdef.json", ".0123456789abcdef.json"):
        (tmp_path / name).write_text('{"path": "/srv/\\u0000", "keys": {}, "templates": ["/srv/\\u0000"]}')
    monkeypatch.setattr(facts, "ENV_FILES", str(tmp_path))
    monkeypatch.setattr(facts, "GOOGLE_TAGS", str(tmp_path))
    found = run_module(host_facts)["host"]
    assert (found["env_files"], found["google_tags"]) == ({"/srv/\0": ""}, {"/srv/\0": ""})
