"""Apps with the libraries of today, read by a real Prometheus with the rules of all profiles."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import metrics_apps
import pytest
import requests
import sentry_apps
from contexts import context_of
from generated import prometheus, write
from programs import until

from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus
from ansible_collections.crowsnest.core.plugins.module_utils.verify.app_metrics import app_metrics_checks, asked_of_apps
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import PROFILES, app_metrics

Ask = Callable[[str], list[dict[str, Any]]]
ONE_PROCESS = [name for name in metrics_apps.APPS if "processes" not in name]
# {path: requests}; health counts nowhere.
TRAFFIC = {"/orders": 30, "/fails": 6, "/missing": 4, "/health": 10}
SHARE_OF_ERRORS = 6 / 40
# {app: what verify warns of}: nothing where the library's own buckets are narrow around 1 and 2 s.
_GUESS = "web: between {} and {} s it has no bucket, so AppLatencyHigh at {} s is a guess"
DOUBTS = {"express-prom-bundle": [_GUESS.format(1.5, 10, 2), _GUESS.format(0.3, 1.5, 1)]}


def asking(url: str) -> Ask:
    def ask(expr: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{url}/api/v1/query", params={"query": expr}, timeout=10).json()
        assert answer["status"] == "success" and not answer.get("infos"), answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    return ask


def declared(framework: str, port: int) -> dict[str, Any]:
    """The app `web`, and one of each framework whose rules must leave it alone."""
    others = [{"name": f"other-{name.replace('_', '-')}", "framework": name} for name in PROFILES]
    web = {"name": "web", "framework": framework, "metrics": [f"127.0.0.1:{port}"]}
    return {"scrape_interval": "1s", "apps": [web, *others]}


def visit(port: int, traffic: dict[str, int]) -> None:
    for path, count in traffic.items():
        for _ in range(count):
            sentry_apps.ask(f"http://127.0.0.1:{port}{path}")


def values(ask: Ask, expr: str) -> dict[str, float]:
    """{status, or empty: value}"""
    return {each["metric"].get("status", ""): float(each["value"][1]) for each in ask(expr)}


@pytest.mark.parametrize("name", ONE_PROCESS)
def test_an_app_of_today_has_all_series_and_panels(name: str, tmp_path: Path) -> None:
    framework = metrics_apps.APPS[name][0]
    (tmp_path / "app").mkdir()
    with metrics_apps.running(name, tmp_path / "app") as port:
        made = declared(framework, port)
        visit(port, dict.fromkeys(TRAFFIC, 1))
        with prometheus(write(tmp_path, made)) as url:
            ask = asking(url)
            until(lambda: ask('max_over_time(up{app="web"}[5m]) == 1'), 20)
            time.sleep(2)  # each series is seen once before it rises
            visit(port, TRAFFIC)
            time.sleep(4)  # two scrapes, and the rules after them
            # One moment for all questions: a turn of the rules may come between two of them.
            of_web = f'{{app="web", host="web1", environment="production"}} @ {time.time() - 1:.3f}'
            counted = values(ask, f"{PROFILES[framework].name}:responses:increase5m{of_web}")
            statuses = metrics_apps.GROUPED.get(name, ("200", "404", "500"))
            error_class = statuses[-1]
            assert set(counted) == set(statuses)
            # Prometheus extrapolates to the ends of the window, and not below zero.
            assert counted[error_class] == pytest.approx(TRAFFIC["/fails"], rel=0.5)
            recorders = {each["metric"]["__name__"] for each in ask('{__name__=~".+:responses:increase5m"}')}
            assert recorders == {f"{PROFILES[framework].name}:responses:increase5m"}
            recorded = {
                series: values(ask, f"app:{series}{of_web}")[""]
                for series in ("requests:rate5m", "errors:increase5m", "errors:ratio5m", "latency_p95:seconds")
            }
            assert recorded["requests:rate5m"] * 300 == pytest.approx(sum(counted.values()))
            assert recorded["errors:increase5m"] == counted[error_class]
            assert recorded["errors:ratio5m"] == pytest.approx(SHARE_OF_ERRORS, rel=0.1)
            assert 0.02 <= recorded["latency_p95:seconds"] <= 0.2
            exceptions = values(ask, f"app:exceptions:increase5m{of_web}")[""]
            assert exceptions == pytest.approx(counted[error_class], rel=0.1)
            assert ask('ALERTS{alertname="AppMetricsMissing", app="web"}') == []
            assert blank_panels(ask, made) == []
            assert doubts(url, framework) == DOUBTS.get(name, [])


def doubts(url: str, framework: str) -> list[str]:
    """What verify warns of."""
    wanted = [app_metrics(App.model_validate({"name": "web", "framework": framework, "metrics": [":8000"]}))]
    checks = app_metrics_checks(wanted, Prometheus(url).query_all(asked_of_apps(wanted)))
    return [check.detail for check in checks if check.status == "WARN"]


def test_processes_that_answer_in_turn_are_found(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    with metrics_apps.running("Flask in several processes", tmp_path / "app") as port:
        visit(port, TRAFFIC)
        with prometheus(write(tmp_path, declared("flask", port))) as url:
            (found,) = until(lambda: doubts(url, "flask"), 60)
    assert "several processes count for themselves" in found


def blank_panels(ask: Ask, made: dict[str, Any]) -> list[str]:
    """Panels about the server of the app's dashboard that show nothing; of the host nothing is known here."""
    (shown,) = (
        each for each in dashboards(context_of(made, total_mib=8000, used_mib=500, ports={})) if each.app == "web"
    )
    mine = ("Requests", "Errors", "Mean response time", "Response time", "Status codes", "Requests over time")
    tables = ("Ten slowest endpoints", "Endpoints that failed")
    return [query.panel for query in queries(shown, "1m") if query.panel in (*mine, *tables) and not ask(query.expr)]
