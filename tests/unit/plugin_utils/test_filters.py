"""The filters as roles call them: mappings in, files or plain data out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER, ROOT

VARIABLES: dict[str, Any] = {
    "crowsnest_language": "ko",
    "crowsnest_timezone": "Asia/Seoul",
    "crowsnest_apps": [{"name": "shop", "framework": "django", "metrics": [":8000"]}],
    "crowsnest_receivers": [{"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush"}],
}


GIVEN = {
    "grafana_admin_password": "a-grafana-password",
    "grafana_secret_key": "a-secret-key",
    "uptime_kuma_admin_password": "a-kuma-password",
    "uptime_kuma_push_key": "a-push-key",
}


@pytest.fixture
def plan(facts: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    hostvars = {"web1": {"preflight_look": {"host": facts()}}, "web2": {"ansible_host": "203.0.113.2"}, "web3": {}}
    return filters.plan(VARIABLES, "web1", ["web1", "web2", "web3"], hostvars)


@pytest.mark.parametrize("path", sorted((ROOT / "plugins/filter").glob("*.py")), ids=lambda path: path.stem)
def test_a_file_holds_the_one_filter_it_is_called_by(path: Path) -> None:
    module = importlib.import_module(f"ansible_collections.crowsnest.core.plugins.filter.{path.stem}")
    assert list(module.FilterModule().filters()) == [path.stem]


def test_a_host_that_did_not_answer_is_planned_with_what_the_inventory_says(plan: dict[str, Any]) -> None:
    assert plan["hosts"] == {"web1": "127.0.0.1", "web2": "203.0.113.2", "web3": "web3"}


def test_a_declared_private_address_counts_whether_the_host_answers_or_not(facts: Callable[..., Any]) -> None:
    web2 = {"ansible_host": "203.0.113.2", "private_address": "10.0.0.2"}
    for seen in ({}, {"preflight_look": {"host": facts()}}):
        hostvars = {"web1": {"preflight_look": {"host": facts()}}, "web2": {**web2, **seen}}
        assert filters.plan({}, "web1", ["web1", "web2"], hostvars)["hosts"]["web2"] == "10.0.0.2"


def test_a_host_that_does_not_answer_is_watched_where_it_was(facts: Callable[..., Any]) -> None:
    answering = {"web1": {"preflight_look": {"host": facts()}}, "web2": {"preflight_look": {"host": facts()}}}
    answering["web2"]["preflight_look"]["host"]["address"] = "172.26.9.9"
    before = filters.plan({}, "web1", ["web1", "web2"], answering)
    path = "/opt/crowsnest/prometheus/current/prometheus.yml"
    in_force = {path: filters.prometheus_files(before, "/nowhere")["prometheus.yml"]}
    silent = {
        "web1": {"preflight_look": {"host": {**facts(), "files": in_force}}},
        "web2": {"ansible_host": "203.0.113.2"},
    }
    assert filters.plan({}, "web1", ["web1", "web2"], silent)["hosts"] == before["hosts"]
    assert before["hosts"]["web2"] == "172.26.9.9"


def test_prometheus_gets_its_configuration_rules_and_container(plan: dict[str, Any]) -> None:
    assert sorted(filters.prometheus_files(plan, "/nowhere")) == [
        "compose.yml",
        "prometheus.yml",
        "rules/app.yml",
        "rules/containers.yml",
        "rules/host.yml",
        "rules/metabase.yml",
        "rules/probes.yml",
        "rules/profile_django.yml",
        "rules/stack.yml",
        "rules/uptime.yml",
    ]


def test_blackbox_gets_its_configuration_and_container(plan: dict[str, Any]) -> None:
    assert list(filters.blackbox_files(plan, VARIABLES)) == ["blackbox.yml", "compose.yml"]


def test_grafana_gets_its_configuration_dashboards_and_container(plan: dict[str, Any]) -> None:
    files = filters.grafana_files(plan, VARIABLES, GIVEN)
    assert {name for name in files if not name.startswith("dashboards/")} == {
        "grafana.ini",
        "provisioning/datasources/crowsnest.yml",
        "provisioning/dashboards/crowsnest.yml",
        "provisioning/plugins/crowsnest.yml",
        "provisioning/alerting/crowsnest.yml",
        "compose.yml",
    }
    assert {"dashboards/overview/overview.json", "dashboards/operations/host.json"} <= set(files)
    assert "a-secret-key" not in "".join(files.values())


def test_a_changed_dashboard_does_not_restart_grafana_and_a_changed_start_does(plan: dict[str, Any]) -> None:
    def files(plan: dict[str, Any], **declared: Any) -> dict[str, str]:
        return filters.grafana_files(plan, {**VARIABLES, **declared}, GIVEN)

    def compose(plan: dict[str, Any], **declared: Any) -> str:
        return files(plan, **declared)["compose.yml"]

    def with_apps(*names: str) -> dict[str, Any]:
        apps = [{"name": name, "framework": "django", "metrics": [":8000"]} for name in names]
        return {**plan, "settings": {**plan["settings"], "apps": apps}}

    one, two, none = with_apps("shop"), with_apps("shop", "blog"), with_apps()
    assert set(files(two)) - set(files(one)) == {"dashboards/development/app-blog.json"}
    assert compose(one) == compose(two)
    # Grafana forgets a whole folder's dashboards only at its start.
    assert compose(one) != compose(none)
    mail = {"type": "email", "to": ["a@b.de"], "sender": "a@b.de", "smarthost": "smtp:587", "username": "a"}
    with_mail, with_another = (
        compose(plan, crowsnest_receivers=[{**mail, "password": password}]) for password in ("one", "two")
    )
    assert len({compose(plan), with_mail, with_another}) == 3
    assert compose(plan) == compose(plan)


def test_alertmanager_gets_templates_in_the_declared_language_and_time_zone(plan: dict[str, Any]) -> None:
    files = filters.alertmanager_files(plan, VARIABLES)
    assert list(files) == [
        "alertmanager.yml",
        "templates/crowsnest.tmpl",
        "templates/language.tmpl",
        "templates/dashboard.tmpl",
        "compose.yml",
    ]
    assert files["templates/crowsnest.tmpl"] == (ROOT / "files/messages/crowsnest.tmpl").read_text()
    assert '"timezone" "Asia/Seoul"' in files["templates/language.tmpl"]
    assert "조치 방법" in files["templates/language.tmpl"]
    assert "hush" not in "".join(files.values())


def test_uptime_kuma_gets_its_container_and_everything_else_through_its_api(plan: dict[str, Any]) -> None:
    assert list(filters.uptime_kuma_files(plan)) == ["compose.yml"]
    objects = filters.uptime_kuma_objects(plan, VARIABLES, GIVEN)
    assert list(objects) == [
        *("settings", "notifications", "docker_hosts", "monitors", "maintenances", "status_pages", "metrics_key")
    ]
    assert objects["settings"]["serverTimezone"] == "Asia/Seoul"
    assert [each["key"] for each in objects["notifications"]] == ["slack"]
    # On a first run in check mode the key is not there yet.
    without = filters.uptime_kuma_objects(plan, VARIABLES, {})
    assert [each["key"] for each in without["monitors"]] == [each["key"] for each in objects["monitors"]]


# --- folders for data ---

FOLDERS = [
    {"path": "/var/lib/crowsnest", "user": "0", "mode": "0755"},
    {"path": "/var/lib/crowsnest/prometheus", "user": "21090", "mode": "0750"},
    {"path": "/var/lib/crowsnest/alertmanager", "user": "21093", "mode": "0750"},
    {"path": "/var/lib/crowsnest/grafana", "user": "15000", "mode": "0750"},
    {"path": "/var/lib/crowsnest/uptime_kuma", "user": "15001", "mode": "0750"},
    {"path": "/var/lib/crowsnest/prometheus_keys", "user": "21090", "mode": "0750"},
]
RIGHT = {folder["path"]: f"{folder['user']}:{folder['user']}:{folder['mode']}" for folder in FOLDERS}


def test_each_service_with_data_has_a_folder_and_prometheus_one_for_keys(plan: dict[str, Any]) -> None:
    assert filters.data_directories(plan, {}) == FOLDERS
    assert filters.data_directories(plan, RIGHT) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder["path"])
@pytest.mark.parametrize("found", ["0:0:0750", "15001:21090:0750", "21090:21090:0700"])
def test_a_folder_that_is_not_as_it_should_be_is_put_right(
    plan: dict[str, Any], folder: dict[str, str], found: str
) -> None:
    assert filters.data_directories(plan, {**RIGHT, folder["path"]: found}) == [folder]


def test_without_kuma_there_is_no_folder_for_keys(plan: dict[str, Any]) -> None:
    services = {name: it for name, it in plan["services"].items() if name != "uptime_kuma"}
    assert filters.data_directories({**plan, "services": services}, {}) == FOLDERS[:4]


# --- secrets ---


def test_a_secret_is_the_declared_one_else_that_in_the_folder_and_else_missing(tmp_path: Path) -> None:
    (tmp_path / "grafana_admin_password").write_text("from-the-folder\n")
    (tmp_path / "grafana_secret_key").write_text("a-key\n")
    (tmp_path / "another").write_text("not ours")
    (tmp_path / "uptime_kuma_push_key").mkdir()
    declared = {"crowsnest_grafana_admin_password": "from-the-declaration"}
    assert filters.generated_secrets(str(tmp_path), {}) == {
        "grafana_admin_password": "from-the-folder",
        "grafana_secret_key": "a-key",
    }
    assert filters.generated_secrets(str(tmp_path), declared) == {
        "grafana_admin_password": "from-the-declaration",
        "grafana_secret_key": "a-key",
    }
    assert filters.generated_secrets(str(tmp_path / "nowhere"), declared) == {
        "grafana_admin_password": "from-the-declaration"
    }


def test_each_password_can_be_declared(tmp_path: Path) -> None:
    declared = {f"crowsnest_{name}": f"declared-{name}" for name in GIVEN if name.endswith("password")}
    assert filters.generated_secrets(str(tmp_path), declared) == {
        "grafana_admin_password": "declared-grafana_admin_password",
        "uptime_kuma_admin_password": "declared-uptime_kuma_admin_password",
    }


GRAFANA, KUMA = "/var/lib/crowsnest/grafana", "/var/lib/crowsnest/uptime_kuma"
MISSING = [
    {"name": "grafana_admin_password", "service": "grafana", "data": GRAFANA},
    {"name": "grafana_secret_key", "service": "grafana", "data": GRAFANA},
    {"name": "uptime_kuma_admin_password", "service": "uptime_kuma", "data": KUMA},
    {"name": "uptime_kuma_push_key", "service": "uptime_kuma", "data": KUMA},
]


def test_a_missing_secret_is_named_with_the_service_and_the_data_that_depend_on_it(plan: dict[str, Any]) -> None:
    assert filters.missing_secrets(plan, {}) == MISSING
    assert filters.missing_secrets(plan, GIVEN) == []
    for row in MISSING:
        given = {name: it for name, it in GIVEN.items() if name != row["name"]}
        assert filters.missing_secrets(plan, given) == [row]


def test_a_service_that_is_not_planned_misses_nothing(plan: dict[str, Any]) -> None:
    services = {name: it for name, it in plan["services"].items() if name != "uptime_kuma"}
    assert filters.missing_secrets({**plan, "services": services}, {}) == MISSING[:2]


def test_secret_files_are_those_of_planned_services_and_stand_in_no_other_file(plan: dict[str, Any]) -> None:
    apps = [{"name": "shop", "jobs": [{"name": "backup", "every": "1d"}]}]
    with_job = {**plan, "settings": {**plan["settings"], "apps": apps}}
    own = [{"name": "eu-import", "type": "push"}, {"name": "Office", "type": "ping", "hostname": "10.0.0.1"}]
    declared = {**VARIABLES, "crowsnest_apps": apps, "crowsnest_monitors": own}
    found = filters.secret_files(with_job, declared, GIVEN)
    imported = found["uptime_kuma"]["secrets/push/eu-import"]
    beat, job = found["alertmanager"]["secrets/heartbeat_uptime_kuma"], found["uptime_kuma"]["secrets/jobs/shop/backup"]
    assert found == {
        "alertmanager": {
            "secrets/slack_webhook_url": "https://hooks.slack.com/services/T/B/hush",
            "secrets/heartbeat_uptime_kuma": beat,
        },
        "blackbox": {},
        "grafana": {"secrets/admin_password": "a-grafana-password", "secrets/secret_key": "a-secret-key"},
        "uptime_kuma": {
            "secrets/admin_password": "a-kuma-password",
            "secrets/push_key": "a-push-key",
            "secrets/jobs/shop/backup": job,
            "secrets/push/eu-import": imported,
        },
    }
    # Each address has the token of the monitor at which it reports.
    tokens = {
        each["key"]: each["pushToken"]
        for each in filters.uptime_kuma_objects(with_job, declared, GIVEN)["monitors"]
        if each["type"] == "push"
    }
    base = "http://127.0.0.1:3001/api/push"
    assert tokens == {
        "shop/job/backup": job.removeprefix(f"{base}/"),
        "crowsnest/alerting-path/heartbeat": beat.removeprefix(f"{base}/"),
        "crowsnest/extra/eu-import": imported.removeprefix(f"{base}/"),
    }
    texts = [
        *filters.prometheus_files(with_job, "/nowhere").values(),
        *filters.alertmanager_files(with_job, declared).values(),
        *filters.grafana_files(with_job, declared, GIVEN).values(),
        *filters.uptime_kuma_files(with_job).values(),
    ]
    secrets = [*GIVEN.values(), *tokens.values(), "hush"]
    assert [secret for secret in secrets if secret in "".join(texts)] == []


def test_secret_files_of_what_is_switched_off_are_not_written(plan: dict[str, Any]) -> None:
    services = {name: it for name, it in plan["services"].items() if name not in ("grafana", "uptime_kuma")}
    assert filters.secret_files({**plan, "services": services}, VARIABLES, {}) == {
        "alertmanager": {"secrets/slack_webhook_url": "https://hooks.slack.com/services/T/B/hush"},
        "blackbox": {},
    }


def test_every_yaml_file_says_who_made_it_and_is_the_same_each_time(plan: dict[str, Any]) -> None:
    def made() -> dict[str, str]:
        return {
            **filters.prometheus_files(plan, "/nowhere"),
            "blackbox.yml": filters.blackbox_files(plan, VARIABLES)["blackbox.yml"],
            "alertmanager.yml": filters.alertmanager_files(plan, VARIABLES)["alertmanager.yml"],
            "compose.yaml": filters.compose_project(plan),
        }

    files = made()
    assert files == made()
    for text in files.values():
        assert text.startswith(HEADER)
        assert yaml.safe_load(text)
        assert not any(line.startswith(("- &", "- *")) or ": *" in line for line in text.splitlines()), "an anchor"


def test_services_are_reloaded_at_their_port_by_their_directory(plan: dict[str, Any]) -> None:
    assert filters.reload_services(plan) == {
        "prometheus": {"url": "http://127.0.0.1:9090", "path": "/opt/crowsnest/prometheus"},
        "alertmanager": {"url": "http://127.0.0.1:9093", "path": "/opt/crowsnest/alertmanager"},
        "blackbox": {"url": "http://127.0.0.1:9115", "path": "/opt/crowsnest/blackbox"},
    }


def test_values_of_ansible_become_plain_ones(plan: dict[str, Any]) -> None:
    class Tagged(str):
        pass

    taken = filters.plain({Tagged("a"): [Tagged("b"), 1, None, True]})
    assert [type(value) for value in [*taken, *taken["a"]]] == [str, str, int, type(None), bool]


def row(**values: Any) -> dict[str, Any]:
    whole = {"severity": "critical", "integration": "slack", "expected": 1, "delivered": 1, "failed": 0, "words": ""}
    return {**whole, **values}


REPORTS = [
    (row(), "critical  slack    delivered to 1 of 1"),
    (row(severity="low", integration="discord", delivered=3), "low       discord  delivered to 1 of 1"),
    (
        row(delivered=0, failed=1, words="403: invalid_token"),
        "critical  slack    refused, delivered to 0 of 1 - 403: invalid_token",
    ),
    (row(expected=2, failed=1), "critical  slack    refused, delivered to 1 of 2"),
    (row(delivered=0), "critical  slack    no answer in time, delivered to 0 of 1"),
    (row(delivered=-1, failed=2), "critical  slack    refused, delivered to 0 of 1"),
]


@pytest.mark.parametrize(("delivery", "line"), REPORTS)
def test_a_delivery_is_reported_on_one_line(delivery: dict[str, Any], line: str) -> None:
    assert filters.delivery_report([delivery]) == [line]


def test_expected_deliveries_come_from_the_declaration() -> None:
    assert filters.alert_deliveries(VARIABLES) == {name: {"slack": 1} for name in ("critical", "high", "medium", "low")}
