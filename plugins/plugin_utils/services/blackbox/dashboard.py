# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Probes": the apps as seen from outside by blackbox exporter."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import (
    NINES,
    RENEWED_DAYS,
    certificate_left,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    APP_OF_SERIES,
    DAYS,
    FOLDER_OPERATIONS,
    OK,
    RANGE,
    SECONDS,
    SHARE,
    TIMELINE_HEIGHT,
    TO_OVERVIEW,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    Variable,
    runbook_link,
)

_APPS = 'job="probe", app=~"$app"'


def probed_apps(context: Context) -> list[App]:
    """The apps that are probed from outside; none where blackbox exporter does not run."""
    if "blackbox" not in context.services:
        return []
    return [app for app in context.declaration.apps if app.url or app.health.basic or app.health.components]


def probes(context: Context) -> Dashboard:
    """All probes of the apps chosen at the top."""
    return Dashboard(
        uid="probes",
        title="Probes",
        folder=FOLDER_OPERATIONS,
        description="What users meet: addresses, health endpoints, certificates, probed from the server.",
        rows=(
            Row("Now", (success(_APPS), status_codes(_APPS), certificates('app=~"$app"'))),
            Row("Over time", (availability(_APPS), success_history(_APPS))),
            Row("Duration", (durations(_APPS), phases(_APPS))),
        ),
        variables=(Variable("app", "App", query='label_values(probe_success{job="probe"}, app)', multi=True),),
        links=(TO_OVERVIEW, runbook_link(context.declaration.runbook_url)),
    )


def success(selector: str) -> Panel:
    """Whether each probe works; `selector` is PromQL's, without braces."""
    return Panel(
        "Probe works",
        "Whether the last request to each address or health component was answered well; `answer` is whether the "
        "detailed health answer says how every component is. Red: "
        "curl -sv -o /dev/null ADDRESS on the server, then from your own computer; alert ProbeFailed has the runbook.",
        "stat",
        (Query(f"probe_success{{{selector}}}", "{{app}} {{probe}}"),),
        values=OK,
        width=12,
        links=(APP_OF_SERIES,),
    )


def status_codes(selector: str) -> Panel:
    """The last status code of each probe."""
    return Panel(
        "Status code",
        "The HTTP status of the last answer, 0 without one. 502 or 504: the web server runs but the app behind it "
        "does not, see docker ps -a. A component may be ill behind a 503.",
        "stat",
        (Query(f"probe_http_status_code{{{selector}}}", "{{app}} {{probe}}"),),
        unit="none",
        decimals=0,
        base="red",
        thresholds=(Threshold(200, "green"), Threshold(400, "yellow"), Threshold(500, "red")),
        width=6,
        sparkline=False,
    )


def certificates(selector: str) -> Panel:
    """Days until a certificate of each app expires, as alert CertificateExpiry counts them."""
    return Panel(
        "Certificate valid for",
        f"Days until the TLS certificate expires. Under {RENEWED_DAYS} it should have been renewed: certbot renew "
        "--dry-run on the web server shows why it was not; alert CertificateExpiry has the runbook.",
        "stat",
        (Query(f"app:certificate_left:seconds{{{selector}}} / 86400", "{{app}}"),),
        unit=DAYS,
        decimals=0,
        base="red",
        thresholds=certificate_left("CertificateExpiry"),
        width=6,
        empty="No address of the apps begins with https, or it did not answer within two days.",
    )


def availability(selector: str) -> Panel:
    """Share of good answers over the chosen time."""
    return Panel(
        "Availability",
        "Share of probes that were answered well in the chosen time (top right). Less than you promised: "
        "the history beside it shows when; compare with the last releases and the host's dashboard.",
        "bars",
        (Query(f"avg by (app, probe) (avg_over_time(probe_success{{{selector}}}[{RANGE}]))", "{{app}} {{probe}}"),),
        unit=SHARE,
        decimals=3,
        minimum=0,
        maximum=1,
        base="red",
        thresholds=NINES,
        width=8,
        height=TIMELINE_HEIGHT,
    )


def success_history(selector: str) -> Panel:
    """When each probe worked and when not."""
    return Panel(
        "Probes over time",
        "Green where a probe worked, red where not. Short red marks at the time of a release: the app restarts "
        "without a second instance. All at once: the host or the network, see the host's dashboard.",
        "timeline",
        (Query(f"min by (app, probe) (probe_success{{{selector}}})", "{{app}} {{probe}}"),),
        values=OK,
        width=16,
        height=TIMELINE_HEIGHT,
    )


def durations(selector: str) -> Panel:
    """How long each probe takes in all."""
    slow = threshold("ProbeSlow", "medium")
    return Panel(
        "Duration of probes",
        f"How long a whole request takes from the server. Over {slow} s alert ProbeSlow fires: compare with the app's "
        "own p95; if that is low, the time is lost before the app: name, TLS, web server.",
        "timeseries",
        (Query(f"avg by (app, probe) (probe_duration_seconds{{{selector}}})", "{{app}} {{probe}}"),),
        unit=SECONDS,
        minimum=0,
        thresholds=(Threshold(slow, "red"),),
        width=12,
    )


def phases(selector: str) -> Panel:
    """Where the time of a request goes."""
    return Panel(
        "Duration by phase",
        "Mean over the chosen apps: resolve is DNS, connect the network, tls the handshake, processing the app itself. "
        "The widest band is where to look: resolvectl query NAME, ping HOST, or the app's dashboard.",
        "timeseries",
        (Query(f"avg by (phase) (probe_http_duration_seconds{{{selector}}})", "{{phase}}"),),
        unit=SECONDS,
        minimum=0,
        stacked=True,
        width=12,
    )
