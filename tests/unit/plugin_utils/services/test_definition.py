"""What a service may be besides one ordinary container: several containers, or one with an exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.expectations import expectations
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table, report
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import message_templates
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import compose_file, fragment
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Page, Service
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard, queries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config

APPS = [{"name": "shop", "database": {"name": "shop"}}, {"name": "blog", "database": {"name": "blog"}}]
REASON = {"NET_BIND_SERVICE": "browsers ask at port 443"}


def _exporters(declaration: Declaration) -> list[str]:
    """One for each database, as an exporter of databases would run."""
    return [f"toy_{app.name}" for app in declaration.apps if app.database]


def _container(_context: Context, planned: Planned) -> Container:
    return Container(command=[f"--listen=127.0.0.1:{planned.port}"], configured=False)


def _with_exception(_context: Context, _planned: Planned) -> Container:
    return Container(configured=False, capabilities=REASON)


def _dashboard(_context: Context) -> list[Dashboard]:
    return [Dashboard(uid="toy", title="Toys", folder="", description="", rows=())]


SEVERAL = Service(
    name="toy",
    port=9777,
    need_mib=20,
    limit_mib=64,
    instances=_exporters,
    container=_container,
    dashboards=_dashboard,
    reload_metric="toy_reload_successful",
    page=Page(9, "play"),
)
DOOR = Service(name="toy", port=443, need_mib=20, limit_mib=64, container=_with_exception, scrape=None)


@pytest.fixture
def several(context: Callable[..., Context]) -> Context:
    return context({"apps": APPS}, registry={**REGISTRY, "toy": SEVERAL}, total_mib=16_000)


def containers(context: Context) -> dict[str, Any]:
    return {name: fragment(context, name)["services"][name] for name in ("toy_shop", "toy_blog")}


def test_each_container_has_a_port_of_its_own_and_they_share_image_and_user(several: Context) -> None:
    made = containers(several)
    assert [each["command"] for each in made.values()] == [["--listen=127.0.0.1:9777"], ["--listen=127.0.0.1:9778"]]
    assert len({each["image"] for each in made.values()}) == 1
    assert {each["user"] for each in made.values()} == {"21777:21777"}
    assert compose_file(several)["include"][-2:] == ["toy_shop/current/compose.yml", "toy_blog/current/compose.yml"]


def test_the_memory_of_each_is_counted(several: Context) -> None:
    assert several.plan.memory_rows[-2:] == [("toy_shop", -20), ("toy_blog", -20)]


def test_prometheus_reads_all_of_them_in_one_job(several: Context) -> None:
    jobs = [job for job in prometheus_config(several)["scrape_configs"] if "toy" in job["job_name"]]
    assert [job["job_name"] for job in jobs] == ["toy"]
    targets = [group["targets"] for group in jobs[0]["static_configs"]]
    assert targets == [["127.0.0.1:9777"], ["127.0.0.1:9778"]]


def test_verify_and_the_report_know_each_of_them(several: Context) -> None:
    expected = expectations(several, {"web1": "not looked at"}, {}, limited=False)
    assert {"toy_shop", "toy_blog"} <= set(expected["services"])
    assert [target["address"] for target in expected["targets"] if target["job"] == "toy"] == [
        "127.0.0.1:9777",
        "127.0.0.1:9778",
    ]
    for lines in (plan_table(several), report(several, {}, "", "secrets")):
        assert {line.split()[0] for line in lines if line.startswith("toy_")} == {"toy_shop", "toy_blog"}


def test_what_is_about_the_service_is_there_once(several: Context) -> None:
    shown = dashboards(several)
    assert [each.uid for each in shown].count("toy") == 1
    (stack,) = (each for each in shown if each.uid == "stack")
    asked = [query.expr for query in queries(stack, "1m")]
    assert asked.count("toy_reload_successful") == 1
    assert any("|toy" in expr and "toy_shop" not in expr for expr in asked), "series carry the name of the job"
    assert "|toy)$" in message_templates(several)["dashboard.tmpl"]


def test_without_a_database_there_is_none_of_them(context: Callable[..., Context]) -> None:
    held = context({"apps": [{"name": "shop"}]}, registry={**REGISTRY, "toy": SEVERAL}, total_mib=16_000)
    assert [name for name in held.services if "toy" in name] == []
    assert [job for job in prometheus_config(held)["scrape_configs"] if "toy" in job["job_name"]] == []


def test_a_capability_is_added_to_what_is_dropped(context: Callable[..., Context]) -> None:
    held = context(registry={**REGISTRY, "toy": DOOR}, total_mib=16_000)
    made = fragment(held, "toy")["services"]["toy"]
    assert (made["cap_drop"], made["cap_add"]) == (["ALL"], ["NET_BIND_SERVICE"])
    assert made["user"] == "12443:12443"
    assert held.services["toy"].port == 443
    assert [job for job in prometheus_config(held)["scrape_configs"] if job["job_name"] == "toy"] == []
