"""What the dashboard "Alert history" says of the past, as Prometheus itself evaluates its queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from contexts import context_of
from programs import tool

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries

SHOP = {"name": "shop", "framework": "django", "metrics": [":8000"]}
DOWN = 'alertname="AppDown", severity="critical", app="shop", host="web1", environment="production"'
DISK = 'alertname="HostDiskFilling", severity="medium", host="web1", mountpoint="{}"'
CLIENT = 'alertname="HostCpuHigh", severity="medium", host="web1"'
ALWAYS = 'alertname="AlertingPathAlive", severity="none"'
# Labels of an alert without its state: its values, one a minute. `stale` is where it ended.
FIRING = {
    DOWN: "1x4 stale _x19 1x9 stale",  # 5 minutes, then 10
    DISK.format("/"): "_x29 1x9 stale",  # two disks at the same time: 10 minutes, and 20 with the first in them
    DISK.format("/data"): "_x19 1x19 stale",
    ALWAYS: "1x60",
}
SINCE = {
    DOWN: "0x4 stale _x19 1500x9 stale",
    DISK.format("/"): "_x29 1800x9 stale",
    DISK.format("/data"): "_x19 1200x19 stale",
    CLIENT: "600x20 stale",
    ALWAYS: "0x60",
}
PENDING = {CLIENT: "1x20 stale", DISK.format("/"): "_x19 1x9 stale"}


def series() -> list[dict[str, str]]:
    states = (("firing", FIRING), ("pending", PENDING))
    made = [
        {"series": f'ALERTS{{{labels}, alertstate="{state}"}}', "values": values}
        for state, given in states
        for labels, values in given.items()
    ]
    return [*made, *({"series": f"ALERTS_FOR_STATE{{{labels}}}", "values": values} for labels, values in SINCE.items())]


def asked(title: str) -> list[str]:
    """PromQL of a panel, for all that its variables allow, in one hour."""
    context = context_of({"apps": [SHOP]}, registry=REGISTRY, total_mib=8000)
    (dashboard,) = (each for each in dashboards(context) if each.uid == "alerts")
    return [query.expr for query in queries(dashboard, "5m") if query.panel == title]


def holds(folder: Path, *cases: tuple[str, str, dict[str, float]]) -> None:
    """Whether Prometheus gives {labels: value} for (PromQL, time)."""
    expected: list[dict[str, Any]] = [
        {"expr": expr, "eval_time": at, "exp_samples": [{"labels": f"{{{it}}}", "value": found[it]} for it in found]}
        for expr, at, found in cases
    ]
    test = {"interval": "1m", "input_series": series(), "promql_expr_test": expected}
    (folder / "history_test.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = tool("promtool")(folder, "test", "rules", "history_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


APP_ROW = 'alertname="AppDown", severity="critical", app="shop", host="web1", page="app-shop"'
HOST_ROW = 'alertname="HostDiskFilling", severity="medium", host="web1", page="host"'


def test_each_alert_that_fired_has_its_times_its_duration_and_its_end(tmp_path: Path) -> None:
    """One that was only pending has none, nor the alert that always fires; two disks at once last as long as both."""
    times, in_all, last = asked("What fired how often")
    holds(
        tmp_path,
        (times, "59m", {APP_ROW: 2, HOST_ROW: 2}),
        (in_all, "59m", {APP_ROW: 15 * 60, HOST_ROW: 20 * 60}),
        (last, "59m", {APP_ROW: 34 * 60_000, HOST_ROW: 38 * 60_000}),
    )


def test_the_timeline_shows_also_what_ended_between_two_steps(tmp_path: Path) -> None:
    (states,) = asked("Alert history")
    down, disk, client = (
        'alertname="AppDown", severity="critical", app="shop", host="web1", thing="shop web1"',
        'alertname="HostDiskFilling", severity="medium", host="web1", thing=" web1"',
        'alertname="HostCpuHigh", severity="medium", host="web1", thing=" web1"',
    )
    holds(
        tmp_path,
        (states, "7m", {down: 2, client: 1}),
        (states, "22m", {disk: 2, client: 1}),
        (states, "50m", {}),
    )


def test_how_many_alerts_fired_at_once_by_severity(tmp_path: Path) -> None:
    (firing,) = asked("Firing by severity")
    holds(tmp_path, (firing, "30m", {'severity="critical"': 1, 'severity="medium"': 1}))
