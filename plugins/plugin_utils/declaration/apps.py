# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The apps of a team: what is watched of each, and when its alerts fire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.analytics import Analytics
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.backup import Backup, Switch
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Business, Database
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomMetric, MetricName
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.metrics import MetricsItem
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.redis import Redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import Sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import Signals
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import HttpOptions, Job
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    RESERVED_HEADERS,
    AskedUrl,
    Container,
    Duration,
    File,
    HostAndPort,
    Part,
    PathOrUrl,
    Strict,
)


class Thresholds(Strict):
    """When an app's alerts fire. Each value has a default; set only what should differ."""

    error_ratio: float = Field(0.05, gt=0, le=1, description="Share of answers with a 5xx status above which it fires.")
    error_for: Duration = Field("5m", description="How long the error ratio must stay too high before it fires.")
    latency_p95_high_seconds: float = Field(2.0, gt=0, description="p95 response time for severity high, over 5 min.")
    latency_p95_medium_seconds: float = Field(
        1.0, gt=0, description="p95 response time for severity medium, over 10 min."
    )
    down_for: Duration = Field("2m", description="How long an app must be unreachable before it fires.")
    dependency_down_for: Duration = Field(
        "1m",
        description="How long its PostgreSQL, its Redis or all its Celery workers must be unreachable before it fires.",
    )
    deploy_within: Duration = Field(
        "3m",
        description="How long after a deploy the app may take to be well again; until then its alerts wait, but not "
        "those on its database or Redis. A deploy: somebody, not a restart policy, starts one of its containers.",
    )
    failed_payments_per_hour: int = Field(10, ge=0, description="Failed payments within an hour above which it fires.")
    refunds_per_hour: int = Field(
        10,
        ge=0,
        description="Refunds within an hour above which it fires, if they are also more than three times the mean of "
        "the day before.",
    )
    out_of_stock: int = Field(10, ge=0, description="Products out of stock above which it fires.")
    rate_limited_per_15m: int = Field(
        0, ge=0, description="Calls that another company's API refused within 15 minutes above which it fires."
    )
    queue_length: int = Field(
        100,
        gt=0,
        description="Tasks that wait in one Celery queue, above which it fires after 5 min; needs `queues` of `redis`.",
    )

    @model_validator(mode="after")
    def _medium_before_high(self) -> Thresholds:
        if self.latency_p95_medium_seconds >= self.latency_p95_high_seconds:
            raise ValueError("`latency_p95_medium_seconds` must be less than `latency_p95_high_seconds`")
        return self


# Other values of the label `probe`, and other names of monitors.
_PROBES = {"url", "website", "health", "answer"}


class Health(Strict):
    """Health endpoints, requested from outside the app as a load balancer does."""

    basic: PathOrUrl | None = Field(
        None,
        description="Answers 200 when the app is healthy. A path such as /health/ is on the host of the app's `url`.",
    )
    detailed: PathOrUrl | None = Field(
        None,
        description='Answers {"services": {"database": {"status": "healthy"}, …}}, or in another form that the runbook '
        "ProbeAnswerNotUnderstood shows, such as those of NestJS terminus, Spring Boot and ASP.NET.",
    )
    components: list[Annotated[str, Field(pattern=r"^[^\s\"'\\\[\]]{1,40}$")]] = Field(
        [],
        description="Names in the detailed answer; each gets a probe and an alert of its own. Case does not matter.",
    )

    @model_validator(mode="after")
    def _detailed_with_components(self) -> Health:
        names = [name.lower() for name in self.components]
        if _PROBES & set(names) or len(set(names)) < len(names):
            raise ValueError(
                f"List each component once, and none called {', '.join(sorted(_PROBES))}: other probes have these names"
            )
        if self.components and not self.detailed:
            raise ValueError("`components` needs `detailed`: the endpoint whose answer has these components")
        if self.detailed and not self.components:
            raise ValueError("`detailed` needs `components`: the names of the components in its answer")
        return self


