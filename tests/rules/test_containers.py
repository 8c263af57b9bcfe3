"""What the dashboard "Containers" says of the file that container_metrics.py writes, as Prometheus evaluates it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from contexts import context_of
from generated import write
from programs import REPOSITORY, tool

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import queries

MIB = 1024 * 1024
MADE: dict[str, Any] = {"Image": "sha256:61", "Created": "2026-11-21T18:51:00Z"}
RUNS: dict[str, Any] = {"Status": "running", "StartedAt": "2026-11-21T18:51:01Z"}
DB: dict[str, Any] = {
    **MADE,
    "Name": "/shop-db-1",
    "Config": {"Labels": {"com.docker.compose.project": "shop"}, "Image": "postgres:17"},
    "State": {**RUNS, "OOMKilled": True},
    "HostConfig": {"Memory": 200 * MIB},
}
ONCE = {
    **MADE,
    "Name": "/migration",
    "Config": {"Image": "shop:42"},
    "State": {"Status": "exited", "StartedAt": "2026-11-21T18:51:01Z"},
}
WEB = {
    **MADE,
    "Name": "/shop-web-1",
    "Config": {"Image": "shop:42"},
    "State": {**RUNS, "Health": {"Status": "unhealthy"}},
    "HostConfig": {"Memory": 0},
}
USED = {"memory_stats": {"usage": 150 * MIB, "stats": {}}}


def exported() -> list[dict[str, str]]:
    """The lines of the file, as they are read on a host for an hour; the CPU of the database is half a core."""
    spec = importlib.util.spec_from_file_location(
        "container_metrics", REPOSITORY / "files/container_metrics/container_metrics.py"
    )
    assert spec and spec.loader
    program = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = program  # for its dataclasses
    spec.loader.exec_module(program)
    answers = {"1": (DB, USED), "2": (ONCE, {}), "3": (WEB, USED)}

    class Engine:
        events = staticmethod(lambda *_, **__: [])

        @staticmethod
        def get(path: str, **_: str) -> Any:
            if path == "/containers/json":
                return [{"Id": identity} for identity in answers]
            _, kind, identity, what = path.split("/")
            if kind == "images":
                return {}
            return answers[identity][what == "stats"]

    lines = program.exposition(*program.collect(Engine, 0.0, {})).splitlines()
    found = [line.replace("}", ',host="web1"}').rpartition(" ") for line in lines if not line.startswith("#")]
    made = [{"series": series, "values": f"{float(value):.0f}x60"} for series, _, value in found]
    return [*made, {"series": 'container_cpu_seconds_total{container="shop-db-1",host="web1"}', "values": "0+30x60"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rules"), {})


def test_each_container_has_its_state_image_memory_and_cpu(folder: Path) -> None:
    context = context_of({}, registry=REGISTRY)
    (dashboard,) = (each for each in dashboards(context) if each.uid == "containers")
    asked: dict[str, list[str]] = {}
    for query in queries(dashboard, "5m"):
        asked.setdefault(query.panel, []).append(query.expr)
    state, started, restarts, memory, limit, share, cpu = asked["Every container"]
    db, once, web = (
        f'container="{name}", host="web1", image="{image}"'
        for name, image in (("shop-db-1", "postgres:17"), ("migration", "shop:42"), ("shop-web-1", "shop:42"))
    )
    cases: dict[str, dict[str, float]] = {
        state: {db: 1, once: 0, web: 1},
        started: dict.fromkeys((db, once, web), 1795287061000),
        restarts: dict.fromkeys((db, once, web), 0),
        memory: {db: 150 * MIB, web: 150 * MIB},
        limit: {db: 200 * MIB},
        share: {db: 75},
        cpu: {db: 50},
        asked["Running"][0]: {"": 2},
        asked["Stopped"][0]: {"": 1},
        asked["Unhealthy"][0]: {"": 1},
        asked["Out of memory"][0]: {"": 1},
    }
    expected = [
        {"expr": expr, "eval_time": "60m", "exp_samples": [{"labels": f"{{{it}}}", "value": found[it]} for it in found]}
        for expr, found in cases.items()
    ]
    test = {"interval": "1m", "input_series": exported(), "promql_expr_test": expected}
    files = {"rule_files": ["rules/containers.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "containers_panels_test.yml").write_text(yaml.safe_dump(files))
    done = tool("promtool")(folder, "test", "rules", "containers_panels_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
