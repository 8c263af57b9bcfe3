"""Panels change their colour where the alerts begin, and show the series that the alerts judge."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.verify.state import questions
from ansible_collections.crowsnest.core.plugins.plugin_utils import repository
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Panel

MakeContext = Callable[..., Context]
DECLARED = {
    "apps": [{"name": "shop", "framework": "django", "url": "https://shop.example.com/", "metrics": [":8000"]}],
}
# What a colour begins at: alert, severity, and how far from where the alert begins.
Steps = tuple[tuple[str, str, int], ...]
CPU: Steps = (("HostCpuHigh", "medium", -10), ("HostCpuHigh", "medium", 0))
MEMORY: Steps = (("HostMemoryLow", "high", -10), ("HostMemoryLow", "high", 0))
DISK: Steps = (("HostDiskFilling", "medium", 0), ("HostDiskFilling", "critical", 0))
CONTAINER: Steps = (("ContainerMemoryHigh", "medium", -10), ("ContainerMemoryHigh", "medium", 0))
# (dashboard, panel): its first colours.
COLOURS: dict[tuple[str, str], Steps] = {
    ("host", "CPU busy"): CPU,
    ("overview", "CPU busy"): CPU,
    ("host", "Memory used"): MEMORY,
    ("overview", "Memory used"): MEMORY,
    ("host", "Disk used"): DISK,
    ("host", "Disk used over time"): DISK,
    ("overview", "Disk used"): DISK,
    ("host", "Inodes used"): (("HostInodesLow", "high", -10), ("HostInodesLow", "high", 0)),
    ("host", "CPU taken by the provider"): (("HostCpuSteal", "medium", 0),),
    ("stack", "Memory of each service by its limit"): CONTAINER,
    ("containers", "Memory by its limit"): CONTAINER,
    ("containers", "Every container"): CONTAINER,
    ("probes", "Duration of probes"): (("ProbeSlow", "medium", 0),),
    ("probes", "Certificate valid for"): (("CertificateExpiry", "medium", 0),),
    ("uptime", "Certificates valid for"): (("MonitorCertificateExpiry", "medium", 0),),
}
# Panels whose text names the number at which an alert begins.
WORDS = {
    ("host", "CPU busy"): ("HostCpuHigh", "medium"),
    ("overview", "CPU busy"): ("HostCpuHigh", "medium"),
    ("host", "Memory used"): ("HostMemoryLow", "high"),
    ("overview", "Memory used"): ("HostMemoryLow", "high"),
    ("host", "Disk used"): ("HostDiskFilling", "medium"),
    ("overview", "Disk used"): ("HostDiskFilling", "medium"),
    ("host", "Clock offset"): ("HostClockSkewed", "medium"),
    ("stack", "Memory of each service by its limit"): ("ContainerMemoryHigh", "medium"),
    ("containers", "Memory by its limit"): ("ContainerMemoryHigh", "medium"),
    ("probes", "Duration of probes"): ("ProbeSlow", "medium"),
}
# Panels that show what an alert judges.
SHOWN = {
    "HostMemoryLow": [("host", "Memory used"), ("overview", "Memory used")],
    "HostDiskFilling": [("host", "Disk used"), ("host", "Disk used over time"), ("overview", "Disk used")],
    "HostDiskFullSoon": [("host", "Disk full in"), ("host", "Days until full")],
    "HostInodesLow": [("host", "Inodes used")],
    "HostClockSkewed": [("host", "Clock offset")],
    "ContainerMemoryHigh": [
        *(("stack", "Memory of each service by its limit"), ("containers", "Memory by its limit")),
        ("containers", "Every container"),
    ],
    "CertificateExpiry": [("probes", "Certificate valid for")],
}


def rules(files: Any) -> Iterator[dict[str, Any]]:
    for file in files.values():
        for group in file["groups"]:
            yield from group["rules"]


def begin(alert: str, severity: str) -> float:
    """Where the alert begins, as its expression says, in its own unit; days where the expression is in seconds."""
    (rule,) = (it for it in rules(static_rules()) if it.get("alert") == alert and it["labels"]["severity"] == severity)
    found = re.search(r"[<>] (\d+)", rule["expr"])
    assert found
    return float(found[1])


@pytest.fixture
def panels(context: MakeContext) -> Callable[[], dict[tuple[str, str], Panel]]:
    """{(dashboard, title): panel} of a plan with everything."""
    made = context({**DECLARED, "metabase": True}, total_mib=7900)
    return lambda: {
        (dashboard.uid, panel.title): panel
        for dashboard in dashboards(made)
        for row in dashboard.rows
        for panel in row.panels
    }


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """All alerts with a number of their own begin three later than usual."""
    changed = copy.deepcopy(dict(static_rules()))
    for rule in rules(changed):
        texts = rule.get("annotations", {})
        texts["threshold"] = re.sub(
            r"^\d+(?= (%|s|d)(,|$))", lambda it: str(int(it[0]) + 3), texts.get("threshold", "")
        )
    monkeypatch.setattr(repository, "static_rules", lambda: changed)


def begins(place: tuple[str, str], later: int = 0) -> list[float]:
    return [begin(alert, severity) + later + distance for alert, severity, distance in COLOURS[place]]


@pytest.mark.parametrize("place", COLOURS, ids=": ".join)
def test_colours_begin_where_alerts_do(panels: Any, place: tuple[str, str]) -> None:
    assert [step.value for step in panels()[place].thresholds][: len(COLOURS[place])] == begins(place)


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("place", COLOURS, ids=": ".join)
def test_colours_follow_when_an_alert_is_changed(panels: Any, place: tuple[str, str]) -> None:
    assert [step.value for step in panels()[place].thresholds][: len(COLOURS[place])] == begins(place, later=3)


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("place", WORDS, ids=": ".join)
def test_texts_follow_when_an_alert_is_changed(panels: Any, place: tuple[str, str]) -> None:
    assert re.search(rf"Over {begin(*WORDS[place]) + 3:g} (%|s)", panels()[place].description)


# Two formulas for one thing agree until one of them is mended.
@pytest.mark.parametrize("alert", SHOWN)
def test_panels_show_the_series_that_the_alert_judges(panels: Any, alert: str) -> None:
    judged = {name for rule in rules(static_rules()) if rule.get("alert") == alert for name in recorded(rule["expr"])}
    assert len(judged) == 1
    for place in SHOWN[alert]:
        assert judged <= {name for query in panels()[place].queries for name in recorded(query.expr)}


def recorded(expr: str) -> set[str]:
    """Names of the recorded series in a query."""
    return set(re.findall(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+\b", expr))


@pytest.mark.parametrize("question", ["certificates", "disk", "memory", "skew"])
def test_verify_prints_the_series_that_the_alerts_judge(question: str) -> None:
    asked = questions(300)[question]
    assert asked in {rule.get("record") for rule in rules(static_rules())}
    assert [rule["alert"] for rule in rules(static_rules()) if "alert" in rule and asked in rule["expr"]]


@pytest.mark.parametrize(("interval", "seconds"), [("5s", 5), ("15s", 10), ("30s", 10)])
def test_a_scrape_is_too_slow_when_prometheus_gives_it_up(context: MakeContext, interval: str, seconds: int) -> None:
    stack = next(it for it in dashboards(context({"scrape_interval": interval})) if it.uid == "stack")
    (panel,) = (panel for row in stack.rows for panel in row.panels if panel.title == "Scrape duration")
    assert [step.value for step in panel.thresholds] == [seconds]
    assert f"Near {seconds} s the scrape fails" in panel.description
