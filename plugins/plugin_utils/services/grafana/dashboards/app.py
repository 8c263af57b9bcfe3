# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One dashboard per app that has metrics, in five rows from "is it healthy" to "which error".

Each row is a function of the app. What the app does not export, declare or have is left out, and with its last panel
a row. What a row has of several others comes in thirds of the width, so that they flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomRow
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
    objective_panels,
    signal_panels,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    ANY,
    BYTES,
    COUNT,
    FOLDER_DEVELOPMENT,
    OPERATIONS,
    PER_SECOND,
    PERCENT,
    RANGE,
    RATE,
    SECONDS,
    SHARE,
    THIRD,
    TO_ALERTS,
    TO_BUSINESS,
    TO_CONTAINERS,
    TO_JOBS,
    TO_OVERVIEW,
    TO_POSTGRESQL,
    TO_PROBES,
    TO_REDIS,
    UP,
    WIDTH,
    Column,
    Dashboard,
    Link,
    Panel,
    Query,
    Row,
    Variable,
    chosen,
    deploy_mark,
    host_link,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.per_app import instance
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.postgres_exporter.dashboard import (
    connections,
    longest,
    states,
    tables,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import DEPLOYED, has_deploys
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import (
    PROFILES,
    Answers,
    Profile,
    with_endpoint,
    with_status,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import increase
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.panels import kpi_panels
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.dashboard import (
    memory_share,
    queues,
    with_queues,
    workers,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.dashboard import scheduled_jobs

NO_REQUESTS = "No user sent a request in this time."
_NO_BACKEND = "Only an app whose settings use the {} of django_prometheus exports this."


def app_dashboard(context: Context, app: App) -> Dashboard:
    """The dashboard of an app with metrics."""
    profile, probed = PROFILES.get(app.framework), app in probed_apps(context)
    rows = {
        "At a glance": _at_a_glance(context, app, profile, probed),
        "Server": _server(app, profile, probed),
        "Business": _business(context, app),
        "Database": _database(context, app),
        "Errors and alerts": _errors_and_alerts(context, app, profile),
    }
    host = context.plan.host_of(app)
    return Dashboard(
        uid=f"app-{app.name}",
        title=f"App {app.name}",
        folder=FOLDER_DEVELOPMENT,
        description=f"Everything that is measured of {app.name} ({app.framework}).",
        rows=tuple(Row(title, tuple(panels)) for title, panels in rows.items()),
        variables=(
            Variable("environment", "Environment", options=(context.declaration.environment,)),
            Variable(
                "instance", "Instance", query=f'label_values(up{{job="app", app="{app.name}"}}, instance)', multi=True
            ),
            Variable("threshold", "Endpoints slower than (s)", options=("0", "0.1", "0.5", "1", "2")),
        ),
        links=(
            TO_OVERVIEW,
            host_link(host),
            *([chosen(TO_CONTAINERS, host=host)] if host == context.server else []),
            *(chosen(to, app=app.name) for to in _measured_besides(context, app, probed)),
            *([TO_BUSINESS] if app.kpis and "query_exporter" in context.services else []),
            *([TO_JOBS] if app in with_queues(context) or (app.jobs and "uptime_kuma" in context.services) else []),
            chosen(TO_ALERTS, app=app.name),
            runbook_link(context.declaration.runbook_url),
        ),
        app=app.name,
        marks=(deploy_mark(f"{DEPLOYED}{{{_of_app(app)}}}"),) if has_deploys(context, app) else (),
    )


def _measured_besides(context: Context, app: App, probed: bool) -> list[Link]:
    """Dashboards that show more of the app, its own chosen at their top."""
    exporters = {"postgres_exporter": TO_POSTGRESQL, "redis_exporter": TO_REDIS}
    running = [to for service, to in exporters.items() if instance(service, app) in context.services]
    return [*([TO_PROBES] if probed else []), *running]


def _thirds(panels: Iterable[Panel]) -> Iterator[Panel]:
    """The same panels, three in a line."""
    return (replace(panel, width=THIRD) for panel in panels)


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


def _at_a_glance(context: Context, app: App, profile: Profile | None, probed: bool) -> list[Panel]:
    """Without a profile there is one number, and all else fits beside it."""
    now = [_requests_now(app), _errors_now(app), _mean_now(app, profile)] if profile else []
    besides = [_memory(context, app), _cpu(context, app), *([success(_probes(app))] if probed else [])]
    width = (WIDTH if profile else WIDTH - _up(app).width) // len(besides)
    return [_up(app), *now, *(replace(panel, width=width) for panel in besides)]


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
        "of the day: can users reach it? curl -sv -o /dev/null ADDRESS, and Probe works.",
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
        "Share of one core that all programs on the app's host take, and the app's own processes if they export it; "
        "200 % are two cores. More than usual with the same requests: compare with the last release; docker stats "
        "--no-stream shows what is busy.",
        "timeseries",
        (Query(f"100 * ({_process_and_host(process, used)})", "{{what}}"),),
        unit=PERCENT,
        minimum=0,
        width=12,
    )


def _process_and_host(process: str, host: str) -> str:
    """PromQL with the label `what`: the app's processes, and all of its host, which is always known."""
    named = f'label_replace({process}, "what", "process $1", "instance", "(.*)")'
    return f'{named} or label_replace({host}, "what", "all of host $1", "host", "(.*)")'


def _server(app: App, profile: Profile | None, probed: bool) -> Iterator[Panel]:
    if profile:
        yield from (_quantiles(app, profile), _status_codes(app, profile), _requests(app, profile))
        yield from (_slowest(app, profile), _most_used(app, profile))
    if probed:
        yield from (availability(_probes(app)), success_history(_probes(app)))
    yield from _thirds(
        [
            *objective_panels(app, _of_app(app)),
            *([_queries(app)] if app.framework == "django" else []),
            *([durations(_probes(app))] if probed else []),
            *([certificates(_of_app(app))] if probed and _has_certificate(app) else []),
        ]
    )
    yield from _own_metrics(app, "server")


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
        (Query(f"sort_desc(topk(10, {with_endpoint(mean, profile)}))"),),
        width=12,
        columns={
            "method": Column("Method", 100),
            "endpoint": Column("Endpoint"),
            "Value": Column("Mean time", 120, SECONDS),
        },
        empty="No endpoint was slower than the threshold.",
    )


def _most_used(app: App, profile: Profile) -> Panel:
    labels, of = ", ".join(profile.endpoint_labels), f"{{{_of_instances(app, *profile.no_users)}}}"
    counted = f"round(sum by (method, {labels}) ({increase(f'{profile.by_endpoint}_count{of}', RANGE)})) > 0"
    return Panel(
        "Ten most used endpoints",
        "How many requests each endpoint answered in the chosen time. One that is among the Ten slowest endpoints as "
        "well is the first to improve. More than users can send: a client that polls, see the web server's log.",
        "table",
        (Query(f"sort_desc(topk(10, {with_endpoint(counted, profile)}))"),),
        width=12,
        columns={
            "method": Column("Method", 100),
            "endpoint": Column("Endpoint"),
            "Value": Column("Requests", 120, COUNT, 0),
        },
        empty=NO_REQUESTS,
    )


def _business(context: Context, app: App) -> Iterator[Panel]:
    if "query_exporter" in context.services:
        yield from kpi_panels(app)
    yield from _thirds(signal_panels(app, _of_app(app)))
    if app.jobs and "uptime_kuma" in context.services:
        yield replace(scheduled_jobs(_of_app(app)), width=THIRD)
    yield from _own_metrics(app, "business")
    if app.metrics_prefix:
        yield prefix_panel(app.metrics_prefix, _of_instances(app))


def _own_metrics(app: App, row: CustomRow) -> list[Panel]:
    return [custom_panel(metric, _of_instances(app)) for metric in app.custom_metrics if metric.row == row]


def _database(context: Context, app: App) -> Iterator[Panel]:
    of = _of_app(app)
    if instance("postgres_exporter", app) in context.services:
        yield from _thirds([connections(of), states(of), tables(of), longest(of)])
    if app.framework == "django":
        yield from _thirds([_query_time(app), _new_connections(app), _cache_hits(app)])
    if instance("redis_exporter", app) in context.services:
        yield from _thirds([memory_share(of), *([queues(of), workers(of)] if app in with_queues(context) else [])])
    yield from _own_metrics(app, "database")


def _queries(app: App) -> Panel:
    return Panel(
        "Database queries",
        "Database queries each second. More while requests stay the same: a query inside a loop (N+1), "
        "compare with the last release; django-debug-toolbar shows them on a developer's machine.",
        "timeseries",
        (Query(f"sum by (alias) (rate(django_db_execute_total{{{_of_instances(app)}}}[{RATE}]))", "{{alias}}"),),
        unit=OPERATIONS,
        minimum=0,
        empty=_NO_BACKEND.format("database backends"),
    )


def _query_time(app: App) -> Panel:
    duration, of = "django_db_query_duration_seconds", f"{{{_of_instances(app)}}}"
    return Panel(
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
    )


def _new_connections(app: App) -> Panel:
    of = f"{{{_of_instances(app)}}}"
    failed = increase(f"django_db_new_connection_errors_total{of}", RANGE)
    return Panel(
        "New database connections",
        "Connections opened each second, and those that failed in the chosen time. Many new: set "
        "CONN_MAX_AGE. Any failure: is the database up, does it have free connections? alert "
        "AppDatabaseConnectionErrors has the runbook.",
        "timeseries",
        (
            Query(f"sum(rate(django_db_new_connections_total{of}[{RATE}])) or vector(0)", "new each second"),
            Query(f"sum({failed}) or vector(0)", "failed"),
        ),
        minimum=0,
    )


def _cache_hits(app: App) -> Panel:
    of = f"{{{_of_instances(app)}}}"
    hits = f"sum by (backend) (rate(django_cache_get_hits_total{of}[{RATE}]))"
    lookups = f"sum by (backend) (rate(django_cache_get_total{of}[{RATE}])) > 0"
    return Panel(
        "Cache hits",
        "Share of look-ups in the cache that found something. A fall to 0: the cache was emptied or is down, "
        "redis-cli ping on its host; the database then does all the work.",
        "timeseries",
        (Query(f"{hits} / ({lookups})", "{{backend}}"),),
        unit=SHARE,
        minimum=0,
        maximum=1,
        empty=_NO_BACKEND.format("cache backends"),
    )


def _probes(app: App) -> str:
    """The probes of the app, from outside."""
    return f'job="probe", {_of_app(app)}'


def _has_certificate(app: App) -> bool:
    return "https:" in f"{app.url} {app.health.basic} {app.health.detailed}"


def _errors_and_alerts(context: Context, app: App, profile: Profile | None) -> Iterator[Panel]:
    exceptions = [_exceptions(app, label) for label in ("type", "view") if app.framework == "django"]
    yield from exceptions
    if profile:
        yield replace(_failed_endpoints(app, profile), width=THIRD if exceptions else WIDTH)
    only = f'app="{app.name}"'
    yield from (firing_count(only), firing_table(context, only), alert_history(only))
    yield from _own_metrics(app, "errors")


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
        (Query(f"sort_desc(topk(20, {with_endpoint(f'round({counted}) > 0', profile)}))"),),
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
