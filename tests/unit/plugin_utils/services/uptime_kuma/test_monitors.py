"""Monitors as data: those of apps, of the alerting path, and each type that a team may declare."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import health
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import (
    alerting_path,
    app_monitors,
    backup_monitors,
    docker_hosts,
    monitors,
    own_monitor,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import push_token

MakeContext = Callable[..., Context]
PACE = {"interval": 60, "maxretries": 1, "retryInterval": 30}
KEY = "a-push-key"
SECRETS = {"uptime_kuma_push_key": KEY}


def keys(found: list[dict[str, Any]]) -> list[str]:
    return [each["key"] for each in found]


# --- the apps ---


def asked(url: str, certificate: bool) -> dict[str, Any]:
    return {"type": "http", "url": url, "expiryNotification": certificate, **PACE}


def component(url: str, name: str) -> dict[str, Any]:
    return {**asked(url, url.startswith("https:")), **health.component_in_kuma(name)}


URL = {"url": "https://shop.example.com/kr/"}
DETAILED = "http://127.0.0.1:8000/d/"
# (what an app declares, key, name, fields of its one monitor beside the website)
PARTS: list[tuple[dict[str, Any], str, str, dict[str, Any]]] = [
    (URL, "website", "website", asked("https://shop.example.com/kr/", True)),
    ({"url": "http://127.0.0.1:8000"}, "website", "website", asked("http://127.0.0.1:8000", False)),
    (
        {**URL, "health": {"basic": "/health/"}},
        "health",
        "health",
        asked("https://shop.example.com/health/", True),
    ),
    ({"health": {"basic": "http://10.0.0.1/up"}}, "health", "health", asked("http://10.0.0.1/up", False)),
    (
        {**URL, "health": {"detailed": "/d/", "components": ["database"]}},
        "component/database",
        "database",
        component("https://shop.example.com/d/", "database"),
    ),
    (
        {"health": {"detailed": DETAILED, "components": ["Redis_1"]}},
        "component/Redis_1",
        "Redis_1",
        component(DETAILED, "Redis_1"),
    ),
    (
        {"tcp": {"database": "127.0.0.1:5432"}},
        "tcp/database",
        "database port",
        {"type": "port", "hostname": "127.0.0.1", "port": 5432, **PACE},
    ),
    ({"tcp": {"mq": "[::1]:5672"}}, "tcp/mq", "mq port", {"type": "port", "hostname": "::1", "port": 5672, **PACE}),
    (
        {"jobs": [{"name": "backup", "every": "1d", "grace": "1h"}]},
        "job/backup",
        "job backup",
        {"type": "push", "interval": 90_000, "maxretries": 0, "retryInterval": 60},
    ),
    (
        {"jobs": [{"name": "tick", "every": "1m"}]},
        "job/tick",
        "job tick",
        {"type": "push", "interval": 660, "maxretries": 0, "retryInterval": 60},
    ),
]


@pytest.mark.parametrize(("declared", "key", "name", "fields"), PARTS, ids=[key for _, key, _, _ in PARTS])
def test_each_part_of_an_app_has_a_monitor_in_the_group_of_the_app(
    declared: dict[str, Any], key: str, name: str, fields: dict[str, Any]
) -> None:
    found = app_monitors(App.model_validate({"name": "shop", **declared}))
    assert found[0] == {"key": "shop", "name": "shop", "type": "group", **PACE}
    assert found[-1] == {"key": f"shop/{key}", "name": f"shop: {name}", "group": "shop", **fields}
    assert len(found) == (3 if "url" in declared and key != "website" else 2)


SHOP: dict[str, Any] = {
    "name": "shop",
    "url": "https://shop.example.com/",
    "health": {"basic": "/health/", "detailed": "/d/", "components": ["database", "redis"]},
    "tcp": {"database": "127.0.0.1:5432"},
    "jobs": [{"name": "backup", "every": "1d"}],
    "metrics": [":8000"],
}


def test_the_group_comes_first_and_the_parts_in_the_order_in_which_people_read_them() -> None:
    assert [each["name"] for each in app_monitors(App.model_validate(SHOP))] == [
        "shop",
        "shop: website",
        "shop: health",
        "shop: database",
        "shop: redis",
        "shop: database port",
        "shop: job backup",
    ]


def test_an_app_of_which_nothing_can_be_asked_has_no_group() -> None:
    assert app_monitors(App(name="worker", metrics=[":8000"])) == []


# --- the backups ---

OWN: dict[str, Any] = {"name": "shop", "database": {"name": "shop"}}
LOGIN = {"address": "10.0.0.2:5432", "admin_user": "postgres", "admin_password": "hush"}


def backups(context: MakeContext, *apps: dict[str, Any], **declared: Any) -> list[dict[str, Any]]:
    return backup_monitors(context({"apps": list(apps), **declared}, hosts=["web1", "web2"], secrets=SECRETS))


def test_each_backup_of_the_server_is_down_when_the_alert_would_call_it_late(context: MakeContext) -> None:
    push = {"type": "push", "interval": 26 * 3600, "maxretries": 0, "retryInterval": 60}
    assert backups(context, {**OWN, **URL}) == [
        {"key": "shop/backup", "name": "shop: backup", "group": "shop", **push},
        {"key": "stack/backup", "name": "stack: backup", **push},
    ]


def test_a_backup_of_an_app_without_a_group_stands_alone(context: MakeContext) -> None:
    assert ["group" in each for each in backups(context, OWN, backup_stack=False)] == [False]


def test_what_another_host_backs_up_cannot_report_to_the_server(context: MakeContext) -> None:
    apps = [{**OWN, "backup": False}, {"name": "blog", "host": "web2", "database": {"name": "blog", **LOGIN}}]
    assert keys(backups(context, *apps)) == ["stack/backup"]


# --- the alerting path ---


def test_the_alerting_path_names_the_runbook_in_the_declared_language(context: MakeContext) -> None:
    group = alerting_path(context({"language": "ko"}), [])[0]
    assert str(group["description"]).endswith("/docs/runbooks/ko/AlertingPathAlive.md")


def test_what_sends_alerts_is_watched_in_a_group_that_tells_for_all_of_it(context: MakeContext) -> None:
    settings = {"ports": {"prometheus": 19090}, "runbook_url": "https://example.com/runbooks/", "repeat_after": "1h"}
    found = alerting_path(context(settings), ["slack", "oncall"])
    group, often = {"group": "crowsnest/alerting-path"}, {"interval": 20, "retryInterval": 5}
    assert found == [
        {
            "key": "crowsnest/alerting-path",
            "name": "Alerting path",
            "type": "group",
            "description": "Runbook: https://example.com/runbooks/AlertingPathAlive.md",
            "notifications": ["slack", "oncall"],
            "resendInterval": 180,
            **often,
        },
        {
            "key": "crowsnest/alerting-path/heartbeat",
            "name": "Alerting path: heartbeat",
            **group,
            "type": "push",
            "interval": 150,
            "maxretries": 0,
            "retryInterval": 60,
        },
        {
            "key": "crowsnest/alerting-path/prometheus",
            "name": "Alerting path: Prometheus",
            **group,
            **asked("http://127.0.0.1:19090/-/healthy", False),
            **often,
            "maxretries": 7,
            "timeout": 5,
        },
        {
            "key": "crowsnest/alerting-path/alertmanager",
            "name": "Alerting path: Alertmanager",
            **group,
            **asked("http://127.0.0.1:9093/-/healthy", False),
            **often,
            "maxretries": 7,
            "timeout": 5,
        },
    ]


def test_in_another_language_it_is_the_same_group_with_other_names(context: MakeContext) -> None:
    settings = {"runbook_url": "https://example.com/runbooks/"}
    english, korean = (
        alerting_path(context({**settings, "language": language}), ["slack"]) for language in ("en", "ko")
    )
    names = [monitor.pop("name") for monitor in korean]
    assert names == ["알림 경로", "알림 경로: 하트비트", "알림 경로: Prometheus", "알림 경로: Alertmanager"]
    assert korean == [{key: value for key, value in monitor.items() if key != "name"} for monitor in english]


SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
SNS = {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"}


def test_only_the_receivers_of_critical_alerts_hear_that_alerting_is_broken(context: MakeContext) -> None:
    entries = [SLACK, {**SLACK, "name": "chatter", "severities": ["high", "low"]}, SNS]
    found = monitors(context({"apps": [SHOP], "receivers": entries}, secrets=SECRETS))
    assert {each["key"]: each["notifications"] for each in found if "notifications" in each} == {
        "crowsnest/alerting-path": ["crowsnest/alerting-path/slack"]
    }


# --- the team's own ---

HTTP = {
    "url": "https://api.example.com/v1",
    "method": "GET",
    "maxredirects": 10,
    "timeout": 48,
    "expiryNotification": True,
}
ADDRESS = {"url": "https://api.example.com/v1"}
# (declared, Kuma's fields beside those that every monitor has)
TYPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "http", **ADDRESS}, HTTP),
    (
        {
            "type": "http",
            "url": "https://api.example.com/v1",
            "method": "POST",
            "body": '{"a": 1}',
            "headers": {"X-Token": "hush", "X-Who": "crowsnest"},
            "username": "watch",
            "password": "hush-password",
            "accepted_status": ["204", "300-399"],
            "redirects": 0,
            "timeout": "10s",
            "certificate": False,
            "verify_tls": False,
        },
        {
            "url": "https://api.example.com/v1",
            "method": "POST",
            "body": '{"a": 1}',
            "headers": '{"X-Token": "hush", "X-Who": "crowsnest"}',
            "authMethod": "basic",
            "basic_auth_user": "watch",
            "basic_auth_pass": "hush-password",
            "accepted_statuscodes": ["204", "300-399"],
            "maxredirects": 0,
            "timeout": 10,
            "expiryNotification": False,
            "ignoreTls": True,
        },
    ),
    (
        {"type": "http", **ADDRESS, "accepted_status": [301]},
        {**HTTP, "accepted_statuscodes": ["301"], "maxredirects": 0},
    ),
    (
        {"type": "http", **ADDRESS, "accepted_status": [301, "200-299"], "redirects": 3},
        {**HTTP, "accepted_statuscodes": ["301", "200-299"], "maxredirects": 3},
    ),
    ({"type": "http", "url": "http://10.0.0.1/"}, {**HTTP, "url": "http://10.0.0.1/", "expiryNotification": False}),
    ({"type": "keyword", **ADDRESS, "keyword": "Welcome"}, {**HTTP, "keyword": "Welcome", "invertKeyword": False}),
    (
        {"type": "keyword", **ADDRESS, "keyword": "Error", "absent": True},
        {**HTTP, "keyword": "Error", "invertKeyword": True},
    ),
    (
        {"type": "json-query", **ADDRESS, "query": "queue.length", "operator": "<", "expected": "100"},
        {**HTTP, "jsonPath": "queue.length", "jsonPathOperator": "<", "expectedValue": "100"},
    ),
    ({"type": "port", "address": "db.internal:5432"}, {"hostname": "db.internal", "port": 5432}),
    ({"type": "port", "address": "[fd00::1]:22"}, {"hostname": "fd00::1", "port": 22}),
    ({"type": "ping", "hostname": "10.0.0.1"}, {"hostname": "10.0.0.1"}),
    (
        {"type": "dns", "hostname": "example.com"},
        {"hostname": "example.com", "port": 53, "dns_resolve_server": "1.1.1.1", "dns_resolve_type": "A"},
    ),
    (
        {"type": "dns", "hostname": "example.com", "server": "8.8.8.8", "record": "MX"},
        {"hostname": "example.com", "port": 53, "dns_resolve_server": "8.8.8.8", "dns_resolve_type": "MX"},
    ),
    ({"type": "push"}, {"maxretries": 0}),
    (
        {"type": "docker", "container": "shop-db-1", "engine": "tcp://127.0.0.1:2375"},
        {"docker_container": "shop-db-1", "docker_host": "tcp://127.0.0.1:2375"},
    ),
    ({"type": "group"}, {}),
]


def made(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """Declared monitors in Kuma's words."""
    declared = Declaration.model_validate({"monitors": list(entries)})
    return [own_monitor(each, declared) for each in declared.monitors]


