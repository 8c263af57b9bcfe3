"""Where the real amtool says that an alert goes, for every severity, with and without receivers that have `after`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from generated import write
from programs import tool

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_data

SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
SNS = {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall", "after": "15m"}
HOOK = {"type": "webhook", "url": "https://example.com/", "severities": ["critical", "high", "low"], "after": "1h"}
WINDOW = {"title": "shop", "start": "03:00", "end": "04:00", "apps": ["shop"]}
APPS = [{"name": "shop", "url": "https://shop.example.com/"}]
# {declaration: the receivers beside the one that is told at once}
DECLARED: dict[str, list[dict[str, Any]]] = {"without": [], "with": [SNS, HOOK]}
OWN, COPY = "crowsnest_alert=true", "escalation=true"
# (labels, where they go without `after`, where with it)
ROUTES: list[tuple[str, str, str]] = [
    *((f"severity={severity} {about}", severity, severity) for severity in SEVERITIES for about in (OWN, "app=shop")),
    ("alertname=Mine", "high", "high"),
    ("severity=page app=shop", "high", "high"),
    (f"severity=critical {OWN} {COPY}", "critical", "critical_after_15m,critical_after_1h"),
    (f"severity=critical app=shop {COPY}", "critical", "critical_after_15m,critical_after_1h"),
    (f"severity=high {OWN} {COPY}", "high", "high_after_1h"),
    (f"severity=high app=shop {COPY}", "high", "high_after_1h"),
    (f"severity=page {COPY}", "high", "high_after_1h"),
    (f"alertname=Mine {COPY}", "high", "high_after_1h"),
    (f"severity=low app=shop {COPY}", "low", "low_after_1h"),
    ("severity=critical test=true", "critical", "critical,critical_after_15m,critical_after_1h"),
    ("severity=high test=true", "high", "high,high_after_1h"),
    ("severity=medium test=true", "medium", "medium"),
    ("severity=low test=true", "low", "low,low_after_1h"),
    ("alertname=AlertingPathAlive severity=none", "heartbeat", "heartbeat"),
    (f"alertname=BackupDone severity=none {OWN}", "notice", "notice"),
    (f"alertname=WeeklyReport severity=none {OWN}", "report", "report"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    common = {"apps": APPS, "maintenance": [WINDOW]}
    return {
        name: write(tmp_path_factory.mktemp(name), {**common, "receivers": [SLACK, *more]})
        for name, more in DECLARED.items()
    }


@pytest.mark.parametrize("declared", DECLARED)
def test_every_alert_goes_where_it_must_and_nowhere_else(folders: dict[str, Path], declared: str) -> None:
    amtool = tool("amtool")
    wanted = {labels: after if declared == "with" else before for labels, before, after in ROUTES}
    words = ("config", "routes", "test", "--config.file=alertmanager.yml")
    assert {labels: amtool(folders[declared], *words, *labels.split()).stdout.strip() for labels in wanted} == wanted


def test_without_it_nothing_of_it_is_in_the_configuration(folders: dict[str, Path]) -> None:
    for name in ("alertmanager.yml", "prometheus.yml", "templates/language.tmpl"):
        assert "escalat" not in (folders["without"] / name).read_text()
        assert "escalat" in (folders["with"] / name).read_text()


def test_a_receiver_with_it_is_told_of_no_success_and_gets_no_report(folders: dict[str, Path]) -> None:
    config = yaml_data((folders["with"] / "alertmanager.yml").read_text())
    told = {receiver["name"]: [key for key in receiver if key.endswith("_configs")] for receiver in config["receivers"]}
    assert told["low"] == told["notice"] == told["report"] == ["slack_configs"]
    assert told["critical_after_15m"] == ["sns_configs"] and told["low_after_1h"] == ["webhook_configs"]
