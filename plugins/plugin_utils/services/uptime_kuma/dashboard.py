# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Uptime": what Uptime Kuma watches, and how available each app was."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.dashboard import probed_apps
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import (
    NINES,
    RENEWED_DAYS,
    certificate_left,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    DAYS,
    FOLDER_OPERATIONS,
    MONITOR_STATES,
    SECONDS,
    SHARE,
    TO_JOBS,
    TO_OVERVIEW,
    TO_PROBES,
    UPTIME_OF_SERIES,
    WIDTH,
    Column,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    any_is_bad,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.broken_path import ALERTING_PATH

# Monitors that check something themselves: groups only combine others, jobs report themselves.
_LOOKING = 'monitor_type!~"push|group"'
_CHOSEN = 'monitor_name=~"$monitor"'
_PATH = f"({'|'.join(ALERTING_PATH.values())}).*"
_JOBS = f'monitor_type="push", monitor_name!~"{_PATH}"'
_AVAILABLE = "app:available:ratio5m"
# One value of app:available:ratio5m stands for this many minutes.
_MINUTES = 5
_FEW_DATA = "Uptime Kuma has measured the apps for less than five minutes."
_STARTED = "Uptime Kuma was started less than two minutes ago and has not checked anything yet."


def watched_apps(context: Context) -> list[App]:
    """The apps whose availability is measured; none where Uptime Kuma does not run."""
    if "uptime_kuma" not in context.services:
        return []
    return [app for app in context.declaration.apps if app.url or app.health.basic]


def uptime(context: Context) -> Dashboard:
    """All monitors, and the availability of all apps."""
    rows = [Row("Now", (_down(), _monitors(), _alerting_path()))]
    if watched_apps(context):
        rows.append(Row("Availability of the apps", (_availability(), _availability_history())))
    rows += [
        Row("Over time", (_history(), _response_times())),
        Row("Certificates", (_certificates(),)),
    ]
    probes = [TO_PROBES] if probed_apps(context) else []
    return Dashboard(
        uid="uptime",
        title="Uptime",
        folder=FOLDER_OPERATIONS,
        description="What Uptime Kuma watches: addresses and ports; and how available each app was.",
        rows=tuple(rows),
        variables=(Variable("monitor", "Monitor", query="label_values(monitor_status, monitor_name)", multi=True),),
        links=(TO_OVERVIEW, *probes, TO_JOBS, runbook_link(context.declaration.runbook_url)),
    )


def _states(selector: str) -> Query:
    """The state of each monitor that PromQL's selector, without braces, chooses."""
    return Query(f"max by (monitor_name) (monitor_status{{{selector}}})", "{{monitor_name}}")


# --- now --------------------------------------------------------------------------------------------------------------


def _down() -> Panel:
    return any_is_bad(
        "Monitors down",
        "How many monitors fail now, jobs included. Not 0: find it here or on the dashboard Queue and jobs, then "
        "open it in Uptime Kuma, which says why; alert MonitorDown has the runbook.",
        (Query('count(monitor_status{monitor_type!="group"} == 0) or 0 * count(monitor_status)'),),
        width=4,
        empty=_STARTED,
    )


def _monitors() -> Panel:
    return Panel(
        "Monitors",
        "What each monitor reports now. Pending: it failed and is checked again, wait a minute. Down: open it in "
        "Uptime Kuma, which says why; alert MonitorDown has the runbook.",
        "stat",
        (_states(f"{_LOOKING}, {_CHOSEN}"),),
        values=MONITOR_STATES,
        width=14,
        empty=_STARTED,
    )


def _alerting_path() -> Panel:
    return Panel(
        "Alerting path",
        "Whether Uptime Kuma finds Prometheus and Alertmanager healthy, and hears the alert that always fires. Down: "
        "other alerts may not leave, so Uptime Kuma notifies people itself; look at the dashboard Monitoring stack.",
        "stat",
        (_states(f'monitor_type!="group", monitor_name=~"{_PATH}"'),),
        values=MONITOR_STATES,
        width=6,
        empty=_STARTED,
    )


# --- availability -----------------------------------------------------------------------------------------------------


def _share(days: int) -> str:
    """The mean over the last days, even of an app that moved to another host in between."""
    over, of = (f"sum by (app) ({how}_over_time({_AVAILABLE}[{days}d]))" for how in ("sum", "count"))
    return f"{over} / {of}"


def _availability() -> Panel:
    """One row per app. The number of values tells how long was measured."""
    shares = [_share(days) for days in (1, 30, 90)]
    lost = f"{_MINUTES} * sum by (app) (count_over_time({_AVAILABLE}[30d]) - sum_over_time({_AVAILABLE}[30d]))"
    measured = f"{_MINUTES} / (24 * 60) * sum by (app) (count_over_time({_AVAILABLE}[90d]))"
    columns = (
        *(Column(title, unit=SHARE, decimals=3, coloured=True) for title in ("24 hours", "30 days", "90 days")),
        Column("Down in 30 days (minutes)", unit="none", decimals=1),
        Column("Measured for (days)", unit="none", decimals=1),
    )
    return Panel(
        "Availability",
        "Share of the time in which an app's address and health endpoint were both up, without maintenance. Less than "
        "you promised: find when in the history below, compare with the last releases. Measured for less than the "
        "column says: the share is of that shorter time. 90 days need a crowsnest_retention of 92d or more, and "
        "crowsnest_retention_size_mib may end it sooner.",
        "table",
        tuple(Query(expr) for expr in (*shares, lost, measured)),
        base="red",
        thresholds=NINES,
        width=WIDTH,
        columns={
            "app": Column("App"),
            **{f"Value #{letter}": column for letter, column in zip("ABCDE", columns, strict=True)},
        },
        empty=_FEW_DATA,
    )


def availability_bars() -> Panel:
    """The availability of each app, for other dashboards."""
    return Panel(
        "Available in 30 days",
        "Share of the last 30 days in which each app was up, seen by Uptime Kuma, without maintenance; of less time "
        "when it has not measured for so long. Less than you promised: click it to see when.",
        "bars",
        (Query(_share(30), "{{app}}"),),
        unit=SHARE,
        decimals=3,
        minimum=0,
        maximum=1,
        base="red",
        thresholds=NINES,
        width=WIDTH,
        height=4,
        links=(UPTIME_OF_SERIES,),
        empty=_FEW_DATA,
    )


def _availability_history() -> Panel:
    return Panel(
        "Availability over time",
        "Share of each five minutes in which the app was up; no line during maintenance. A dip: compare with the "
        "last releases and with the host's dashboard at the same time; docker ps -a there shows what was restarted.",
        "timeseries",
        (Query(f"avg by (app) ({_AVAILABLE})", "{{app}}"),),
        unit=SHARE,
        minimum=0,
        maximum=1,
        width=WIDTH,
        empty=f"{_FEW_DATA} Or all of them are in maintenance.",
    )


# --- over time --------------------------------------------------------------------------------------------------------


def _history() -> Panel:
    return Panel(
        "Monitors over time",
        "When each monitor was up (green), down (red), pending (yellow) or in maintenance (blue). Short red marks at "
        "the time of a release: the app restarts without a second instance. All at once: look at the host's dashboard.",
        "timeline",
        (_states(f"{_LOOKING}, {_CHOSEN}"),),
        values=MONITOR_STATES,
        width=12,
        height=12,
        empty=_STARTED,
    )


def _response_times() -> Panel:
    return Panel(
        "Response time",
        "How long each monitor waited for its answer; nothing where none came. Slow: compare with the app's own p95; "
        "if that is low, the time is lost before the app: name, TLS, web server. All at once: look at the host's "
        "dashboard.",
        "timeseries",
        (
            Query(
                f"max by (monitor_name) (monitor_response_time{{{_LOOKING}, {_CHOSEN}}} >= 0) / 1000",
                "{{monitor_name}}",
            ),
        ),
        unit=SECONDS,
        minimum=0,
        width=12,
        height=12,
        empty=_STARTED,
    )


# --- jobs and certificates --------------------------------------------------------------------------------------------


def scheduled_jobs(only: str = "") -> Panel:
    """The last state of two days: after its start Kuma exports nothing about a job until it reports or is late.

    `only` chooses some of them, as PromQL's selector without braces.
    """
    chosen = ", ".join(filter(None, (_JOBS, only)))
    last = f"last_over_time(monitor_status{{{chosen}}}[2d])"
    return Panel(
        "Scheduled jobs",
        "What each job last reported, within two days. Down: it reported a failure, or nothing in its time; see its "
        "log on its host; alert JobSilent has the runbook. One is missing: none of it was heard in two days.",
        "stat",
        (Query(f"max by (monitor_name) ({last})", "{{monitor_name}}"),),
        values=MONITOR_STATES,
        width=12,
        empty="No job is declared, or none has reported in two days and none is late yet.",
    )


def _certificates() -> Panel:
    return Panel(
        "Certificates valid for",
        f"Days until each TLS certificate expires, as Uptime Kuma saw it last. Under {RENEWED_DAYS} it should have "
        "been renewed: certbot renew --dry-run on the web server shows why not; alert MonitorCertificateExpiry has the "
        "runbook.",
        "stat",
        (Query(f"min by (monitor_name) (monitor_cert_days_remaining{{{_CHOSEN}}})", "{{monitor_name}}"),),
        unit=DAYS,
        decimals=0,
        base="red",
        thresholds=certificate_left("MonitorCertificateExpiry"),
        width=WIDTH,
        height=4,
        empty="No monitor checks an address that begins with https.",
    )
