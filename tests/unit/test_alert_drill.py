# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest alert-drill` as it is typed: what it refuses before it asks anything of a host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVER = {"ansible_host": "127.0.0.1", "ansible_port": 1}  # nobody answers there


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump({"server": {"hosts": {"web1": SERVER}}, "monitored": {"children": {"server": None}}})
    )
    (tmp_path / "group_vars").mkdir()
    receivers = [{"type": "slack", "webhook_url": "https://hooks.slack.com/services/T0/B0/x"}]
    apps = [{"name": "shop", "container": "shop-web-1", "metrics": ["127.0.0.1:8000"]}]
    (tmp_path / "group_vars/all.yml").write_text(
        yaml.safe_dump({"crowsnest_receivers": receivers, "crowsnest_apps": apps})
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "crowsnest_environment is production"),
        (["shpo", "--yes"], "There is no app shpo. Declared are: shop."),
        (["shop", "--yes"], "UNREACHABLE"),
        (["shop", "-e", "crowsnest_environment=staging"], "UNREACHABLE"),
    ],
    ids=" ".join,
)
def test_it_asks_for_an_agreement_in_production_and_for_a_declared_app(
    inventory: Path, words: list[str], sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "plugins/plugin_utils/launcher", "alert-drill", *words, "-i", str(inventory)],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert sentence in done.stdout, done.stdout + done.stderr
    assert ("UNREACHABLE" in done.stdout) == (sentence == "UNREACHABLE")
