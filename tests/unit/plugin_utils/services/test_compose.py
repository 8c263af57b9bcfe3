"""Compose fragments: hardening of every container, and commands that agree with the plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.paths import CONFIG_ROOT, DATA_ROOT, KEYS_DIRECTORY
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import compose_file, fragment
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

ROOT = Path(__file__).resolve().parents[4]
MakeContext = Callable[..., Context]
# An app that makes every service run, and the names of the containers.
SHOP: dict[str, Any] = {
    "name": "shop",
    "database": {"name": "shop"},
    "redis": {"queues": ["celery"]},
    "kpis": [{"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}],
}
CONTAINERS = [f"{name}_shop" if service.instances else name for name, service in REGISTRY.items()]
per_service = pytest.mark.parametrize("service", CONTAINERS)


def container(plan: Context, service: str) -> dict[str, Any]:
    made = fragment(plan, service)
    assert list(made) == ["services"]
    assert list(made["services"]) == [service]
    return dict(made["services"][service])


def whole(context: MakeContext, **declared: Any) -> Context:
    """A plan with every service there is."""
    everything = {"apps": [SHOP], "pushgateway": {}, "domain": "watch.example.com"}
    return context({**everything, **declared}, registry=REGISTRY, total_mib=7800)


def test_the_project_includes_the_fragment_in_force_of_each_service(context: MakeContext) -> None:
    assert compose_file(whole(context)) == {
        "name": "crowsnest",
        "include": [f"{name}/current/compose.yml" for name in CONTAINERS],
    }


def test_what_is_switched_off_is_not_in_the_project(context: MakeContext) -> None:
    made = compose_file(context(total_mib=945, used_mib=530))
    assert made["include"] == ["prometheus/current/compose.yml", "alertmanager/current/compose.yml"]


@pytest.mark.parametrize(
    "service", ["prometheus", "alertmanager", "blackbox"]
)  # Grafana: test_grafana_config.py, Kuma: below
def test_every_container_listens_on_loopback_only_at_its_planned_port(context: MakeContext, service: str) -> None:
    made = container(context({"ports": {service: 15000}}), service)
    listening = [word for word in made["command"] if "listen-address" in word and not word.endswith("=")]
    assert listening == ["--web.listen-address=127.0.0.1:15000"]


# Without a peer Alertmanager needs no port for a cluster; an empty address closes it.
def test_alertmanager_opens_no_cluster_port(context: MakeContext) -> None:
    assert "--cluster.listen-address=" in container(context(), "alertmanager")["command"]


@per_service
def test_every_container_has_the_planned_image_and_memory(context: MakeContext, service: str) -> None:
    made, planned = container(whole(context), service), whole(context).services[service]
    assert made["image"] == images()[planned.service] == planned.image
    assert made["mem_limit"] == made["memswap_limit"] == f"{planned.limit_mib}m"


@pytest.mark.parametrize("service", ["prometheus", "alertmanager", "blackbox", "grafana"])
def test_a_program_in_go_is_given_a_soft_memory_limit_just_below_the_hard_one(
    context: MakeContext, service: str
) -> None:
    environment, limit = container(whole(context), service)["environment"], whole(context).services[service].limit_mib
    assert 0.8 * limit < int(environment["GOMEMLIMIT"].removesuffix("MiB")) < limit


@pytest.mark.parametrize("service", ["uptime_kuma", "metabase", "metabase_database"])
def test_only_go_knows_a_soft_memory_limit(context: MakeContext, service: str) -> None:
    assert "GOMEMLIMIT" not in container(whole(context), service)["environment"]


@per_service
def test_no_container_can_start_processes_without_end(context: MakeContext, service: str) -> None:
    """Ten times of what is measured under load (8 to 13, Java some 50), and still nothing to a host's 32768."""
    plan = whole(context)
    least = 500 if plan.definition(service).heap else 100
    limit = container(plan, service)["pids_limit"]
    assert least <= limit <= 1000
    assert re.search(rf"\b{limit}\b", (ROOT / "docs/security.md").read_text(encoding="utf-8"))


@per_service
def test_a_container_sees_its_own_configuration_and_data_and_nothing_else(context: MakeContext, service: str) -> None:
    """Its rights and limits on a host: molecule/tests/test_containers.py."""
    for volume in container(whole(context), service)["volumes"]:
        source, target, *mode = volume.split(":")
        if source == KEYS_DIRECTORY:
            assert (service, mode) == ("prometheus", ["ro"])
        elif source == f"{CONFIG_ROOT}/{service}":
            assert (target, mode) == ("/etc/crowsnest", ["ro"])
        else:
            assert (source, target, mode) == (f"{DATA_ROOT}/{service}", "/data", [])


def test_prometheus_sees_no_keys_when_nothing_asks_for_one(context: MakeContext) -> None:
    made = context(total_mib=945, used_mib=120)
    assert "uptime_kuma" in made.plan.switched_off
    assert KEYS_DIRECTORY not in str(container(made, "prometheus")["volumes"])
    assert KEYS_DIRECTORY in str(container(whole(context), "prometheus")["volumes"])


