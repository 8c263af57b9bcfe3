"""prometheus.yml and blackbox.yml of a small fixture, as data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import health
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import blackbox_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_pages import secret_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import (
    targets as expected_targets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import app_monitors

MakeContext = Callable[..., Context]
DECLARED: dict[str, Any] = {
    "environment": "staging",
    "apps": [
        {
            "name": "shop",
            "framework": "django",
            "url": "https://shop.example.com/kr/",
            "metrics": [":8000", "127.0.0.1:8001/internal/metrics"],
            "health": {
                "basic": "/health/",
                "detailed": "http://127.0.0.1:8000/health/detailed/",
                "components": ["database", "redis"],
            },
        },
        {"name": "blog", "host": "web2", "metrics": [":9000"]},
        {"name": "page", "url": "https://page.example.com"},
    ],
}


@pytest.fixture
def jobs(context: MakeContext) -> dict[str, dict[str, Any]]:
    config = prometheus_config(context(DECLARED, hosts=["web1", "web2"]))
    return {job["job_name"]: job for job in config["scrape_configs"]}


def targets(job: dict[str, Any]) -> dict[str, dict[str, str]]:
    """{address: labels}, each series with the environment."""
    found = {entry["targets"][0]: dict(entry["labels"]) for entry in job["static_configs"]}
    assert {labels.pop("environment") for labels in found.values()} == {"staging"}
    return found


def test_all_but_the_jobs_is_a_few_lines(context: MakeContext) -> None:
    config = prometheus_config(context(DECLARED, hosts=["web1", "web2"]))
    config.pop("scrape_configs")
    config["alerting"].pop("alert_relabel_configs")  # tests/rules/test_inhibition.py asks a real Prometheus
    assert config == {
        "global": {
            "scrape_interval": "15s",
            "scrape_timeout": "10s",
            "evaluation_interval": "15s",
            "external_labels": {"environment": "staging"},
        },
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
        "rule_files": ["rules/*.yml"],
    }


# Prometheus refuses a timeout longer than the interval.
TIMEOUTS = {"1s": "1s", "5s": "5s", "9s": "9s", "10s": "10s", "15s": "10s", "30s": "10s"}


@pytest.mark.parametrize("interval", TIMEOUTS)
def test_a_scrape_has_to_end_before_the_next_one(context: MakeContext, interval: str) -> None:
    scraping = prometheus_config(context({"scrape_interval": interval}))["global"]
    assert (scraping["scrape_interval"], scraping["scrape_timeout"]) == (interval, TIMEOUTS[interval])


def test_the_stack_watches_itself(jobs: dict[str, Any]) -> None:
    assert {
        name: targets(jobs[name]) for name in ("prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma")
    } == {
        "prometheus": {"127.0.0.1:9090": {"host": "web1"}},
        "alertmanager": {"127.0.0.1:9093": {"host": "web1"}},
        "blackbox": {"127.0.0.1:9115": {"host": "web1"}},
        "grafana": {"127.0.0.1:3000": {"host": "web1"}},
        "uptime_kuma": {"127.0.0.1:3001": {"host": "web1"}},
    }


def test_of_grafanas_thousands_of_series_only_the_used_ones_are_kept(jobs: dict[str, Any]) -> None:
    rules = jobs["grafana"]["metric_relabel_configs"]
    assert [(rule["source_labels"], rule["action"]) for rule in rules] == [(["__name__"], "keep")]
    kept = [
        name
        for name in ("process_resident_memory_bytes", "grafana_stat_totals_dashboard", "grafana_feature_toggles_info")
        if re.fullmatch(rules[0]["regex"], name)  # Prometheus anchors its expressions
    ]
    assert kept == ["process_resident_memory_bytes", "grafana_stat_totals_dashboard"]


def test_every_host_has_its_node_exporter_read(jobs: dict[str, Any]) -> None:
    assert targets(jobs["node"]) == {"127.0.0.1:9100": {"host": "web1"}, "203.0.113.2:9100": {"host": "web2"}}


def test_every_target_of_every_app_is_read_at_its_path(jobs: dict[str, Any]) -> None:
    shop = {"app": "shop", "host": "web1"}
    blog = {"app": "blog", "host": "web2", "instance": "203.0.113.2:9000"}
    assert targets(jobs["app"]) == {
        "127.0.0.1:8000": {**shop, "__metrics_path__": "/metrics", "instance": "127.0.0.1:8000"},
        "127.0.0.1:8001": {
            **shop,
            "__metrics_path__": "/internal/metrics",
            "instance": "127.0.0.1:8001/internal/metrics",
        },
        "203.0.113.2:9000": {**blog, "__metrics_path__": "/metrics"},
    }
    assert jobs["app"]["sample_limit"] == 20_000


def test_a_page_with_options_has_a_job_of_its_own_and_its_secrets_in_files(context: MakeContext) -> None:
    page = {"address": ":8443", "scheme": "https", "username": "kim", "password": "hush", "verify_tls": False}
    token = {
        "address": ":8000",
        "path": "/m",
        "bearer_token": "hush",
        "headers": {"X-Own": "hush", "Host": "a.example"},
    }
    made = context({"environment": "staging", "apps": [{"name": "shop", "metrics": [":9000", page, token]}]})
    shop = {"app": "shop", "host": "web1", "job": "app"}
    secrets = "/etc/crowsnest/current/secrets/shop"
    config = prometheus_config(made)
    by_name = {job["job_name"]: job for job in config["scrape_configs"]}
    assert list(targets(by_name["app"])) == ["127.0.0.1:9000"]
    first, second = by_name["app/shop/1"], by_name["app/shop/2"]
    assert targets(first) == {
        "127.0.0.1:8443": {**shop, "__metrics_path__": "/metrics", "instance": "127.0.0.1:8443"},
    }
    assert targets(second) == {"127.0.0.1:8000": {**shop, "__metrics_path__": "/m", "instance": "127.0.0.1:8000/m"}}
    for job in (first, second):
        del job["static_configs"], job["job_name"], job["fallback_scrape_protocol"]
    assert first == {
        "sample_limit": 20_000,
        "scheme": "https",
        "basic_auth": {"username": "kim", "password_file": f"{secrets}/1/password"},
        "tls_config": {"insecure_skip_verify": True},
    }
    assert second == {
        "sample_limit": 20_000,
        "authorization": {"credentials_file": f"{secrets}/2/bearer_token"},
        "http_headers": {"X-Own": {"files": [f"{secrets}/2/headers/X-Own"]}},
        "proxy_url": "http://127.0.0.1:8000",
        "relabel_configs": [{"target_label": "__address__", "replacement": "a.example"}],
    }
    assert secret_files(made.declaration.apps) == {
        f"secrets/shop/{name}": "hush" for name in ("1/password", "2/bearer_token", "2/headers/X-Own")
    }


def test_verify_expects_a_page_with_options_as_a_target_of_apps(context: MakeContext) -> None:
    made = context({"apps": [{"name": "shop", "metrics": [{"address": ":8443", "scheme": "https"}]}]})
    (target,) = (it for it in expected_targets(prometheus_config(made)) if it["app"])
    assert (target["job"], target["address"]) == ("app", "127.0.0.1:8443")


def test_two_pages_of_one_address_are_two_instances(context: MakeContext) -> None:
    apps = [
        {"name": "shop", "metrics": [":8000", ":8000/worker"]},
        {"name": "blog", "metrics": ["127.0.0.1:8000/blog"]},
    ]
    (job,) = (it for it in prometheus_config(context({"apps": apps}))["scrape_configs"] if it["job_name"] == "app")
    assert [(it["targets"], it["labels"]["instance"]) for it in job["static_configs"]] == [
        (["127.0.0.1:8000"], "127.0.0.1:8000"),
        (["127.0.0.1:8000"], "127.0.0.1:8000/worker"),
        (["127.0.0.1:8000"], "127.0.0.1:8000/blog"),
    ]


def test_pages_health_and_components_are_probed(jobs: dict[str, Any]) -> None:
    probes = [
        (entry["labels"]["app"], entry["labels"]["probe"], entry["labels"]["__param_module"], entry["targets"][0])
        for entry in jobs["probe"]["static_configs"]
    ]
    assert probes == [
        ("shop", "url", "http", "https://shop.example.com/kr/"),
        ("shop", "health", "http", "https://shop.example.com/health/"),
        ("shop", "answer", "shop/answer", "http://127.0.0.1:8000/health/detailed/"),
        ("shop", "database", "component_database", "http://127.0.0.1:8000/health/detailed/"),
        ("shop", "redis", "component_redis", "http://127.0.0.1:8000/health/detailed/"),
        ("page", "url", "http", "https://page.example.com"),
    ]


def test_probes_go_through_blackbox_and_keep_the_url_as_instance(jobs: dict[str, Any]) -> None:
    assert "scrape_interval" not in jobs["probe"]  # as often as all is read
    assert {key: jobs["probe"][key] for key in ("metrics_path", "relabel_configs")} == {
        "metrics_path": "/probe",
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": "127.0.0.1:9115"},
        ],
    }


def test_other_ports_are_used_everywhere(context: MakeContext) -> None:
    ports = {"prometheus": 19090, "alertmanager": 19093, "blackbox": 19115}
    config = prometheus_config(context({**DECLARED, "ports": ports}, hosts=["web1", "web2"]))
    assert "127.0.0.1:909" not in str(config)
    assert config["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["127.0.0.1:19093"]}]
    assert config["scrape_configs"][-1]["relabel_configs"][-1]["replacement"] == "127.0.0.1:19115"


def test_without_blackbox_nothing_is_probed(context: MakeContext) -> None:
    config = prometheus_config(context(DECLARED, hosts=["web1", "web2"], total_mib=945, used_mib=530))
    assert [job["job_name"] for job in config["scrape_configs"]] == ["prometheus", "alertmanager", "node", "app"]


def test_every_page_is_read_that_does_not_say_what_it_is(context: MakeContext) -> None:
    jobs = prometheus_config(context(DECLARED, hosts=["web1", "web2"], total_mib=3900))["scrape_configs"]
    through_blackbox = {job["job_name"] for job in jobs if job.get("metrics_path") == "/probe"}
    told = {job["job_name"] for job in jobs if job.get("fallback_scrape_protocol") == "PrometheusText0.0.4"}
    assert through_blackbox == {"probe"}
    assert told == {job["job_name"] for job in jobs} - through_blackbox


def test_a_declaration_without_apps_has_no_empty_jobs(context: MakeContext) -> None:
    jobs = [job["job_name"] for job in prometheus_config(context())["scrape_configs"]]
    assert jobs == ["prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma", "node"]


# --- Uptime Kuma ---


def test_uptime_kuma_is_read_with_a_key_that_lies_outside_the_configuration(jobs: dict[str, Any]) -> None:
    assert jobs["uptime_kuma"]["basic_auth"] == {
        "username": "crowsnest",
        "password_file": "/etc/crowsnest-keys/uptime_kuma",
    }
    assert [name for name, job in jobs.items() if "basic_auth" in job] == ["uptime_kuma"]


def relabelled(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str] | None:
    """What Prometheus makes of a series; None: it is dropped. Expressions are anchored at both ends, `$$` is a dollar.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
    """
    made = dict(labels)
    for rule in rules:
        if rule.get("action") == "labelkeep":
            made = {name: value for name, value in made.items() if re.fullmatch(rule["regex"], name)}
            continue
        found = re.fullmatch(rule["regex"], ";".join(made.get(name, "") for name in rule["source_labels"]))
        if rule.get("action") == "keep":
            if not found:
                return None
        elif found:
            assert not re.sub(r"\$\$", "", rule["replacement"]).count("$"), "it would stand for a part of the name"
            made[rule["target_label"]] = rule["replacement"].replace("$$", "$")
    return made


TCP = {"database": "127.0.0.1:5432", "queue": "127.0.0.1:5672"}
SHOP = {**DECLARED["apps"][0], "tcp": TCP, "jobs": [{"name": "nightly-backup", "every": "1d"}]}
SHOP_EU = {"name": "shop-eu", "url": "https://eu.example.com/", "host": "web2", "tcp": {"queue": "10.0.0.2:5672"}}
IDLE = {"name": "idle", "metrics": [":9000"]}
WATCHED = [SHOP, SHOP_EU, IDLE]
# Name of a monitor: its labels `app` and `probe`, None for none.
NAMES: dict[str, tuple[str | None, str | None]] = {
    "shop": ("shop", None),
    "shop: website": ("shop", "url"),
    "shop: health": ("shop", "health"),
    "shop: database": ("shop", "database"),
    "shop: redis": ("shop", "redis"),
    "shop: database port": ("shop", "database"),  # one fault of both is told once
    "shop: queue port": ("shop", None),
    "shop: job nightly-backup": ("shop", None),
    "shop-eu": ("shop-eu", None),
    "shop-eu: website": ("shop-eu", "url"),
    "shop-eu: queue port": ("shop-eu", None),
    # Made by hand in Uptime Kuma, and what an app declared once.
    "idle": (None, None),
    "shop: websites": (None, None),
    "shop: Website": (None, None),
    "shop: redis port": (None, None),
    "shop: job monthly-report": (None, None),
    "shop-eu: database": (None, None),
    "shop-eu: health": (None, None),
    "Alerting path": (None, None),
    "Alerting path: heartbeat": (None, None),
    "Alerting path: Prometheus": (None, None),
    "website": (None, None),
    "shops: website": (None, None),
    "My shop: website": (None, None),
    "shop:website": (None, None),
    "blog: website": (None, None),  # an app that is no longer declared
    "": (None, None),
}
OF_MONITOR = {
    "__name__": "monitor_status",
    "job": "uptime_kuma",
    "instance": "127.0.0.1:3001",
    "environment": "staging",
    "host": "web1",
    "monitor_type": "http",
}
OF_KUMA = {
    "monitor_id": "7",
    "monitor_url": "https://shop.example.com/?token=hush",
    "monitor_hostname": "db",
    "monitor_port": "5432",
    "crowsnest": "shop/website",
    "team": "web",
}


@pytest.fixture
def rules(context: MakeContext) -> Callable[..., list[dict[str, Any]]]:
    """Relabelling of the job uptime_kuma for these apps."""

    def make(*apps: dict[str, Any]) -> list[dict[str, Any]]:
        (job,) = (
            job
            for job in prometheus_config(context({"apps": apps}, hosts=["web1", "web2"]))["scrape_configs"]
            if job["job_name"] == "uptime_kuma"
        )
        return list(job["metric_relabel_configs"])

    return make


@pytest.mark.parametrize("name", NAMES)
def test_monitors_have_the_labels_of_their_app_and_none_that_come_and_go(
    rules: Callable[..., list[dict[str, Any]]], name: str
) -> None:
    made = relabelled(rules(*WATCHED), {**OF_MONITOR, **OF_KUMA, "monitor_name": name})
    app, probe = NAMES[name]
    own = {"app": app, "probe": probe, "host": "web2" if app == "shop-eu" else "web1"}
    assert made == {**OF_MONITOR, "monitor_name": name, **{label: it for label, it in own.items() if it}}


def test_a_monitor_is_labelled_as_the_probe_of_the_same_thing(rules: Callable[..., Any], context: MakeContext) -> None:
    found = [each for app in WATCHED for each in app_monitors(App.model_validate(app))]
    made = [relabelled(rules(*WATCHED), {**OF_MONITOR, "monitor_name": each["name"]}) or {} for each in found]
    jobs = prometheus_config(context({"apps": WATCHED}, hosts=["web1", "web2"]))["scrape_configs"]
    (probes,) = (job["static_configs"] for job in jobs if job["job_name"] == "probe")
    same = ("app", "host", "probe")
    assert {tuple(labels[name] for name in same) for labels in made if "probe" in labels} == {
        tuple(entry["labels"][name] for name in same) for entry in probes if entry["labels"]["probe"] != "answer"
    }
    assert len(made) == 11
    assert {labels["app"] for labels in made} == {"shop", "shop-eu"}


@pytest.mark.parametrize("apps", [[], [IDLE]], ids=["no app", "an app without monitors"])
def test_without_monitors_of_apps_the_rest_is_as_always(rules: Callable[..., Any], apps: list[dict[str, Any]]) -> None:
    for name in ("Office", "Alerting path: heartbeat", "shop: website"):
        labels = {**OF_MONITOR, "monitor_name": name}
        assert relabelled(rules(*apps), {**labels, **OF_KUMA}) == labels


def test_each_value_of_a_label_needs_one_rule(rules: Callable[..., Any]) -> None:
    asked = {"detailed": "http://127.0.0.1/d", "components": ["database"]}
    apps = [{"name": name, "host": "web2", "health": asked} for name in ("shop", "blog")]
    made = [(rule["target_label"], rule["replacement"]) for rule in rules(*apps) if "target_label" in rule]
    assert sorted(made) == [
        *(("app", "blog"), ("app", "shop"), ("app", "stack")),
        *(("host", "web2"), ("probe", "backup"), ("probe", "database")),
    ]
    assert (relabelled(rules(*apps), {**OF_MONITOR, "monitor_name": "blog: database"}) or {})["probe"] == "database"


@pytest.mark.parametrize("component", ["cache.1", "a|b", "(x)", "postgres:connections", "결제", "a+", "$1"])
def test_a_component_may_have_any_name(rules: Callable[..., Any], component: str) -> None:
    made = rules({"name": "shop", "health": {"detailed": "http://127.0.0.1/d", "components": [component]}})
    named = {name: relabelled(made, {**OF_MONITOR, "monitor_name": f"shop: {name}"}) for name in (component, "cache-1")}
    assert {name: (labels or {}).get("probe") for name, labels in named.items()} == {
        component: component,
        "cache-1": None,
    }


# Series of Kuma: whether they are kept.
SERIES = {
    "monitor_status": True,
    "monitor_response_time": True,
    "monitor_cert_days_remaining": True,
    "process_resident_memory_bytes": True,
    "monitor_cert_is_valid": False,
    "monitor_uptime_ratio": False,
    "nodejs_heap_size_used_bytes": False,
    "nodejs_eventloop_lag_p99_seconds": False,
    "nodejs_heap_space_size_used_bytes": False,
    "nodejs_gc_duration_seconds_bucket": False,
    "nodejs_version_info": False,
    "app_version": False,
}


@pytest.mark.parametrize("name", SERIES)
def test_of_kumas_series_only_the_used_ones_are_kept(rules: Callable[..., Any], name: str) -> None:
    labels = {"__name__": name, "job": "uptime_kuma"}
    assert relabelled(rules(*WATCHED), labels) == (labels if SERIES[name] else None)


def test_a_host_without_kuma_is_not_asked_for_it(context: MakeContext) -> None:
    config = prometheus_config(context(total_mib=945, used_mib=120))
    assert "uptime_kuma" not in [job["job_name"] for job in config["scrape_configs"]]


# --- blackbox.yml ---


def test_each_component_has_one_module_and_each_answer_its_own() -> None:
    components = {"shop": ["database", "redis"], "blog": ["database"]}
    apps = [
        {"name": name, "health": {"detailed": "http://127.0.0.1/d", "components": it}}
        for name, it in components.items()
    ]
    modules = blackbox_config([App.model_validate(app) for app in apps])["modules"]
    assert set(modules) == {"http", "shop/answer", "blog/answer", "component_database", "component_redis"}
    asked = {"preferred_ip_protocol": "ip4"}
    assert modules["http"] == {"prober": "http", "timeout": "8s", "http": asked}
    for app, names in components.items():
        assert modules[f"{app}/answer"]["http"] == {**asked, **health.answer_judged(names)}
    assert modules["component_redis"]["http"] == {**asked, **health.component_judged("redis")}


# Its own metrics would be open to everybody who reaches the host, so blackbox exporter asks whether it is ready.
def test_a_service_without_metrics_is_asked_for_its_health(context: MakeContext) -> None:
    made = {
        it["job_name"]: it for it in prometheus_config(context({"metabase": True}, total_mib=3900))["scrape_configs"]
    }
    assert not {"metabase", "metabase_database"} & set(made)
    job = made["service_probe"]
    assert job["params"] == {"module": ["http"]}
    assert job["static_configs"] == [
        {
            "targets": ["http://127.0.0.1:3002/api/health"],
            "labels": {"environment": "production", "host": "web1", "service": "metabase"},
        }
    ]


def test_without_such_a_service_there_is_no_such_job(context: MakeContext) -> None:
    assert "service_probe" not in {it["job_name"] for it in prometheus_config(context())["scrape_configs"]}
