"""Who asks what apps export: a run, which makes dashboards by it, and not verify, which compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# {playbook: variables of the task that looks at the host}
LOOKS: dict[str, dict[str, Any]] = {"site.yml": {}, "verify.yml": {"preflight_declared_series": {}}}


@pytest.mark.parametrize("playbook", LOOKS)
def test_only_a_run_asks_what_apps_export(playbook: str) -> None:
    """Else verify would find files wrong that the last run made as it should."""
    plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text())
    (look,) = (task for play in plays for task in play.get("tasks", []) if task["name"] == "Look at the host")
    assert look.get("vars", {}) == LOOKS[playbook]