def test_metrics_are_kept_as_planned(context: MakeContext) -> None:
    command = container(context({"retention": "30d"}, disk_mib=39_000, free_mib=30_000), "prometheus")["command"]
    assert [word for word in command if "retention" in word] == [
        "--storage.tsdb.retention.time=30d",
        "--storage.tsdb.retention.size=4096MB",
    ]


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_a_page_behind_a_path_is_still_served_at_the_root(context: MakeContext, service: str) -> None:
    """Else the stack's own calls, /metrics and /-/reload, would miss it."""
    command = container(context({"external_urls": {service: "https://example.com/watch/"}}), service)["command"]
    assert {"--web.external-url=https://example.com/watch/", "--web.route-prefix=/"} <= set(command)


def test_compose_fills_nothing_into_a_declared_url(context: MakeContext) -> None:
    command = container(context({"external_urls": {"prometheus": "https://example.com/$HOME"}}), "prometheus")[
        "command"
    ]
    assert "--web.external-url=https://example.com/$$HOME" in command


def test_grafana_finds_its_configuration_and_writes_only_to_its_data(context: MakeContext) -> None:
    made = container(context(), "grafana")
    paths = {name: path for name, path in made["environment"].items() if name.startswith("GF_")}
    assert paths == {
        "GF_PATHS_CONFIG": "/etc/crowsnest/current/grafana.ini",
        "GF_PATHS_PROVISIONING": "/etc/crowsnest/current/provisioning",
        "GF_PATHS_DATA": "/data",
        "GF_PATHS_PLUGINS": "/data/plugins",
        "GF_PATHS_LOGS": "/data/log",
    }
    assert made["tmpfs"] == ["/tmp"]


def test_uptime_kuma_asks_nothing_at_its_start_listens_on_loopback_and_leaves_room_beside_its_heap(
    context: MakeContext,
) -> None:
    made = container(context({"ports": {"uptime_kuma": 13001}}), "uptime_kuma")
    assert made["environment"] == {
        "DATA_DIR": "/data",
        "UPTIME_KUMA_DB_TYPE": "sqlite",
        "UPTIME_KUMA_HOST": "127.0.0.1",
        "UPTIME_KUMA_PORT": "13001",
        "NODE_OPTIONS": "--max-old-space-size=298",
    }
    assert (made["mem_limit"], made["tmpfs"]) == ("448m", ["/tmp"])
    assert "command" not in made


def test_no_secret_is_in_a_fragment(context: MakeContext) -> None:
    receiver = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush"}
    made = context({"receivers": [receiver], "heartbeat_url": "https://hc-ping.com/hush"})
    assert "hush" not in str([fragment(made, service) for service in made.services])


def test_metabase_has_its_heap_within_its_limit_and_listens_on_loopback(context: MakeContext) -> None:
    made = container(whole(context, ports={"metabase": 13002}, metabase_heap_mib=900), "metabase")
    wanted = {"JAVA_OPTS": "-Xmx900m", "MB_JETTY_HOST": "127.0.0.1", "MB_JETTY_PORT": "13002"}
    assert {name: made["environment"][name] for name in wanted} == wanted
    assert int(made["mem_limit"].removesuffix("m")) >= 900 + 320


# Variables of a container are in its fragment, which everybody on the host may read.
def test_metabase_s_secrets_are_in_a_file_of_their_own(context: MakeContext) -> None:
    made = container(whole(context), "metabase")
    assert made["env_file"] == ["/opt/crowsnest/metabase/current/secrets/environment"]
    assert not [name for name in made["environment"] if "PASS" in name or "SECRET" in name]


def test_metabase_s_own_database_starts_first_and_a_declared_one_needs_no_container(context: MakeContext) -> None:
    assert container(whole(context), "metabase")["depends_on"] == ["metabase_database"]
    elsewhere = whole(context, metabase_database={"address": "db.example.com:5432", "password": "hush-hush-1"})
    assert "metabase_database" not in elsewhere.services
    assert "depends_on" not in container(elsewhere, "metabase")


# The image's own rule lets everybody on 127.0.0.1 in, which is the host's here.
def test_metabase_s_own_database_asks_for_a_password_on_loopback(context: MakeContext) -> None:
    made = container(whole(context, ports={"metabase_database": 15434}), "metabase_database")
    assert made["environment"]["POSTGRES_INITDB_ARGS"] == "--auth-local=trust --auth-host=scram-sha-256"
    assert made["environment"]["POSTGRES_PASSWORD_FILE"] == "/etc/crowsnest/current/secrets/password"
    assert (made["environment"]["PGPORT"], made["environment"]["PGDATA"]) == ("15434", "/data/postgresql")
    assert "listen_addresses=127.0.0.1" in made["command"]