@pytest.mark.parametrize(("declared", "fields"), TYPES, ids=lambda entry: entry.get("type", ""))
def test_each_type_has_kumas_fields_and_nothing_else(declared: dict[str, Any], fields: dict[str, Any]) -> None:
    assert made({"name": "The thing", **declared}) == [
        {
            "key": "crowsnest/extra/The thing",
            "name": "The thing",
            "type": declared["type"],
            "active": True,
            "interval": 60,
            "retryInterval": 60,
            "maxretries": 1,
            "notifications": [],
            "tags": [],
            **fields,
        }
    ]


def test_every_type_is_tested() -> None:
    schema = json.dumps(Declaration.model_json_schema()["properties"]["monitors"]["items"]["discriminator"]["mapping"])
    assert {declared["type"] for declared, _ in TYPES} == set(json.loads(schema))


PING = {"name": "Office", "type": "ping", "hostname": "10.0.0.1"}
# What any monitor may declare: Kuma's fields
SHARED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"id": "office"}, {"key": "crowsnest/extra/office"}),
    ({"name": "Office (old), 50%"}, {"key": "crowsnest/extra/Office %28old%29, 50%25", "name": "Office (old), 50%"}),
    ({"group": "shop"}, {"group": "shop"}),
    ({"description": "The router."}, {"description": "The router."}),
    ({"interval": "20s"}, {"interval": 20, "retryInterval": 20}),
    ({"interval": "1h"}, {"interval": 3600, "retryInterval": 60}),
    ({"retries": 0}, {"maxretries": 0}),
    ({"notifications": ["slack"]}, {"notifications": ["slack"]}),
    (
        {"tags": {"team": "web", "loud": ""}},
        {"tags": [{"name": "team", "value": "web"}, {"name": "loud", "value": ""}]},
    ),
    ({"paused": True}, {"active": False}),
]


