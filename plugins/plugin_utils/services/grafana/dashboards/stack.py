# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Monitoring stack": crowsnest's own health, what it costs in memory, and whether alerts get out."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER_NEED_MIB
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import PROJECT
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.containers import (
    CPU_RANGE,
    restarts,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import full
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    FOLDER_OPERATIONS,
    OK,
    OPERATIONS,
    PER_SECOND,
    PERCENT,
    RANGE,
    RATE,
    SECONDS,
    TO_ALERTS,
    TO_CONTAINERS,
    TO_OVERVIEW,
    UP,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    any_is_bad,
    host_link,
    percent_bars,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import scrape_timeout

_MIB = 1024 * 1024


def stack(context: Context) -> Dashboard:
    """All services of the plan."""
    rows = [_now(context), _memory(context), _cpu(context), _starts(context), _prometheus(), _rules(), _alerting()]
    if "grafana" in context.services:
        rows.append(_grafana())
    return Dashboard(
        uid="stack",
        title="Monitoring stack",
        folder=FOLDER_OPERATIONS,
        description="Is the monitoring itself healthy, and what does it cost?",
        rows=tuple(rows),
        links=(
            TO_OVERVIEW,
            host_link(context.server),
            TO_CONTAINERS,
            TO_ALERTS,
            runbook_link(context.declaration.runbook_url),
        ),
    )


def _services(context: Context) -> str:
    """PromQL selector of all services of the plan that export metrics."""
    return f'job=~"{"|".join(service.name for service in context.running if service.scrape)}"'


def _containers(context: Context) -> str:
    """PromQL selector of all containers of crowsnest."""
    return f'project="{PROJECT}", host="{context.server}"'


def _now(context: Context) -> Row:
    return Row(
        "Now",
        (
            Panel(
                "Services",
                "Whether each service of crowsnest answers. Red: docker logs --tail 50 crowsnest-NAME-1 on the "
                "server, then run the playbook again; alert PrometheusTargetMissing has the runbook.",
                "stat",
                (Query(f"up{{{_services(context)}}}", "{{job}}"), *_probed(context)),
                values=UP,
                width=8,
            ),
            Panel(
                "Configuration in force",
                "Whether the newest configuration was loaded. Failed: the previous one is still in force. docker "
                "logs --tail 50 crowsnest-NAME-1 names the line; run the playbook again.",
                "stat",
                tuple(
                    Query(service.reload_metric, service.name) for service in context.running if service.reload_metric
                ),
                values=OK,
                width=8,
            ),
            any_is_bad(
                "Targets down",
                "How many sources of metrics are silent: exporters, apps, services. Not 0: the page Status, Target "
                "health of Prometheus shows which and why.",
                (Query("count(up == 0) or vector(0)"),),
                width=4,
            ),
            Panel(
                "Alertmanagers",
                "How many Alertmanagers Prometheus talks to; it must be 1. At 0 no alert gets out: docker ps -a on the "
                "server; alert PrometheusNotConnectedToAlertmanager has the runbook.",
                "stat",
                # The one is listed twice where a receiver has `after`.
                (Query("clamp_max(prometheus_notifications_alertmanagers_discovered, 1)"),),
                decimals=0,
                base="red",
                thresholds=(Threshold(1, "green"),),
                width=4,
            ),
        ),
    )


def _probed(context: Context) -> tuple[Query, ...]:
    """Services that blackbox exporter probes, as they export nothing."""
    any_probed = "blackbox" in context.services and any(
        context.definition(name).health_path for name in context.services
    )
    return (Query('probe_success{job="service_probe"}', "{{service}}"),) if any_probed else ()


def _none(label: str) -> str:
    """PromQL, the second half of an `or`: 0 where there is no series at all, as a series whose `label` is "none"."""
    return f'on () label_replace(vector(0), "{label}", "none", "", "")'


def _with_node_exporter(containers: str, process: str) -> str:
    """Series of crowsnest's containers, and of its one program outside a container, as a service like them."""
    return f'{containers} or label_replace({process}, "service", "node_exporter", "", "")'


def _memory(context: Context) -> Row:
    """Memory of each container that the kernel cannot take back."""
    planned = sum(service.need_mib for service in context.services.values()) + NODE_EXPORTER_NEED_MIB
    ours = f"container_memory_unreclaimable_bytes{{{_containers(context)}}}"
    node = f'process_resident_memory_bytes{{job="node", host="{context.server}"}}'
    all_of_it = _with_node_exporter(ours, node)
    return Row(
        "Cost in memory",
        (
            percent_bars(
                "Memory of each service by its limit",
                "Memory as a share of the container's limit; at 100 % the kernel kills it. Over "
                f"{threshold('ContainerMemoryHigh', 'medium')} %: watch fewer series (see Series below: drop labels "
                "with many values in the app), or fewer apps on this server. "
                "Metabase fills its whole heap; alert MetabaseMemoryLow has the runbook.",
                (Query(f"container:memory_used:percent{{{_containers(context)}}}", "{{service}}"),),
                full("ContainerMemoryHigh", "medium"),
                width=8,
            ),
            Panel(
                "Memory by service",
                "Memory of each service on the server. One that climbs for days without stopping has a leak "
                "or too many series: look at the series below, then docker restart crowsnest-NAME-1.",
                "timeseries",
                (Query(f"sum by (service) ({all_of_it})", "{{service}}"),),
                unit=BYTES,
                minimum=0,
                stacked=True,
                width=8,
            ),
            Panel(
                "Memory of the stack and its plan",
                "What all services use on the server, next to what the plan assumed. Above the plan for long: "
                "apps on the same host may run short; look at memory on the host's dashboard.",
                "timeseries",
                (Query(f"sum({all_of_it})", "used"), Query(f"vector({planned * _MIB})", "planned")),
                unit=BYTES,
                minimum=0,
                width=8,
            ),
        ),
    )


def _cpu(context: Context) -> Row:
    ours = f"rate(container_cpu_seconds_total{{{_containers(context)}}}[{CPU_RANGE}])"
    node = f'rate(process_cpu_seconds_total{{job="node", host="{context.server}"}}[{CPU_RANGE}])'
    all_of_it = _with_node_exporter(ours, node)
    timeout = duration_seconds(scrape_timeout(context.declaration.scrape_interval))
    return Row(
        "Cost in CPU and scrapes",
        (
            Panel(
                "CPU by service",
                "Share of one core that each service takes on the server. High for long: a dashboard with a heavy "
                "query is open, or too many series are watched; docker stats --no-stream shows it live.",
                "timeseries",
                (Query(f"100 * sum by (service) ({all_of_it})", "{{service}}"),),
                unit=PERCENT,
                minimum=0,
                stacked=True,
                width=12,
            ),
            Panel(
                "Scrape duration",
                f"How long the slowest target of each job takes to return its metrics. Near {timeout} s the scrape "
                "fails: the app exports too much or is overloaded; time curl -s ADDRESS/metrics on its host.",
                "timeseries",
                (
                    Query(
                        'max by (job, app, host) (scrape_duration_seconds{job!~"(service_)?probe"})',
                        "{{job}} {{app}} {{host}}",
                    ),
                ),
                unit=SECONDS,
                minimum=0,
                thresholds=(Threshold(timeout, "red"),),
                width=12,
            ),
        ),
    )


def _starts(context: Context) -> Row:
    ours = _containers(context)
    return Row(
        "Starts of the containers",
        (
            Panel(
                "Running for",
                "How long each service runs without a break. Short although nobody changed anything: it ended and "
                "Docker started it again; docker logs --tail 50 crowsnest-NAME-1 says why.",
                "stat",
                (Query(f"time() - container_start_time_seconds{{{ours}}}", "{{service}}"),),
                unit=SECONDS,
                width=12,
            ),
            replace(restarts(ours), width=12),
        ),
    )


def _prometheus() -> Row:
    disk = (
        "prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes"
        " + prometheus_tsdb_head_chunks_storage_size_bytes"
    )
    return Row(
        "Prometheus",
        (
            Panel(
                "Series",
                "How many series are held in memory, about 4 KiB each. A sudden climb: an app uses a label with "
                "ever new values. The page Status, TSDB status of Prometheus names it; drop that label in the app.",
                "timeseries",
                (Query("prometheus_tsdb_head_series", "series"),),
                minimum=0,
            ),
            Panel(
                "Samples",
                "How many numbers arrive each second. A sudden fall: targets are silent, see Targets down. A climb: "
                "see Series.",
                "timeseries",
                (Query(f"sum(rate(prometheus_tsdb_head_samples_appended_total[{RATE}]))", "samples"),),
                unit=OPERATIONS,
                minimum=0,
            ),
            Panel(
                "Disk of metrics",
                "Disk space of the metrics, and the size at which the oldest are deleted. At the limit the "
                "time that they are kept shrinks: raise crowsnest_retention_size_mib if the disk allows it.",
                "timeseries",
                (Query(disk, "used"), Query("prometheus_tsdb_retention_limit_bytes", "limit")),
                unit=BYTES,
                minimum=0,
            ),
            any_is_bad(
                "Storage failures",
                "Writes, truncations and compactions that failed in the chosen time. Any: is the disk full or "
                "read-only? docker logs --tail 50 crowsnest-prometheus-1; alert PrometheusStorageFailing has the "
                "runbook.",
                (
                    Query(f"increase(prometheus_tsdb_wal_writes_failed_total[{RANGE}])", "writes"),
                    Query(f"increase(prometheus_tsdb_head_truncations_failed_total[{RANGE}])", "truncations"),
                    Query(f"increase(prometheus_tsdb_compactions_failed_total[{RANGE}])", "compactions"),
                ),
            ),
        ),
    )


def _rules() -> Row:
    return Row(
        "Rules",
        (
            any_is_bad(
                "Rule evaluation failures",
                "Alert rules that could not be evaluated, in the chosen time: such an alert cannot fire. Any: the page "
                "Alerts of Prometheus names the rule; alert PrometheusRuleFailures has the runbook.",
                (Query(f"sum(increase(prometheus_rule_evaluation_failures_total[{RANGE}]))"),),
                width=8,
            ),
            any_is_bad(
                "Rule evaluations missed",
                "Rounds of rules that were skipped because the previous one took too long. Any: the server is "
                "overloaded, look at its CPU on the host's dashboard.",
                (Query(f"sum(increase(prometheus_rule_group_iterations_missed_total[{RANGE}]))"),),
                width=8,
            ),
            Panel(
                "Rule evaluation time",
                "How long the last round of all rules took. Near the scrape interval, rounds are missed: the page "
                "Status, Rule health of Prometheus names the slow group; fix those of your own "
                "(crowsnest_rule_files).",
                "timeseries",
                (Query("sum(prometheus_rule_group_last_duration_seconds)", "all rules"),),
                unit=SECONDS,
                minimum=0,
                width=8,
            ),
        ),
    )


def _alerting() -> Row:
    failed = f"sum(increase(alertmanager_notifications_failed_total[{RANGE}])) or vector(0)"
    errors = f"sum(increase(prometheus_notifications_errors_total[{RANGE}])) or vector(0)"
    dropped = f"sum(increase(prometheus_notifications_dropped_total[{RANGE}])) or vector(0)"
    return Row(
        "Alerting",
        (
            any_is_bad(
                "Messages failed",
                "Messages that Slack, e-mail or another receiver refused in the chosen time. Any: docker logs --tail "
                "50 crowsnest-alertmanager-1 says why; then playbooks/alert_test.yml proves that it works again.",
                (Query(failed),),
                width=4,
            ),
            any_is_bad(
                "Alerts not sent",
                "Alerts that Prometheus could not hand over, and those that it dropped, in the chosen time. Any: "
                "docker ps -a on the server; alert PrometheusNotificationsFailing has the runbook.",
                (Query(errors, "errors"), Query(dropped, "dropped")),
                width=4,
            ),
            Panel(
                "Alerts waiting",
                "Alerts in Prometheus' queue to Alertmanager; normally 0. Growing: Alertmanager does not answer, "
                "docker logs --tail 50 crowsnest-alertmanager-1 on the server.",
                "timeseries",
                (Query("sum(prometheus_notifications_queue_length)", "waiting"),),
                minimum=0,
                width=4,
            ),
            Panel(
                "Messages sent",
                "Messages sent in each step, by receiver; heartbeat is the dead man's switch. Heartbeat at "
                "0: docker logs --tail 50 crowsnest-alertmanager-1. Many others: find what flaps on the "
                "dashboard Alert history.",
                "timeseries",
                (
                    Query(
                        f"sum by (receiver_name) (increase(alertmanager_notifications_total[{RATE}]))"
                        f" or {_none('receiver_name')}",
                        "{{receiver_name}}",
                    ),
                ),
                minimum=0,
                width=6,
            ),
            Panel(
                "Alerts and silences",
                "Alerts that Alertmanager holds (the dead man's switch is always one, a backup made just now "
                "another, and what a receiver with after may get counts twice), how many of them are suppressed, and "
                "the silences in force. A silence nobody remembers hides alerts: expire it on the page Silences of "
                "Alertmanager.",
                "timeseries",
                (
                    Query('sum(alertmanager_alerts{state="active"})', "active alerts"),
                    Query('sum(alertmanager_alerts{state="suppressed"})', "suppressed alerts"),
                    Query('sum(alertmanager_silences{state="active"})', "silences"),
                ),
                minimum=0,
            ),
        ),
    )


def _grafana() -> Row:
    requests = f'rate(grafana_http_request_duration_seconds_count{{job="grafana"}}[{RATE}])'
    failed = f'increase(grafana_datasource_request_total{{job="grafana", code!~"2.."}}[{RANGE}])'
    return Row(
        "Grafana",
        (
            Panel(
                "Requests to Grafana",
                "Requests each second by status. Many 5xx: docker logs --tail 50 crowsnest-grafana-1 on the server. "
                "Many 401: somebody is guessing passwords, see who can reach Grafana in docs/security.md.",
                "timeseries",
                (Query(f"sum by (status_code) ({requests}) or {_none('status_code')}", "{{status_code}}"),),
                unit=PER_SECOND,
                minimum=0,
                stacked=True,
                width=12,
            ),
            any_is_bad(
                "Failed queries of dashboards",
                "Queries to Prometheus that returned an error, in the chosen time. Any: open the panel with "
                "the red corner; a plugin or a changed metric; docker logs --tail 50 crowsnest-grafana-1.",
                (Query(f"sum({failed}) or vector(0)"),),
                width=12,
            ),
        ),
    )
