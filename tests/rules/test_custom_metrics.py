"""Declared metrics of a page that the real client library makes: panels have data, and verify names what is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from contexts import context_of
from locked_packages import of_pypi
from programs import free_port, running, until

from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus
from ansible_collections.crowsnest.core.plugins.module_utils.verify.custom import custom_checks, exported_question
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.app import app_dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config

DECLARED: list[dict[str, Any]] = [
    {"name": "shop_campaigns", "labels": ["region"], "description": "Active campaigns"},
    {"name": "shop_refunds_total", "type": "counter", "labels": ["reason"], "description": "Refunds"},
    {"name": "shop_call_seconds", "type": "histogram", "labels": ["endpoint"], "description": "Calls"},
    {"name": "shop_refunds", "type": "counter", "description": "The name of the counter in the app's own code"},
]


# The app: it works twenty times a second, and anybody may read what it counted.
APP = """
import sys, time
from prometheus_client import Counter, Gauge, Histogram, start_http_server

campaigns = Gauge("shop_campaigns", "Campaigns", ["region"])
refunds = Counter("shop_refunds", "Refunds", ["reason"])
calls = Histogram("shop_call_seconds", "Calls", ["endpoint"])
start_http_server(int(sys.argv[1]), "127.0.0.1")
while True:
    campaigns.labels("kr").set(3)
    campaigns.labels("jp").set(0)
    refunds.labels("late").inc()
    calls.labels("pay").observe(0.3)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, App, dict[str, str]]]:
    """The URL of a Prometheus that reads the app, the app as declared, and {title of a panel: its query}."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    python = of_pypi(Path(__file__).resolve().parents[1] / "metrics_client") / "python"
    app_process = subprocess.Popen([python, "-c", APP, str(port)])
    try:
        declared = {"name": "shop", "metrics": [f":{port}"], "metrics_prefix": "shop_", "custom_metrics": DECLARED}
        context = context_of({"scrape_interval": "1s", "apps": [declared]})
        config = prometheus_config(context)
        jobs = [job for job in config["scrape_configs"] if job["job_name"] == "app"]
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": config["global"], "scrape_configs": jobs}))
        (app,) = context.declaration.apps
        panels = {query.panel: query.expr for query in queries(app_dashboard(context, app), "1m")}
        words = "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data"
        with running("prometheus", folder, *words) as url:
            until(lambda: series(url, panels["shop_call_seconds"]), 30)
            yield url, app, panels
    finally:
        app_process.terminate()
        app_process.wait(30)


def series(url: str, expr: str) -> dict[str, float]:
    """{values of the labels: number} of an answer, without those that are no number."""
    found = requests.get(f"{url}/api/v1/query", params={"query": expr}, timeout=20).json()["data"]["result"]
    return {",".join(it["metric"].values()): float(it["value"][1]) for it in found if it["value"][1] != "NaN"}


def test_each_panel_shows_its_metric_by_its_labels(asked: tuple[str, App, dict[str, str]]) -> None:
    url, _, panels = asked
    assert series(url, panels["shop_campaigns"]) == {"kr": 3, "jp": 0}
    (refunds,) = series(url, panels["shop_refunds_total"]).items()
    assert refunds[0] == "late" and refunds[1] > 0
    assert set(series(url, panels["All of shop_"])) == {
        *("shop_campaigns", "shop_refunds_total", "shop_call_seconds_count", "shop_call_seconds_sum")
    }
    (calls,) = series(url, panels["shop_call_seconds"]).items()
    assert calls[0] == "pay" and 0.25 < calls[1] <= 0.5  # its bucket


def test_verify_names_the_one_that_is_not_exported(asked: tuple[str, App, dict[str, str]]) -> None:
    url, app, _ = asked
    wanted = [
        CustomMetric(app="shop", series=metric.exported, setting="custom_metrics") for metric in app.custom_metrics
    ]
    question = exported_question(wanted)
    answer = Prometheus(url).query_all([question])[question]
    assert [(it.status, it.detail) for it in custom_checks(wanted, answer, {"shop"})] == [
        ("WARN", "shop: shop_refunds is declared, but not exported"),
        ("PASS", "3 of 4 declared ones are exported"),
    ]
