"""The toy is a part of everything that goes over all services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters

Run = dict[str, Any]
HOSTVARS = {"web1": {"preflight_look": {"host": host_facts(total_mib=8000)}}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "toy_key").write_text("key-of-the-toy\n")
    variables = {"crowsnest_apps": [{"name": "shop", "metrics": [":8000"]}], "crowsnest_ports": {"toy": 9778}}
    groups = {"server": ["web1"], "monitored": ["web1"]}
    assert filters.declaration_mistakes(variables, groups, str(tmp_path)) == []
    return filters.plan(variables, "web1", ["web1"], HOSTVARS, str(tmp_path), str(tmp_path))


def files_of(run: Run, service: str) -> dict[str, str]:
    return filters.service_directory(run["context"], service)["files"]


def test_it_is_planned_with_its_image_and_its_memory(run: Run) -> None:
    assert "toy" in run["services"]
    assert filters.context_of(run["context"]).services["toy"].image == "example/toy:v1.2.3"
    assert any(line.split()[:4] == ["toy", "127.0.0.1:9778", "20", "MiB"] for line in run["table"])


def test_its_container_is_hardened_like_all_others(run: Run) -> None:
    made = yaml.safe_load(files_of(run, "toy")["compose.yml"])["services"]["toy"]
    other = yaml.safe_load(files_of(run, "blackbox")["compose.yml"])["services"]["blackbox"]
    own = {"image", "command", "user", "environment", "volumes", "mem_limit", "memswap_limit"}
    assert {key: value for key, value in made.items() if key not in own} == {
        key: value for key, value in other.items() if key not in own
    }
    assert made["image"] == "example/toy:v1.2.3"
    assert made["user"] == "21777:21777"


def test_its_files_and_its_secret_are_its_own(run: Run) -> None:
    made = filters.service_directory(run["context"], "toy")
    assert yaml.safe_load(made["files"]["toy.yml"]) == {"apps": ["shop"]}
    assert made["secrets"] == {"secrets/key": "key-of-the-toy"}


def test_compose_starts_it_and_it_has_a_folder_for_data(run: Run) -> None:
    project = filters.compose_project(run["context"], {"files": {}, "data": {}})
    compose = yaml.safe_load(project["files"][0]["text"])
    assert "toy/current/compose.yml" in compose["include"]
    assert {"path": "/var/lib/crowsnest/toy", "user": "21777", "mode": "0750"} in project["data_directories"]


def test_prometheus_reads_its_metrics_and_knows_its_alert(run: Run) -> None:
    files = files_of(run, "prometheus")
    (job,) = (job for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"] if job["job_name"] == "toy")
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:9778"]
    (rule,) = yaml.safe_load(files["rules/toy.yml"])["groups"][0]["rules"]
    assert rule["annotations"]["runbook_url"].endswith("/ToyMissing.md")


def test_verify_expects_it_and_the_report_names_it(run: Run) -> None:
    expected = filters.expectations(run["context"], HOSTVARS)
    assert expected["services"]["toy"]["answers"] == "/metrics"
    assert "toy" in {target["job"] for target in expected["targets"]}
    assert expected["rules"]["toy.yml/toy_availability"] == 1
    report = filters.run_report(run["context"], {}, [], "secrets")
    assert any(line.split() == ["toy", "http://127.0.0.1:9778"] for line in report)


def test_the_dashboard_of_the_stack_shows_it(run: Run) -> None:
    dashboards = [text for path, text in files_of(run, "grafana").items() if path.endswith("/stack.json")]
    assert "|toy" in dashboards[0]


def test_a_key_that_is_not_there_is_made(run: Run, tmp_path: Path) -> None:
    assert "toy_key" not in [each["name"] for each in filters.missing_secrets(run["context"])]
    (tmp_path / "toy_key").unlink()
    assert {"name": "toy_key", "service": "toy", "data": ""} in filters.missing_secrets(run["context"])
