"""Every query of every panel and rule, asked of a real Prometheus that holds series as they really are.

Prometheus says of a query what is doubtful about it (`infos`, `warnings`), and Grafana then shows a warning triangle
on the panel. It is taken from PATH, else from the images of the laboratory, and listens on loopback.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from contexts import context_of
from programs import command, running

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import EVERY_KIND, rule_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.portal import TABLES

Ask = Callable[..., dict[str, Any]]
HEALTH = {"basic": "/health/", "detailed": "/detailed/", "components": ["database", "redis"]}
DECLARED: dict[str, Any] = {
    "environment": "staging",
    "metabase": True,
    "backup_remotes": {"offsite": {"bucket": "shop-backups", "region": "ap-northeast-2"}},
    "backup_stack": {"remote": "offsite"},
    "apps": [
        {
            "name": name,
            "container": name,
            "framework": name,
            "url": "https://shop.example.com/",
            "metrics": [":8000"],
            "health": HEALTH,
        }
        for name in ("django", "fastapi", "flask", "generic")
    ]
    + [
        {
            "name": "express",
            "framework": "prom_client",
            "metrics": [":3000"],
            "database": {"name": "express"},
            "redis": {"queues": ["celery"]},
            "metrics_prefix": "shop_",
            "custom_metrics": [
                {"name": "shop_campaigns", "labels": ["region"], "description": "x", "alert": {"below": 1}},
                {"name": "shop_refunds_total", "type": "counter", "description": "x", "alert": {"above": 1}},
                {"name": "shop_api_seconds", "type": "histogram", "labels": ["endpoint"], "description": "x"},
            ],
        },
        EVERY_KIND.model_dump(by_alias=True, exclude_unset=True),
    ],
    "pushgateway": {"nightly-import": "1d"},
}
# A value for each label that a selector says nothing exact of: the first one that its matchers take.
WORDS = ("", "x", "1", "500", "200", "a/b", "eth0", "vda", "idle", "ext4")
MINUTES = 90


@contextmanager
def prometheus(folder: Path) -> Iterator[Ask]:
    """A Prometheus on the blocks in `folder`/data; the result asks its API, path and parameters given."""
    (folder / "prometheus.yml").write_text("{}\n")
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=error"]
    with running("prometheus", folder, *flags) as url:
        yield lambda path, **parameters: requests.get(f"{url}/api/v1/{path}", params=parameters, timeout=20).json()


# --- what is asked ----------------------------------------------------------------------------------------------------


def everything() -> dict[str, tuple[str, str]]:
    """{where a query stands: (PromQL, legend)}, of all panels and rules of a plan with everything."""
    context = context_of(DECLARED, registry=REGISTRY, total_mib=8000, used_mib=500, ports={})
    shown = dashboards(context)
    found = {}
    for dashboard in shown:
        legends = [query.legend for row in dashboard.rows for panel in row.panels for query in panel.queries]
        for number, (query, legend) in enumerate(zip(queries(dashboard, "1m"), legends, strict=True)):
            found[f"{query.dashboard}: {query.panel} #{number}"] = (query.expr, legend)
        for mark in dashboard.marks:
            expr = mark.expr.replace("$host", ".+").replace("$environment", DECLARED["environment"])
            found[f"{dashboard.uid}: {mark.name}"] = (expr, f"{mark.title} {mark.text}")
    for _, label, columns in TABLES.values():
        for title, _, expr in columns:
            found[f"portal: {title}"] = (expr, f"{{{{{label}}}}}")
    for name, text in rule_files(context).items():
        for group in yaml.safe_load(text)["groups"]:
            for number, rule in enumerate(group["rules"]):
                where = f"{name}: {rule.get('alert') or rule['record']} #{number}"
                found[where] = (rule["expr"], "")
    return found


ASKED = everything()


def selectors(node: Any) -> Iterator[dict[str, Any]]:
    """All selectors of a query that Prometheus took apart."""
    if isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector"):
            yield node
        for child in node.values():
            yield from selectors(child)
    elif isinstance(node, list):
        for child in node:
            yield from selectors(child)


def series(selector: Mapping[str, Any]) -> dict[str, str]:
    """Labels that the selector takes; more than it asks for is not needed."""
    made: dict[str, str] = {}
    for name in sorted({each["name"] for each in selector["matchers"]} - {"__name__"}):
        of_name = [each for each in selector["matchers"] if each["name"] == name]
        fitting = [
            word
            for word in (*WORDS, *(shortest(each["value"]) for each in of_name))
            if all(takes(each, word) for each in of_name)
        ]
        assert fitting, f"no value of {name} for {of_name}: add one to WORDS"
        made[name] = fitting[0]
    return {name: value for name, value in made.items() if value}


def shortest(pattern: str) -> str:
    """A text that an ordinary regular expression takes: options left out, the first of alternatives."""
    without = re.sub(r"\([^()]*\)[?*]", "", pattern)
    return re.sub(r"\(([^()|]*)[^()]*\)|[|].*", r"\1", without).replace(".*", "").replace(".+", "x").replace("\\", "")


def takes(matcher: Mapping[str, str], word: str) -> bool:
    kind, value = matcher["type"], matcher["value"]
    same = bool(re.fullmatch(value, word)) if "~" in kind else value == word
    return same != kind.startswith("!")


def openmetrics(found: list[dict[str, Any]], now: float) -> str:
    """Rising series, one sample a minute, for every selector; a histogram has three buckets."""
    names = {}
    for selector in found:
        # A pattern of names is of those that begin so.
        name = selector["name"] or next(
            shortest(it["value"]) for it in selector["matchers"] if it["name"] == "__name__"
        )
        for le in ("0.1", "1", "+Inf") if name.endswith("_bucket") else ("",):
            labels = {**series(selector), **({"le": le} if le else {})}
            pairs = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            names[f"{name}{{{pairs}}}"] = None
    lines = [
        f"{each} {minute} {now - (MINUTES - minute) * 60:.0f}" for each in sorted(names) for minute in range(MINUTES)
    ]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with prometheus(tmp_path_factory.mktemp("empty")) as ask:
        yield ask


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, empty: Ask) -> Iterator[Ask]:
    """Every series that any query asks for, under its real name."""
    folder = tmp_path_factory.mktemp("filled")
    trees = [empty("parse_query", query=expr) for expr, _ in ASKED.values()]
    assert [tree for tree in trees if tree["status"] != "success"] == []
    (folder / "series.txt").write_text(openmetrics(list(selectors(trees)), time.time()))
    words = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", str(folder / "series.txt"), str(folder / "data")]
    subprocess.run([*command("promtool", folder), *words], check=True, capture_output=True)
    with prometheus(folder) as ask:
        yield ask


def doubts(answer: Mapping[str, Any]) -> list[str]:
    return [answer["error"]] if "error" in answer else [*answer.get("infos", []), *answer.get("warnings", [])]


def test_prometheus_has_no_doubt_about_any_query(filled: Ask) -> None:
    found = {where: doubts(filled("query", query=expr)) for where, (expr, _) in ASKED.items()}
    assert {where: words for where, words in found.items() if words} == {}


def test_prometheus_would_say_it(filled: Ask) -> None:
    """The series are really there, under the names about which it has doubts."""
    (words,) = doubts(filled("query", query="rate(node_vmstat_pgmajfault[5m])"))
    assert "metric might not be a counter" in words


def test_a_series_always_has_the_labels_of_its_legend(empty: Ask) -> None:
    """What an `or` adds where there is no data; without the label Grafana calls it "Value"."""
    nameless = {}
    for where, (expr, legend) in ASKED.items():
        wanted = set(re.findall(r"{{(\w+)}}", legend))
        result = empty("query", query=expr)["data"]["result"]
        found = [each["metric"] for each in result if isinstance(each, dict)]
        if lost := [labels for labels in found if not wanted <= set(labels)]:
            nameless[where] = lost
    assert nameless == {}
