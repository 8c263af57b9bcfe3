"""How a new inventory says that the server is this machine; all else of it: tests/launcher/test_new.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory import files as inventory_files

EXAMPLE = (Path(__file__).resolve().parents[4] / "inventories/example/hosts.yml").read_text()


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/no/such/python3"])
def test_the_python_of_this_machine_is_the_system_s_or_the_one_that_runs(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_files, "_SYSTEM_PYTHON", Path(python))
    text = inventory_files.hosts_text(EXAMPLE, {"host": "localhost", "user": "ubuntu", "port": "22", "jump_host": ""})
    assert yaml.safe_load(text)["server"]["hosts"]["web1"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": python if Path(python).exists() else sys.executable,
    }
