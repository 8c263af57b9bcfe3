"""The plan: what runs on hosts of the sizes teams rent, what is switched off or refused, and with which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Traffic
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY

MakePlan = Callable[..., Plan]
SMALL = ["prometheus", "alertmanager", "blackbox"]
USUAL = [*SMALL, "grafana"]
ALL = [*USUAL, "uptime_kuma"]
# Resident memory of the stack in the laboratory; that of Grafana and Kuma is what is reckoned with.
RUNNING = {"prometheus": 90, "alertmanager": 30, "blackbox": 20}
EVERYTHING = {**RUNNING, "grafana": 200, "uptime_kuma": 200}
DOCKER = {"docker": "26.1.5", "compose": "2.26.1"}

# Lightsail bundle: MemTotal in MiB. A fresh Debian uses about 120 MiB of it.
IMAGES = dict.fromkeys(REGISTRY, "image:1")
BUNDLES = {"512 MB": 445, "1 GB": 945, "2 GB": 1950, "4 GB": 3900}
SYSTEM, APP = 120, 300

# (bundle, MiB used by others): (services, refused)
FITS: dict[tuple[str, int], tuple[list[str], bool]] = {
    ("512 MB", SYSTEM): (["prometheus", "alertmanager"], True),
    ("512 MB", SYSTEM + APP): (["prometheus", "alertmanager"], True),
    ("1 GB", SYSTEM): (USUAL, False),
    ("1 GB", SYSTEM + APP): (SMALL, False),
    ("1 GB", SYSTEM + APP + 100): (["prometheus", "alertmanager"], False),
    ("2 GB", SYSTEM + APP): (ALL, False),
    ("4 GB", SYSTEM + APP): (ALL, False),
}


@pytest.mark.parametrize("case", FITS, ids=str)
def test_a_fresh_host_gets_what_fits_its_memory(plan: MakePlan, case: tuple[str, int]) -> None:
    bundle, used = case
    services, refused = FITS[case]
    made = plan(total_mib=BUNDLES[bundle], used_mib=used)
    assert list(made.services) == services
    assert bool(made.refusals) == refused


def test_what_is_switched_off_says_how_much_is_missing(plan: MakePlan) -> None:
    made = plan(total_mib=945, used_mib=520)
    assert made.switched_off == {
        "blackbox": "needs 25 MiB of memory, 17 MiB are left",
        "grafana": "needs 200 MiB of memory, 17 MiB are left",
        "uptime_kuma": "needs 200 MiB of memory, 17 MiB are left",
    }
    assert made.refusals == []


def test_services_are_switched_off_from_the_last_one_on(plan: MakePlan) -> None:
    """So none is missing because of a less important one."""
    made = [list(plan(total_mib=1950, used_mib=used).services) for used in range(0, 1800, 5)]
    assert all(services == ALL[: len(services)] for services in made)
    assert {len(services) for services in made} == {2, 3, 4, 5}


def test_a_host_too_small_for_what_is_needed_is_refused_with_advice(plan: MakePlan) -> None:
    made = plan(total_mib=445, used_mib=200)
    assert made.refusals == [
        "memory: 163 MiB are missing for prometheus, alertmanager. Choose a larger bundle (1 GB is the smallest that "
        "fits next to an app), or stop what uses the memory: `ps aux --sort -rss | head` on the host shows it."
    ]


def test_the_rows_of_the_plan_sum_up_to_what_is_left(plan: MakePlan) -> None:
    assert plan(total_mib=945, used_mib=200).memory_rows == [
        ("memory of the host", 945),
        ("used by other programs", -200),
        ("kept free for bursts", -128),
        ("Docker engine, to be installed", -110),
        ("node exporter, to be installed", -25),
        ("prometheus", -110),
        ("alertmanager", -35),
        ("blackbox", -25),
        ("grafana", -200),
    ]


# (bundle, MiB of the app): what is switched off
INSTALLED: dict[tuple[str, int], list[str]] = {
    ("1 GB", 0): ["uptime_kuma"],
    ("1 GB", APP): ["grafana", "uptime_kuma"],
    ("2 GB", APP): [],
    ("4 GB", APP): [],
}


@pytest.mark.parametrize("case", INSTALLED, ids=str)
def test_the_installed_stack_gives_the_same_plan_again(plan: MakePlan, case: tuple[str, int]) -> None:
    total, app = BUNDLES[case[0]], case[1]
    fresh = plan(total_mib=total, used_mib=SYSTEM + app)
    # Docker and node exporter are now programs among others; the containers' memory is known as ours.
    again = plan(
        total_mib=total,
        used_mib=SYSTEM + app + 110 + 25,
        own={name: RUNNING.get(name, 200) for name in fresh.services},
        node_exporter=True,
        data_mib=900,
        free_mib=50_000 - 1536 - 900,
        ports={"9090": ["127.0.0.1"], "9093": ["127.0.0.1"], "9115": ["127.0.0.1"], "9100": ["127.0.0.1"]},
        listeners={port: {"service": "ours"} for port in ("9090", "9093", "9115", "9100")},
        **DOCKER,
    )
    assert again.services == fresh.services
    assert again.retention_size_mib == fresh.retention_size_mib
    assert (again.switched_off, again.refusals) == (fresh.switched_off, [])
    assert list(again.switched_off) == INSTALLED[case]


def test_what_runs_stays_when_memory_gets_short_for_a_while(plan: MakePlan) -> None:
    made = plan(total_mib=1145, used_mib=930, own=EVERYTHING, node_exporter=True, **DOCKER)
    assert (list(made.services), made.refusals) == (ALL, [])


def test_what_needed_services_lack_is_refused_when_only_the_rest_runs(plan: MakePlan) -> None:
    made = plan(total_mib=445, used_mib=300, own={"blackbox": 20}, node_exporter=True, **DOCKER)
    assert [refusal.split(":")[0] for refusal in made.refusals] == ["memory"]


def watched_apps(count: int) -> dict[str, Any]:
    """Apps that declare their Redis and their database; each gets two exporters."""
    names = [f"app{number}" for number in range(count)]
    return {"apps": [{"name": name, "redis": {}, "database": {"name": name}} for name in names]}


def test_exporters_of_new_apps_get_only_what_running_services_leave(plan: MakePlan) -> None:
    running = {**EVERYTHING, "metabase": 1000, "metabase_database": 30}
    made = plan(
        watched_apps(8), registry=REGISTRY, total_mib=2300, used_mib=200, own=running, node_exporter=True, **DOCKER
    )
    left = sum(mib for _, mib in made.memory_rows)
    assert list(running) == [name for name in made.services if name in REGISTRY]
    assert 0 <= left < REGISTRY["redis_exporter"].need_mib
    assert len(made.services) + len(made.switched_off) == len(running) + 16
    assert set(made.switched_off.values()) <= {f"needs {mib} MiB of memory, {left} MiB are left" for mib in (20, 25)}


def test_a_run_after_exporters_were_switched_off_plans_the_same(plan: MakePlan) -> None:
    host = {"registry": REGISTRY, "total_mib": 1145, "used_mib": 300, "node_exporter": True, **DOCKER}
    first = plan(watched_apps(8), **host)
    again = plan(watched_apps(8), own=dict.fromkeys(first.services, 1), **host)
    assert first.switched_off
    assert (again.services, again.switched_off) == (first.services, first.switched_off)


def test_services_are_switched_off_in_the_order_of_their_importance(plan: MakePlan) -> None:
    """Metabase is the first to go, blackbox exporter the last."""
    order = [*ALL, "postgres_exporter", "redis_exporter", "query_exporter", "pushgateway", "metabase"]
    kpis = [{"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}]
    declared = {"apps": [{**app, "kpis": kpis} for app in watched_apps(1)["apps"]], "pushgateway": {}}
    gone = []
    for used in range(0, 3900, 5):
        made = plan(declared, registry=REGISTRY, total_mib=3900, used_mib=used)
        gone += [name for name in made.switched_off if name not in gone]
    assert [name.removesuffix("_app0") for name in reversed(gone)] == order[2:]


def test_memory_limits_grow_with_hosts_and_apps(plan: MakePlan) -> None:
    apps = [{"name": f"app{number}"} for number in range(5)]
    alone, watching = plan(), plan({"apps": apps}, hosts=[f"web{number}" for number in range(1, 12)])
    assert (alone.services["prometheus"].need_mib, alone.services["prometheus"].limit_mib) == (110, 256)
    assert (watching.services["prometheus"].need_mib, watching.services["prometheus"].limit_mib) == (194, 448)
    assert watching.services["alertmanager"] == alone.services["alertmanager"]


def test_every_container_may_use_more_than_it_needs(plan: MakePlan) -> None:
    assert all(service.limit_mib >= 2 * service.need_mib for service in plan().services.values())


# --- disk ---

# (disk, free) in MiB: (size of metrics, refused). Lightsail's disks are 20, 40, 60 and 80 GB.
DISKS: dict[tuple[int, int], tuple[int, bool]] = {
    (19_500, 16_000): (2048, False),
    (19_500, 4_700): (2048, False),
    (19_500, 4_000): (1024, False),
    (19_500, 3_100): (1024, True),
    (19_500, 500): (512, True),
    (39_000, 30_000): (4096, False),
    (58_500, 50_000): (8192, False),
    (78_000, 70_000): (8192, False),
    (2_000_000, 1_900_000): (65536, False),
    (2_000, 1_500): (512, True),
}


@pytest.mark.parametrize("case", DISKS, ids=str)
def test_metrics_get_a_share_of_the_disk_and_leave_room_for_others(plan: MakePlan, case: tuple[int, int]) -> None:
    made = plan(disk_mib=case[0], free_mib=case[1])
    assert (made.retention_size_mib, bool(made.refusals)) == DISKS[case]


# MiB free, size in force: size. A fifth of this disk is 31,200 MiB.
IN_FORCE = {
    (66_000, 16_384): 16_384,
    (31_000, 16_384): 16_384,
    (26_000, 16_384): 16_384,
    (25_000, 16_384): 8192,
    (66_000, 8192): 16_384,
}


@pytest.mark.parametrize(("free", "in_force"), IN_FORCE)
def test_the_size_in_force_stays_while_there_is_room_for_it(plan: MakePlan, free: int, in_force: int) -> None:
    kept = {"/opt/crowsnest/plan.json": f'{{"retention_size_mib": {in_force}}}'}
    made = plan(disk_mib=156_000, free_mib=free, files=kept)
    assert made.retention_size_mib == IN_FORCE[free, in_force]


def test_a_full_disk_is_refused_with_advice(plan: MakePlan) -> None:
    assert plan(disk_mib=19_500, free_mib=900).refusals == [
        "disk: 900 MiB are free below /var/lib, 3072 MiB are needed (512 MiB of them for metrics). "
        "Free space (`docker system df`, `du -xh --max-depth=2 / | sort -h | tail`), use a larger disk, "
        "or declare a smaller crowsnest_retention_size_mib."
    ]


def test_a_disk_that_fills_later_does_not_stop_a_run(plan: MakePlan) -> None:
    made = plan(disk_mib=19_500, free_mib=100, data_mib=2000, own=RUNNING, node_exporter=True, **DOCKER)
    assert made.refusals == []


@pytest.mark.parametrize(("disk", "free"), [(19_500, 8_000), (39_000, 20_000), (58_500, 30_000), (78_000, 40_000)])
def test_the_size_stays_when_free_space_goes_up_and_down(plan: MakePlan, disk: int, free: int) -> None:
    sizes = {
        plan(disk_mib=disk, free_mib=int(free * share) - data, data_mib=data).retention_size_mib
        for share in (0.95, 0.98, 1, 1.02, 1.05)
        for data in (0, 500, 2000)
    }
    assert len(sizes) == 1


def test_a_declared_size_counts(plan: MakePlan) -> None:
    assert plan({"retention_size_mib": 300}, disk_mib=19_500, free_mib=3_000).retention_size_mib == 300


# --- the engine and ports ---

# Compose of an engine that is there: is it enough?
COMPOSE = {"2.20.0": True, "v2.26.1-ds1": True, "5.0.1": True, "2.19.9": False, "1.29.2": False, None: False}


@pytest.mark.parametrize("version", COMPOSE, ids=str)
def test_an_engine_that_is_there_must_have_a_compose_with_include(plan: MakePlan, version: str | None) -> None:
    made = plan(docker="24.0.5", compose=version)
    assert made.refusals == [] if COMPOSE[version] else len(made.refusals) == 1


def test_an_old_compose_is_refused_with_the_package_to_install(plan: MakePlan) -> None:
    assert plan(docker="20.10.24", compose="1.29.2").refusals == [
        "Docker 20.10.24 is installed with Compose 1.29.2; crowsnest keeps the engine and needs Compose 2.20 or newer. "
        "Install the package `docker-compose-plugin` (engine from Docker), `docker-compose-v2` (Ubuntu) "
        "or `docker-compose` (Debian 13)."
    ]


@pytest.mark.parametrize("docker", [None, ""])
def test_an_engine_that_is_missing_or_stopped_is_the_runs_to_install(plan: MakePlan, docker: str | None) -> None:
    assert plan(docker=docker).refusals == []


def test_another_port_is_used(plan: MakePlan) -> None:
    made = plan({"ports": {"prometheus": 19090, "node_exporter": 9101}})
    assert (made.services["prometheus"].port, made.node_exporter_port) == (19090, 9101)
    assert made.services["prometheus"].external_url == "http://127.0.0.1:19090"
    assert made.services["prometheus"].user == 21090


# --- node exporter that a team set up itself ---

PACKAGED = """\
# Set the command-line arguments to pass to the server.
# Due to shell escaping, to pass backslashes for regexes, you need to double
# them (\\\\d for \\d).
ARGS=""

