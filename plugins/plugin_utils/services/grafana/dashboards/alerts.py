# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Panels on alerts that several dashboards share: what fires now and what fired before."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import NO_FAULTS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.dashboard import probed_apps
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.jobs import JOB_ALERTS, jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    COUNT,
    KEEP_TIME,
    RANGE,
    RATE,
    SECONDS,
    SINCE,
    TIMELINE_HEIGHT,
    WIDTH,
    Color,
    Column,
    Link,
    Panel,
    Query,
    any_is_bad,
)

_EVERY_FAULT = f'alertname!~"{"|".join(NO_FAULTS)}"'
# What tells one alert from another, over all its instances.
_ALERT = "severity, alertname, app, host, monitor_name"
_ROW_NAME = "{{severity}} {{alertname}} {{thing}}"
_STATES_OF_RULES = ("firing", "pending")
_DASHBOARD_OF_ROW = Link(
    "Open its dashboard", f"/d/${{__data.fields.page}}?var-host=${{__data.fields.host}}&{KEEP_TIME}"
)
_STATES: dict[float, tuple[str, Color]] = {1: ("pending", "yellow"), 2: ("firing", "red")}


def firing_count(only: str = "") -> Panel:
    """How many alerts fire; `only` chooses some of them, as PromQL's selector without braces."""
    return any_is_bad(
        "Firing alerts",
        "How many alerts fire now. Not 0: open each one's dashboard from the table of firing alerts, critical ones "
        "first, and follow its runbook.",
        (Query(f'count(ALERTS{{alertstate="firing", {_faults(only)}}}) or vector(0)'),),
        width=4,
    )


def firing_table(context: Context, only: str = "") -> Panel:
    """Each alert that fires, with a link to the dashboard that shows its cause."""
    faults = _faults(only)
    firing = f'ALERTS_FOR_STATE{{{faults}}} * 1000 and ignoring (alertstate) ALERTS{{alertstate="firing", {faults}}}'
    return Panel(
        "Alerts firing now",
        "Each alert that fires, since when, and the dashboard that shows why: click the row. Then do what the "
        "runbook of its name says. During planned work create a silence in Alertmanager instead.",
        "table",
        (Query(_with_page(context, firing)),),
        width=20,
        columns={
            "severity": Column("Severity", 80),
            "alertname": Column("Alert", 330),
            "app": Column("App"),
            "host": Column("Host"),
            "instance": Column("Instance"),
            **_monitor(context),
            "Value": Column("Since", 130, SINCE),
            "page": Column("Dashboard", 110),
        },
        links=(_DASHBOARD_OF_ROW,),
        empty="No alert is firing.",
    )


def fired_table(context: Context, only: str = "") -> Panel:
    """How often and for how long each alert fired in the chosen time, looked at once a minute."""
    faults = _faults(only)
    firing = f'ALERTS{{alertstate="firing", {faults}}}'
    begun = f"(ALERTS_FOR_STATE{{{faults}}} and ignoring (alertstate) {firing})[{RANGE}:1m]"
    while_firing = f"(max by ({_ALERT}) ({firing}))[{RANGE}:1m]"
    last = f"max by ({_ALERT}) (timestamp({firing}))"
    asked = [
        (f"sum by ({_ALERT}) (changes({begun}) + 1)", Column("Times", 80, COUNT, 0)),
        (f"60 * count_over_time({while_firing})", Column("In all", 110, SECONDS)),
        (f"1000 * max_over_time(({last})[{RANGE}:1m])", Column("Last", 130, SINCE)),
    ]
    return Panel(
        "What fired how often",
        "How many times each alert fired in the chosen time, and for how long in all. Often and briefly: raise its "
        "threshold in the declaration, or find what comes and goes. Click a row for the dashboard that shows why.",
        "table",
        tuple(Query(_with_page(context, expr)) for expr, _ in asked),
        width=WIDTH,
        columns={
            "severity": Column("Severity", 80),
            "alertname": Column("Alert", 330),
            "app": Column("App"),
            "host": Column("Host"),
            **_monitor(context),
            **{f"Value #{letter}": column for letter, (_, column) in zip("ABC", asked, strict=True)},
            "page": Column("Dashboard", 110),
        },
        links=(_DASHBOARD_OF_ROW,),
        empty="No alert fired in this time.",
    )


def firing_by_severity(only: str = "") -> Panel:
    """How many alerts fired at each time."""
    firing = f'max by ({_ALERT}) (max_over_time(ALERTS{{alertstate="firing", {_faults(only)}}}[{RATE}]))'
    return Panel(
        "Firing by severity",
        "How many alerts fired at the same time. A wide band of medium and low ones for days: nobody acts on them; "
        "change their thresholds, or disable them with crowsnest_disabled_alerts.",
        "timeseries",
        (Query(f"count by (severity) ({firing})", "{{severity}}"),),
        minimum=0,
        decimals=0,
        stacked=True,
        width=12,
        empty="No alert fired in this time.",
    )


def _monitor(context: Context) -> dict[str, Column]:
    return {"monitor_name": Column("Monitor")} if "uptime_kuma" in context.services else {}


def alert_history(only: str = "") -> Panel:
    """When each alert was pending and when it fired, also between the steps of a long time."""
    faults = _faults(only)
    firing, pending = (f'max_over_time(ALERTS{{alertstate="{state}", {faults}}}[{RATE}])' for state in _STATES_OF_RULES)
    states = f"2 * {firing} or {pending}"
    return Panel(
        "Alert history",
        "When each alert was pending (yellow) and firing (red). One that flaps: change its threshold in the "
        "declaration, or find what comes and goes. Several that begin together: look at the host's dashboard first.",
        "timeline",
        (Query(_with_thing(f"max by ({_ALERT}) ({states})"), _ROW_NAME),),
        width=WIDTH,
        height=TIMELINE_HEIGHT,
        values=_STATES,
        empty="No alert was pending or firing in this time.",
    )


def _faults(only: str) -> str:
    return f"{_EVERY_FAULT}, {only}" if only else _EVERY_FAULT


def _with_thing(expr: str) -> str:
    """The series of `expr` with label `thing`: the monitor's name, which begins with the app's, else app and host."""
    joined = f'label_join({expr}, "thing", " ", "app", "host")'
    return f'label_replace({joined}, "thing", "$1", "monitor_name", "(.+)")'


def _with_page(context: Context, expr: str) -> str:
    """The series of `expr` with label `page`, the uid of the dashboard that shows the cause; the last match counts."""
    pages = [
        ("stack", "alertname", ".+"),
        ("host", "host", ".+"),
        ("stack", "alertname", "(Prometheus|Alert|Monitors).+"),
    ]
    if probed_apps(context):
        pages.append(("probes", "app", ".+"))
    with_metrics = [app.name for app in context.declaration.apps if app.metrics]
    if with_metrics:
        pages.append(("app-$1", "app", f"({'|'.join(with_metrics)})"))
    pages.append(("backups", "alertname", "Backup.+"))
    pages.append(("containers", "alertname", "Container.+"))
    if "uptime_kuma" in context.services:
        pages.append(("uptime", "monitor_name", ".+"))
    if jobs(context):
        pages.append(("batch-jobs", "alertname", "|".join(JOB_ALERTS)))
    for page, label, pattern in pages:
        expr = f'label_replace({expr}, "page", "{page}", "{label}", "{pattern}")'
    return expr
