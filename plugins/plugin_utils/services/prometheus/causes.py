# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One fault, one message: which faults of an app explain others, and which alerts wait for them. Pure.

A cause is known as soon as it is seen, before its own alert has waited, and is recorded as EXPLAINS. While it is,
alerts of lower levels on the same app do not begin. What fires already goes on and ends with its own fault, so that
nothing that was told stays without its end: Alertmanager's inhibition would swallow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import has_deploys
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import APP_LABELS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.ranks import (
    CAUSES,
    LEVELS,
    cause_of,
    level_of,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import recorded

EXPLAINS = "app:cause:explains"
# What explains for an hour from its beginning on, and while the app recovers from it; what happens later is told all
# the same. Other causes do for ten minutes, after which critical alerts are repeated anyway: a part that nobody has
# mended for days is not seen any more when the site goes down, and must not explain that.
_STRONG = ("host", "database", "redis", "certificate", "app")
_STRONG_SECONDS, _WEAK_SECONDS = 3600, 600
# How long the alert of a cause goes on after its end: what goes and comes back twice within it is one fault.
FLAP = "2m"
# After the end of that alert, and so three minutes after the end of the cause, its app and its workers have recovered.
_RECOVERY = "1m"
# In seconds: an alert whose `for` is at least this much longer than a cause's looks at the cause only once it is told.
_MARGIN = 60
# Alerts that tell only effects, and what they look back at: they wait for so long after the alert of a cause is over.
_EFFECTS: Mapping[str, str | None] = {
    "ProbeAnswerNotUnderstood": None,
    "ProbeSlow": "7m",
    "MonitorDown": None,
    "QueueLong": "7m",
    "QueueUnreadable": None,
    "KpiUnreadable": "1h",  # a KPI is asked for again only when it is due
}
# So do all alerts on an app's own metrics, App….
_OF_METRICS = "7m"
_ERRORS = (
    'ALERTS{alertname="AppErrorRatioHigh"} '
    f'or present_over_time(ALERTS{{alertname="AppErrorRatioHigh", alertstate="firing"}}[{_OF_METRICS}])'
)
# What other alerts of crowsnest wait for: (alert, its severity, labels that both have, PromQL of the cause).
_OTHERS = (
    ("AppExceptions", "high", "app, host, environment", _ERRORS),
    ("AppErrorBudgetBurning", "critical", "app, host, environment", _ERRORS),
    ("AppMetricsUnreadable", "high", "app, host, environment", 'app:cause:active{cause="app"}'),
    ("HostOutOfMemoryKill", "high", "host, environment", 'ALERTS{alertname="ContainerOutOfMemory"}'),
    ("BackupLate", "high", "app, host, environment", 'ALERTS{alertname="BackupFailed"}'),
    ("BackupLate", "high", "host, environment", 'ALERTS{alertname="BackupNotRunning"}'),
    ("BackupDrillOverdue", "low", "host, environment", 'ALERTS{alertname="BackupNotRunning"}'),
    ("BackupDrillFailed", "high", "app, host, environment", "crowsnest_backup_corrupt > 0"),
)


# --- what is seen, in PromQL; `of` are matchers of an app, such as `, app="shop"`, `window` that of `_all` ---


def app_down(of: str = "", window: str = "") -> str:
    """Its metrics cannot be read, and it does not answer well from outside, or nobody asks there."""
    well = f'min by (app, environment) (probe_success{{job="probe", probe=~"url|health"{of}}}) == 1'
    up = _all(f'up{{job="app"{of}}}', window)
    return f"max by ({APP_LABELS}) ({up}) == 0 unless on (app, environment) {well}"


def database_down(of: str = "", window: str = "") -> str:
    """PostgreSQL does not let the exporter in, which it did before."""
    up = _all(f'pg_up{{job="postgres_exporter"{of}}}', window)
    return f"max by ({APP_LABELS}) ({up}) == 0 and on ({APP_LABELS}) app:database:seen"


def connections_used_up(of: str = "") -> str:
    """In percent of what is not reserved for superusers: the app cannot open another one."""
    job = f'job="postgres_exporter"{of}'
    free = f"pg_settings_max_connections{{{job}}} - pg_settings_superuser_reserved_connections{{{job}}}"
    used = f"sum by ({APP_LABELS}) (pg_stat_activity_count{{{job}}})"
    return f"100 * {used} / max by ({APP_LABELS}) ({free}) >= 100"


def redis_down(of: str = "", window: str = "") -> str:
    """Redis does not let the exporter in."""
    up = _all(f'redis_up{{job="redis_exporter"{of}}}', window)
    return f"max by ({APP_LABELS}) ({up}) == 0"


def worker_missing(of: str = "", window: str = "") -> str:
    """Each worker subscribes to one pattern, which all of them share. None at all: no worker, whatever waits."""
    patterns = _all(f'redis_pubsub_patterns{{job="redis_exporter"{of}}}', window)
    return f"max by ({APP_LABELS}) ({patterns}) == 0 and on ({APP_LABELS}) app:queue:limit"


def _all(series: str, window: str) -> str:
    """What is 0 in all of the window, if there is one."""
    return f"max_over_time({series}[{window}])" if window else series


def _probes_fail(which: str, window: str) -> str:
    probes = _all(f'probe_success{{job="probe", {which}}}', window)
    return f"min by ({APP_LABELS}) ({probes}) == 0"


def _seen(window: str) -> dict[str, str]:
    """{alert: its cause}, once it is so in all of the window: what fails now and then explains nothing, as its own
    alert does not come, and what it explains would never be told.
    """
    return {
        "HostDown": f'max by ({APP_LABELS}) (up{{app!=""}}) and on (host, environment) host:up:max == 0',
        "PostgresDown": database_down(window=window),
        "PostgresConnectionsHigh": connections_used_up(),
        "RedisDown": redis_down(window=window),
        "CertificateExpired": "app:certificate_left:seconds <= 0",
        "AppDown": app_down(window=window),
        "CeleryWorkerMissing": worker_missing(window=window),
        "ProbeComponentFailed": _probes_fail('probe!~"url|health|answer"', window)
        + f" and on ({APP_LABELS}) app:health_answer:readable == 1",
        "ProbeFailed": _probes_fail('probe=~"url|health"', window),
    }


def cause_series(context: Context) -> list[dict[str, Any]]:
    """The group of rules that record what explains other faults now: what is seen, and what was told and is just gone.

    A cause whose alerts are disabled explains nothing.
    """
    window = f"{2 * duration_seconds(context.declaration.scrape_interval)}s"
    seen, disabled = _seen(window), context.declaration.disabled_alerts
    causes = {cause: left for cause, alerts in CAUSES.items() if (left := [it for it in alerts if it not in disabled])}
    same = f"{APP_LABELS}, cause"
    rules = []
    for cause, alerts in causes.items():
        firing = f'ALERTS{{alertname=~"{"|".join(alerts)}", severity="critical", alertstate="firing"}}'
        rules += [
            recorded("app:cause:active", " or ".join(seen[alert] for alert in alerts), cause=cause),
            recorded("app:cause:told", _of_apps(cause, firing), cause=cause),
        ]
    present = f"app:cause:active or present_over_time(app:cause:told[{_RECOVERY}])"
    began = (
        f"(last_over_time(app:cause:began_seconds[5m]) or time() + 0 * app:cause:active) and on ({same}) ({present})"
    )
    strong = f'app:cause:began_seconds{{cause=~"{"|".join(_STRONG)}"}}'
    explains = (
        f"{strong} > time() - {_STRONG_SECONDS} or {strong} unless on ({same}) app:cause:active "
        f"or app:cause:began_seconds > time() - {_WEAK_SECONDS}"
    )
    deploys = [_deploy(app, context) for app in context.declaration.apps if has_deploys(context, app)]
    parts = [_whole(app, app.part_of) for app in context.declaration.apps if app.part_of]
    recorded_of_all = [{"record": "app:cause:began_seconds", "expr": began}, {"record": EXPLAINS, "expr": explains}]
    return [{"name": "causes", "rules": [*rules, *recorded_of_all, *deploys, *parts]}]


def _of_apps(cause: str, firing: str) -> str:
    """The alert on a host is about all apps on it."""
    if cause == "host":
        return f'max by ({APP_LABELS}) (up{{app!=""}}) and on (host, environment) {firing}'
    return f"max by ({APP_LABELS}) ({firing})"


def _whole(part: App, whole: str) -> dict[str, Any]:
    """A database, a Redis or missing workers of an app explain that its worker is down."""
    causes = f'{EXPLAINS}{{app="{whole}", cause=~"database|redis|worker"}}'
    return recorded(EXPLAINS, f"max by (environment) ({causes})", app=part.name, cause="whole")


def _deploy(app: App, context: Context) -> dict[str, Any]:
    """Somebody, not a restart policy, has started one of its containers within the declared time.

    Not what is started again and again, by a program that restarts what is not healthy.
    """
    host = f'host="{context.plan.host_of(app)}"'
    own = f'{host}, container="{app.container}"'
    within = duration_seconds(app.thresholds.deploy_within)
    project = f'group by (project) (last_over_time(container_running{{{own}, project!=""}}[1h]))'
    started = "container_start_time_seconds"
    restarted = f"(increase(container_restarts_total{{{host}}}[{within}s]) > 0 or changes({started}{{{host}}}[1h]) > 3)"
    expr = (
        f"max by (host, environment) (({started}{{{host}}} and on (project) {project} or {started}{{{own}}}) "
        f"> time() - {within} unless on (container) {restarted})"
    )
    return recorded(EXPLAINS, expr, app=app.name, cause="deploy")


# --- who waits for it ---


def waits(groups: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """{cause: seconds after which the last of its alerts is told}, from the groups of all rules."""
    longest: dict[str, float] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        cause = cause_of(rule.get("alert", ""))
        if cause and rule["labels"]["severity"] == "critical":
            longest[cause] = max(longest.get(cause, 0), _seconds(rule))
    return longest


def _seconds(rule: Mapping[str, Any]) -> float:
    return duration_seconds(rule.get("for", "0s"))


def waiting(rule: Mapping[str, Any], told_after: Mapping[str, float]) -> dict[str, Any]:
    """The alert rule with what it waits for in its expression; `told_after` is what `waits` returns."""
    alert, labels, expr = rule["alert"], rule["labels"], rule["expr"]
    in_time = {cause for cause, seconds in told_after.items() if seconds + _MARGIN <= _seconds(rule)}
    causes = list(_waits_for(alert, labels["severity"], in_time))
    if not causes:
        return dict(rule)
    own = ", ".join(["alertname", "alertstate", *(name for name in labels if name != "app")])
    fires = f'ALERTS{{alertname="{alert}", alertstate="firing", severity="{labels["severity"]}"}}'
    unless = "".join(f"\n  unless on ({shared}) ({cause})" for shared, cause in causes)
    return {**rule, "expr": f"({expr}){unless}\nor ({expr})\n  and ignoring ({own}) {fires}"}


def also(rule: Mapping[str, Any]) -> str | None:
    """A Prometheus template: what else of the app fails now as probes see it, for the title of what explains that.

    Of an app that is down this says nothing, and components are known only from an answer that can be read.
    """
    if level_of(rule["alert"]) >= len(LEVELS) or rule["alert"] in ("HostDown", "AppDown"):
        return None
    pages = "probe_success{job='probe', probe=~'url|health', probe!=%[1]q, app=%[2]q} == 0"
    parts = "probe_success{job='probe', probe!~'url|health|answer', probe!=%[1]q, app=%[2]q} == 0"
    seen = f"{pages} or {parts} and on (app) app:health_answer:readable == 1"
    failing = f'printf "{seen}" (or $labels.probe "-") $labels.app | query | sortByLabel "probe"'
    return (
        f"{{{{ range $at, $probe := {failing} }}}}"
        "{{ if $at }}, {{ end }}{{ $probe.Labels.probe }}{{ end }}"
    )


def _waits_for(alert: str, severity: str, in_time: Set[str]) -> Iterator[tuple[str, str]]:
    """(labels that both have, PromQL of the cause). Causes that are `in_time` are told before the alert would be."""
    for name, graded, shared, cause in _OTHERS:
        if (alert, severity) == (name, graded):
            yield shared, cause
    level = level_of(alert)
    is_cause = level < len(LEVELS)
    if is_cause or alert in _EFFECTS or alert.startswith("App"):
        causes = [cause for above in LEVELS[:level] for cause in above]
        window = None if is_cause else _EFFECTS.get(alert, _OF_METRICS)
        # What fails now and then is not told. If it explained the alert each time, that would begin to wait anew.
        told = [cause for cause in causes if window and cause in in_time]
        if seen := [cause for cause in causes if cause not in told]:
            yield "app, environment", _explains(seen)
        if told:
            yield "app, environment", f"{_explains(told)} and on ({APP_LABELS}, cause) app:cause:told"
        if window:
            yield "app, environment", f"present_over_time(app:cause:told[{window}]) unless app:cause:active"


def _explains(causes: Sequence[str]) -> str:
    return f'{EXPLAINS}{{cause=~"{"|".join(causes)}"}}'
