# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The program that sends the weekly message: what it asks Prometheus, of whom it tells, in which words.

Its settings are what files/weekly_report/weekly_report.py reads.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import NO_FAULTS, REPORT_ALERT
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import WEEKDAYS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import (
    HostProgram,
    Job,
    Schedule,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import STACK, backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import words_of_report
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import of_kpis
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import (
    PROFILES,
    Profile,
    with_endpoint,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import selector
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import OWN_LABEL, OWN_VALUE

# Fewer answers of an endpoint in a week tell nothing about it; so many of the slowest are asked for.
_FEWEST_ANSWERS, _SLOWEST = 10, 5
# An image that says it is older has no time in it: some builds write none, so that they can be repeated.
_EARLIEST = "946684800"  # the year 2000
# Labels that tell one alert from another in the message.
_THING = "alertname, app, host, monitor_name, container"


def settings(context: Context) -> dict[str, Any] | None:
    """What the program must know; it holds no secret. None where no weekly message is declared."""
    declared = context.declaration
    report = declared.weekly_report
    if report is None:
        return None
    kpis = _kpis(declared.apps)
    return {
        "prometheus": context.services["prometheus"].url,
        "alertmanager": context.services["alertmanager"].url,
        "schedule": f"{report.when} {declared.timezone}",
        "weekday": WEEKDAYS.index(report.weekday),
        "at": report.at,
        "timezone": declared.timezone,
        "environment": declared.environment,
        "labels": {
            "alertname": REPORT_ALERT,
            "severity": "none",
            "environment": declared.environment,
            OWN_LABEL: OWN_VALUE,
        },
        "known": {"app": [*(app.name for app in declared.apps), STACK], "host": list(context.plan.hosts)},
        "apps": {app.name: bool(app.url or app.health.basic) for app in declared.apps},
        "backups": [
            {"app": job.name, "host": job.host, "drill": job.drill != "never"}
            for job in backup_jobs(declared, context.server)
        ],
        "image_days": report.image_days,
        "kpis": {name: {key: kpi[key] for key in ("app", "title", "unit")} for name, kpi in kpis.items()},
        "queries": {**_QUERIES, **_slowest(declared.apps), **_of_kpis(kpis)},
        "words": words_of_report(declared.language),
    }


def _available(offset: str = "") -> str:
    """What Uptime Kuma saw, else what blackbox exporter saw; of an address and a health endpoint the worse one."""
    by_kuma = f"min by (app) (avg_over_time(app:available:ratio5m[7d]{offset}))"
    return f'{by_kuma} or min by (app) (avg_over_time(probe_success{{job="probe", probe=~"url|health"}}[7d]{offset}))'


_FIRING = f'ALERTS{{alertstate="firing", alertname!~"{"|".join(NO_FAULTS)}"}}'
_FIRES = f"max by ({_THING}) ({_FIRING})"
# {name in the program: PromQL}; each minute is looked at, so that how often a rule is evaluated does not count.
_QUERIES = {
    "watched": 'count_over_time((group(up{job="prometheus"}))[7d:1m])',
    "available": _available(),
    "available_before": _available(" offset 7d"),
    "fired_minutes": f"sum_over_time(({_FIRES})[7d:1m])",
    "fired_times": f"count_over_time(({_FIRES} unless max by ({_THING}) ({_FIRING} offset 1m))[7d:1m])",
    "fired_severities": f"group by ({_THING}, severity) (max_over_time({_FIRING}[7d]))",
    "firing": _FIRES,
    "backed_up": "crowsnest_backup_last_success_timestamp_seconds",
    "proven": "crowsnest_backup_drill_last_success_timestamp_seconds",
    "disk_used": "host:filesystem_used:percent",
    # At the pace of the week; a disk that does not fill lasts for ages. Three days are the least to judge by.
    "disk_weeks": "host:filesystem_avail:bytes / clamp_min(-deriv(host:filesystem_avail:bytes[7d]), 1e-9) / 604800"
    " and present_over_time(host:filesystem_avail:bytes[1h] offset 3d)",
    "image_days": f"(time() - (container_image_created_time_seconds > {_EARLIEST})) / 86400",
}


def _slowest(apps: list[App]) -> dict[str, str]:
    """The mean of the slowest endpoints of all apps, and how many answers that is of; {} where none are counted."""
    of_profiles: dict[Profile, list[str]] = {}
    for app in apps:
        if app.metrics and app.framework in PROFILES:
            of_profiles.setdefault(PROFILES[app.framework], []).append(app.name)
    counts = " or ".join(_of_endpoints(profile, names, "count") for profile, names in of_profiles.items())
    totals = " or ".join(_of_endpoints(profile, names, "sum") for profile, names in of_profiles.items())
    slowest = f"topk({_SLOWEST}, ({totals}) / (({counts}) >= {_FEWEST_ANSWERS}))"
    return {"slowest": slowest, "requests": f"({counts}) and {slowest}"} if of_profiles else {}


def _of_endpoints(profile: Profile, apps: list[str], part: str) -> str:
    """Sum or count of the answers of a week, with the endpoint in one label, whatever the framework calls it."""
    series = selector(f"{profile.by_endpoint}_{part}", f'app=~"{"|".join(apps)}"', *profile.no_users)
    counted = f"sum by (app, method, {', '.join(profile.endpoint_labels)}) (increase({series}[7d]))"
    return f"sum by (app, method, endpoint) ({with_endpoint(counted, profile)})"


# How a number of a declared unit ends; others end with the unit.
_UNITS = {"count": "", "seconds": "s", "bytes": "B", "ratio": "%", "percent": "%"}


def _kpis(apps: list[App]) -> dict[str, dict[str, str]]:
    """{name of its query: {"app", "title", "unit", "series", "factor"}} of the apps' KPIs that are one number."""
    return {
        f"{app.name} {kpi.name}": {
            "app": app.name,
            "title": kpi.shown_title,
            "unit": _UNITS.get(kpi.unit, kpi.unit),
            "series": f"{kpi.metric.name}{{{of_kpis(app.name)}}}",
            "factor": "100 * " if kpi.unit == "ratio" else "",
        }
        for app in apps
        for kpi in app.kpis
        if not kpi.labels
    }


def _of_kpis(kpis: dict[str, dict[str, str]]) -> dict[str, str]:
    return {
        f"{name}{when}": f"{kpi['factor']}avg_over_time({kpi['series']}[7d]{offset})"
        for name, kpi in kpis.items()
        for when, offset in (("", ""), (" before", " offset 7d"))
    }


WEEKLY_REPORT = HostProgram(
    name="weekly_report",
    sources=("weekly_report.py",),
    jobs=(
        Job(
            name="weekly-report",
            description="Weekly message about hosts and apps",
            command="/usr/bin/python3 {directory}/weekly_report.py {textfile_directory}",
            schedule=Schedule(
                calendar="*:0/5", accuracy="10s", words="asked every 5 minutes whether it is due", cron="*/5 * * * *"
            ),
            seconds=240,
            memory_mib=64,
            needs=(),
            writes=("{textfile_directory}",),
            capabilities=("CAP_DAC_OVERRIDE",),
            address_families=("AF_INET", "AF_INET6", "AF_UNIX"),
            loopback=True,
        ),
    ),
    settings=settings,
    metrics="crowsnest-weekly-report.prom",
)
