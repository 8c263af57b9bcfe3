# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One dashboard per app that has metrics: rows from "is it healthy" to "which error".

Each row is a function of the app; panels whose metric its framework does not export are left out. A further row of
panels is a further function in `app_dashboard`.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.dashboard import (
    availability,
    certificates,
    durations,
    probed_apps,
    success,
    success_history,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.alerts import (
    alert_history,
    firing_count,
    firing_table,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.custom import (
    custom_panel,
    prefix_panel,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import (
    too_many_errors,
    too_slow,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.objectives import (
    objective_rows,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    ANY,
    BYTES,
    COUNT,
    FOLDER_DEVELOPMENT,
    OPERATIONS,
    PER_SECOND,
    RANGE,
    RATE,
    SECONDS,
    SHARE,
    TO_OVERVIEW,
    TO_POSTGRESQL,
    TO_PROBES,
    TO_REDIS,
    UP,
    Column,
    Dashboard,
    Link,
    Panel,
    Query,
    Row,
    Variable,
    deploy_mark,
    host_link,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import instance
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import DEPLOYED, has_deploys
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import (
    PROFILES,
    Answers,
    Profile,
    with_status,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import increase

NO_REQUESTS = "No user sent a request in this time."
_NO_BACKEND = "Only an app whose settings use the {} of django_prometheus exports this."


def app_dashboard(context: Context, app: App) -> Dashboard:
    """The dashboard of an app with metrics."""
    profile, probed = PROFILES.get(app.framework), app in probed_apps(context)
    rows = [_at_a_glance(context, app, profile)]
    if profile:
        rows.append(_server(app, profile))
    rows += objective_rows(app, _of_app(app))
    if app.framework == "django":
        rows.append(_database_and_cache(app))
    if app.custom_metrics or app.metrics_prefix:
        rows.append(_own_metrics(app))
    if probed:
        rows.append(_health(app))
    rows.append(_errors_and_alerts(context, app, profile))
    links = [TO_OVERVIEW, host_link(app.host or context.server), runbook_link(context.declaration.runbook_url)]
    links[2:2] = [Link(to.title, f"{to.url}?var-app={app.name}") for to in _measured_besides(context, app, probed)]
    return Dashboard(
        uid=f"app-{app.name}",
        title=f"App {app.name}",
        folder=FOLDER_DEVELOPMENT,
        description=f"Everything that is measured of {app.name} ({app.framework}).",
        rows=tuple(rows),
        variables=(
            Variable("environment", "Environment", options=(context.declaration.environment,)),
            Variable(
                "instance", "Instance", query=f'label_values(up{{job="app", app="{app.name}"}}, instance)', multi=True
            ),
            Variable("threshold", "Endpoints slower than (s)", options=("0", "0.1", "0.5", "1", "2")),
        ),
        links=tuple(links),
        app=app.name,
        marks=(deploy_mark(f"{DEPLOYED}{{{_of_app(app)}}}"),) if has_deploys(app) else (),
    )


def _measured_besides(context: Context, app: App, probed: bool) -> list[Link]:
    """Dashboards that show more of the app, its own chosen at their top."""
    exporters = {"postgres_exporter": TO_POSTGRESQL, "redis_exporter": TO_REDIS}
    running = [to for service, to in exporters.items() if instance(service, app) in context.plan.services]
    return [*([TO_PROBES] if probed else []), *running]


# --- selectors, without braces ----------------------------------------------------------------------------------------


def _of_app(app: App) -> str:
    """All series of the app, also the recorded ones, which cover all instances together."""
    return f'app="{app.name}", environment="$environment"'


def _of_instances(app: App, *matchers: str) -> str:
    """What the chosen instances export."""
    return ", ".join(['job="app"', _of_app(app), 'instance=~"$instance"', *filter(None, matchers)])


def _logs(app: App) -> str:
    return f"docker logs --tail 50 {app.container or 'CONTAINER'} on its host"


# --- rows -------------------------------------------------------------------------------------------------------------


def _at_a_glance(context: Context, app: App, profile: Profile | None) -> Row:
    history = (_memory(context, app), _cpu(context, app))
    if profile:
        now = (_up(app), _requests_now(app), _errors_now(app), _mean_now(app, profile))
        return Row("At a glance", (*now, *history))
    return Row("At a glance", (_up(app), *(replace(panel, width=9) for panel in history)))


def _up(app: App) -> Panel:
    return Panel(
        "Instances",
        f"Whether each instance exports its metrics. Red: docker ps -a, then {_logs(app)}; alert AppDown has the "
        "runbook.",
        "stat",
        (Query(f"up{{{_of_instances(app)}}}", "{{instance}}"),),
        values=UP,
    )


def _requests_now(app: App) -> Panel:
    return Panel(
        "Requests",
        "Requests of users each second over five minutes, all instances, without health checks. None in the middle "
        "of the day: can users reach it? curl -sv -o /dev/null ADDRESS, and the row Health.",
        "stat",
        (Query(f"sum(app:requests:rate5m{{{_of_app(app)}}}) or vector(0)"),),
        unit=PER_SECOND,
        decimals=1,
    )


def _errors_now(app: App) -> Panel:
    return Panel(
        "Errors",
        "Share of answers with a status of 500 or more over five minutes, all instances. Red: look at the last "
        f"release and at {_logs(app)}; alert AppErrorRatioHigh has the runbook.",
        "stat",
        (Query(f"max(app:errors:ratio5m{{{_of_app(app)}}}) or vector(0)"),),
        unit=SHARE,
        decimals=1,
        base="green",
        thresholds=too_many_errors(app.thresholds),
    )


def _mean_now(app: App, profile: Profile) -> Panel:
    of = f"{{{_of_instances(app, *profile.latency_of_users)}}}"
    mean = f"sum(rate({profile.latency}_sum{of}[5m])) / (sum(rate({profile.latency}_count{of}[5m])) > 0)"
    return Panel(
        "Mean response time",
        "Time from request to answer inside the app, mean over five minutes. Higher than usual: look at Ten slowest "
        "endpoints below, and at the app's host; alert AppLatencyHigh has the runbook.",
        "stat",
        (Query(mean),),
        unit=SECONDS,
        base="green",
        thresholds=too_slow(app.thresholds),
        empty=NO_REQUESTS,
    )


def _memory(context: Context, app: App) -> Panel:
    host = f'{{job="node", host="{app.host or context.server}"}}'
    used = f"node_memory_MemTotal_bytes{host} - node_memory_MemAvailable_bytes{host}"
    process = f"process_resident_memory_bytes{{{_of_instances(app)}}}"
    return Panel(
        "Memory",
        "What all programs on the app's host use, and the app's own processes if they export it (several workers "
        "behind one page, as with gunicorn, do not). A climb for days: a leak, docker stats --no-stream shows whose; "
        f"{_logs(app)}.",
        "timeseries",
        (Query(_process_and_host(process, used), "{{what}}"),),
        unit=BYTES,
        minimum=0,
        width=12,
    )


def _cpu(context: Context, app: App) -> Panel:
    host = f'job="node", host="{app.host or context.server}", mode!~"idle|iowait|steal"'
    used = f"sum by (host) (rate(node_cpu_seconds_total{{{host}}}[{RATE}]))"
    process = f"rate(process_cpu_seconds_total{{{_of_instances(app)}}}[{RATE}])"
    return Panel(
        "CPU",
        "Busy cores of the app's host, and those of the app's own processes if they export it. More than usual "
        "with the same requests: compare with the last release; docker stats --no-stream shows what is busy.",
        "timeseries",
        (Query(_process_and_host(process, used), "{{what}}"),),
        unit="none",
        decimals=2,
        minimum=0,
        width=12,
    )


def _process_and_host(process: str, host: str) -> str:
    """PromQL with the label `what`: the app's processes, and all of its host, which is always known."""
    named = f'label_replace({process}, "what", "process $1", "instance", "(.*)")'
    return f'{named} or label_replace({host}, "what", "all of host $1", "host", "(.*)")'


def _server(app: App, profile: Profile) -> Row:
    panels = (
        _quantiles(app, profile),
        _status_codes(app, profile),
        _requests(app, profile),
        _slowest(app, profile),
    )
    return Row("Server", panels)


def _quantiles(app: App, profile: Profile) -> Panel:
    of = _of_instances(app, *profile.latency_of_users)
    buckets = f"sum by (le) (rate({profile.latency}_bucket{{{of}}}[5m]))"
    return Panel(
        "Response time",
        "p50: half of the requests are faster; p95 and p99: the slowest 5 % and 1 %, each over five minutes. Only "
        "p99 high: a few endpoints, see the table. All high: the database or the host; alert AppLatencyHigh has the "
        "runbook.",
        "timeseries",
        tuple(Query(f"histogram_quantile(0.{share}, {buckets})", f"p{share}") for share in (50, 95, 99)),
        unit=SECONDS,
        minimum=0,
        thresholds=too_slow(app.thresholds),
        width=8,
        empty=NO_REQUESTS,
    )


def _status_codes(app: App, profile: Profile) -> Panel:
    recorded = f"{profile.name}:responses:increase5m{{{_of_app(app)}}}"
    return Panel(
        "Status codes",
        "Answers each second by HTTP status, over five minutes, all instances. 5xx: the app failed, see Errors and "
        f"alerts. Many 404 or 403: a broken link or somebody who guesses addresses; {_logs(app)}.",
        "timeseries",
        (Query(f"sum by (status) ({recorded}) / 300", "{{status}}"),),
        unit=PER_SECOND,
        minimum=0,
        stacked=True,
        width=8,
        empty="No user sent a request since the app was started.",
    )


def _requests(app: App, profile: Profile) -> Panel:
    of = _of_instances(app, *profile.latency_of_users)
    return Panel(
        "Requests over time",
        "Requests each second by instance. One instance gets nothing: the proxy considers it unhealthy, nginx -T and "
        "its error log on the host. All fall to 0: can users reach the address? curl -sv -o /dev/null ADDRESS.",
        "timeseries",
        (Query(f"sum by (instance) (rate({profile.latency}_count{{{of}}}[{RATE}]))", "{{instance}}"),),
        unit=PER_SECOND,
        minimum=0,
        width=8,
        empty="No user sent a request since the app was started.",
    )


def _slowest(app: App, profile: Profile) -> Panel:
    labels, of = ", ".join(profile.endpoint_labels), f"{{{_of_instances(app, *profile.no_users)}}}"
    total, count = (
        f"sum by (method, {labels}) (rate({profile.by_endpoint}_{part}{of}[{RANGE}]))" for part in ("sum", "count")
    )
    mean = f"{total} / ({count} > 0) >= $threshold"
    return Panel(
        "Ten slowest endpoints",
        "Mean response time of each endpoint in the chosen time, those above the threshold chosen at the top. Look for "
        "missing indexes and calls to other services in the first ones; EXPLAIN ANALYZE in the database.",
        "table",
        (Query(f"sort_desc(topk(10, {_with_endpoint(mean, profile)}))"),),
        width=24,
        columns={
            "method": Column("Method", 100),
            "endpoint": Column("Endpoint"),
            "Value": Column("Mean time", 120, SECONDS),
        },
        empty="No endpoint was slower than the threshold.",
    )


def _with_endpoint(expr: str, profile: Profile) -> str:
    """The series of `expr` with one label `endpoint`, whatever the framework calls it."""
    labels = ", ".join(f'"{label}"' for label in profile.endpoint_labels)
    return f'label_join({expr}, "endpoint", "", {labels})'


def _database_and_cache(app: App) -> Row:
    of = f"{{{_of_instances(app)}}}"
    duration = "django_db_query_duration_seconds"
    hits = f"sum by (backend) (rate(django_cache_get_hits_total{of}[{RATE}]))"
    lookups = f"sum by (backend) (rate(django_cache_get_total{of}[{RATE}])) > 0"
    connection_errors = increase(f"django_db_new_connection_errors_total{of}", RANGE)
    return Row(
        "Database queries and cache",
        (
            Panel(
                "Queries",
                "Database queries each second. More while requests stay the same: a query inside a loop (N+1), "
                "compare with the last release; django-debug-toolbar shows them on a developer's machine.",
                "timeseries",
                (Query(f"sum by (alias) (rate(django_db_execute_total{of}[{RATE}]))", "{{alias}}"),),
                unit=OPERATIONS,
                minimum=0,
                empty=_NO_BACKEND.format("database backends"),
            ),
            Panel(
                "Query time",
                "p95 and mean of a database query, over five minutes. Over 0.1 s: SELECT * FROM pg_stat_activity "
                "WHERE state <> 'idle' in the database shows what runs; a missing index or a lock.",
                "timeseries",
                (
                    Query(f"histogram_quantile(0.95, sum by (le) (rate({duration}_bucket{of}[5m])))", "p95"),
                    Query(f"sum(rate({duration}_sum{of}[5m])) / sum(rate({duration}_count{of}[5m]))", "mean"),
                ),
                unit=SECONDS,
                minimum=0,
                empty=_NO_BACKEND.format("database backends"),
            ),
            Panel(
                "New database connections",
                "Connections opened each second, and those that failed in the chosen time. Many new: set "
                "CONN_MAX_AGE. Any failure: is the database up, does it have free connections? alert "
                "AppDatabaseConnectionErrors has the runbook.",
                "timeseries",
                (
                    Query(f"sum(rate(django_db_new_connections_total{of}[{RATE}])) or vector(0)", "new each second"),
                    Query(f"sum({connection_errors}) or vector(0)", "failed"),
                ),
                minimum=0,
            ),
            Panel(
                "Cache hits",
                "Share of look-ups in the cache that found something. A fall to 0: the cache was emptied or is down, "
                "redis-cli ping on its host; the database then does all the work.",
                "timeseries",
                (Query(f"{hits} / ({lookups})", "{{backend}}"),),
                unit=SHARE,
                minimum=0,
                maximum=1,
                empty=_NO_BACKEND.format("cache backends"),
            ),
        ),
    )


def _own_metrics(app: App) -> Row:
    panels = [custom_panel(metric, _of_instances(app)) for metric in app.custom_metrics]
    if app.metrics_prefix:
        panels.append(prefix_panel(app.metrics_prefix, _of_instances(app)))
    return Row("Own metrics", tuple(panels))


def _health(app: App) -> Row:
    probe = f'job="probe", {_of_app(app)}'
    panels = [success(probe), durations(probe), availability(probe), success_history(probe)]
    if "https:" in f"{app.url} {app.health.basic} {app.health.detailed}":
        panels.append(certificates(_of_app(app)))
    return Row("Health", tuple(panels))


def _errors_and_alerts(context: Context, app: App, profile: Profile | None) -> Row:
    panels = []
    if app.framework == "django":
        panels += [_exceptions(app, "type"), _exceptions(app, "view")]
    if profile:
        panels.append(_failed_endpoints(app, profile))
    only = f'app="{app.name}"'
    return Row("Errors and alerts", (*panels, firing_count(only), firing_table(context, only), alert_history(only)))


def _exceptions(app: App, label: str) -> Panel:
    series = f"django_http_exceptions_total_by_{label}_total{{{_of_instances(app)}}}"
    return Panel(
        f"Exceptions by {label}",
        "Exceptions in the chosen time, also those that became a 404. A new one at the top since the last release: "
        f"{_logs(app)} has its traceback; alert AppExceptions has the runbook.",
        "table",
        (Query(f"sort_desc(topk(20, round(sum by ({label}) ({increase(series, RANGE)})) > 0))"),),
        width=8,
        columns={label: Column(label.capitalize()), "Value": Column("Exceptions", 110, COUNT, 0)},
        empty="No exception was raised in this time.",
    )


def _failed_endpoints(app: App, profile: Profile) -> Panel:
    counted = " or on () ".join(_failed(app, profile, answers) for answers in profile.answers)
    return Panel(
        "Endpoints that failed",
        f"Answers with a status of 500 or more in the chosen time, by endpoint. Any: {_logs(app)} has the traceback "
        "of the same time; alert AppErrorRatioHigh has the runbook.",
        "table",
        (Query(f"sort_desc(topk(20, {_with_endpoint(f'round({counted}) > 0', profile)}))"),),
        width=8,
        base="text",
        thresholds=ANY,
        columns={
            "method": Column("Method", 80),
            "endpoint": Column("Endpoint"),
            "status": Column("Status", 75),
            "Value": Column("Answers", 85, COUNT, 0, coloured=True),
        },
        empty="No answer had a status of 500 or more in this time.",
    )


def _failed(app: App, profile: Profile, answers: Answers) -> str:
    """PromQL: how many answers had a status of 500 or more in the chosen time, by endpoint."""
    labels, failed = ", ".join(profile.endpoint_labels), f'{answers.status}=~"5.."'
    series = f"{answers.series}{{{_of_instances(app, failed, *profile.no_users)}}}"
    return f"sum by (method, status, {labels}) ({with_status(increase(series, RANGE), answers)})"
