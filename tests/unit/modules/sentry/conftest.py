"""The module as Ansible runs it, against a stub of Sentry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_stub
from ansible_module import outcome
from sentry_stub import TOKEN, Stub

from ansible_collections.crowsnest.core.plugins.modules import sentry as module

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with sentry_stub.running() as stub:
        yield stub


@pytest.fixture
def run(stub: Stub, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs it with projects and, by name, other options; the result shows no token."""

    def run(*projects: dict[str, Any], check: bool = False, **different: Any) -> dict[str, Any]:
        given = {"url": stub.url, "organization": "acme", "token": TOKEN, "projects": list(projects), "dsns": True}
        result, printed = outcome(module, capsys, {**given, **different}, check)
        assert TOKEN not in printed
        result["warnings"] = [warning["event"]["msg"] for warning in result.get("warnings", [])]
        return result

    return run
