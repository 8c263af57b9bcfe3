# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Grafana in the laboratory (a contract double, unless the official image could be pulled): logins, data sources,
dashboards that come and go, and a password that is rotated. Asked through grafana-client.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from grafana_client import GrafanaApi

ROOT = Path(__file__).resolve().parents[3]
SHOP = {"name": "shop", "framework": "django", "url": "http://127.0.0.1:8000/", "metrics": ["127.0.0.1:8000/metrics"]}
OTHER = {"name": "other", "framework": "generic", "metrics": ["127.0.0.1:9115/metrics"]}
STARTED = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' crowsnest-grafana-1"


@pytest.fixture(scope="module")
def password(lab: Any) -> str:
    return (ROOT / ".lab" / lab.name / "secrets/grafana_admin_password").read_text().strip()


@pytest.fixture
def grafana(lab: Any, password: str) -> GrafanaApi:
    return GrafanaApi.from_url(lab.url("grafana"), credential=("admin", password))


def login(lab: Any, password: str) -> int:
    return requests.get(f"{lab.url('grafana')}/api/user", auth=("admin", password), timeout=10).status_code


def identities(grafana: GrafanaApi) -> dict[str, int]:
    return {found["uid"]: found["id"] for found in grafana.search.search_dashboards(type_="dash-db")}


def uids(grafana: GrafanaApi) -> set[str]:
    return {found["uid"] for found in grafana.search.search_dashboards(type_="dash-db")}


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
    assert found == {
        "overview": "folder-overview",
        "host": "folder-operations",
        "stack": "folder-operations",
        "probes": "folder-operations",
        "uptime": "folder-operations",
        "app-shop": "folder-development",
    }


def test_a_new_app_has_its_dashboard_without_a_restart_and_loses_it_again(
    lab: Any, server: Any, grafana: GrafanaApi, eventually: Any
) -> None:
    """The other dashboards stay what they are, with all that hangs on their ids: two releases came and went."""
    before, started = identities(grafana), server.check_output(STARTED)
    assert lab.play(crowsnest_apps=[SHOP, OTHER]).status == 0
    eventually(lambda: "app-other" in uids(grafana), 20)
    assert before.items() <= identities(grafana).items()
    assert lab.play().status == 0
    eventually(lambda: identities(grafana) == before, 20)
    assert server.check_output(STARTED) == started
    assert server.check_output("find /opt/crowsnest/grafana/dashboards -xtype l") == ""


def test_its_start_is_no_news(server: Any) -> None:
    """Neither a missing folder nor a call to grafana.com."""
    lines = server.check_output("docker logs crowsnest-grafana-1 2>&1").splitlines()
    assert [line for line in lines if "level=error" in line and ("provisioning" in line or "plugin" in line)] == []


def test_the_password_is_rotated_by_a_run(lab: Any, server: Any, password: str) -> None:
    started = server.check_output(STARTED)
    run = lab.play("--diff", crowsnest_grafana_admin_password="an-0ther-Passw0rd")
    assert run.status == 0, run.output
    assert (login(lab, "an-0ther-Passw0rd"), login(lab, password)) == (200, 401)
    assert "an-0ther-Passw0rd" not in run.output
    assert password not in run.output
    run = lab.play()
    assert run.status == 0, run.output
    assert login(lab, password) == 200
    assert server.check_output(STARTED) == started
    assert lab.play().recap["changed"] == 0


def test_a_machine_without_the_secrets_makes_no_others(lab: Any, password: str, tmp_path: Path) -> None:
    run = lab.play(crowsnest_secrets_directory=str(tmp_path))
    assert run.status != 0
    words = " ".join(run.output.split())
    assert "There is data of grafana and uptime_kuma on lab1 already" in words
    assert "not on this machine: grafana_admin_password, grafana_secret_key, uptime_kuma_admin_password" in words
    assert f" in {tmp_path}. Nothing was changed on any host." in words
    assert run.recap["changed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_for_grafana_and_root_only(server: Any, password: str) -> None:
    secret = server.file("/opt/crowsnest/grafana/current/secrets/admin_password")
    assert (secret.user, secret.gid, oct(secret.mode)) == ("root", 15000, "0o640")
    processes = server.check_output("ps axeww -o args")
    assert password not in processes
    assert password not in server.check_output("docker inspect crowsnest-grafana-1")


def test_what_is_read_only_at_the_start_recreates_the_container(lab: Any, server: Any) -> None:
    started = server.check_output(STARTED)
    run = lab.play(crowsnest_external_urls={"grafana": "https://grafana.example.com/"})
    assert run.status == 0, run.output
    assert server.check_output(STARTED) != started
    assert lab.play().status == 0
