"""Everything here runs as on a host, whatever an earlier test loaded of what runs on the controller."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the controller Ansible shows warnings instead of returning them; those of earlier tests do not count."""
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})
