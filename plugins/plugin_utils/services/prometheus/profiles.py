# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whose metric names an app exports, as one table, and the recording rules that bring all of them to one vocabulary.

Recorded for each app, with the labels `app`, `host`, `environment`, over all its instances:

- `app:requests:rate5m`: requests per second.
- `app:errors:increase5m`: answers with a status of 500 or more, in five minutes.
- `app:errors:ratio5m`: their share of all answers, 0 to 1; 0 without traffic.
- `app:latency_p95:seconds`: the time within which 95 % of requests were answered; nothing without traffic.
- `app:exceptions:increase5m`: exceptions in five minutes. A library that does not count them counts answers with
  status 500, which an exception that nobody caught becomes.

By status, `<profile>:responses:increase5m` has the label `status` as well, such as `404`, or `4xx` or `4XX` where it
is grouped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import AppMetrics
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.promql import (
    APP_LABELS,
    increase,
    selector,
)

# Requests for health and metrics come from probes and Prometheus, not from users. They count nowhere.
_NO_USERS = '{}!~"(?i).*(health|metrics|prometheus).*"'
# How several processes of an app answer as one.
# https://prometheus.github.io/client_python/multiprocess/
_PYTHON = (
    "Set PROMETHEUS_MULTIPROC_DIR to a directory that is emptied at each start, in all processes of the app; with "
    "gunicorn call prometheus_client.multiprocess.mark_process_dead in child_exit as well."
)
# https://github.com/siimon/prom-client#usage-with-nodejss-cluster-module
_NODE_CLUSTER = (
    "Let the primary process of the cluster answer /metrics with clusterMetrics() of prom-client's AggregatorRegistry; "
    "with PM2 or several containers give each process a port, and declare each in `metrics`."
)
_ANY = "Let one process answer for all, or give each process a port, and declare each in `metrics`."


@dataclass(frozen=True)
class Answers:
    """A series that counts answers, and its label with their status.

    `matchers` tell it from the same name of other libraries.
    """

    series: str
    status: str = "status"
    matchers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """Where a library counts the requests of an app.

    Of `answers` the first one that an app exports counts. `latency` is the histogram of all requests, in seconds, and
    `latency_matchers` are the alternatives that tell it from other libraries'; `by_endpoint` is the one that names the
    endpoint in `endpoint_labels`. `needed` is what an app exports from its start, or from its first request: one of
    these. Empty is what a library does not export.
    """

    name: str
    answers: tuple[Answers, ...]
    latency: str
    by_endpoint: str
    endpoint_labels: tuple[str, ...]
    needed: tuple[str, ...]
    latency_matchers: tuple[str, ...] = ("",)
    latency_has_endpoint: bool = True
    exceptions: str = ""
    database_connection_errors: str = ""
    together: str = _PYTHON

    @property
    def no_users(self) -> tuple[str, ...]:
        """Matchers that leave out requests for health and metrics."""
        return tuple(_NO_USERS.format(label) for label in self.endpoint_labels)

    @property
    def latency_of_users(self) -> tuple[str, ...]:
        """The same for `latency`, where it names the endpoint."""
        return self.no_users if self.latency_has_endpoint else ()


# https://github.com/django-commons/django-prometheus 2.5.0
_DJANGO = Profile(
    "django",
    answers=(Answers("django_http_responses_total_by_status_view_method_total"),),
    latency="django_http_requests_latency_seconds_by_view_method",
    by_endpoint="django_http_requests_latency_seconds_by_view_method",
    endpoint_labels=("view",),  # the function's name, where the URL pattern has none
    needed=("django_http_requests_before_middlewares_total",),
    exceptions="django_http_exceptions_total_by_type_total",
    database_connection_errors="django_db_new_connection_errors_total",
)
# https://github.com/trallnag/prometheus-fastapi-instrumentator 8.1.0: its status is 200 or grouped, 2xx. The histogram
# by handler ends at 1 s; the fine one has no handler, so the app itself leaves health out of it (excluded_handlers).
_FASTAPI = Profile(
    "fastapi",
    answers=(Answers("http_requests_total", matchers=('handler!=""', 'status!=""')),),
    latency="http_request_duration_highr_seconds",
    by_endpoint="http_request_duration_seconds",
    endpoint_labels=("handler",),
    needed=("http_request_duration_highr_seconds_count",),
    latency_has_endpoint=False,
)
# https://github.com/rycus86/prometheus_flask_exporter 0.23.2: its counter flask_http_request_total names no endpoint.
# The label of the histogram is path, or what the app groups by (group_by="url_rule").
_FLASK = Profile(
    "flask",
    answers=(Answers("flask_http_request_duration_seconds_count"),),
    latency="flask_http_request_duration_seconds",
    by_endpoint="flask_http_request_duration_seconds",
    endpoint_labels=("path", "url_rule", "endpoint"),
    needed=("flask_exporter_info",),
    exceptions="flask_http_request_exceptions_total",
    together=f"{_PYTHON} Use GunicornInternalPrometheusMetrics of prometheus_flask_exporter.multiprocess.",
)
# https://github.com/siimon/prom-client 15.1.3, which has nothing of HTTP itself: series of the team, or of
# express-prom-bundle 8.0.0 (a histogram only), or of express-prometheus-middleware 1.2.0 (`status`). Those of FastAPI
# have `handler`.
_OF_NODE = ('status_code!=""', 'status_code="", status!="", handler=""')
_NODE = Profile(
    "prom_client",
    answers=tuple(
        Answers(series, status, (matchers,))
        for series in ("http_requests_total", "http_request_duration_seconds_count")
        for status, matchers in zip(("status_code", "status"), _OF_NODE, strict=True)
    ),
    latency="http_request_duration_seconds",
    by_endpoint="http_request_duration_seconds",
    endpoint_labels=("route", "path"),
    needed=("http_requests_total", "http_request_duration_seconds_count"),
    latency_matchers=_OF_NODE,
    together=_NODE_CLUSTER,
)
# {framework: its profile}; of `generic` only up or down is known.
PROFILES = {
    "django": _DJANGO,
    "fastapi": _FASTAPI,
    "flask": _FLASK,
    "express": _NODE,
    "nestjs": _NODE,
    "prom_client": _NODE,
}