@pytest.mark.parametrize(("declared", "fields"), SHARED, ids=str)
def test_what_every_monitor_may_declare_changes_these_fields(declared: dict[str, Any], fields: dict[str, Any]) -> None:
    (plain,), (found,) = made(PING), made({**PING, **declared})
    assert found == {**plain, **({"name": declared["name"]} if "name" in declared else {}), **fields}


def test_a_group_is_found_by_its_name_whatever_its_id() -> None:
    found = made(
        {"name": "Network", "type": "group", "id": "net"},
        {"name": "Inner", "type": "group", "group": "Network"},
        {**PING, "group": "Inner"},
    )
    assert [each.get("group") for each in found] == [None, "crowsnest/extra/net", "crowsnest/extra/Inner"]


def test_each_docker_engine_is_a_host_once() -> None:
    def docker(name: str, port: int) -> dict[str, Any]:
        return {"name": name, "type": "docker", "container": name, "engine": f"tcp://127.0.0.1:{port}"}

    entries = [docker("b", 2376), docker("a", 2375), docker("c", 2376), PING]
    assert docker_hosts(Declaration.model_validate({"monitors": entries})) == [
        {"name": f"tcp://127.0.0.1:{port}", "dockerType": "tcp", "dockerDaemon": f"tcp://127.0.0.1:{port}"}
        for port in (2375, 2376)
    ]