class App(HttpOptions):
    """One app of the team. Its `url` and its health endpoints are requested with the same login and headers."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,35}$")] = (
        Field(  # app-<name> is a uid of at most 40 in Grafana
            description="Short name; the label `app` on everything that belongs to it."
        )
    )
    framework: Literal["django", "fastapi", "flask", "express", "nestjs", "prom_client", "generic"] = Field(
        "generic",
        description="Whose metric names the app exports: django-prometheus, prometheus-fastapi-instrumentator, "
        "prometheus-flask-exporter, prom-client (Express, NestJS, others), or generic (only up or down is known).",
    )
    url: AskedUrl | None = Field(None, description="The public address; it is probed, and its certificate is checked.")
    host: str | None = Field(None, description="Inventory name of the host it runs on. Default: the server.")
    container: Container | None = Field(
        None,
        description="Name of its main container, for alert messages. If the app is on the server, they and the "
        "dashboard also tell when its image or another one of its compose project changed.",
    )
    part_of: str | None = Field(
        None,
        description="Name of the app that this one is part of, such as the app whose Celery tasks it runs. When that "
        "app's database, Redis or workers fail, you get one alert instead of two.",
    )
    metrics: list[MetricsItem] = Field(
        [],
        description="Pages on which it shows its metrics: each is text, its `address`, or a mapping where it wants "
        "more, such as a login.",
    )
    custom_metrics: list[CustomMetric] = Field(
        [],
        description="Metrics that only this app has; each gets a panel, and an alert if declared. One that the app did "
        "not export within a day has no panel; verify names it. Needs `metrics`.",
    )
    metrics_prefix: MetricName | None = Field(
        None,
        description="How names of its own metrics begin, such as shop_; a panel lists all of them. Needs `metrics`.",
    )
    health: Health = Field(Health(), description="Health endpoints.")
    tcp: dict[Part, HostAndPort] = Field(
        {}, description="TCP ports it needs, such as {database: 127.0.0.1:5432}; each is watched by Uptime Kuma."
    )
    jobs: list[Job] = Field([], description="Scheduled jobs that report each success.")
    database: Database | None = Field(
        None, description="Its PostgreSQL database: Metabase reads it, and it is backed up."
    )
    redis: Redis | None = Field(None, description="Its Redis: memory, clients and Celery queues are watched.")
    backup: Annotated[Backup | None, Switch] = Field(
        Backup(), description="When its database is backed up; `false`: never. It has an effect only with `database`."
    )
    kpis: list[Kpi] = Field(
        [], description="Figures of the business by SQL, the most important one first; needs `database`."
    )
    business: Business = Field(Business(), description="What Metabase shows of its data; needs `database`.")
    env_file: File | None = Field(
        None,
        description="File on its host with its environment, such as /srv/shop/.env; nothing but our keys is written.",
    )
    compose: File | None = Field(
        None,
        description="Compose file of those services on its host that read `env_file`, such as /srv/shop/compose.yaml.",
    )
    sentry: Sentry | None = Field(None, description="Where it reports its errors; needs `env_file`.")
    analytics: Analytics | None = Field(None, description="What counts its visits; `env` of it needs `env_file`.")
    thresholds: Thresholds = Field(Thresholds(), description="When its alerts fire.")
    signals: Signals = Field(Signals(), description="Its own series that tell how its business does; needs `metrics`.")
    slo: float | None = Field(
        None,
        # The budget burns 14.4 times too fast where 14.4 * (1 - slo) of the requests fail: at most all of them.
        ge=0.95,
        lt=1,
        description="Share of requests that must succeed, over 30 days, such as 0.995: 5 of 1,000 may fail. Alerts "
        "fire while errors come at least six times as fast: five days of it would use up what may fail in 30. At least "
        "0.95: below it, the alerts could hardly fire.",
    )
    anomaly: bool = Field(
        False,
        description="Alert when it gets far more or far fewer requests than at this hour of the last four weeks. "
        "Before three weeks are known, it never fires.",
    )

    @model_validator(mode="after")
    def _counted_requests(self) -> App:
        if (self.slo or self.anomaly) and (self.framework == "generic" or not self.metrics):
            raise ValueError("`slo` and `anomaly` need `metrics` and a `framework` that counts requests: not generic")
        return self

    @model_validator(mode="after")
    def _signals_of_its_own(self) -> App:
        if self.signals != Signals() and not self.metrics:
            raise ValueError("`signals` needs `metrics`: where the app exports these series")
        return self

    @model_validator(mode="after")
    def _paths_need_url(self) -> App:
        relative = [path for path in (self.health.basic, self.health.detailed) if path and path.startswith("/")]
        if relative and not self.url:
            raise ValueError("A path in `health` needs `url`; a full URL does not")
        return self

    @model_validator(mode="after")
    def _headers_of_a_probe(self) -> App:
        if reserved := [name for name in self.headers if name.lower() in RESERVED_HEADERS]:
            raise ValueError(f"`headers` may not have {', '.join(reserved)}: the program that probes sets it itself")
        return self

    @model_validator(mode="after")
    def _keys_need_a_file(self) -> App:
        if (self.sentry or (self.analytics and self.analytics.env)) and not self.env_file:
            raise ValueError("`sentry` and `analytics.env` need `env_file`: the file that the app's environment is in")
        if self.sentry and not self.compose and (self.sentry.restart or self.sentry.release in ("git", "image")):
            raise ValueError(
                "`restart` and `release: git` or `image` of `sentry` need `compose`: the app's compose file"
            )
        if self.sentry and self.sentry.release == "image" and not self.sentry.restart:
            raise ValueError("`release: image` needs `restart`: the tag is that of the first service in it")
        return self

    @model_validator(mode="after")
    def _custom_metrics_once(self) -> App:
        if (self.custom_metrics or self.metrics_prefix) and not self.metrics:
            raise ValueError("`custom_metrics` and `metrics_prefix` need `metrics`: the page that has them")
        if len({metric.name for metric in self.custom_metrics}) < len(self.custom_metrics):
            raise ValueError("List each name in `custom_metrics` once")
        return self

    @model_validator(mode="after")
    def _kpis_once(self) -> App:
        if self.kpis and not self.database:
            raise ValueError("`kpis` needs `database`: what their SQL is put to")
        if len({kpi.name for kpi in self.kpis}) < len(self.kpis):
            raise ValueError("List each name in `kpis` once")
        return self

    @model_validator(mode="after")
    def _jobs_once(self) -> App:
        if len({job.name for job in self.jobs}) < len(self.jobs):
            raise ValueError("List each name in `jobs` once")
        return self