def with_status(expr: str, answers: Answers) -> str:
    """PromQL: the series of `expr` with the status in the label `status`."""
    return expr if answers.status == "status" else f'label_replace({expr}, "status", "$1", "{answers.status}", "(.+)")'


def with_endpoint(expr: str, profile: Profile) -> str:
    """PromQL: the series of `expr` with one label `endpoint`, whatever the framework calls it."""
    labels = ", ".join(f'"{label}"' for label in profile.endpoint_labels)
    return f'label_join({expr}, "endpoint", "", {labels})'


def profile_files(frameworks: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """{name of a rule file: its groups} of the profiles of these frameworks."""
    profiles = dict.fromkeys(PROFILES[framework] for framework in frameworks if framework in PROFILES)
    return {f"profile_{profile.name}.yml": [_group(profile)] for profile in profiles}


def _group(profile: Profile) -> dict[str, Any]:
    responses = f"{profile.name}:responses:increase5m"
    errors = f"sum by ({APP_LABELS}) ({responses}{{status=~'5..'}})"
    none = f"0 * sum by ({APP_LABELS}) ({responses})"
    exprs = {
        responses: f"\n  or on ({APP_LABELS})\n".join(_by_status(answers, profile) for answers in profile.answers),
        "app:requests:rate5m": f"sum by ({APP_LABELS}) ({responses}) / 300",
        "app:errors:increase5m": f"{errors}\n  or {none}",
        "app:errors:ratio5m": f"{errors} / (sum by ({APP_LABELS}) ({responses}) > 0)\n  or {none}",
        "app:latency_p95:seconds": _p95(profile),
        "app:exceptions:increase5m": _exceptions(profile, responses),
    }
    if profile.database_connection_errors:
        counter = selector(profile.database_connection_errors)
        exprs["app:database_connection_errors:increase1m"] = f"sum by ({APP_LABELS}) {increase(counter, '1m')}"
    rules = [{"record": name, "expr": expr} for name, expr in exprs.items()]
    return {"name": f"profile_{profile.name}", "rules": rules}


def _by_status(answers: Answers, profile: Profile) -> str:
    counted = increase(selector(answers.series, *answers.matchers, *profile.no_users), "5m")
    return f"sum by ({APP_LABELS}, status) ({with_status(counted, answers)})"


def _p95(profile: Profile) -> str:
    buckets = " or ".join(
        f"rate({selector(f'{profile.latency}_bucket', matchers, *profile.latency_of_users)}[5m])"
        for matchers in profile.latency_matchers
    )
    # Without traffic it is NaN, which is not at least 0.
    return f"histogram_quantile(0.95, sum by ({APP_LABELS}, le) ({buckets})) >= 0"


def _exceptions(profile: Profile, responses: str) -> str:
    if profile.exceptions:
        return f"sum by ({APP_LABELS}) {increase(selector(profile.exceptions), '5m')}"
    return f"sum by ({APP_LABELS}) ({responses}{{status=~'500|5xx|5XX'}})"


def app_metrics(app: App) -> AppMetrics:
    """What verify asks of Prometheus about this app.

    A process that started later never answers with an earlier start, so one fall of it is proof; a counter falls when
    the app is started again as well, which happens three times in ten minutes to no app that is well. A connection that
    stays open between two reads hides the other processes; servers close an idle one within 5 s (gunicorn, uvicorn,
    Node.js), which is less than the usual interval.
    """
    profile, of_app = PROFILES.get(app.framework), f'app="{app.name}"'
    falls = [f"max by (instance) (resets({selector('process_start_time_seconds', of_app)}[10m])) > 0"]
    if profile:
        counters = [selector(answers.series, of_app) for answers in profile.answers]
        falls += [f"max by (instance) (resets({counter}[10m])) >= 3" for counter in dict.fromkeys(counters)]
    return {
        "app": app.name,
        "falling": " or ".join(falls),
        "together": profile.together if profile else _ANY,
        "buckets": f"group by (le) ({selector(f'{profile.latency}_bucket', of_app)})" if profile else "",
        "limits": [app.thresholds.latency_p95_high_seconds, app.thresholds.latency_p95_medium_seconds],
    }
