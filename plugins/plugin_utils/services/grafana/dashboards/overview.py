# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Overview": is anything wrong, and where to look next."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import Thresholds
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.dashboard import probed_apps
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.alerts import (
    alert_history,
    firing_count,
    firing_table,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.app import NO_REQUESTS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.host import (
    cpu_percent,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.jobs import jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import (
    disk_full,
    full,
    too_many_errors,
    too_slow,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    APP_OF_SERIES,
    FOLDER_OVERVIEW,
    HEIGHT,
    HOST_OF_SERIES,
    OK,
    PER_SECOND,
    PROBES_OF_SERIES,
    SECONDS,
    SHARE,
    TO_ALERTS,
    TO_BACKUPS,
    TO_BUSINESS,
    TO_CONTAINERS,
    TO_JOBS,
    TO_STACK,
    TO_UPTIME,
    UP,
    WIDTH,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    percent_bars,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import PROFILES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.dashboard import (
    availability_bars,
    watched_apps,
)

_NODE = 'job="node"'


def overview(context: Context) -> Dashboard:
    """All apps and hosts on one page."""
    measured = [app for app in context.declaration.apps if app.metrics]
    rows = [Row("Alerts", (firing_count(), firing_table(context)))]
    if measured:
        serving = [app.name for app in measured if app.framework in PROFILES]
        rows.append(Row("Apps", (_apps_up(), *(_requests(serving) if serving else ()))))
    addresses = [_addresses()] if probed_apps(context) else []
    if watched_apps(context):
        addresses.append(availability_bars())
    if addresses:
        rows.append(Row("Addresses", tuple(addresses)))
    rows += [Row("Hosts", _hosts()), Row("History", (alert_history(),)), Row("Where to look", (_portal(context),))]
    return Dashboard(
        uid="overview",
        title="Overview",
        folder=FOLDER_OVERVIEW,
        description="Is anything wrong? Begin here, then click the app or the host.",
        rows=tuple(rows),
        links=(
            TO_ALERTS,
            TO_CONTAINERS,
            TO_STACK,
            *([TO_BUSINESS] if "query_exporter" in context.services else []),
            *([TO_JOBS] if jobs(context) else []),
            *([TO_BACKUPS] if backup_jobs(context.declaration, context.server) else []),
            *([TO_UPTIME] if "uptime_kuma" in context.services else []),
            runbook_link(context.declaration.runbook_url),
        ),
    )


def _apps_up() -> Panel:
    return Panel(
        "Apps",
        "Whether each app exports its metrics; one of several instances is enough. Red: click it, then docker ps "
        "-a and docker logs --tail 50 CONTAINER on its host; alert AppDown has the runbook.",
        "stat",
        (Query('max by (app) (up{job="app"})', "{{app}}"),),
        values=UP,
        links=(APP_OF_SERIES,),
    )


def _requests(names: list[str]) -> tuple[Panel, ...]:
    """Requests, errors and response times of the apps whose framework counts them; 0 without traffic."""
    apps = f'app=~"{"|".join(names)}"'
    nothing = f'0 * max by (app) (up{{job="app", {apps}}})'
    limits = Thresholds()
    return (
        Panel(
            "Requests",
            "Requests of users each second, over five minutes, without health checks. None in the middle of the day: "
            "can users reach the app? Look at Addresses below, then click the app.",
            "stat",
            (Query(f"sum by (app) (app:requests:rate5m{{{apps}}}) or {nothing}", "{{app}}"),),
            unit=PER_SECOND,
            decimals=1,
            links=(APP_OF_SERIES,),
        ),
        Panel(
            "Errors",
            "Share of answers with a status of 500 or more, over five minutes. Over "
            f"{100 * limits.error_ratio:g} %: click the app, row Errors and alerts; alert AppErrorRatioHigh has the "
            "runbook.",
            "stat",
            (Query(f"max by (app) (app:errors:ratio5m{{{apps}}}) or {nothing}", "{{app}}"),),
            unit=SHARE,
            decimals=1,
            base="green",
            thresholds=too_many_errors(limits),
            links=(APP_OF_SERIES,),
        ),
        Panel(
            "Response time p95",
            "One request in 20 takes longer than this, over five minutes. Over "
            f"{limits.latency_p95_medium_seconds:g} s: click the app, its slowest endpoints and its database queries; "
            "alert AppLatencyHigh has the runbook.",
            "stat",
            (Query(f"max by (app) (app:latency_p95:seconds{{{apps}}})", "{{app}}"),),
            unit=SECONDS,
            base="green",
            thresholds=too_slow(limits),
            links=(APP_OF_SERIES,),
            empty=NO_REQUESTS,
        ),
    )


def _addresses() -> Panel:
    return Panel(
        "Reachable",
        "Whether all addresses and health components of each app answer well, probed from the server. Red: click it "
        "to see which, then curl -sv -o /dev/null ADDRESS; alert ProbeFailed has the runbook. If only "
        "`answer` is red, the health answer is not understood: alert ProbeAnswerNotUnderstood.",
        "stat",
        (Query('min by (app) (probe_success{job="probe"})', "{{app}}"),),
        values=OK,
        width=WIDTH,
        height=4,
        links=(PROBES_OF_SERIES,),
    )


def _hosts() -> tuple[Panel, ...]:
    return (
        Panel(
            "Hosts",
            "Whether each host's node exporter answers. Red: click it; ssh to the host, else the provider's console; "
            "alert HostDown or NodeExporterDown has the runbook.",
            "stat",
            (Query(f"max by (host) (up{{{_NODE}}})", "{{host}}"),),
            values=UP,
            links=(HOST_OF_SERIES,),
        ),
        _full(
            "CPU busy",
            cpu_percent(_NODE),
            f"Busy share of all cores. Over {threshold('HostCpuHigh', 'medium')} % for long: click the host, then top "
            "on it.",
            full("HostCpuHigh", "medium"),
        ),
        _full(
            "Memory used",
            "host:memory_used:percent",
            f"Share of the memory that is in use. Over {threshold('HostMemoryLow', 'high')} %: click the host, then "
            "ps aux --sort=-rss | head on it.",
            full("HostMemoryLow", "high"),
        ),
        _full(
            "Disk used",
            "max by (host) (host:filesystem_used:percent)",
            f"The fullest file system of each host. Over {threshold('HostDiskFilling', 'medium')} %: click the host, "
            "then docker system df and sudo journalctl --disk-usage on it.",
            disk_full(),
        ),
    )


def _full(title: str, expr: str, description: str, thresholds: tuple[Threshold, ...]) -> Panel:
    """How full a resource of each host is, 0 to 100 percent."""
    return percent_bars(
        title,
        description,
        (Query(expr, "{{host}}"),),
        thresholds,
        links=(HOST_OF_SERIES,),
    )


def _portal(context: Context) -> Panel:
    """Links to all pages of the stack, with the addresses at which people open them."""
    pages = [
        f"| [{name.replace('_', ' ').title()}]({service.external_url}) | {page.about} |"
        for name, service in context.services.items()
        if (page := context.definition(name).page)
    ]
    lines = [
        "**First** look at the firing alerts at the top: each row leads to the dashboard that shows why. Without one, "
        "click what is red or yellow. An app is slow but nothing is red: open its dashboard, then its host's.",
        "",
        "| Page | What for |",
        "|---|---|",
        *pages,
        f"| [Runbooks]({context.declaration.runbook_url}) | what to do for each alert, by its name |",
        "",
        "An address on 127.0.0.1 opens through an SSH tunnel: `ssh -L PORT:127.0.0.1:PORT SERVER`.",
    ]
    return Panel(
        "All pages",
        "Where everything is. A page does not open: docker ps -a on the server shows whether its service runs.",
        "text",
        width=WIDTH,
        height=HEIGHT + 2,
        text="\n".join(lines),
    )
