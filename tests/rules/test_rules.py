"""What crowsnest generates, judged by Prometheus' and Alertmanager's own tools.

The promtool tests beside this file are run on rule files as they reach a host: with runbooks, in English, for a Django
app named shop. Some are run in Korean as well. What messages say is in test_messages.py.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from generated import write
from programs import Tool, tool

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import KEPT
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_data, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import PROFILES

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def promtool() -> Tool:
    return tool("promtool")


@pytest.fixture(scope="session")
def amtool() -> Tool:
    return tool("amtool")


# The other frameworks have no metrics here: their profile's rules are written, and app.yml is about shop, about told,
# whose exceptions Sentry tells in Slack, and about market, which has all that an app has only when it is declared.
SHOP: dict[str, Any] = {
    "apps": [
        {
            "name": "shop",
            "framework": "django",
            "metrics": ["127.0.0.1:8000"],
            "redis": {"queues": ["celery", "bulk"]},
            "thresholds": {"queue_length": 200},
        },
        {"name": "fastapi", "framework": "fastapi", "redis": {}},
        {"name": "flask", "framework": "flask"},
        {"name": "express", "framework": "express"},
        {
            "name": "told",
            "framework": "django",
            "metrics": [":8001"],
            "env_file": "/srv/told/.env",
            "sentry": {},
            "custom_metrics": [
                {
                    "name": "told_orders_total",
                    "type": "counter",
                    "description": "Orders",
                    "alert": {"below": 1, "for": "10m", "severity": "high"},
                }
            ],
        },
        {
            "name": "market",
            "framework": "fastapi",
            "metrics": [":8002"],
            "slo": 0.995,
            "anomaly": True,
            "signals": {
                "payment_up": "market_payment_up",
                "failed_payments": 'market_payments_total{status=~"failed|expired"}',
                "refunds": "market_refunds_total",
                "rate_limited": "market_api_rate_limit_hits_total",
                "out_of_stock": 'market_products{state="out_of_stock"}',
                "exceptions": "market_exceptions_total",
            },
            "custom_metrics": [
                {
                    "name": "market_campaigns",
                    "labels": ["region"],
                    "description": "Active campaigns. Start one when none is left.",
                    "alert": {"below": 1, "for": "10m", "severity": "high"},
                },
                {
                    "name": "market_refunds_total",
                    "type": "counter",
                    "description": "Refunds",
                    "unit": "KRW",
                    "alert": {"above": 20, "for": "1m", "severity": "low"},
                },
                {
                    "name": "market_api_duration_seconds",
                    "type": "histogram",
                    "labels": ["endpoint"],
                    "description": "Calls of other services",
                    "unit": "seconds",
                    "alert": {"above": 0.5},
                },
                {
                    "name": "market_cart_errors_ratio",
                    "description": "Carts that fail",
                    "unit": "ratio",
                    "alert": {"above": 0.05},
                },
                {
                    "name": "market_exports_bytes",
                    "description": "Size of exports",
                    "unit": "bytes",
                    "alert": {"above": 1048576},
                },
            ],
            "database": {"name": "market"},
            "backup": False,
            "kpis": [
                {
                    "name": "revenue",
                    "sql": "SELECT region, SUM(price) AS value FROM orders GROUP BY 1",
                    "labels": ["region"],
                    "description": "Revenue of today. Look at the payments.",
                    "unit": "KRW",
                    "alert": {"below": 50000, "for": "10m", "severity": "high"},
                },
                {
                    "name": "conversion",
                    "sql": "SELECT 0.5 AS value",
                    "every": "30s",
                    "description": "Orders by visits",
                    "unit": "ratio",
                    "alert": {"above": 0.5},
                },
            ],
        },
    ],
    "pushgateway": {"nightly-import": "1h"},
    "weekly_report": {},
    "receivers": [{"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}],
    "sentry": {"organization": "acme", "token": "sntryu_x", "slack_channel": "#errors"},
}
TOLD = {
    "name": "told",
    "slug": "told",
    "id": "7",
    "dsn": f"https://{'0' * 32}@o1.ingest.sentry.io/7",
    "dsn_digest": "0a",
    "alerts": "slack",
}
MADE = {"url": "https://sentry.io", "organization": "acme", "projects": [TOLD]}


def written(tmp_path_factory: pytest.TempPathFactory, language: str) -> Path:
    """A folder with all rule files."""
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / KEPT).write_text(json.dumps(MADE))
    return write(tmp_path_factory.mktemp("rules"), {**SHOP, "language": language}, str(secrets)) / "rules"


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All rule files and copies of the promtool tests."""
    folder = written(tmp_path_factory, "en")
    for path in HERE.glob("*_test.yml"):
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*_test.yml")))
def test_alerts_fire_and_keep_silent_as_promised(promtool: Tool, rules: Path, name: str) -> None:
    done = promtool(rules, "test", "rules", name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_file_has_a_test(rules: Path) -> None:
    tested = {re.sub(r"(_days)?_test", "", path.name) for path in HERE.glob("*_test.yml")}
    assert tested == {path.name for path in rules.glob("*.yml") if not path.name.endswith("_test.yml")}


# (alert, what it measures in English, in the first of its promtool tests that says so): its annotations in Korean.
KOREAN: dict[tuple[str, str], dict[str, str]] = {
    ("AppDown", "up = 0"): {"value": "up = 0", "threshold": "up = 0, 2분 지속"},
    ("HostMemoryLow", "90.8 %"): {"value": "90.8%", "threshold": "90% 초과, 10분 지속"},
    ("HostDiskFullSoon", "3h 44m 59s"): {"value": "소진까지 3시간 44분 59초", "threshold": "24시간 미만, 90분 지속"},
    ("HostClockSkewed", "10s"): {"value": "오차 10초", "threshold": "5초 초과, 5분 지속"},
    ("HostRebootRequired", "required for 1d 1h 0m 0s"): {
        "value": "재부팅 대기 1일 1시간 0분 0초",
        "threshold": "24시간 초과",
        "description": "설치된 업데이트는 재부팅해야 적용됩니다. 재부팅을 요청한 패키지: libc6 linux-image. "
        "사용자가 적은 시간에 실행하세요: sudo systemctl reboot",
    },
    ("HostUpdatesFailing", "last success 3d 1h 0m 0s ago"): {
        "value": "마지막 성공 3일 1시간 0분 0초 전",
        "threshold": "3일 초과, 10분 지속",
        "description": "패키지 목록을 받지 못했거나 업데이트를 설치하지 못했습니다. 대기 중인 보안 업데이트: 12개. "
        "원인 확인: sudo unattended-upgrade --dry-run --debug",
    },
    ("CertificateExpiry", "9d 23h 50m 0s"): {
        "value": "남은 기간 9일 23시간 50분 0초",
        "threshold": "14일 미만, 10분 지속",
    },
    ("CertificateExpired", "-10m 0s"): {"value": "남은 기간 -10분 0초", "threshold": "0초 이하(만료)"},
    ("MonitorCertificateExpiry", "13 d"): {"value": "13일 남음", "threshold": "14일 미만, 10분 지속"},
    ("MetabaseMemoryLow", "50MiB left"): {"value": "50MiB 남음", "threshold": "64MiB 미만, 10분 지속"},
    ("ContainerMetricsStale", "no metrics"): {"value": "지표 없음", "threshold": "3분간 갱신 없음, 2분 지속"},
    ("ContainerMetricsStale", "6m 0s old"): {
        "value": "마지막 갱신 6분 0초 전",
        "threshold": "3분간 갱신 없음, 2분 지속",
    },
    ("BackupFailed", "last good 1d 0h 4m 0s ago"): {
        "value": "마지막 성공 1일 0시간 4분 0초 전",
        "threshold": "재시도까지 모두 실패",
    },
    ("BackupFailed", "none is good yet"): {"value": "성공한 백업 없음", "threshold": "재시도까지 모두 실패"},
    ("BackupNotUploaded", "2 missing"): {
        "value": "2개 누락",
        "threshold": "누락 또는 복사 실패, 1시간 지속",
        "description": "web1 호스트가 유실되면 누락된 백업도 함께 유실됩니다. 1시간마다 재시도합니다. "
        "호스트에서 즉시 실행: sudo crowsnest-backup sync shop",
    },
    ("PushSilent", "1h 7m 0s"): {"value": "미전송 시간 1시간 7분 0초", "threshold": "1시간 0분 0초 초과, 5분 지속"},
    ("QueueLong", "300"): {"value": "300개", "threshold": "200개 초과, 5분 지속"},
    ("SentryUnreachable", "HTTP 403"): {
        "value": "HTTP 403",
        "threshold": "probe_success = 0, 15분 지속",
        "description": "Sentry의 응답: HTTP 403. 새 예외가 Sentry와 그 알림에 나타나지 않습니다. 확인: "
        "./crowsnest sentry-test",
    },
    ("AppErrorRatioHigh", "10%"): {"value": "10%", "threshold": "5% 초과, 5분간 5건 이상, 5분 지속"},
    ("AppExceptions", "50 / 5 min"): {
        "value": "5분간 50건",
        "threshold": "5분간 10건 초과, 직전 1시간 평균의 3배 초과, 2분 지속",
    },
    ("AppLatencyHigh", "2.42 s"): {"value": "2.42초", "threshold": "2초 초과, 5분 지속"},
    ("AppErrorBudgetBurning", "10%"): {"value": "10%", "threshold": "7.2% 초과, 1시간 동안 5건 이상, 2분 지속"},
    ("AppRefundsHigh", "20 / 1 h"): {
        "value": "1시간 동안 20건",
        "threshold": "1시간 동안 10건 초과, 직전 1일 평균의 3배 초과",
    },
    ("AppApiLimited", "1 / 15 min"): {"value": "15분 동안 1건", "threshold": "15분 동안 0건 초과"},
    ("AppRequestsUnusual", "0.20 / s, usual: 1.10 to 2.90 / s"): {
        "value": "초당 0.20건, 평소 1.10~2.90건",
        "threshold": "최근 4주의 평소 범위(편차의 3배)를 벗어남, 30분 지속",
    },
    ("AppMetricOutOfRange", "40 KRW / 5 min"): {"value": "5분간 40 KRW", "threshold": "5분간 20 KRW 초과, 1분 지속"},
    ("AppMetricOutOfRange", "975ms"): {"value": "975ms", "threshold": "500ms 초과, 5분 지속"},
    ("AppMetricOutOfRange", "6.25%"): {"value": "6.25%", "threshold": "5% 초과, 5분 지속"},
}


@pytest.fixture(scope="session")
def korean_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory, "ko")