# Prometheus-node-exporter supports the following options:
#  --collector.arp
"""
OWN = '# Made by crowsnest. A change made here is undone by the next run: change the inventory instead.\nARGS="--a"\n'
# The file with the flags: what of it is the team's.
DEFAULTS = {
    PACKAGED: "",
    OWN: "",
    "": "",
    "ARGS=''\n": "",
    'ARGS="--collector.systemd"\n': 'ARGS="--collector.systemd"',
    PACKAGED.replace('""', '"--web.listen-address=:9100"'): 'ARGS="--web.listen-address=:9100"',
    PACKAGED + "GOMAXPROCS=1\n": "GOMAXPROCS=1",
    'ARGS="--collector.systemd \\\n  --collector.processes"\n': 'ARGS="--collector.systemd \\ --collector.processes"',
}


@pytest.mark.parametrize("text", DEFAULTS, ids=lambda text: DEFAULTS[text] or repr(text[:20]))
def test_flags_of_the_team_are_told_from_the_packages_and_our_own(plan: MakePlan, text: str) -> None:
    made = plan(files={"/etc/default/prometheus-node-exporter": text})
    assert made.replaced_flags == ({"web1": DEFAULTS[text]} if DEFAULTS[text] else {})


def test_the_table_says_whose_flags_are_replaced_and_where_they_are_kept(plan: MakePlan) -> None:
    made = context_of(files={"/etc/default/prometheus-node-exporter": 'ARGS="--collector.systemd"'})
    (line,) = [line for line in plan_table(made) if "replaced" in line]
    assert line == (
        'replaced on web1: your node exporter flags, ARGS="--collector.systemd" - '
        "/etc/default/prometheus-node-exporter is kept with a date in its name; what you still need goes into "
        "node_exporter_flags or crowsnest_textfile_directory"
    )


# --- hosts ---


def test_the_server_watches_itself_on_loopback_and_others_at_their_address(
    facts: Callable[..., dict[str, Any]],
) -> None:
    addresses = {"web1": "203.0.113.1", "web2": "172.26.0.2", "silent6": "fd00::6", "known6": "[fd00::7]"}
    made = make_plan(Declaration(), "web1", addresses, {"web1": facts()}, REGISTRY, IMAGES)
    assert made.hosts == {"web1": "127.0.0.1", "web2": "172.26.0.2", "silent6": "[fd00::6]", "known6": "[fd00::7]"}


TARGETS = {
    (None, ":8000"): ("127.0.0.1:8000", "/metrics"),
    (None, ":8000/"): ("127.0.0.1:8000", "/metrics"),
    (None, "127.0.0.1:8000/metrics"): ("127.0.0.1:8000", "/metrics"),
    (None, "[::1]:8000/a/b"): ("[::1]:8000", "/a/b"),
    ("web2", ":8000/internal"): ("203.0.113.2:8000", "/internal"),
    ("web2", "10.0.0.9:8000"): ("10.0.0.9:8000", "/metrics"),
}


@pytest.mark.parametrize("case", TARGETS, ids=str)
def test_a_metrics_target_is_read_as_its_own_host_reaches_it(plan: MakePlan, case: tuple[str | None, str]) -> None:
    app = App.model_validate({"name": "shop", "host": case[0], "metrics": [case[1]]})
    page = plan(hosts=["web1", "web2"]).app_target(app, app.metrics[0])
    assert (page.address, page.path) == TARGETS[case]


# Address at which a further host would be watched, and the words of the refusal.
UNFIT = {
    "172.26.0.2": "",
    "10.0.0.2": "",
    "fd00::2": "",
    "54.180.1.2": "the public address",
    "2406:da12::2": "the public address",
    "127.0.0.1": "the loopback address",
}


@pytest.mark.parametrize("address", UNFIT)
def test_a_further_host_needs_a_private_address(facts: Callable[..., dict[str, Any]], address: str) -> None:
    seen = {"web1": facts(), "web2": facts()}
    made = make_plan(Declaration(), "web1", {"web1": "54.180.1.1", "web2": address}, seen, REGISTRY, IMAGES)
    assert len(made.refusals) == (1 if UNFIT[address] else 0)
    assert all(UNFIT[address] in refusal and "private_address" in refusal for refusal in made.refusals)


def test_an_operating_system_it_is_not_made_for_is_refused(facts: Callable[..., dict[str, Any]]) -> None:
    old = {**facts(), "os": {"id": "ubuntu", "version": "20.04", "codename": "focal"}}
    seen = {"web1": facts(), "web2": old}
    made = make_plan(Declaration(), "web1", {"web1": "", "web2": "10.0.0.2"}, seen, REGISTRY, IMAGES)
    assert made.refusals == [
        "web2 runs ubuntu 20.04. crowsnest supports debian 12, 13; ubuntu 22.04, 24.04. Upgrade the host, or remove "
        "it from the inventory."
    ]


def test_a_host_that_is_down_does_not_stop_the_run(facts: Callable[..., dict[str, Any]]) -> None:
    addresses = {"web1": "54.180.1.1", "web2": "54.180.1.2"}
    assert make_plan(Declaration(), "web1", addresses, {"web1": facts()}, REGISTRY, IMAGES).refusals == []


def test_a_plan_survives_the_way_through_ansible(plan: MakePlan) -> None:
    made = plan({"apps": [{"name": "shop", "metrics": [":8000"]}], "retention": "30d"}, hosts=["web1", "web2"])
    assert Plan.model_validate(made.model_dump(mode="json")) == made


def test_a_plan_holds_no_secret(plan: MakePlan) -> None:
    receiver = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush"}
    made = plan({"receivers": [receiver], "heartbeat_url": "https://hc-ping.com/hush"})
    assert "hush" not in made.model_dump_json()


def test_the_table_shows_services_memory_and_disk() -> None:
    made = context_of({"apps": [{"name": "shop"}], "environment": "staging"}, total_mib=945, used_mib=520)
    assert plan_table(made) == [
        "Server web1, environment staging, 1 host(s), 1 app(s)",
        "",
        "SERVICE       ADDRESS         MEMORY   LIMIT    IMAGE",
        "prometheus    127.0.0.1:9090  110 MiB  256 MiB  " + images()["prometheus"],
        "alertmanager  127.0.0.1:9093  35 MiB   128 MiB  " + images()["alertmanager"],
        "switched off: blackbox - needs 25 MiB of memory, 17 MiB are left",
        "switched off: grafana - needs 200 MiB of memory, 17 MiB are left",
        "switched off: uptime_kuma - needs 200 MiB of memory, 17 MiB are left",
        "",
        "memory of the host              +945 MiB",
        "used by other programs          -520 MiB",
        "kept free for bursts            -128 MiB",
        "Docker engine, to be installed  -110 MiB",
        "node exporter, to be installed  -25 MiB",
        "prometheus                      -110 MiB",
        "alertmanager                    -35 MiB",
        "left                            +17 MiB",
        "",
        "BACKUP  HOST  AT                KEPT  COPIED TO  NEWEST   ALL  AT MOST",
        "stack   web1  03:00 Asia/Seoul  17               not yet",
        "",
        "Metrics are kept 92d or 8192 MiB, whichever is reached first.",
    ]


def test_the_table_says_how_many_events_the_declared_rate_makes() -> None:
    apps = [{"name": name, "env_file": f"/srv/{name}/.env", "sentry": {"dsn": DSN}} for name in ("shop", "new")]
    made = context_of({"apps": [*apps, {"name": "bare"}]})
    traffic: dict[str, Traffic] = {name: {"requests": 2, "errors": 0.001} for name in ("shop", "bare")}
    assert [line for line in plan_table(made, traffic) if "Sentry" in line] == [
        "shop sends Sentry about 259,200 traces a month (0.05 of its requests) and 2,592 errors; "
        "monthly_errors is 5,000."
    ]
    assert [line for line in plan_table(made) if "Sentry" in line] == []


DSN = f"https://{1:032x}@o1.ingest.us.sentry.io/42"
DATABASE = {"database": {"name": "shop", "admin_user": "shop", "admin_password": "hush-hush-1"}}
SHOP = {"apps": [{"name": "shop", **DATABASE}]}
METABASE = ["metabase", "metabase_database"]
# (what is declared, MiB of the host): services of Metabase that run beside an app.
BUSINESS: list[tuple[dict[str, Any], int, list[str]]] = [
    ({}, 3900, []),
    (SHOP, 3900, METABASE),
    (SHOP, 1950, []),
    ({**SHOP, "metabase": False}, 3900, []),
    ({"metabase": True}, 3900, METABASE),
    ({**SHOP, "metabase_database": {"address": "db.example.com:5432", "password": "hush"}}, 3900, ["metabase"]),
]


@pytest.mark.parametrize(("declared", "total", "services"), BUSINESS)
def test_metabase_runs_with_its_database_where_there_is_something_to_ask_and_memory(
    plan: MakePlan, declared: dict[str, Any], total: int, services: list[str]
) -> None:
    made = plan(declared, total_mib=total, used_mib=SYSTEM + APP)
    assert [name for name in made.services if name in METABASE] == services


def test_metabase_is_switched_off_with_all_it_would_take(plan: MakePlan) -> None:
    made = plan(SHOP, total_mib=1950, used_mib=SYSTEM + APP)
    assert made.switched_off == {"metabase": "needs 1158 MiB of memory, 697 MiB are left"}


# Memory of the host → heap in MiB; below 700 it would restart again and again.
@pytest.mark.parametrize(("total", "heap"), [(2500, 768), (3900, 896), (4096, 1024), (7900, 1920), (16000, 2048)])
def test_the_heap_is_a_quarter_of_the_memory_within_bounds(plan: MakePlan, total: int, heap: int) -> None:
    service = plan(SHOP, total_mib=total, used_mib=SYSTEM).services["metabase"]
    assert (service.heap_mib, service.need_mib) == (heap, heap + 320)
    assert service.limit_mib >= heap + 512


def test_the_heap_does_not_follow_what_is_free(plan: MakePlan) -> None:
    heaps = {plan(SHOP, total_mib=3900, used_mib=used).services["metabase"].heap_mib for used in range(0, 1500, 100)}
    assert heaps == {896}


def test_a_declared_heap_counts(plan: MakePlan) -> None:
    made = plan({**SHOP, "metabase_heap_mib": 700}, total_mib=3900).services["metabase"]
    assert (made.heap_mib, made.need_mib, made.limit_mib) == (700, 1020, 1216)


def test_metabase_that_runs_stays_with_its_database(plan: MakePlan) -> None:
    running = {**EVERYTHING, "metabase": 1000, "metabase_database": 30}
    made = plan(SHOP, total_mib=3900, used_mib=2400, own=running, **DOCKER, node_exporter=True)
    assert [name for name in made.services if name in METABASE] == METABASE


def test_passwords_of_databases_are_in_no_plan(plan: MakePlan) -> None:
    declared = {**SHOP, "metabase_database": {"address": "db.example.com:5432", "password": "hush-hush-2"}}
    assert "hush" not in plan(declared, total_mib=3900).model_dump_json()


HEAP = {"/opt/crowsnest/plan.json": '{"heaps_mib": {"metabase": 768}}'}


@pytest.mark.parametrize(("heap", "refused"), [(768, False), (896, False), (3000, True), (700, False)])
def test_a_larger_heap_must_fit_while_metabase_runs(plan: MakePlan, heap: int, refused: bool) -> None:
    running = {**EVERYTHING, "metabase": 900, "metabase_database": 30}
    made = plan(
        {**SHOP, "metabase_heap_mib": heap}, total_mib=3900, own=running, files=HEAP, **DOCKER, node_exporter=True
    )
    assert bool(made.refusals) == refused
    if refused:
        assert made.refusals[0].startswith("memory: metabase would get a heap of 3000 MiB instead of 768, and ")


def test_a_metabase_that_nobody_asks_for_any_more_is_named(plan: MakePlan) -> None:
    running = {**EVERYTHING, "metabase": 900, "metabase_database": 30}
    made = plan({}, total_mib=3900, own=running, **DOCKER, node_exporter=True)
    assert made.switched_off == {
        "metabase": "nothing declares it any more; its data stays in /var/lib/crowsnest/metabase_database"
    }
    assert plan({}, total_mib=3900, own=EVERYTHING, **DOCKER, node_exporter=True).switched_off == {}
