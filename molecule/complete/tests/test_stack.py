# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The running stack: what is up, what it has loaded, who can read its secrets."""

from __future__ import annotations

import json
from typing import Any

import yaml
from complete.declared import SHOP


def test_every_target_is_up(lab: Any, eventually: Any) -> None:
    def all_up() -> bool:
        targets = lab.get("prometheus", "/api/v1/targets")["data"]["activeTargets"]
        return {target["health"] for target in targets} == {"up"}

    eventually(all_up, 60)
    jobs = {labels["job"] for labels, _ in lab.query("up")}
    assert jobs == {
        "prometheus",
        "alertmanager",
        "blackbox",
        "grafana",
        "redis_exporter",
        "postgres_exporter",
        "pushgateway",
        "query_exporter",
        "uptime_kuma",
        "service_probe",
        "node",
        "app",
        "probe",
        "sentry",
        "proxy",
        "pages",
    }


def test_the_error_tracker_takes_what_is_sent_in_the_name_of_the_shop(lab: Any, eventually: Any) -> None:
    found = 'probe_success{job="sentry", app="shop", probe="events"} == 1'
    eventually(lambda: lab.query(found), 90)


def test_every_series_names_its_environment(lab: Any) -> None:
    assert {labels.get("environment") for labels, _ in lab.query("up")} == {"development"}


def test_every_probe_of_the_app_succeeds(lab: Any, eventually: Any) -> None:
    expected = {"url": 1.0, "health": 1.0, "answer": 1.0, "database": 1.0, "redis": 1.0, "celery": 1.0}

    def results() -> bool:
        return {
            labels["probe"]: value for labels, value in lab.query('probe_success{job="probe",app="shop"}')
        } == expected

    eventually(results, 120)


def test_every_rule_is_healthy_and_the_app_series_have_values(lab: Any, eventually: Any) -> None:
    groups = lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    # The first turn of a group that is evaluated every five minutes may be still to come.
    early = [
        rule for group in groups for rule in group["rules"] if group["interval"] > 60 and rule["health"] == "unknown"
    ]
    assert {rule["health"] for rule in rules if rule not in early} == {"ok"}, [
        it for it in rules if it["health"] != "ok"
    ]
    alerts = [rule for rule in rules if rule["type"] == "alerting"]
    assert len(alerts) > 30
    portal = f"https://watch.localhost:{lab.facts['hosts'][0]['ports']['https']}"
    runbooks = {rule["name"]: rule["annotations"]["runbook_url"] for rule in alerts}
    assert runbooks == {name: f"{portal}/runbooks/{name}.md" for name in runbooks}
    for series in ("app:requests:rate5m", "app:errors:ratio5m", "app:latency_p95:seconds"):
        eventually(lambda series=series: lab.query(f'{series}{{app="shop"}}'), 120)


# {series of the shop: its labels}; what a team of such a shop wants to know of it.
OWN_SERIES = {
    "shop_service_up": ["service"],
    "shop_campaigns": ["region", "state"],
    "shop_enrichment_runs_total": ["scope", "status"],
    "shop_enrichment_duration_seconds_bucket": ["scope", "status"],
    "shop_external_api_calls_total": ["endpoint", "status"],
    "shop_external_api_duration_seconds_bucket": ["endpoint", "status"],
    "shop_external_api_rate_limit_hits_total": ["endpoint"],
    "shop_table_rows": ["table"],
    "shop_table_bytes": ["table"],
    "shop_cleanup_rows_deleted_total": ["table"],
}


def test_the_shop_s_own_series_are_kept_with_their_labels(lab: Any, eventually: Any) -> None:
    for name, labels in OWN_SERIES.items():
        some = ", ".join(f'{label}!=""' for label in labels)
        eventually(lambda question=f'{name}{{job="app", {some}}}': lab.query(question), 90)
    up = {labels["service"] for labels, value in lab.query("shop_service_up") if value == 1}
    assert up == {"app", "database", "payment", "scraper"}


def test_exporters_and_the_batch_job_tell_of_the_shop(lab: Any, eventually: Any) -> None:
    for question in (
        'pg_up{app="shop"} == 1',
        'pg_stat_user_tables_table_size_bytes{app="shop", relname="shop_order"}',
        'redis_up{app="shop"} == 1',
        'app:queue:length{app="shop", queue="celery"}',
        'redis_pubsub_patterns{app="shop"} > 0',
        'shop_stock_report_products{job="stock-report"} > 0',
    ):
        eventually(lambda question=question: lab.query(question), 90)


def test_every_kpi_of_the_shop_has_a_value(lab: Any, eventually: Any) -> None:
    for kpi in SHOP["kpis"]:
        some = ", ".join(['app="shop"', 'host="lab1"', *(f'{label}!=""' for label in kpi.get("labels", []))])
        eventually(lambda question=f"kpi_{kpi['name']}{{{some}}}": lab.query(question), 90)
    assert len(lab.query("kpi_revenue_by_region")) >= 5


def test_a_kpi_is_what_the_app_itself_counts(lab: Any, eventually: Any) -> None:
    eventually(lambda: lab.query('kpi_out_of_stock == on (app) shop_products{state="out_of_stock"}'), 360)


def test_the_loaded_configuration_is_the_written_one(lab: Any, server: Any) -> None:
    loaded = yaml.safe_load(lab.get("prometheus", "/api/v1/status/config")["data"]["yaml"])
    written = yaml.safe_load(server.file("/opt/crowsnest/prometheus/current/prometheus.yml").content_string)
    jobs = [job["job_name"] for job in written["scrape_configs"]]
    assert [job["job_name"] for job in loaded["scrape_configs"]] == jobs
    assert loaded["global"]["evaluation_interval"] == written["global"]["evaluation_interval"]


def test_a_secret_is_readable_by_its_service_alone(server: Any, lab: Any) -> None:
    secret = server.file("/opt/crowsnest/alertmanager/current/secrets/slack_webhook_url")
    assert (secret.user, secret.gid, secret.mode) == ("root", 21093, 0o640)
    token = secret.content_string.rsplit("/", 1)[1]
    folder = server.file("/opt/crowsnest/alertmanager/releases")
    assert (folder.user, folder.gid, folder.mode) == ("root", 21093, 0o750)
    assert token not in server.check_output("ps axww -o args")
    assert token not in json.dumps(lab.get("alertmanager", "/api/v2/status"))
    assert token not in server.check_output("docker inspect crowsnest-alertmanager-1")
    assert token not in server.run("journalctl --no-pager").stdout
