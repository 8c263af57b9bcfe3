"""What a verification expects is what the generators make; open ports; the report for a person."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from contexts import SAMPLE
from server_facts import FACTS
from shapes import misfits

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Expected
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.report import expectations as module
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.verify import verify_report
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import compose_file, service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import rule_counts
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import push_token

MakeContext = Callable[..., Context]
Facts = Callable[..., dict[str, Any]]
SHOP = {
    "name": "shop",
    "framework": "django",
    "url": "https://shop.example.com/",
    "metrics": [":8000/metrics", "127.0.0.1:8001/m"],
    "health": {"basic": "/health/", "detailed": "/health/d/", "components": ["database"]},
}
SECRETS = {
    "grafana_admin_password": "a-password",
    "grafana_secret_key": "a-key",
    "uptime_kuma_admin_password": "kuma-password",
    "uptime_kuma_push_key": "kuma-key",
}
SLACK = {"type": "slack", "name": "team", "webhook_url": "https://hooks.slack.com/services/T0/B0/secret-of-slack"}


@pytest.fixture
def expect(context: MakeContext, facts: Facts) -> Callable[..., dict[str, Any]]:
    """What is expected of a declaration (names without `crowsnest_`) on a roomy server web1 and these further hosts."""

    def make(
        declared: Mapping[str, Any], hosts: Any = ("web1",), silent: Any = (), registry: Any = SAMPLE, **host: Any
    ) -> dict[str, Any]:
        made = context(declared, hosts=hosts, secrets=SECRETS, registry=registry, total_mib=8000)
        looks = {name: "it does not answer over SSH" if name in silent else facts(**host) for name in hosts}
        return module.expectations(made, looks, {}, limited=False)

    return make


def test_every_planned_service_is_expected_as_its_compose_fragment_says(expect: Callable[..., dict[str, Any]]) -> None:
    services = expect({"ports": {"prometheus": 19090}})["services"]
    assert list(services) == ["prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma"]
    prometheus, grafana = services["prometheus"], services["grafana"]
    assert (prometheus["url"], prometheus["container"]) == ("http://127.0.0.1:19090", "crowsnest-prometheus-1")
    assert "--web.listen-address=127.0.0.1:19090" in prometheus["command"]
    assert prometheus["environment"]["GOMEMLIMIT"]
    assert (prometheus["reloads"], grafana["reloads"], grafana["command"]) == (True, False, [])
    assert list(grafana["labels"]) == ["crowsnest.configuration"]


def test_files_are_expected_with_the_digest_of_what_is_generated(
    expect: Callable[..., dict[str, Any]], context: MakeContext
) -> None:
    found, made = expect({"apps": [SHOP]}), context({"apps": [SHOP]}, total_mib=8000)
    assert found["services"]["prometheus"]["files"] == {
        path: hashlib.sha256(text.encode()).hexdigest() for path, text in service_files(made, "prometheus").items()
    }
    assert found["compose"]["sha256"] == hashlib.sha256(yaml_text(compose_file(made)).encode()).hexdigest()


def test_a_dollar_that_compose_would_fill_in_is_expected_once(expect: Callable[..., dict[str, Any]]) -> None:
    services = expect({"external_urls": {"prometheus": "https://example.com/$HOME"}})["services"]
    assert "--web.external-url=https://example.com/$HOME" in services["prometheus"]["command"]


def test_targets_are_those_of_prometheus_yml(expect: Callable[..., dict[str, Any]]) -> None:
    targets = expect({"apps": [SHOP]}, hosts=("web1", "web2"))["targets"]
    rows = [tuple(target[key] for key in ("job", "address", "path", "app", "probe", "host")) for target in targets]
    assert [row[:2] for row in rows[:5]] == [
        ("prometheus", "127.0.0.1:9090"),
        ("alertmanager", "127.0.0.1:9093"),
        ("blackbox", "127.0.0.1:9115"),
        ("grafana", "127.0.0.1:3000"),
        ("uptime_kuma", "127.0.0.1:3001"),
    ]
    assert rows[5:] == [
        ("node", "127.0.0.1:9100", "/metrics", "", "", "web1"),
        ("node", "203.0.113.2:9100", "/metrics", "", "", "web2"),
        ("app", "127.0.0.1:8000", "/metrics", "shop", "", "web1"),
        ("app", "127.0.0.1:8001", "/m", "shop", "", "web1"),
        ("probe", "https://shop.example.com/", "/probe", "shop", "url", "web1"),
        ("probe", "https://shop.example.com/health/", "/probe", "shop", "health", "web1"),
        ("probe", "https://shop.example.com/health/d/", "/probe", "shop", "answer", "web1"),
        ("probe", "https://shop.example.com/health/d/", "/probe", "shop", "database", "web1"),
    ]


def test_rules_are_counted_per_file_and_group() -> None:
    files = {
        "prometheus.yml": "a: 1",
        "rules/host.yml": "groups: [{name: cpu, rules: [{alert: a}, {alert: b}]}, {name: empty, rules: []}]",
        "rules/own-1-x.yml": "groups: [{name: cpu, rules: [{record: c}]}, {name: none}]",
    }
    assert rule_counts(files) == {
        "host.yml/cpu": 2,
        "host.yml/empty": 0,
        "own-1-x.yml/cpu": 1,
        "own-1-x.yml/none": 0,
    }


def test_receivers_heartbeat_and_certificates_are_as_declared(expect: Callable[..., dict[str, Any]]) -> None:
    found = expect({"apps": [SHOP], "receivers": [SLACK], "heartbeat_url": "https://hc.example/secret-of-heartbeat"})
    assert (found["receivers"], found["heartbeat"]) == ({"slack": ["team"]}, True)
    assert found["certificates"] == {"shop": "https://shop.example.com/"}
    assert (found["hosts"], found["apps"]) == (["web1"], ["shop", "stack"])
    bare = expect({"apps": [{**SHOP, "url": "http://shop.example.com/"}]})
    assert (bare["receivers"], bare["heartbeat"], bare["certificates"]) == ({}, False, {})


def test_monitors_that_look_by_themselves_and_status_pages_are_expected(expect: Callable[..., dict[str, Any]]) -> None:
    own = [
        {"name": "Office", "type": "ping", "hostname": "10.0.0.1"},
        {"name": "Later", "type": "ping", "hostname": "10.0.0.2", "paused": True},
        {"name": "Cron", "type": "push"},
    ]
    found = expect({"apps": [{**SHOP, "jobs": [{"name": "backup", "every": "1d"}]}], "monitors": own})
    assert found["monitors"] == [
        *("shop", "shop: website", "shop: health", "shop: database"),
        *("Alerting path", "Alerting path: Prometheus", "Alerting path: Alertmanager", "Office"),
    ]
    assert found["status_pages"] == ["status"]
    assert {name: service["key"] for name, service in found["services"].items() if service["key"]} == {
        "uptime_kuma": "/var/lib/crowsnest/prometheus_keys/uptime_kuma"
    }


def test_no_secret_is_in_what_is_expected(expect: Callable[..., dict[str, Any]]) -> None:
    api = {"name": "API", "type": "http", "url": "https://a.example.com/", "headers": {"A": "secret-of-header"}}
    declared = {
        "receivers": [SLACK],
        "heartbeat_url": "https://hc.example/secret-of-heartbeat",
        "monitors": [api, {"name": "Cron", "type": "push"}],
    }
    text = json.dumps(expect(declared))
    assert "secret-of" not in text
    assert push_token(SECRETS["uptime_kuma_push_key"], "crowsnest/extra/Cron") not in text
    assert [secret for secret in SECRETS.values() if secret in text] == []


def test_secrets_are_handed_on_as_digests(context: MakeContext) -> None:
    made = context({"receivers": [SLACK]}, secrets=SECRETS, total_mib=8000)
    found = module.secret_digests(made)
    webhook = hashlib.sha256(SLACK["webhook_url"].encode()).hexdigest()
    assert list(found) == ["prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma"]
    assert found["alertmanager"]["secrets/team_webhook_url"] == webhook
    assert found["grafana"]["secrets/admin_password"] == hashlib.sha256(b"a-password").hexdigest()
    assert found["uptime_kuma"]["secrets/push_key"] == hashlib.sha256(b"kuma-key").hexdigest()


def test_every_panel_is_asked_with_a_window_of_four_scrapes(expect: Callable[..., dict[str, Any]]) -> None:
    found = expect({"apps": [SHOP], "scrape_interval": "10s"})
    assert {"overview", "host", "stack", "probes", "app-shop"} <= set(found["dashboards"])
    assert {query["dashboard"] for query in found["queries"]} <= set(found["dashboards"])
    assert any("[40s]" in query["expr"] for query in found["queries"])
    assert [query["expr"] for query in found["queries"] if re.search("[$][a-z_{]", query["expr"])] == []


def test_without_grafana_no_panel_is_asked(context: MakeContext, facts: Facts) -> None:
    made = context(total_mib=950, used_mib=500)
    assert "grafana" not in made.services
    found = module.expectations(made, {"web1": facts()}, {}, limited=False)
    assert (found["queries"], found["dashboards"]) == ([], {})
    assert (found["monitors"], found["status_pages"]) == ([], [])
    assert [check["detail"].split(":")[0] for check in found["checks"] if check["status"] == "WARN"] == [
        f"{name} is switched off" for name in made.plan.switched_off
    ]


LOOK = {"preflight_look": {"host": {"seen": "before"}}}
AGAIN = {"verify_look": {"host": {"seen": "now"}}}
GONE = {"msg": "Failed to connect to the host via ssh", "unreachable": True}


@pytest.mark.parametrize(
    ("here", "server", "limited", "found"),
    [
        (LOOK, LOOK, False, {"seen": "before"}),  # verify itself looks once
        ({**LOOK, **AGAIN}, {**LOOK, **AGAIN}, False, {"seen": "now"}),
        (LOOK, {**LOOK, **AGAIN}, False, "a task of this run failed on it"),
        ({**LOOK, "verify_look": GONE}, {**LOOK, **AGAIN}, False, "it does not answer over SSH"),
        ({"preflight_look": GONE}, {**LOOK, **AGAIN}, False, "it does not answer over SSH"),
        ({}, LOOK, True, "--limit left it out, or it does not answer over SSH"),
        ({}, {**LOOK, **AGAIN}, True, "--limit left it out, or it does not answer over SSH"),
    ],
)
def test_what_a_run_saw_before_its_changes_does_not_count(
    here: dict[str, Any], server: dict[str, Any], limited: bool, found: Any
) -> None:
    assert filters._last_look(here, server, limited) == found


def test_a_port_that_the_run_itself_closed_is_no_fault(facts: Facts) -> None:
    before, now = ({**facts(ports={"9100": [address]}), "data": {}} for address in ("0.0.0.0", "127.0.0.1"))
    looks = {"web1": {"preflight_look": {"host": before}, "verify_look": {"host": now}}}
    planned = filters.plan({}, "web1", ["web1"], looks, "/nowhere", "/nowhere")
    checks = filters.expectations(planned["context"], looks)["checks"]
    assert [check["status"] for check in checks if check["area"] == "ports"] == ["PASS"]


def test_a_host_that_does_not_answer_is_a_fault(expect: Callable[..., dict[str, Any]]) -> None:
    checks = expect({}, hosts=("web1", "web2"), silent=("web2",))["checks"]
    assert [(check["status"], check["detail"]) for check in checks if check["area"] == "hosts"] == [
        ("FAIL", "web2 was not checked: it does not answer over SSH"),
        ("PASS", "1 of 2 checked"),
    ]


# --- ports ---


def published(address: str, port: int) -> list[dict[str, Any]]:
    return [{"container": "shop-db-1", "address": address, "port": port}]


# name: (declared open ports, listening, published by Docker, the line's end and a word of the advice; none: it passes)
PORTS: dict[str, tuple[list[int], dict[str, list[str]], list[dict[str, Any]], tuple[str, str] | None]] = {
    "loopback": (
        [],
        {"9090": ["127.0.0.1", "::1", "::ffff:127.0.0.1"], "53": ["127.0.0.53"]},
        published("127.0.0.1", 1),
        None,
    ),
    "declared": ([22, 8443], {"22": ["0.0.0.0", "::"], "8443": ["203.0.113.1"]}, published("0.0.0.0", 8443), None),
    "a program": (
        [22],
        {"6379": ["0.0.0.0"]},
        [],
        ("a program can be reached from outside at port 6379 (0.0.0.0)", "sudo ss -ltnp 'sport = :6379'"),
    ),
    "IPv6 only": ([22], {"6379": ["::"]}, [], ("a program can be reached from outside at port 6379 (::)", "sudo ss")),
    "a container behind no proxy": (
        [22],
        {},
        published("0.0.0.0", 5432),
        ("container shop-db-1 can be reached from outside at port 5432 (0.0.0.0)", "127.0.0.1:5432 instead of 5432"),
    ),
    "one port once": (
        [22],
        {"5432": ["0.0.0.0", "::"]},
        published("::", 5432),
        ("container shop-db-1 can be reached from outside at port 5432 (0.0.0.0, ::)", "Docker"),
    ),
    "the stack": (
        [22],
        {"9090": ["127.0.0.1", "172.26.3.4"]},
        [],
        ("prometheus can be reached from outside at port 9090 (172.26.3.4)", "loopback only"),
    ),
    "only other containers": ([22], {"5432": ["172.17.0.1", "fd00::1"]}, [], None),
    "node exporter": (
        [22],
        {"9100": ["0.0.0.0"]},
        [],
        ("node exporter can be reached from outside at port 9100 (0.0.0.0)", "loopback only"),
    ),
}


@pytest.mark.parametrize("name", PORTS)
def test_ports_that_others_can_reach_are_the_declared_ones(name: str, context: MakeContext, facts: Facts) -> None:
    declared, listening, docker, fault = PORTS[name]
    found = {**facts(ports=listening), "ports": listening, "published": docker}
    checks = module.port_checks(context({"open_ports": declared}), {"web1": found})
    assert len(checks) == 1
    if fault is None:
        assert checks[0]["status"] == "PASS"
    else:
        status = "WARN" if "a program" in fault[0] else "FAIL"  # Docker goes past the host's own firewall
        assert (checks[0]["status"], checks[0]["detail"]) == (status, f"web1: {fault[0]}")
        assert fault[1] in checks[0]["advice"]


def test_node_exporter_of_a_further_host_may_listen_at_the_address_it_is_watched_at(
    context: MakeContext, facts: Facts
) -> None:
    planned = context(hosts=("web1", "web2"))
    there = {"address": "203.0.113.2", "ports": {"9100": ["203.0.113.2"], "9090": ["203.0.113.2"]}}
    lines = module.port_checks(planned, {"web1": facts(), "web2": facts(**there)})
    assert [line["detail"] for line in lines] == [
        "web2: a program can be reached from outside at port 9090 (203.0.113.2)"
    ]
    everywhere = {"ports": {"9100": ["203.0.113.2", "0.0.0.0"]}}
    lines = module.port_checks(planned, {"web1": facts(), "web2": facts(**everywhere)})
    assert [line["status"] for line in lines] == ["FAIL"]


def test_an_app_on_a_further_host_is_read_at_its_private_address(context: MakeContext, facts: Facts) -> None:
    apps = [{"name": "worker", "host": "web2", "metrics": [":8000/metrics"]}]
    there = facts(address="203.0.113.2", ports={"8000": ["203.0.113.2"]})
    (check,) = module.port_checks(context({"apps": apps}, hosts=("web1", "web2")), {"web1": facts(), "web2": there})
    assert check["status"] == "PASS"
    everywhere = facts(address="203.0.113.2", ports={"8000": ["0.0.0.0"]})
    (check,) = module.port_checks(
        context({"apps": apps}, hosts=("web1", "web2")), {"web1": facts(), "web2": everywhere}
    )
    assert check["status"] == "WARN"


@pytest.mark.parametrize("kept", [True, False])
def test_with_a_firewall_what_counts_is_that_it_is_in_force(kept: bool, context: MakeContext, facts: Facts) -> None:
    planned = context({"firewall": True, "open_ports": [22, 22, {"port": 51820, "protocol": "udp"}]})
    found = facts(ports={"22": ["0.0.0.0"], "5432": ["0.0.0.0"]})
    rules = planned.plan.firewall["web1"] if kept else ""
    (check,) = module.port_checks(planned, {"web1": {**found, "firewall": {**found["firewall"], "rules": rules}}})
    assert (check["status"], check["detail"]) == (
        ("PASS", "the firewall closes all ports but 22, 51820/udp")
        if kept
        else ("FAIL", "web1: the firewall is not as declared")
    )


def test_what_is_open_is_said(context: MakeContext, facts: Facts) -> None:
    (check,) = module.port_checks(
        context(), {"web1": facts(ports={"443": ["::"], "22": ["0.0.0.0"], "5432": ["127.0.0.1"]})}
    )
    assert check["detail"] == "only declared ports can be reached from outside: 22, 443"


# --- the report ---

# Of a line that is not gathered with others.
ALONE = {"kind": "", "name": ""}
REPORT = {
    "seconds": 1.94,
    "passed": 1,
    "warnings": 1,
    "failed": 2,
    "checks": [
        {"status": "FAIL", "area": "files", "detail": "a: changed: x", "advice": "Run it.", **ALONE},
        {"status": "FAIL", "area": "files", "detail": "b: changed: y", "advice": "Run it.", **ALONE},
        {"status": "FAIL", "area": "rules", "detail": "not loaded: c", "advice": "Run it.", **ALONE},
        {"status": "WARN", "area": "certificates", "detail": "ends in 13 d", "advice": "Renew.", **ALONE},
        {"status": "PASS", "area": "rules", "detail": "49 of 49", "advice": "", **ALONE},
    ],
}


def test_the_report_has_a_line_for_each_check_and_says_the_same_advice_once() -> None:
    assert verify_report(REPORT) == [
        "STATUS  AREA          DETAIL",
        "FAIL    files         a: changed: x",
        "FAIL    files         b: changed: y",
        "                      -> Run it.",
        "FAIL    rules         not loaded: c",
        "                      -> Run it.",
        "WARN    certificates  ends in 13 d",
        "                      -> Renew.",
        "PASS    rules         49 of 49",
        "",
        "verified in 1.9 s: 1 passed, 1 warning, 2 failed",
    ]


def alike(count: int, **other: str) -> list[dict[str, str]]:
    """Lines of one kind about different things."""
    line = {"status": "WARN", "area": "targets", "advice": "Look.", "kind": "targets of app shop are down", **other}
    return [{**line, "detail": f"app shop {number} is down: EOF", "name": f"{number} (EOF)"} for number in range(count)]


def shown(*checks: dict[str, str]) -> list[str]:
    """Lines of a report between its head and its sum."""
    return verify_report({**REPORT, "checks": list(checks)})[1:-2]


@pytest.mark.parametrize("status", ["FAIL", "WARN"])
def test_more_than_three_lines_of_a_kind_are_one(status: str) -> None:
    other = {**REPORT["checks"][3], "kind": "certificates expire", "name": "a"}
    many = alike(10, status=status)
    # What is of another kind, status or area stands for itself, even between them.
    assert shown(many[0], other, *many[1:], *alike(3, area="rules")) == [
        f"{status}    targets       10 targets of app shop are down: 0 (EOF), 1 (EOF), 2 (EOF) and 7 more",
        "                      -> Look.",
        "WARN    certificates  ends in 13 d",
        "                      -> Renew.",
        "WARN    rules         app shop 0 is down: EOF",
        "WARN    rules         app shop 1 is down: EOF",
        "WARN    rules         app shop 2 is down: EOF",
        "                      -> Look.",
    ]


def test_lines_without_a_kind_stand_for_themselves() -> None:
    assert len(shown(*alike(10, kind=""))) == 11


CAMPAIGNS = {"name": "shop_campaigns", "description": "Active campaigns"}


def test_declared_metrics_are_expected_by_a_series_that_exists_from_the_start(
    expect: Callable[..., dict[str, Any]],
) -> None:
    calls = {"name": "shop_calls", "type": "histogram", "description": "Calls"}
    signals = {"refunds": 'shop_refunds_total{reason!="test"}', "out_of_stock": "shop_campaigns"}
    app = {**SHOP, "custom_metrics": [CAMPAIGNS, calls], "signals": signals}
    found = expect({"apps": [app]})["custom_metrics"]
    assert {(each["series"], each["setting"]) for each in found} == {
        ("shop_refunds_total", "signals.refunds"),
        ("shop_campaigns", "custom_metrics"),
        ("shop_calls_count", "custom_metrics"),
    }
    assert {each["app"] for each in found} == {"shop"}


def test_what_is_expected_is_as_its_type_says(expect: Callable[..., dict[str, Any]]) -> None:
    database = {"address": "127.0.0.1:5432", "name": "shop", "admin_user": "a", "admin_password": "a-long-password"}
    analytics = {"measurement_id": "G-ABCDE12345", "templates": ["/srv/shop/base.html"]}
    kpis = [{"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}]
    app = {**SHOP, "database": database, "analytics": analytics, "custom_metrics": [CAMPAIGNS], "kpis": kpis}
    declared = {"apps": [app], "grafana_plugins": {"a-panel": "1.0.0"}, "weekly_report": {}}
    bot = {"type": "slack", "bot_token": "xoxb-1-hush", "channel": "#alerts"}
    told = {"receivers": [SLACK, bot], "heartbeat_url": "https://hc.example.com/ping"}
    host = {"registry": REGISTRY, "silent": ("web2",), "ports": {"5432": ["0.0.0.0"]}}
    found = expect(declared | told, hosts=("web1", "web2"), **host)
    assert misfits(found, Expected) == []
    assert all(found.values()) and all(found["business"].values())
    assert found["slack_bots"] == {"slack": "secrets/slack_bot_token"}


def test_files_of_apps_that_are_not_as_declared_are_told(expect: Callable[..., dict[str, Any]]) -> None:
    dsn = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
    analytics = {"measurement_id": "G-ABCDE12345", "templates": ["/srv/shop/base.html"]}
    app = {**SHOP, "env_file": "/srv/shop/.env", "sentry": {"dsn": dsn}, "analytics": analytics}
    lines = [(line["area"], line["detail"]) for line in expect({"apps": [app]})["checks"] if line["status"] == "WARN"]
    assert ("environment", "web1: /srv/shop/.env does not hold what is declared, or does not exist") in lines
    assert ("analytics", "web1: /srv/shop/base.html does not hold what is declared, or does not exist") in lines
    assert dsn not in str(lines)


def warnings(context: Context, area: str, **found: Any) -> list[Any]:
    facts: Any = {"web1": {**FACTS, **found}}
    checks = module.expectations(context, facts, {}, limited=False)["checks"]
    return [line for line in checks if (line["status"], line["area"]) == ("WARN", area)]


def reporting(dsn: str = f"https://{1:032x}@o1.ingest.us.sentry.io/42", **sentry: Any) -> dict[str, Any]:
    app = {"name": "shop", "env_file": "/srv/shop/.env", "compose": "/srv/shop/compose.yaml"}
    return {"apps": [{**app, "sentry": {"dsn": dsn, **sentry}}]}


@pytest.mark.parametrize(
    "release, detail, advice",
    [
        ("git", "no commit can be told of /srv/shop,", "git -C /srv/shop rev-parse"),
        ("image", "no tag can be told of the image of web,", "Start that service of /srv/shop/compose.yaml"),
    ],
)
def test_a_release_that_cannot_be_told_is_a_warning_with_the_way_out(
    context: MakeContext, release: str, detail: str, advice: str
) -> None:
    made = context(reporting(release=release, restart=["web"]))
    (line,) = [line for line in warnings(made, "environment") if "release" in line["detail"]]
    assert detail in line["detail"] and advice in line["advice"] and "`release: 1.2.3`" in line["advice"]
    told = warnings(made, "environment", releases={"shop": "4f1c9e2"})
    assert [line for line in told if "release" in line["detail"]] == []


@pytest.mark.parametrize("sentry", [{}, {"release": "1.2.3"}])
def test_a_release_that_is_written_or_not_wanted_is_no_warning(context: MakeContext, sentry: dict[str, str]) -> None:
    found = warnings(context(reporting(**sentry)), "environment")
    assert [line["detail"] for line in found if "release" in line["detail"]] == []


# Answers with a 5xx status in a second of which a month has 5,000.
AT_MOST = 5_000 / (30 * 86_400)


@pytest.mark.parametrize("errors, told", [(AT_MOST, []), (AT_MOST * 2, ["10,000"])])
def test_more_errors_than_the_free_plan_takes_are_a_warning(
    context: MakeContext, errors: float, told: list[str]
) -> None:
    traffic = {"shop": {"requests": 1.0, "errors": errors}}
    found = warnings(context(reporting()), "sentry", traffic=traffic)
    assert [number for line in found for number in re.findall(r"about ([\d,]+)", line["detail"])] == told
    assert warnings(context(reporting(monthly_errors=50_000)), "sentry", traffic=traffic) == []
    elsewhere = context(reporting(f"https://{1:032x}@bugsink.example.com/1"))
    assert warnings(elsewhere, "sentry", traffic=traffic) == []


def test_a_host_without_the_stack_is_one_sentence() -> None:
    assert verify_report({}) == ["The stack does not run here yet, so there is nothing to check."]


def test_what_other_tasks_could_not_do_is_a_fault_unless_it_is_the_apps(
    context: MakeContext, facts: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    told = {
        "preflight_look": {"host": facts()},
        "database_reader_failed": [{"app": "shop", "message": "crowsnest_ro cannot read"}],
        "database_reader_notes": [{"app": "shop", "message": "everybody may write"}],
        "metabase_failed": [{"change": "create person kim", "message": "HTTP 400"}],
    }
    found = module.expectations(context(), {"web1": facts()}, told, limited=False)
    assert [(it["status"], it["detail"]) for it in found["checks"] if it["area"] in ("databases", "business")] == [
        ("FAIL", "create person kim: HTTP 400"),
        ("WARN", "crowsnest_ro cannot read"),
        ("WARN", "everybody may write"),
    ]