@pytest.mark.parametrize("case", KOREAN, ids=": ".join)
def test_the_same_figures_are_told_in_korean(promtool: Tool, korean_rules: Path, tmp_path: Path, case: Any) -> None:
    said, file = KOREAN[case], told_by_promtool_test(*case)
    for name in file["rule_files"]:
        groups = yaml_data((korean_rules / name).read_text())["groups"]
        for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
            rule["annotations"] = {part: text for part, text in rule["annotations"].items() if part in said}
        (tmp_path / name).write_text(yaml_text({"groups": groups}))
    ((entry,),) = [each["exp_alerts"] for test in file["tests"] for each in test["alert_rule_test"]]
    entry["exp_annotations"] = said
    (tmp_path / "korean_test.yml").write_text(yaml_text(file))
    done = promtool(tmp_path, "test", "rules", "korean_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def told_by_promtool_test(alert: str, value: str) -> dict[str, Any]:
    """The first promtool test with a moment at which only this alert fires, with this value; it asks nothing else."""
    for path in sorted(HERE.glob("*_test.yml")):
        # Texts only: to PyYAML the series 0x30 is the number 48.
        file = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - it makes plain values only
        for test in file["tests"]:
            for moment in test.get("alert_rule_test", []):
                fired = [each["exp_annotations"].get("value") for each in moment.get("exp_alerts") or []]
                if moment["alertname"] == alert and fired == [value]:
                    test.pop("promql_expr_test", None)
                    return {**file, "tests": [{**test, "alert_rule_test": [moment]}]}
    raise AssertionError(f"no promtool test of {alert} says {value}")


SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x", "channel": "#alerts"}
EVERYTHING: dict[str, Any] = {
    "environment": "staging",
    "scrape_interval": "5s",
    "apps": [
        {
            "name": f"app-{framework.replace('_', '-')}",
            "framework": framework,
            "url": "https://shop.example.com/",
            "metrics": [f":{port}", f"127.0.0.1:{port}/internal/metrics", f"[::1]:{port}"],
            "health": {"basic": "/health/", "detailed": "/d/", "components": ["database", "redis"]},
            "thresholds": {
                "error_ratio": 0.001,
                "latency_p95_high_seconds": 1e-05,
                "latency_p95_medium_seconds": 1e-06,
            },
            **({"slo": 0.95, "anomaly": True} if framework != "generic" else {}),
        }
        for port, framework in enumerate((*PROFILES, "generic"), 8000)
    ]
    + [{"name": "elsewhere", "host": "web2", "metrics": [":9000"]}],
    "receivers": [
        SLACK,
        {"type": "slack", "name": "oncall", "webhook_url": "https://hooks.slack.com/services/T/B/y"},
        {"type": "discord", "webhook_url": "https://discord.com/api/webhooks/1/x"},
        {"type": "webhook", "url": "https://example.com/hook"},
        {
            "type": "email",
            "to": ["a@example.com", "b@example.com"],
            "sender": "Crowsnest <crowsnest@example.com>",
            "smarthost": "smtp.example.com:587",
            "username": "crowsnest",
            "password": "x",
        },
        {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"},
        {
            "type": "sns",
            "name": "keys",
            "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall",
            "access_key": "A",
            "secret_key": "x",
        },
    ],
    "heartbeat_url": "https://hc-ping.com/uuid",
    "external_urls": {"prometheus": "https://watch.example.com/prometheus/"},
}

DECLARATIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "everything": EVERYTHING,
    "in Korean": {**EVERYTHING, "language": "ko"},
    "the shortest interval": {"scrape_interval": "1s"},
    "all alerts of a group disabled": {"disabled_alerts": ["HostDown", "NodeExporterDown", "AlertingPathAlive"]},
    "office hours at the weekend": {"office_hours": {"weekdays": "saturday:monday", "start": "00:00", "end": "23:59"}},
    "another time zone": {"timezone": "America/Argentina/Buenos_Aires"},
    "a long repetition": {"repeat_after": "1w2d"},
}
per_declaration = pytest.mark.parametrize("declared", DECLARATIONS.values(), ids=DECLARATIONS)


@per_declaration
def test_prometheus_takes_its_configuration_and_rules(promtool: Tool, tmp_path: Path, declared: dict[str, Any]) -> None:
    done = promtool(write(tmp_path, declared), "check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list((tmp_path / 'rules').iterdir()))} rule files found" in done.stdout


@per_declaration
def test_promtool_finds_nothing_to_object_to(promtool: Tool, tmp_path: Path, declared: dict[str, Any]) -> None:
    folder = write(tmp_path, declared)
    rules = sorted(str(path.relative_to(folder)) for path in (folder / "rules").iterdir())
    for words in (["rules", "--lint=all", "--lint-fatal", *rules], ["config", "--lint=all", "prometheus.yml"]):
        done = promtool(folder, "check", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not re.search("(?i)duplicate|lint error|fail|warn", done.stdout + done.stderr)


@per_declaration
def test_alertmanager_takes_its_configuration_and_templates(
    amtool: Tool, tmp_path: Path, declared: dict[str, Any]
) -> None:
    done = amtool(write(tmp_path, declared), "check-config", "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


def test_a_rule_file_of_the_team_that_prometheus_cannot_use_is_found_before_it_is_in_force(
    promtool: Tool, tmp_path: Path
) -> None:
    (tmp_path / "orders.yaml").write_text("groups: [{name: orders, rules: [{record: 'a', expr: 'sum('}]}]")
    done = promtool(write(tmp_path, {"rule_files": ["orders.yaml"]}), "check", "config", "prometheus.yml")
    assert done.returncode != 0
    assert "own-1-orders.yml" in done.stdout + done.stderr


# Labels of an alert: the receiver it goes to.
ROUTES = {
    "alertname=AppDown severity=critical": "critical",
    "alertname=AppLatencyHigh severity=high": "high",
    "alertname=AppLatencyHigh severity=medium": "medium",
    "alertname=HostRebooted severity=low": "low",
    "alertname=MonitorDown monitor_name=Payment severity=critical": "critical",
    "alertname=JobSilent app=shop severity=high": "high",
    "alertname=OrdersStopped severity=page": "high",
    "alertname=OrdersStopped": "high",
    "alertname=AlertingPathAlive severity=none": "heartbeat",
    "alertname=BackupDone severity=none crowsnest_alert=true": "notice",
    "alertname=WeeklyReport severity=none crowsnest_alert=true": "report",
    "alertname=WeeklyReport severity=none": "high",
    "alertname=TestAlert test=true severity=critical": "critical",
    "alertname=TestAlert test=true severity=high": "high",
    "alertname=TestAlert test=true severity=medium": "medium",
    "alertname=TestAlert test=true severity=low": "low",
    "alertname=TestAlert test=true": "high",
}


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("alertmanager"), EVERYTHING)


@pytest.mark.parametrize("labels", ROUTES)
def test_an_alert_goes_to_the_receiver_of_its_severity(amtool: Tool, alertmanager: Path, labels: str) -> None:
    done = amtool(alertmanager, "config", "routes", "test", "--config.file=alertmanager.yml", *labels.split())
    assert done.stdout.strip() == ROUTES[labels], done.stderr
