# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a verification compares with, and what it passes on, as types.

The controller makes an `Expected` (plugin_utils/report/expectations.py), the functions of this folder read it.
Python 3.9, standard library.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

# {service: {relative path of a secret file: SHA-256 of its content}}
SecretDigests = dict[str, dict[str, str]]
# {app: {name: value}} of the headers with which its page is requested, its login among them; secrets.
PageHeaders = dict[str, dict[str, str]]


class Service(TypedDict):
    """One planned service: its container as its compose fragment declares it, and its files as {path: SHA-256}.

    `path` is its configuration directory. `user` is the numeric user and group. `answers` is the path at which it
    reports that it is healthy, empty if it speaks no HTTP; `unasked` names what cannot be checked while it does not
    answer. `key` is the file with the password for that path, or empty.
    """

    url: str
    path: str
    container: str
    image: str
    user: int
    limit_mib: int
    command: list[str]
    environment: dict[str, str]
    labels: dict[str, str]
    reloads: bool
    answers: str
    unasked: str
    key: str
    files: dict[str, str]


class ComposeProject(TypedDict):
    """The file that names the fragments of all services."""

    path: str
    sha256: str


class Target(TypedDict):
    """A target of Prometheus before relabelling; `app`, `probe` and `host` are empty if it has no such label."""

    job: str
    address: str
    path: str
    app: str
    probe: str
    host: str


class Question(TypedDict):
    """A question of Metabase: its key in the module `metabase`, and the parameters that the dashboard sends."""

    key: str
    app: str
    name: str
    parameters: list[dict[str, Any]]


class Business(TypedDict):
    """What Metabase is asked, `connections` questions at a time; `key_file` is empty if Metabase is not planned."""

    key_file: str
    connections: int
    questions: list[Question]


class AppMetrics(TypedDict):
    """What is asked of Prometheus about what an app exports.

    `falling` is PromQL for its instances whose counters fall, and `together` how several processes count as one.
    `buckets` is PromQL for the buckets of its response times, empty if it has none, and `limits` are the seconds at
    which its alerts begin.
    """

    app: str
    falling: str
    together: str
    buckets: str
    limits: list[float]


class Query(TypedDict):
    """One query of a panel. `empty` is the reason why it may return nothing, `app` the app of its dashboard."""

    dashboard: str
    panel: str
    expr: str
    empty: str
    app: str


class Backup(TypedDict):
    """A nightly backup: its app, or `stack`; the host that makes it; whether backups are proven by a drill."""

    app: str
    host: str
    drill: bool


class Analytics(TypedDict):
    """What the page of an app must report to.

    `in_templates`: the tag is from us; else the app makes it itself. `consent_by_default`: nobody has chosen that
    consent is denied until a visitor grants it. `verify_tls`: its certificate must be valid. `accepted` are further
    statuses of a healthy answer than 200 to 299.
    """

    app: str
    url: str
    measurement_id: str
    in_templates: bool
    consent_by_default: bool
    verify_tls: bool
    accepted: list[int]


class CustomMetric(TypedDict):
    """A series that an app must export, as its team declares in `setting`, such as `custom_metrics`."""

    app: str
    series: str
    setting: str


class Kpi(TypedDict):
    """A KPI that the app's database must answer."""

    app: str
    kpi: str


class Door(TypedDict):
    """Public names of the pages, the first one above all others: {name: whether our proxy asks for a login}.

    `behind`: a proxy of the team hands on to ours. `authority` is the file of the authority that made the certificates
    where browsers do not know it, else empty.
    """

    names: dict[str, bool]
    behind: bool
    authority: str


class Line(TypedDict):
    """A `Check` as it is passed between the controller and the host, and in the report."""

    status: str
    area: str
    detail: str
    advice: str
    kind: str
    name: str


class OfServices(TypedDict, total=False):
    """What individual services add to `Expected`.

    `rules` is {file/group: number of its rules}, `receivers` {integration: names}, `slack_bots`
    {receiver: file of its token}, `certificates` {app: URL},
    `dashboards` {uid: title}. `monitors` are the names of those that probe by themselves, `status_pages` the last
    parts of their addresses.
    """

    targets: list[Target]
    rules: dict[str, int]
    receivers: dict[str, list[str]]
    slack_bots: dict[str, str]
    heartbeat: bool
    certificates: dict[str, str]
    dashboards: dict[str, str]
    monitors: list[str]
    status_pages: list[str]
    business: Business
    queries: list[Query]
    kpis: list[Kpi]
    door: Door


class Expected(OfServices):
    """Parameter `expected` of the module `verify`, with every key.

    `host` is the server, `grafana_plugins` {id: version}. `weekly_report` is when a weekly message comes, empty if none
    is declared. `checks` are decided on the controller.
    """

    host: str
    hosts: list[str]
    apps: list[str]
    services: dict[str, Service]
    compose: ComposeProject
    grafana_plugins: dict[str, str]
    backups: list[Backup]
    weekly_report: str
    analytics: list[Analytics]
    app_metrics: list[AppMetrics]
    custom_metrics: list[CustomMetric]
    checks: list[Line]


class Report(TypedDict):
    """What the module `verify` returns: `time` as 2026-11-21T12:00:00Z, and the number of lines of each status."""

    host: str
    time: str
    seconds: float
    passed: int
    warnings: int
    failed: int
    checks: list[Line]


class _Message(TypedDict):
    message: str


class Failure(_Message, total=False):
    """What a role could not do, as text; `change` or `app` names what it concerns."""

    change: str
    app: str


# The facts that roles keep for the end of a run.
KeptFact = Literal["metabase_failed", "database_reader_failed", "database_reader_notes"]


class Kept(TypedDict, total=False):
    """Those facts, if there is something to report."""

    metabase_failed: list[Failure]
    database_reader_failed: list[Failure]
    database_reader_notes: list[Failure]
