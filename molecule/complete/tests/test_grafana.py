# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Grafana in the laboratory (a contract double, unless the official image could be pulled): logins and secrets.

Asked through grafana-client. What comes and goes with the declaration is in test_come_and_go.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from complete.declared import DASHBOARDS, ROOT
from grafana_client import GrafanaApi


@pytest.fixture(scope="module")
def password(secret: Callable[[str], str]) -> str:
    return secret("grafana_admin_password")


@pytest.fixture
def grafana(lab: Any, password: str) -> GrafanaApi:
    return GrafanaApi.from_url(lab.url("grafana"), credential=("admin", password))


def login(lab: Any, password: str) -> int:
    return requests.get(f"{lab.url('grafana')}/api/user", auth=("admin", password), timeout=10).status_code


def test_the_contract_suite_holds(lab: Any, password: str) -> None:
    """The same suite takes the address of a real Grafana."""
    variables = {"GRAFANA_URL": lab.url("grafana"), "GRAFANA_USER": "admin", "GRAFANA_PASSWORD": password}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/unit/lab_grafana/test_grafana_contract.py"],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


# After five wrong logins Grafana refuses any for five minutes, so these tests are sparing with them.
def test_the_default_password_does_not_open_it(lab: Any) -> None:
    assert login(lab, "admin") == 401


def test_strangers_see_nothing(lab: Any) -> None:
    for path in ("/api/search", "/api/dashboards/uid/overview", "/api/datasources"):
        assert requests.get(lab.url("grafana") + path, timeout=10).status_code == 401


def test_every_dashboard_is_in_its_folder(grafana: GrafanaApi) -> None:
    found = {each["uid"]: each["folderUid"] for each in grafana.search.search_dashboards(type_="dash-db")}
    assert found == DASHBOARDS


def test_its_start_is_no_news(server: Any) -> None:
    """Neither a missing folder nor a call to grafana.com."""
    lines = server.check_output("docker logs crowsnest-grafana-1 2>&1").splitlines()
    assert [line for line in lines if "level=error" in line and ("provisioning" in line or "plugin" in line)] == []


def test_a_machine_without_the_secrets_makes_no_others(lab: Any, password: str, tmp_path: Path) -> None:
    run = lab.play(crowsnest_secrets_directory=str(tmp_path))
    assert run.status != 0
    words = " ".join(run.output.split())
    assert "There is data of grafana and " in words
    assert "not on this machine: grafana_admin_password, grafana_secret_key, " in words
    assert f" in {tmp_path}. Nothing was changed on any host." in words
    assert run.recap["changed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_for_grafana_and_root_only(server: Any, password: str) -> None:
    secret = server.file("/opt/crowsnest/grafana/current/secrets/admin_password")
    assert (secret.user, secret.gid, oct(secret.mode)) == ("root", 15000, "0o640")
    processes = server.check_output("ps axeww -o args")
    assert password not in processes
    assert password not in server.check_output("docker inspect crowsnest-grafana-1")
