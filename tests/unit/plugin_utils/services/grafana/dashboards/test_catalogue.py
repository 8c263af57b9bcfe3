"""Dashboards of plans as data: which there are, what their panels say and ask. Their JSON: test_build.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    Dashboard,
    Panel,
    queries,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import alert_names, rule_files

MakeContext = Callable[..., Context]
HEALTH = {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database"]}
SHOP: dict[str, Any] = {
    "name": "shop",
    "framework": "django",
    "slo": 0.995,
    "anomaly": True,
    "signals": {"payment_up": "up", "refunds": "refunds_total", "out_of_stock": "products"},
    "url": "https://shop.example.com/",
    "metrics": [":8000"],
    "container": "shop-web-1",
    "health": HEALTH,
    "database": {"name": "shop"},
    "redis": {"queues": ["celery"]},
    "backup": {"remote": "offsite"},
}
REMOTES = {"offsite": {"bucket": "shop-backups", "region": "ap-northeast-2"}}
API: dict[str, Any] = {"name": "api", "framework": "fastapi", "host": "web2", "metrics": [":8100"]}
NODE: dict[str, Any] = {"name": "node-app", "framework": "prom_client", "metrics": [":3000"]}
GENERIC: dict[str, Any] = {"name": "other", "metrics": [":9000"]}
MARKET: dict[str, Any] = {
    "name": "market",
    "metrics": [":9001"],
    "metrics_prefix": "shop_",
    "custom_metrics": [
        {"name": "shop_campaigns", "labels": ["region"], "description": "Campaigns.", "alert": {"above": 7}},
        {"name": "shop_refunds_total", "type": "counter", "description": "Refunds", "unit": "KRW"},
        {"name": "shop_call_seconds", "type": "histogram", "description": "Calls", "unit": "seconds"},
    ],
}
PAGE: dict[str, Any] = {"name": "page", "url": "https://page.example.com"}
APPS = [SHOP, API, NODE, GENERIC, MARKET, PAGE]
# Labels that series carry: ours, Prometheus' own, and those of exporters that panels ask for.
LABELS = {
    *("__name__", "environment", "host", "app", "job", "instance", "probe", "alertname", "alertstate", "severity"),
    *("mode", "device", "mountpoint", "phase", "state", "receiver_name", "code", "status_code"),
    *(
        "view",
        "handler",
        "route",
        "path",
        "method",
        "status",
        "type",
        "alias",
        "backend",
        "le",
        "what",
        "page",
        "thing",
    ),
    *("monitor_name", "monitor_type", "container", "project", "service", "edge", "signal"),
    *(
        "database",
        "place",
        "remote",
        "region",
        "image",
        "integration",
        "datname",
        "schemaname",
        "relname",
        "queue",
        "push_job",
    ),
}


@pytest.fixture
def full(context: MakeContext) -> Context:
    """A plan with everything."""
    declared = {"apps": APPS, "environment": "staging", "backup_remotes": REMOTES, "metabase": False}
    return context(
        declared | {"pushgateway": {"nightly-import": "1d"}}, hosts=["web1", "web2"], registry=REGISTRY, total_mib=16000
    )


def panels(dashboard: Dashboard) -> Iterator[Panel]:
    for row in dashboard.rows:
        yield from row.panels


def without(context: Context, service: str) -> Context:
    """The plan of a host on which this service has no room."""
    services = {name: planned for name, planned in context.services.items() if name != service}
    return replace(context, plan=context.plan.model_copy(update={"services": services}))


def titles(dashboard: Dashboard) -> list[str]:
    return [panel.title for panel in panels(dashboard)]


def of_app(context: Context, name: str) -> Dashboard:
    return next(dashboard for dashboard in dashboards(context) if dashboard.app == name)


def asked(dashboard: Dashboard) -> str:
    """All PromQL of a dashboard."""
    return "\n".join(query.expr for panel in panels(dashboard) for query in panel.queries)


# --- which dashboards there are ---------------------------------------------------------------------------------------


def test_addresses_never_change(full: Context) -> None:
    """People keep these links; alerts have them in their messages."""
    assert {each.uid: (each.folder, each.app) for each in dashboards(full)} == {
        "overview": ("Overview", ""),
        "host": ("Operations", ""),
        "containers": ("Operations", ""),
        "stack": ("Operations", ""),
        "alerts": ("Operations", ""),
        "batch-jobs": ("Operations", ""),
        "backups": ("Operations", ""),
        "probes": ("Operations", ""),
        "uptime": ("Operations", ""),
        "postgresql": ("Operations", ""),
        "redis": ("Operations", ""),
        "app-shop": ("Development", "shop"),
        "app-api": ("Development", "api"),
        "app-node-app": ("Development", "node-app"),
        "app-other": ("Development", "other"),
        "app-market": ("Development", "market"),
    }


def rows_of_backups(context: Context) -> list[str]:
    return [row.title for each in dashboards(context) if each.uid == "backups" for row in each.rows]


def columns_of_backups(context: Context) -> list[str]:
    (page,) = [each for each in dashboards(context) if each.uid == "backups"]
    (table,) = [panel for row in page.rows for panel in row.panels if panel.title == "Last good backup"]
    return [column.title for column in table.columns.values()]


def test_backups_are_shown_where_there_are_any_and_what_is_declared_of_them(
    full: Context, context: MakeContext
) -> None:
    always = ["Now", "Size and time", "Kept", "Disk"]
    assert rows_of_backups(context({"backup_stack": False})) == []
    assert rows_of_backups(context({})) == always
    assert rows_of_backups(full) == [*always[:3], "Copies", "Drills", "Disk"]
    more = set(columns_of_backups(full)) - set(columns_of_backups(context({})))
    assert more == {"Kept in the remote", "Proven by a drill"}


def test_titles_differ_within_a_folder_and_within_a_dashboard(full: Context) -> None:
    named = [(each.folder, each.title) for each in dashboards(full)]
    assert len(set(named)) == len(named)
    for dashboard in dashboards(full):
        assert len(set(titles(dashboard))) == len(titles(dashboard)), dashboard.uid


def test_without_apps_nothing_of_apps_is_asked(context: MakeContext) -> None:
    made = {each.uid: each for each in dashboards(context({}))}
    assert set(made) == {"overview", "host", "containers", "stack", "alerts", "batch-jobs", "backups", "uptime"}
    for uid in ("overview", "uptime"):
        assert not re.search(r"app:|probe_|job=\"(app|probe)\"", asked(made[uid]))


@pytest.mark.parametrize(("blackbox", "apps"), [(False, [SHOP]), (True, [GENERIC])])
def test_without_probes_nothing_of_probes_is_asked(
    full: Context, context: MakeContext, blackbox: bool, apps: list[Any]
) -> None:
    made = context({"apps": apps}, total_mib=8000)
    kept = dashboards(made if blackbox else without(made, "blackbox"))
    assert "probes" not in {each.uid for each in kept}
    assert not [each.uid for each in kept if "probe_" in asked(each).replace("blackbox_", "")]
    assert ("blackbox" in str(kept)) == blackbox
    assert "/d/probes" not in str(kept)
    assert "/d/probes" in str(dashboards(full))  # the pattern finds what it looks for


def test_without_uptime_kuma_nothing_of_monitors_is_asked(full: Context) -> None:
    """Only the history of alerts keeps the label: alerts of the time before may have it."""
    words = re.compile(r"/d/uptime|uptime_kuma|app:available|monitor_(status|response|cert)|\bMonitor\b")
    assert words.search(str(dashboards(full)))
    kept = dashboards(without(full, "uptime_kuma"))
    assert "uptime" not in {each.uid for each in kept}
    assert not words.search(str(kept))


@pytest.mark.parametrize(
    ("app", "measured"),
    [
        (PAGE, True),
        ({"name": "inner", "health": {"basic": "http://127.0.0.1:8000/health/"}}, True),
        ({"name": "parts", "health": {"detailed": "http://127.0.0.1:8000/d/", "components": ["database"]}}, False),
        (GENERIC, False),
    ],
)
def test_availability_is_shown_for_apps_with_an_address_or_a_health_endpoint(
    context: MakeContext, app: dict[str, Any], measured: bool
) -> None:
    made = {each.uid: titles(each) for each in dashboards(context({"apps": [app]}, total_mib=8000))}
    assert ("Availability" in made["uptime"]) == ("Available in 30 days" in made["overview"]) == measured


def lacking(context: Context, **series: list[str]) -> Context:
    """The same when apps do not export these series."""
    return replace(context, plan=context.plan.model_copy(update={"not_exported": series}))


def test_a_metric_that_its_app_does_not_export_has_no_panel(full: Context) -> None:
    made = lacking(full, market=["shop_refunds_total", "shop_call_seconds_count"])
    gone = {"shop_refunds_total", "shop_call_seconds"}
    before, after = dashboards(full), dashboards(made)
    assert titles(of_app(made, "market")) == [title for title in titles(of_app(full, "market")) if title not in gone]
    assert [each for each in after if each.app != "market"] == [each for each in before if each.app != "market"]


def test_the_verification_asks_for_the_panels_that_there_are(full: Context) -> None:
    def asked_for(context: Context) -> set[str]:
        expected = context.definition("grafana").expected(context)
        return {query["panel"] for query in expected["queries"] if query["app"] == "market"}

    assert asked_for(full) - asked_for(lacking(full, market=["shop_campaigns"])) == {"shop_campaigns"}


def test_a_row_without_panels_is_left_out(context: MakeContext) -> None:
    app = {key: value for key, value in MARKET.items() if key != "metrics_prefix"}
    made = context({"apps": [{**app, "custom_metrics": app["custom_metrics"][:1]}]})
    assert "Business" in [row.title for row in of_app(made, "market").rows]
    assert "Business" not in [row.title for row in of_app(lacking(made, market=["shop_campaigns"]), "market").rows]


def test_what_one_app_lacks_another_may_have(context: MakeContext) -> None:
    made = lacking(context({"apps": [MARKET, {**MARKET, "name": "fair"}]}), market=["shop_campaigns"])
    assert "shop_campaigns" in titles(of_app(made, "fair"))


# --- what panels say --------------------------------------------------------------------------------------------------


# Where a text sends its reader: a program on the host, a page, a dashboard.
LEADS = re.compile(
    r"\b(docker|journalctl|systemctl|curl|top|ss|ps|iotop|ip|redis-cli|certbot|timedatectl|resolvectl|nginx) -{0,2}\w"
    r"|\bcrowsnest-backup \w"
    r"|\b(top|EXPLAIN|django-debug-toolbar|pg_stat_\w+|playbooks/\w+|docs/\w+)\b"
    r"|\bpages? [A-Z]|\brunbook\b|\bdashboard\b|\bclick\b"
)


def test_every_panel_says_what_to_do(full: Context) -> None:
    """Its text leads on: to a command, a page, a dashboard, another panel, an alert or a setting."""
    titled = {panel.title for each in dashboards(full) for panel in panels(each)}
    settings = {f"crowsnest_{name}" for name in type(full.declaration).model_fields}
    for dashboard in dashboards(full):
        for panel in panels(dashboard):
            text = panel.description
            assert len(text) >= 40, (dashboard.uid, panel.title)
            assert panel.title not in (text, text.rstrip("."))
            named = [name for name in {*alert_names(), *settings, *titled - {panel.title}} if name in text]
            assert named or LEADS.search(text), (dashboard.uid, panel.title, text)


def test_panels_read_the_journal_as_root(full: Context) -> None:
    """A login outside group adm sees only its own lines."""
    words = " ".join(panel.description for each in dashboards(full) for panel in panels(each))
    assert {*re.findall(r"(\S+) (?:journalctl|dmesg)\b", words)} == {"sudo"}


def test_runbooks_and_settings_that_panels_name_exist(full: Context) -> None:
    words = " ".join(panel.description for each in dashboards(full) for panel in panels(each))
    named = set(re.findall(r"\balert ([A-Z]\w+)", words)) | set(re.findall(r"\b([A-Z]\w+) has the runbook", words))
    assert named and named <= set(alert_names())
    settings = set(re.findall(r"crowsnest_(\w+)", words))
    assert settings and settings <= set(type(full.declaration).model_fields)


def test_a_panel_with_queries_is_no_text_and_the_other_way_round(full: Context) -> None:
    for dashboard in dashboards(full):
        for panel in panels(dashboard):
            assert bool(panel.queries) != (panel.kind == "text"), (dashboard.uid, panel.title)
            assert bool(panel.columns) == (panel.kind == "table"), (dashboard.uid, panel.title)


def test_links_lead_to_dashboards_that_exist(full: Context) -> None:
    made = {each.uid for each in dashboards(full)}
    links = re.findall(r"'(/d/[^']*)'", str(dashboards(full)))
    fixed = {link.split("?")[0].removeprefix("/d/") for link in links if "${__" not in link.split("?")[0]}
    assert fixed >= {"overview", "host", "stack", "probes", "uptime"} and fixed <= made
    variable = {link.split("?")[0] for link in links} - {f"/d/{uid}" for uid in fixed}
    assert variable == {"/d/app-${__field.labels.app}", "/d/${__data.fields.page}"}


def test_an_app_leads_to_its_own_host_and_probes(full: Context) -> None:
    links = {link.url for link in of_app(full, "api").links}
    own = {"/d/host?var-host=web2", "/d/alerts?var-app=api"}  # only the server's containers are known
    assert links == {"/d/overview", *own, full.declaration.runbook_url}
    found = {link.url for link in of_app(full, "shop").links}
    assert {"/d/host?var-host=web1", "/d/containers?var-host=web1", "/d/probes?var-app=shop"} <= found


@pytest.mark.parametrize("language, folder", [("en", "runbooks"), ("ko", "runbooks/ko")])
def test_dashboards_lead_to_the_runbooks_in_the_declared_language(
    context: MakeContext, language: str, folder: str
) -> None:
    made = dashboards(context({"apps": APPS, "backup_remotes": REMOTES, "language": language}))
    texts = " ".join(panel.text for each in made for panel in panels(each))
    urls = [link.url for each in made for link in each.links] + re.findall(r"\]\((http[^)]+)\)", texts)
    runbooks = [url for url in urls if "/runbooks" in url]
    assert len(runbooks) > len(made) / 2 and {url.partition("/docs/")[2] for url in runbooks} == {folder}


def test_a_firing_alert_leads_to_a_dashboard_that_exists(full: Context) -> None:
    """An app that is only probed has no dashboard of its own: its alerts lead to the probes."""
    table = next(panel for panel in panels(dashboards(full)[0]) if panel.title == "Alerts firing now")
    assert '"app-$1", "app", "(shop|api|node-app|other|market)"' in table.queries[0].expr
    assert '"probes", "app", ".+"' in table.queries[0].expr
    assert "page" in table.columns


def test_a_firing_alert_of_a_monitor_leads_to_the_monitors_that_of_a_job_to_the_jobs(full: Context) -> None:
    table = next(panel for panel in panels(dashboards(full)[0]) if panel.title == "Alerts firing now")
    *_, monitor, job = re.findall(r'"page", ("[^"]+", "\w+"), "([^"]+)"', table.queries[0].expr)
    assert monitor == ('"uptime", "monitor_name"', ".+")
    assert job == ('"batch-jobs", "alertname"', "CeleryWorkerMissing|JobSilent|PushSilent|QueueLong")
    assert table.columns["monitor_name"].title == "Monitor"


def test_the_portal_has_the_addresses_people_open(context: MakeContext) -> None:
    made = context(
        {"external_urls": {"prometheus": "https://watch.example.com/prometheus"}, "runbook_url": "https://w/r"}
    )
    text = next(panel.text for panel in panels(dashboards(made)[0]) if panel.kind == "text")
    assert "(https://watch.example.com/prometheus)" in text
    assert "(http://127.0.0.1:9093)" in text and "(https://w/r)" in text
    assert "[Uptime Kuma](" in text


# --- what panels ask --------------------------------------------------------------------------------------------------


def test_labels_and_jobs_are_those_that_series_have(full: Context) -> None:
    jobs = {job["job_name"] for job in prometheus_config(full)["scrape_configs"]}
    for dashboard in dashboards(full):
        expr = asked(dashboard)
        matched = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expr))
        grouped = {
            label.strip() for found in re.findall(r"(?:by|on|ignoring) \(([^)]+)\)", expr) for label in found.split(",")
        }
        legends = {
            label
            for panel in panels(dashboard)
            for query in panel.queries
            for label in re.findall(r"{{(\w+)}}", query.legend)
        }
        assert (matched | grouped | legends) <= LABELS, dashboard.uid
        assert set(re.findall(r"job=\"(\w+)\"", expr)) <= jobs, dashboard.uid


def test_each_legend_label_is_kept_by_its_query(full: Context) -> None:
    """An aggregation that drops a label leaves a legend with a hole."""
    for dashboard in dashboards(full):
        for panel in panels(dashboard):
            for query in panel.queries:
                outer = re.match(r"(?:sum|max|min|avg|count)(?: by \(([^)]*)\))? ?\(", query.expr)
                kept = {label.strip() for label in (outer[1] or "").split(",")} if outer else LABELS
                assert set(re.findall(r"{{(\w+)}}", query.legend)) <= kept, (dashboard.uid, panel.title)


def test_recorded_series_exist(full: Context) -> None:
    rules = [rule for text in rule_files(full).values() for g in yaml.safe_load(text)["groups"] for rule in g["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    used = {
        name
        for dashboard in dashboards(full)
        for name in re.findall(r"\b[a-z_]+:[a-z_0-9]+:[a-z_0-9]+\b", asked(dashboard))
    }
    assert used and used <= recorded


def test_no_variable_is_left_for_verification(full: Context) -> None:
    for dashboard in dashboards(full):
        for query in queries(dashboard, "1m"):
            assert not re.search(r"\$(?!\d)", query.expr), query


def test_only_an_app_asks_for_itself(full: Context) -> None:
    for name in ("shop", "api", "node-app", "other"):
        for panel in panels(of_app(full, name)):
            apps = {app for query in panel.queries for app in re.findall(r"\bapp=\"([^\"]*)\"", query.expr)}
            assert apps <= {name}, panel.title
            assert 'app="' in str(panel.queries), panel.title


def test_all_that_an_app_exports_is_asked_for_the_chosen_instances(full: Context) -> None:
    for name in ("shop", "api", "node-app", "other"):
        expr = asked(of_app(full, name))
        chosen = re.findall(r"{job=\"app\", app=[^}]*}", expr)
        assert chosen and all('instance=~"$instance"' in each for each in chosen)
        assert all('environment="$environment"' in each for each in chosen)


def test_memory_is_measured_by_the_limits_of_our_containers(full: Context) -> None:
    stack = next(each for each in dashboards(full) if each.uid == "stack")
    bars = next(panel for panel in panels(stack) if panel.title == "Memory of each service by its limit")
    ours = 'container:memory_used:percent{project="crowsnest", host="web1"}'
    assert [(query.legend, query.expr) for query in bars.queries] == [("{{service}}", ours)]


def test_a_service_without_metrics_is_asked_by_blackbox(context: MakeContext) -> None:
    def services(made: Context) -> list[str]:
        stack = next(each for each in dashboards(made) if each.uid == "stack")
        return [query.expr for panel in panels(stack) if panel.title == "Services" for query in panel.queries]

    assert services(context({"metabase": True}, total_mib=3900))[1:] == ['probe_success{job="service_probe"}']
    assert services(context())[1:] == []
    assert "metabase" not in services(context({"metabase": True}, total_mib=3900))[0]


def test_dashboards_stay_the_same_while_the_host_works(context: MakeContext) -> None:
    """Otherwise every run would write new files: what the facts find free differs from minute to minute."""
    assert dashboards(context({"apps": APPS}, used_mib=200)) == dashboards(context({"apps": APPS}, used_mib=230))


# --- availability and monitors ----------------------------------------------------------------------------------------


def uptime_panel(context: Context, title: str) -> Panel:
    uptime = next(each for each in dashboards(context) if each.uid == "uptime")
    return next(panel for panel in panels(uptime) if panel.title == title)


def test_the_table_of_availability_says_the_share_the_minutes_lost_and_for_how_long_it_was_measured(
    full: Context,
) -> None:
    table = uptime_panel(full, "Availability")
    assert [column.title for column in table.columns.values()] == [
        *("App", "24 hours", "30 days", "90 days", "Down in 30 days (minutes)", "Measured for (days)")
    ]
    *shares, lost, measured = [query.expr for query in table.queries]
    assert [re.findall(r"\[(\w+)\]", expr) for expr in shares] == [["1d"] * 2, ["30d"] * 2, ["90d"] * 2]
    # One value of the recorded series stands for five minutes, as its rule's group says.
    groups = yaml.safe_load(rule_files(full)["rules/uptime.yml"])["groups"]
    assert [each["interval"] for each in groups if each["name"] == "uptime_availability"] == ["5m"]
    assert lost.startswith("5 * ") and measured.startswith("5 / (24 * 60) * ")
    assert [(each.value, each.color) for each in table.thresholds] == [(0.99, "yellow"), (0.999, "green")]


@pytest.mark.parametrize("title", ["Monitors", "Monitors over time", "Response time"])
def test_jobs_and_groups_are_no_monitors_that_look_at_something(full: Context, title: str) -> None:
    assert 'monitor_type!~"push|group"' in uptime_panel(full, title).queries[0].expr


def test_a_response_that_never_came_is_no_response_time(full: Context) -> None:
    """Uptime Kuma exports -1 for it."""
    assert ">= 0" in uptime_panel(full, "Response time").queries[0].expr


def test_each_state_of_a_monitor_has_its_own_name_and_colour(full: Context) -> None:
    jobs = next(panel for each in dashboards(full) for panel in panels(each) if panel.title == "Scheduled jobs")
    for panel in (*(uptime_panel(full, title) for title in ("Monitors", "Alerting path", "Monitors over time")), jobs):
        values = panel.values
        assert {number: name for number, (name, _) in values.items()} == {
            0: "down",
            1: "up",
            2: "pending",
            3: "maintenance",
        }
        assert len({color for _, color in values.values()}) == 4


# --- frameworks -------------------------------------------------------------------------------------------------------

# What an app of a framework exports that no other does, or does under other names.
OWN = {
    "shop": r"\bdjango_",
    "api": r"\bhttp_request_duration_highr_seconds|\bfastapi:",
    "node-app": r"\bprom_client:|\broute\b",
    "other": r"$^",
}


@pytest.mark.parametrize("name", OWN)
def test_an_app_is_asked_only_for_what_its_framework_exports(full: Context, name: str) -> None:
    expr = asked(of_app(full, name))
    for other, pattern in OWN.items():
        assert bool(re.search(pattern, expr)) == (other == name and name != "other"), other


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "shop",
            ["At a glance", "Server", "Business", "Database", "Errors and alerts"],
        ),
        ("api", ["At a glance", "Server", "Errors and alerts"]),
        ("node-app", ["At a glance", "Server", "Errors and alerts"]),
        ("other", ["At a glance", "Errors and alerts"]),
        ("market", ["At a glance", "Business", "Errors and alerts"]),
    ],
)
def test_rows_of_an_app(full: Context, name: str, rows: list[str]) -> None:
    assert [row.title for row in of_app(full, name).rows] == rows


def test_a_generic_app_is_asked_only_whether_it_is_up_and_for_its_process(full: Context) -> None:
    assert titles(of_app(full, "other")) == [
        *("Instances", "Memory", "CPU", "Firing alerts", "Alerts firing now", "Alert history")
    ]
    overview = dashboards(full)[0]
    requests = next(panel for panel in panels(overview) if panel.title == "Requests")
    assert "shop|api|node-app" in requests.queries[0].expr and "other" not in requests.queries[0].expr


def test_certificates_are_shown_for_https_only(context: MakeContext) -> None:
    plain = {**SHOP, "url": "http://127.0.0.1:8000/"}
    assert "Certificate valid for" in titles(of_app(context({"apps": [SHOP]}), "shop"))
    assert "Certificate valid for" not in titles(of_app(context({"apps": [plain]}), "shop"))


def test_colours_follow_the_app_s_own_thresholds(context: MakeContext) -> None:
    limits = {"error_ratio": 0.2, "latency_p95_medium_seconds": 3, "latency_p95_high_seconds": 4}
    shop = of_app(context({"apps": [{**SHOP, "thresholds": limits}]}), "shop")
    steps = {panel.title: [(each.value, each.color) for each in panel.thresholds] for panel in panels(shop)}
    assert steps["Errors"][-1] == (0.2, "red")
    assert steps["Response time"] == [(3, "yellow"), (4, "red")]


def test_messages_name_the_declared_container(full: Context) -> None:
    shop = next(panel for panel in panels(of_app(full, "shop")) if panel.title == "Exceptions by type")
    assert "docker logs --tail 50 shop-web-1" in shop.description


@pytest.mark.parametrize(
    ("job", "series"),
    [
        ("grafana", r"\bgrafana_\w+"),
        ("uptime_kuma", r"\bmonitor_\w+\b(?!\s*(?:=|!|\)|,|\"))"),
        ("uptime_kuma", r"\bprocess_\w+"),
    ],
)
def test_no_panel_asks_for_a_metric_of_a_service_that_is_not_kept(full: Context, job: str, series: str) -> None:
    jobs = {each["job_name"]: each for each in prometheus_config(full)["scrape_configs"]}
    kept = jobs[job]["metric_relabel_configs"][0]["regex"]
    exprs = [query.expr for each in dashboards(full) for query in queries(each, "1m")]
    asked = {name for expr in exprs for name in re.findall(series, expr)}
    assert asked
    assert [name for name in asked if not re.fullmatch(kept, name)] == []
