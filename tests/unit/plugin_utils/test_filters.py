"""The filters as roles call them: what a run decided and declared goes in as one text, files or plain data come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from contexts import SAMPLE, declaration_of

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import make_release
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.settled import settled
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER, ROOT, static_rules

WEBHOOK = "https://hooks.slack.com/services/T/B/hush"
VARIABLES: dict[str, Any] = {
    "crowsnest_language": "ko",
    "crowsnest_timezone": "Asia/Seoul",
    "crowsnest_apps": [{"name": "shop", "framework": "django", "metrics": [":8000"]}],
    "crowsnest_receivers": [{"type": "slack", "webhook_url": WEBHOOK}],
}
GIVEN = {
    "grafana_admin_password": "a-grafana-password",
    "grafana_secret_key": "a-secret-key",
    "uptime_kuma_admin_password": "a-kuma-password",
    "uptime_kuma_push_key": "a-push-key",
}
SMALL = {"total_mib": 945, "used_mib": 120}
Plan = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services by whose names these examples are written."""
    monkeypatch.setattr(filters, "REGISTRY", SAMPLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all generated secrets."""
    for name, secret in GIVEN.items():
        (tmp_path / name).write_text(f"{secret}\n")
    return tmp_path


@pytest.fixture
def plan(facts: Callable[..., dict[str, Any]], folder: Path) -> Plan:
    """What the filter `plan` says of variables on a server web1 with these facts, with all secrets at hand or none."""

    def make(variables: Any = VARIABLES, hostvars: Any = None, secrets: bool = True, **seen: Any) -> dict[str, Any]:
        known = {"web1": {"preflight_look": {"host": {**facts(**seen), "data": {}}}}, **(hostvars or {})}
        where = str(folder) if secrets else "/nowhere"
        return filters.plan(variables, "web1", list(known), known, "/inventory", where)

    return make


@pytest.fixture
def context(plan: Plan) -> str:
    """The text of everything."""
    return str(plan()["context"])


# --- the plan ---


def hosts(made: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = made["node_exporter"]["addresses"]
    return found


def test_a_host_that_did_not_answer_is_planned_with_what_the_inventory_says(plan: Plan) -> None:
    made = plan(hostvars={"web2": {"ansible_host": "203.0.113.2"}, "web3": {}})
    assert hosts(made) == {"web1": "127.0.0.1", "web2": "203.0.113.2", "web3": "web3"}


def test_a_declared_private_address_counts_whether_the_host_answers_or_not(plan: Plan, facts: Any) -> None:
    web2 = {"ansible_host": "203.0.113.2", "private_address": "10.0.0.2"}
    for seen in ({}, {"preflight_look": {"host": facts()}}):
        assert hosts(plan({}, {"web2": {**web2, **seen}}))["web2"] == "10.0.0.2"


def test_what_the_last_run_kept_decides_where_a_silent_host_is_watched_and_how_large_things_are(
    plan: Plan, facts: Any
) -> None:
    answering = {"web2": {"preflight_look": {"host": facts(address="172.26.9.9")}}}
    before = plan({"crowsnest_metabase": True}, answering, total_mib=8000)
    found = {**facts(), "data": {}}
    (kept,) = (file for file in filters.compose_project(before["context"], found)["files"] if "json" in file["path"])
    assert (kept["path"], kept["mode"]) == ("/opt/crowsnest/plan.json", "0600")
    assert json.loads(kept["text"]) == {
        "hosts": {"web1": "127.0.0.1", "web2": "172.26.9.9"},
        "base_ports": {},
        "ports": {},
        "heaps_mib": {"metabase": 1920},
        "retention_size_mib": 8192,
        "not_exported": {},
    }
    silent = {"web2": {"ansible_host": "203.0.113.2"}}
    assert hosts(plan({}, silent, files={kept["path"]: kept["text"]}))["web2"] == "172.26.9.9"
    for broken in ("", "{", "[]", '{"hosts": 5}'):
        assert hosts(plan({}, silent, files={kept["path"]: broken}))["web2"] == "203.0.113.2"


def test_what_a_run_keeps_does_not_differ_from_run_to_run(plan: Plan, facts: Any) -> None:
    found = {**facts(), "data": {}}
    texts = {
        file["text"]
        for used in (200, 230)
        for file in filters.compose_project(plan(used_mib=used)["context"], found)["files"]
        if file["path"].endswith("plan.json")
    }
    assert len(texts) == 1


def test_the_plan_tells_tasks_what_runs_and_no_secret_but_in_the_context(plan: Plan) -> None:
    made = plan({**VARIABLES, "crowsnest_registry_mirrors": ["https://mirror.example.com"]})
    assert made["services"] == ["prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma"]
    assert len(made["images"]) == 5
    assert made["registry_mirrors"] == ["https://mirror.example.com"]
    assert made["refusals"] == []
    assert "hush" not in str({**made, "context": ""})
    assert "hush" in made["context"]


# --- configurations ---


def test_a_configuration_has_its_place_its_owner_and_a_program_that_judges_it(context: str) -> None:
    made = filters.service_directory(context, "prometheus")
    assert (made["path"], made["group"]) == ("/opt/crowsnest/prometheus", 21090)
    assert made["validate"] == (
        "docker run --rm --pull never --network none --userns host --user 21090:21090 --entrypoint promtool "
        f"-v %s:/etc/crowsnest/current:ro {made['image']} check config /etc/crowsnest/current/prometheus.yml"
    )
    assert filters.service_directory(context, "uptime_kuma")["validate"] == ""


def test_the_release_is_what_a_host_says_that_holds_the_configuration(context: str, tmp_path: Path) -> None:
    made = filters.service_directory(context, "grafana")
    rights = {"owner": "", "group": str(made["group"]), "mode": "0640", "directory_mode": "0750"}
    release = make_release(made["files"], made["secrets"], **rights, stable=made["stable"])
    apply(tmp_path / "grafana", release, 3, None)
    assert settled(tmp_path) == {str(tmp_path / "grafana"): made["release"]}


def test_prometheus_gets_its_configuration_rules_and_container(context: str) -> None:
    rules = list(static_rules())
    assert {"containers.yml", "host.yml", "metabase.yml", "probes.yml", "stack.yml", "uptime.yml"} <= set(rules)
    assert sorted(filters.service_directory(context, "prometheus")["files"]) == sorted(
        [
            *("compose.yml", "prometheus.yml", "rules/app.yml", "rules/causes.yml", "rules/profile_django.yml"),
            *(f"rules/{name}" for name in rules),
        ]
    )


def test_blackbox_gets_its_configuration_and_container(context: str) -> None:
    assert list(filters.service_directory(context, "blackbox")["files"]) == ["blackbox.yml", "compose.yml"]


def test_grafana_gets_its_configuration_dashboards_and_container(context: str) -> None:
    files = filters.service_directory(context, "grafana")["files"]
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


def test_a_changed_dashboard_does_not_restart_grafana_and_a_changed_start_does(plan: Plan) -> None:
    def files(**declared: Any) -> dict[str, str]:
        variables = {**VARIABLES, **declared}
        made: dict[str, str] = filters.service_directory(plan(variables)["context"], "grafana")["files"]
        return made

    def with_apps(*names: str) -> dict[str, Any]:
        apps = [{"name": name, "framework": "django", "metrics": [":8000"]} for name in names]
        return {"crowsnest_apps": apps}

    def with_mail(password: str) -> dict[str, Any]:
        mail = {"type": "email", "to": ["a@b.de"], "sender": "a@b.de", "smarthost": "smtp:587", "username": "a"}
        return {"crowsnest_receivers": [{**mail, "password": password}]}

    def compose(declared: dict[str, Any]) -> str:
        return files(**declared)["compose.yml"]

    one, two, none = with_apps("shop"), with_apps("shop", "blog"), with_apps()
    assert set(files(**two)) - set(files(**one)) == {"dashboards/development/app-blog.json"}
    assert compose(one) == compose(two)
    # Grafana forgets a whole folder's dashboards only at its start.
    assert compose(one) != compose(none)
    assert len({compose({}), compose(with_mail("one")), compose(with_mail("two"))}) == 3
    assert compose({}) == compose({})


def test_alertmanager_gets_templates_in_the_declared_language_and_time_zone(context: str) -> None:
    files = filters.service_directory(context, "alertmanager")["files"]
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


def test_uptime_kuma_gets_its_container_and_everything_else_through_its_api(plan: Plan) -> None:
    context = plan()["context"]
    assert list(filters.service_directory(context, "uptime_kuma")["files"]) == ["compose.yml"]
    objects = filters.service_objects(context, "uptime_kuma")
    assert set(objects) == {
        *("url", "password", "container", "state_directory", "metrics_key"),
        *("settings", "notifications", "docker_hosts", "monitors", "maintenances", "status_pages"),
    }
    assert objects["settings"]["serverTimezone"] == "Asia/Seoul"
    assert [each["key"] for each in objects["notifications"]] == ["slack", "crowsnest/alerting-path/slack"]
    # On a first run in check mode the key is not there yet.
    without = filters.service_objects(plan(secrets=False)["context"], "uptime_kuma")
    assert [each["key"] for each in without["monitors"]] == [each["key"] for each in objects["monitors"]]


def test_what_has_no_api_has_no_objects(context: str) -> None:
    with pytest.raises(ValueError, match="prometheus has no API"):
        filters.service_objects(context, "prometheus")


# --- the compose project ---

FOLDERS = [
    {"path": "/var/lib/crowsnest", "user": "0", "mode": "0755"},
    {"path": "/var/lib/crowsnest/prometheus", "user": "21090", "mode": "0750"},
    {"path": "/var/lib/crowsnest/alertmanager", "user": "21093", "mode": "0750"},
    {"path": "/var/lib/crowsnest/grafana", "user": "15000", "mode": "0750"},
    {"path": "/var/lib/crowsnest/uptime_kuma", "user": "15001", "mode": "0750"},
    {"path": "/var/lib/crowsnest/prometheus_keys", "user": "21090", "mode": "0750"},
]
RIGHT = {folder["path"]: f"{folder['user']}:{folder['user']}:{folder['mode']}" for folder in FOLDERS}


def folders(context: str, found: dict[str, str]) -> Any:
    return filters.compose_project(context, {"files": {}, "data": found})["data_directories"]


def test_each_service_with_data_has_a_folder_and_prometheus_one_for_keys(context: str) -> None:
    assert folders(context, {}) == FOLDERS
    assert folders(context, RIGHT) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder["path"])
@pytest.mark.parametrize("found", ["0:0:0750", "15001:21090:0750", "21090:21090:0700"])
def test_a_folder_that_is_not_as_it_should_be_is_put_right(
    facts: Callable[..., dict[str, Any]], folder: dict[str, str], found: str
) -> None:
    known = {"web1": {"preflight_look": {"host": facts()}}}
    context = filters.plan(VARIABLES, "web1", ["web1"], known, "", "/nowhere")["context"]
    assert folders(context, {**RIGHT, folder["path"]: found}) == [folder]


def test_without_kuma_there_is_no_folder_for_keys(plan: Plan) -> None:
    made = plan(**SMALL)
    assert "uptime_kuma" not in made["services"]
    assert folders(made["context"], {}) == FOLDERS[:4]


def test_only_what_differs_is_written(context: str) -> None:
    every = filters.compose_project(context, {"files": {}, "data": {}})["files"]
    assert [file["path"] for file in every] == ["/opt/crowsnest/compose.yaml", "/opt/crowsnest/plan.json"]
    assert every[0]["text"].startswith(HEADER)
    there = {file["path"]: file["text"] for file in every}
    assert filters.compose_project(context, {"files": there, "data": {}})["files"] == []


def test_services_are_reloaded_at_their_port_by_their_directory(context: str) -> None:
    assert filters.compose_project(context, {"files": {}, "data": {}})["reload"] == {
        "prometheus": {"url": "http://127.0.0.1:9090", "path": "/opt/crowsnest/prometheus"},
        "alertmanager": {"url": "http://127.0.0.1:9093", "path": "/opt/crowsnest/alertmanager"},
        "blackbox": {"url": "http://127.0.0.1:9115", "path": "/opt/crowsnest/blackbox"},
    }


def test_every_yaml_file_says_who_made_it_and_is_the_same_each_time(plan: Plan) -> None:
    def made() -> dict[str, str]:
        context = plan()["context"]
        texts = {
            f"{name}/{path}": text
            for name in ("prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma")
            for path, text in filters.service_directory(context, name)["files"].items()
        }
        return {path: text for path, text in texts.items() if path.endswith(".yml")}

    files = made()
    assert files == made()
    for text in files.values():
        assert text.startswith(HEADER)
        assert yaml.safe_load(text)
        assert not any(line.startswith(("- &", "- *")) or ": *" in line for line in text.splitlines()), "an anchor"


# --- secrets ---


def test_a_secret_is_the_declared_one_else_that_in_the_folder_and_else_missing(tmp_path: Path) -> None:
    (tmp_path / "grafana_admin_password").write_text("from-the-folder\n")
    (tmp_path / "grafana_secret_key").write_text("a-key\n")
    (tmp_path / "another").write_text("not ours")
    (tmp_path / "uptime_kuma_push_key").mkdir()
    declared = declaration_of({"grafana_admin_password": "from-the-declaration"})
    assert filters.generated_secrets(tmp_path, declaration_of()) == {
        "grafana_admin_password": "from-the-folder",
        "grafana_secret_key": "a-key",
    }
    assert filters.generated_secrets(tmp_path, declared) == {
        "grafana_admin_password": "from-the-declaration",
        "grafana_secret_key": "a-key",
    }
    assert filters.generated_secrets(tmp_path / "nowhere", declared) == {
        "grafana_admin_password": "from-the-declaration"
    }


def test_each_password_can_be_declared(tmp_path: Path) -> None:
    declared = declaration_of({name: f"declared-{name}" for name in GIVEN if name.endswith("password")})
    assert filters.generated_secrets(tmp_path, declared) == {
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


def test_a_missing_secret_is_named_with_the_service_and_the_data_that_depend_on_it(plan: Plan, folder: Path) -> None:
    assert filters.missing_secrets(plan(secrets=False)["context"]) == MISSING
    context = plan()["context"]
    assert filters.missing_secrets(context) == []
    for row in MISSING:
        (folder / row["name"]).rename(folder / "away")
        assert filters.missing_secrets(context) == [row]
        (folder / "away").rename(folder / row["name"])


def test_a_service_that_is_not_planned_misses_nothing(plan: Plan) -> None:
    assert filters.missing_secrets(plan(secrets=False, **SMALL)["context"]) == MISSING[:2]


def test_secret_files_are_those_of_planned_services_and_stand_in_no_other_file(plan: Plan) -> None:
    apps = [{"name": "shop", "jobs": [{"name": "backup", "every": "1d"}]}]
    own = [{"name": "eu-import", "type": "push"}, {"name": "Office", "type": "ping", "hostname": "10.0.0.1"}]
    made = plan({**VARIABLES, "crowsnest_apps": apps, "crowsnest_monitors": own})
    written = {name: filters.service_directory(made["context"], name) for name in made["services"]}
    found = {name: each["secrets"] for name, each in written.items()}
    imported = found["uptime_kuma"]["secrets/push/eu-import"]
    beat, job = found["alertmanager"]["secrets/heartbeat_uptime_kuma"], found["uptime_kuma"]["secrets/jobs/shop/backup"]
    assert found == {
        "prometheus": {},
        "alertmanager": {"secrets/slack_webhook_url": WEBHOOK, "secrets/heartbeat_uptime_kuma": beat},
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
    monitors = filters.service_objects(made["context"], "uptime_kuma")["monitors"]
    tokens = {each["key"]: each["pushToken"] for each in monitors if each["type"] == "push"}
    base = "http://127.0.0.1:3001/api/push"
    program = filters.backup_program(made["context"], "web1", {"configurations": {}, "files": {}, "cron": True})
    stack = json.loads(program["secrets"]["secrets.json"])["push_urls"]["stack"]
    assert tokens == {
        "stack/backup": stack.removeprefix(f"{base}/"),
        "shop/job/backup": job.removeprefix(f"{base}/"),
        "crowsnest/alerting-path/heartbeat": beat.removeprefix(f"{base}/"),
        "crowsnest/extra/eu-import": imported.removeprefix(f"{base}/"),
    }
    texts = "".join(text for each in written.values() for text in each["files"].values())
    assert [secret for secret in [*GIVEN.values(), *tokens.values(), "hush"] if secret in texts] == []


# --- a test of the alerting path ---


def test_a_test_of_the_alerting_path_needs_the_declaration_alone() -> None:
    made = filters.test_alerts({**VARIABLES, "crowsnest_ports": {"alertmanager": 19093}})
    assert made["url"] == "http://127.0.0.1:19093"
    assert made["deliveries"] == {name: {"slack": 1} for name in ("critical", "high", "medium", "low")}
    assert list(made["texts"]) == list(made["deliveries"])
    assert (made["environment"], made["container"]) == ("production", "crowsnest-alertmanager-1")


def test_values_of_ansible_become_plain_ones() -> None:
    class Tagged(str):
        pass

    taken = filters.plain({Tagged("a"): [Tagged("b"), 1, None, True]})
    assert [type(value) for value in [*taken, *taken["a"]]] == [str, str, int, type(None), bool]


def row(**values: Any) -> dict[str, Any]:
    whole = {"severity": "critical", "integration": "slack", "expected": 1, "delivered": 1, "failed": 0, "words": ""}
    return {**whole, **values}


REPORTS = [
    (row(), "critical  slack    delivered to 1 of 1"),
    (row(severity="low", integration="discord", delivered=3), "low  discord  delivered to 1 of 1"),
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


def test_deliveries_stand_in_columns() -> None:
    assert filters.delivery_report([row(severity="critical_after_15m"), row(severity="low")]) == [
        "critical after 15m  slack    delivered to 1 of 1",
        "low                 slack    delivered to 1 of 1",
    ]


def test_a_scan_asks_the_hosts_that_were_chosen_and_knows_our_ports() -> None:
    hostvars = {"web1": {"ansible_host": "127.0.0.1"}, "web2": {"ansible_host": "nowhere.invalid"}}
    declared = {
        "crowsnest_open_ports": [{"port": 22, "from": ["192.0.2.1"]}, {"port": 51820, "protocol": "udp"}],
        "crowsnest_ports": {"node_exporter": 9101},
    }
    found = filters.scan(declared, ["web1"], hostvars, "80", "100")
    asked = json.loads(found["scan"])
    assert found["mistakes"] == []
    assert asked["targets"] == [{"address": "127.0.0.1", "hosts": ["web1"], "ssh": [22]}]
    assert asked["open_ports"] == [{"port": 22, "protocol": "tcp", "from": ["192.0.2.1/32"]}]
    assert asked["names"]["9101"] == "node_exporter"


def test_a_scan_that_cannot_begin_says_all_that_is_wrong() -> None:
    found = filters.scan({}, ["web2"], {"web2": {"ansible_host": "nowhere.invalid"}}, "http", "100")
    assert [mistake.partition(":")[0] for mistake in found["mistakes"]] == ["web2", "--ports"]