# --- all together ---


def test_apps_come_first_then_backups_the_alerting_path_and_the_teams_own(context: MakeContext) -> None:
    assert keys(monitors(context({"apps": [SHOP], "monitors": [PING]}, secrets=SECRETS))) == [
        *("shop", "shop/website", "shop/health", "shop/component/database", "shop/component/redis"),
        *("shop/tcp/database", "shop/job/backup", "stack/backup"),
        *(f"crowsnest/alerting-path{part}" for part in ("", "/heartbeat", "/prometheus", "/alertmanager")),
        "crowsnest/extra/Office",
    ]


def test_what_reports_by_itself_has_a_token_of_its_own_and_nothing_else_has_one(context: MakeContext) -> None:
    own = [PING, {"name": "Cron", "type": "push"}]
    found = monitors(context({"apps": [SHOP], "monitors": own}, secrets=SECRETS))
    assert {each["key"]: each["pushToken"] for each in found if "pushToken" in each} == {
        key: push_token(KEY, key)
        for key in ("shop/job/backup", "stack/backup", "crowsnest/alerting-path/heartbeat", "crowsnest/extra/Cron")
    }


@pytest.mark.parametrize("app", ["crowsnest", "extra", "alerting-path"])
def test_no_name_of_an_app_takes_the_key_of_something_else(context: MakeContext, app: str) -> None:
    shop = {**SHOP, "name": app}
    names = ["website", "health", "tcp/database", "job/backup", "heartbeat", "extra/website"]
    entries = [{**PING, "name": name} for name in names]
    found = keys(monitors(context({"apps": [shop], "monitors": entries}, secrets=SECRETS)))
    assert len(found) == len(set(found)) == 7 + 1 + 4 + len(names)
