"""The callback preload: Ansible still has what it fills, and packs the same modules with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.executor import module_common

from ansible_collections.crowsnest.core.plugins.callback import preload

ROOT = Path(__file__).parents[2]
# In a process of its own: Ansible's plugin loader changes how this one imports.
PACK_TWICE = """
import io, json, zipfile
from datetime import UTC, datetime
from pathlib import Path
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([str(Path("collections").resolve())])
from ansible.executor import module_common
from ansible_collections.crowsnest.core.plugins.callback import preload

def packed():
    name = "ansible_collections.crowsnest.core.plugins.modules.config_directory"
    source = Path("plugins/modules/config_directory.py").read_bytes()
    extensions = module_common._builder.ExtensionManager()
    with zipfile.ZipFile(io.BytesIO(), "w") as package:
        module_common.recursive_finder("config_directory", name, source, package, datetime.now(UTC), extensions)
    return {each.filename: each.CRC for each in package.infolist()}

before = packed()
preload.load_plugins()
preload.parse_module_library()
kept = module_common._compile_module_ast.cache_info()
same = packed() == before
hits = module_common._compile_module_ast.cache_info().hits - kept.hits
print(json.dumps({"same": same, "kept": kept.currsize, "hits": hits}))
"""


def test_what_ansible_ships_with_every_module_is_parsed_once() -> None:
    run = subprocess.run([sys.executable, "-c", PACK_TWICE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["same"]
    assert found["hits"] >= 40
    assert found["kept"] >= 40


def test_an_ansible_without_these_functions_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module_common, "_compile_module_ast")
    preload.parse_module_library()
    assert not hasattr(module_common, "_compile_module_ast")
