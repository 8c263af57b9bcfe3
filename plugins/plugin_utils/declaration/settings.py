# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declaration: everything a team writes down, as typed objects.

A setting `environment` here is the variable `crowsnest_environment` in `group_vars`. Unknown keys are refused.
To add a setting or a key of an app, add a field with a description: the reference in docs/ and the JSON Schema
are made from this file. What a mistake looks like to the user is in `mistakes.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import (
    Business,
    Database,
    DatabaseName,
    Identifier,
    MetabaseUser,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import (
    HttpOptions,
    Job,
    Maintenance,
    Monitor,
    StatusPage,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    LOOPBACK,
    RESERVED_HEADERS,
    AskedUrl,
    Clock,
    Container,
    DatabaseAddress,
    Duration,
    Email,
    Folder,
    HostAndPort,
    HttpUrl,
    Image,
    MailAddress,
    MetricsTarget,
    MirrorUrl,
    Name,
    Part,
    Password,
    PathOrUrl,
    Port,
    SecretUrl,
    SmtpServer,
    Strict,
    TextfileFolder,
    TimeZone,
    Weekdays,
    duration_seconds,
)

Severity = Literal["critical", "high", "medium", "low"]
# Port of SMTP with TLS from the first byte (RFC 8314); all others begin with STARTTLS.
SMTP_TLS_PORT = 465
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


class Thresholds(Strict):
    """When an app's alerts fire. Each has the default promised in docs; set only what should differ."""

    error_ratio: float = Field(0.05, gt=0, le=1, description="Share of answers with a 5xx status that is too much.")
    error_for: Duration = Field("5m", description="How long the error ratio must be too high before the alert.")
    latency_p95_high_seconds: float = Field(2.0, gt=0, description="p95 response time for severity high, over 5 min.")
    latency_p95_medium_seconds: float = Field(
        1.0, gt=0, description="p95 response time for severity medium, over 10 min."
    )
    down_for: Duration = Field("5m", description="How long an app must be unreachable before the critical alert.")

    @model_validator(mode="after")
    def _medium_before_high(self) -> Thresholds:
        if self.latency_p95_medium_seconds >= self.latency_p95_high_seconds:
            raise ValueError("latency_p95_medium_seconds smaller than latency_p95_high_seconds")
        return self


# What else the label `probe` and the names of monitors say.
_PROBES = {"url", "website", "health", "answer"}


class Health(Strict):
    """Health endpoints that are asked from outside the app, as a load balancer would."""

    basic: PathOrUrl | None = Field(
        None, description="Answers 200 when the app is well. A path such as /health/ is on the host of the app's `url`."
    )
    detailed: PathOrUrl | None = Field(
        None,
        description='Answers {"services": {"database": {"status": "healthy"}, …}}, or in another of the forms that the '
        "runbook ProbeAnswerNotUnderstood shows: those of NestJS terminus, Spring Boot, ASP.NET, ….",
    )
    components: list[Annotated[str, Field(pattern=r"^[^\s\"'\\\[\]]{1,40}$")]] = Field(
        [],
        description="Names in the detailed answer; each gets a probe and an alert of its own. Capitals do not matter.",
    )

    @model_validator(mode="after")
    def _detailed_with_components(self) -> Health:
        names = [name.lower() for name in self.components]
        if _PROBES & set(names) or len(set(names)) < len(names):
            raise ValueError(
                f"each component once, and none called {', '.join(sorted(_PROBES))}: these are probes of their own"
            )
        if self.components and not self.detailed:
            raise ValueError("`detailed` beside `components`: the endpoint whose answer has these components")
        if self.detailed and not self.components:
            raise ValueError("`components` beside `detailed`: the names of the components in its answer")
        return self


class App(HttpOptions):
    """One app of the team. Its `url` and its health endpoints are asked with the same login and headers."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,35}$")] = (
        Field(  # app-<name> is a uid of at most 40 in Grafana
            description="Short name; the label `app` on everything that belongs to it."
        )
    )
    framework: Literal["django", "fastapi", "prom_client", "generic"] = Field(
        "generic",
        description="Whose metric names the app exports: django-prometheus, prometheus-fastapi-instrumentator, "
        "prom-client (Express, NestJS), or generic (only up or down is known).",
    )
    url: AskedUrl | None = Field(None, description="The public address; probed, with its certificate.")
    host: str | None = Field(None, description="Inventory name of the host it runs on. Default: the server.")
    container: Container | None = Field(None, description="Name of its main container, for alert messages.")
    metrics: list[MetricsTarget] = Field(
        [], description="Where metrics are read: host:port/path as `curl` on that host reaches it. Path: /metrics."
    )
    health: Health = Field(Health(), description="Health endpoints.")
    tcp: dict[Part, HostAndPort] = Field(
        {}, description="TCP ports it needs, such as {database: 127.0.0.1:5432}; each is watched by Uptime Kuma."
    )
    jobs: list[Job] = Field([], description="Scheduled jobs that report each success.")
    database: Database | None = Field(None, description="Its PostgreSQL database, for Metabase to read.")
    business: Business = Field(Business(), description="What Metabase shows of its data; needs `database`.")
    thresholds: Thresholds = Field(Thresholds(), description="When its alerts fire.")

    @model_validator(mode="after")
    def _paths_need_url(self) -> App:
        relative = [path for path in (self.health.basic, self.health.detailed) if path and path.startswith("/")]
        if relative and not self.url:
            raise ValueError("`url`, or a full URL instead of a path in `health`")
        return self

    @model_validator(mode="after")
    def _headers_of_a_probe(self) -> App:
        if reserved := [name for name in self.headers if name.lower() in RESERVED_HEADERS]:
            raise ValueError(f"no {', '.join(reserved)} in `headers`: the program that asks sets it itself")
        return self

    @model_validator(mode="after")
    def _jobs_once(self) -> App:
        if len({job.name for job in self.jobs}) < len(self.jobs):
            raise ValueError("each name of `jobs` once")
        return self


class _Receiver(Strict):
    """What all receivers share. `secrets` names the fields whose value is written to a file of its own."""

    secrets: ClassVar[tuple[str, ...]] = ()
    name: Name | None = Field(None, description="Name in reports. Default: the type.")


class SlackReceiver(_Receiver):
    """A Slack channel, through an incoming webhook."""

    secrets = ("webhook_url",)
    type: Literal["slack"]
    webhook_url: SecretUrl = Field(description="The incoming webhook, https://hooks.slack.com/services/….")
    channel: str | None = Field(
        None,
        pattern=r"^[#@]?[^\s/:#@]+$",  # also an id, and a name as Slack's relatives have it
        description="Default: the webhook's own channel. Slack lets only old webhooks choose; for an app's webhook, "
        "choose the channel in Slack.",
    )
    username: str = Field(
        "crowsnest", description="Name the messages come from; honoured by old webhooks and Slack's relatives only."
    )
    severities: list[Severity] = Field(list(SEVERITIES), min_length=1, description="Which alerts it gets.")


class DiscordReceiver(_Receiver):
    """A Discord channel, through a webhook."""

    secrets = ("webhook_url",)
    type: Literal["discord"]
    webhook_url: SecretUrl = Field(description="The channel's webhook.")
    severities: list[Severity] = Field(list(SEVERITIES), min_length=1, description="Which alerts it gets.")


class WebhookReceiver(_Receiver):
    """Any program that takes Alertmanager's JSON."""

    secrets = ("url",)
    type: Literal["webhook"]
    url: SecretUrl = Field(description="Where Alertmanager posts.")
    severities: list[Severity] = Field(list(SEVERITIES), min_length=1, description="Which alerts it gets.")


class EmailReceiver(_Receiver):
    """E-mail through an SMTP server: with TLS from the first byte on port 465, with STARTTLS on any other."""

    secrets = ("password",)
    type: Literal["email"]
    to: list[MailAddress] = Field(min_length=1, description="Addresses.")
    sender: MailAddress = Field(description="The From address.")
    smarthost: SmtpServer = Field(description="SMTP server with port, such as smtp.example.com:587.")
    username: str | None = Field(None, description="SMTP user.")
    password: SecretStr | None = Field(None, description="SMTP password.")
    require_tls: bool = Field(
        True,
        description="Say false for a mail relay that offers no TLS; it must be on the server itself "
        "(localhost:25) or ask for no password.",
    )
    severities: list[Severity] = Field(["critical"], min_length=1, description="Which alerts it gets.")

    @model_validator(mode="after")
    def _tls_or_local(self) -> EmailReceiver:
        """A relay on loopback rarely has a certificate for that name, so the choice must be made there."""
        local = LOOPBACK.match(self.smarthost)
        if local and "require_tls" not in self.model_fields_set:
            raise ValueError(
                f"`require_tls: false` beside {self.smarthost} when this relay offers no TLS, else `require_tls: true`"
            )
        if not self.require_tls and self.smarthost.endswith(f":{SMTP_TLS_PORT}"):
            raise ValueError(f"no `require_tls: false` beside port {SMTP_TLS_PORT}, which begins with TLS")
        if not self.require_tls and self.password and not local:
            raise ValueError(
                "`require_tls: false` without a password, or with a relay on the server itself such as localhost:25: "
                "a password is not sent over the network without TLS"
            )
        return self


class SnsReceiver(_Receiver):
    """SMS or anything else that listens on a topic of Amazon SNS."""

    secrets = ("secret_key",)
    type: Literal["sns"]
    topic_arn: str = Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:\S+$", description="The topic.")
    access_key: str | None = Field(None, description="AWS access key id. Default: the host's own role.")
    secret_key: SecretStr | None = Field(None, description="AWS secret access key.")
    severities: list[Severity] = Field(["critical"], min_length=1, description="Which alerts it gets.")

    @model_validator(mode="after")
    def _key_with_secret(self) -> SnsReceiver:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("`access_key` and `secret_key` together, or neither")
        return self


Receiver = Annotated[
    SlackReceiver | DiscordReceiver | WebhookReceiver | EmailReceiver | SnsReceiver, Field(discriminator="type")
]


class OfficeHours(Strict):
    """When alerts of severity low may arrive."""

    weekdays: Weekdays = Field("monday:friday", description="A day or a range of days.")
    start: Clock = Field("09:00", description="Hour:minute in the time zone.")
    end: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = Field(
        "18:00", description="Hour:minute in the time zone; 24:00 ends the day."
    )

    @model_validator(mode="after")
    def _start_before_end(self) -> OfficeHours:
        if self.start >= self.end:
            raise ValueError("a start before the end")
        return self


def _scrape_interval(text: str) -> str:
    """The shortest window of our rules is one minute, and a rate needs two samples in it."""
    if duration_seconds(text) > 30:
        raise ValueError("a duration of at most 30s: the rules look at windows of one minute")
    return text


def _repeat_guard(text: str) -> str:
    if duration_seconds(text) < 600:
        raise ValueError("a duration of at least 10m: the same alert is not repeated sooner")
    return text


def _with_digit(password: SecretStr) -> SecretStr:
    """Metabase's own rule: https://www.metabase.com/docs/latest/people-and-groups/changing-password-complexity"""
    if not re.search("[0-9]", password.get_secret_value()):
        raise ValueError("12 to 128 characters with a digit among them")
    return password


def _not_too_weak(password: SecretStr) -> SecretStr:
    """Uptime Kuma's own rule: https://github.com/deanilvincent/check-password-strength"""
    kinds = ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9 ]")
    if sum(bool(re.search(kind, password.get_secret_value())) for kind in kinds) < 2:
        raise ValueError("12 to 128 characters of at least two kinds: small letters, capitals, digits, others")
    return password


class MetabaseDatabase(Strict):
    """A PostgreSQL database for Metabase's own data: users, questions, dashboards."""

    address: DatabaseAddress = Field(description="Host and port as the server reaches them.")
    name: DatabaseName = Field("metabase", description="Name of the database; it must exist.")
    user: Identifier = Field("metabase", description="Role that owns it.")
    password: SecretStr = Field(description="Its password.")


class Settings(Strict):
    """Everything but the receivers: what the plan is made of. A plan that is written down holds no secret, only ***."""

    environment: Name = Field("production", description="Label `environment` on every series; never mixed.")
    timezone: TimeZone = Field("Asia/Seoul", description="For times in messages and for office hours.")
    language: Literal["en", "ko"] = Field("en", description="Language of alert texts.")
    apps: list[App] = Field([], description="The team's apps.")
    scrape_interval: Annotated[Duration, AfterValidator(_scrape_interval)] = Field(
        "15s", description="How often metrics are read and rules evaluated; 30s at most."
    )
    retention: Duration = Field(
        "92d", description="How long metrics are kept; availability over 90 days needs 90 days of them."
    )
    retention_size_mib: int | None = Field(
        None, ge=256, description="How much disk metrics may take, in MiB. Default: from the size of the disk."
    )
    registry_mirrors: list[MirrorUrl] = Field([], description="Docker Hub mirrors the host's Docker engine asks first.")
    images: dict[str, Image] = Field({}, description="Another image for a service: name, tag and digest.")
    ports: dict[str, Port] = Field(
        {},
        description="Another port for a service, on the server's loopback; for `node_exporter` on every host.",
    )
    textfile_directory: TextfileFolder = Field(
        "/var/lib/prometheus/node-exporter",
        description="Folder on every host whose *.prom files node exporter exports as well: results of your cron jobs, "
        "and what crowsnest says of containers.",
    )
    external_urls: dict[str, HttpUrl] = Field(
        {}, description="Where people open a service's page, for links in messages. Default: its port on 127.0.0.1."
    )
    open_ports: list[Annotated[int, Field(ge=1, le=65535)]] = Field(
        [22, 80, 443], description="TCP ports of your hosts that may be reached from outside; verify reports any other."
    )
    metabase: bool | None = Field(
        None, description="Whether Metabase runs. Default: when an app has a `database`; it takes over 1 GiB of memory."
    )
    metabase_heap_mib: int | None = Field(
        None,
        ge=700,
        description="Memory for Metabase's objects, in MiB; with less than 700 it restarts again and again. Default: a "
        "quarter of the host's memory, 768 to 2048.",
    )
    metabase_database: MetabaseDatabase | None = Field(
        None, description="Where Metabase keeps its own data. Default: a PostgreSQL of its own, in a container."
    )
    grafana_plugins: dict[
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
    ] = Field(
        {},
        description="Plugins of Grafana and their exact versions; fetched from grafana.com after its start.",
    )
    rule_files: list[str] = Field(
        [], description="Prometheus rule files of your own; a relative path starts at the inventory's folder."
    )
    disabled_alerts: list[str] = Field([], description="Names of crowsnest's alerts that should not exist.")
    runbook_url: HttpUrl = Field(
        "https://github.com/crowsnest-ops/crowsnest/blob/main/docs/runbooks",
        description="Where runbooks lie; the alert's name and .md are appended.",
    )


class Declaration(Settings):
    """All variables `crowsnest_*` of an inventory."""

    receivers: list[Receiver] = Field([], description="Where alerts go.")
    heartbeat_url: SecretUrl | None = Field(
        None, description="Dead man's switch: posted every minute while alerting works; its silence must alert you."
    )
    grafana_admin_password: Password | None = Field(
        None, description="Password of Grafana's user admin. Default: made once, in the inventory's folder secrets/."
    )
    repeat_after: Annotated[Duration, AfterValidator(_repeat_guard)] = Field(
        "10m", description="An alert that goes on is repeated no sooner than this; lower severities later."
    )
    office_hours: OfficeHours = Field(OfficeHours(), description="When low alerts may arrive.")
    secrets_directory: Folder | None = Field(
        None, description="Folder on your machine for generated secrets. Default: secrets/ of the inventory."
    )
    # Nobody has an address that ends so (RFC 2606): nothing is sent to a stranger.
    metabase_admin_email: Email = Field(
        "admin@crowsnest.invalid", description="Metabase's first account logs in with it."
    )
    metabase_admin_password: Annotated[Password, AfterValidator(_with_digit)] | None = Field(
        None, description="Its password. Default: made once, in the inventory's folder secrets/."
    )
    metabase_site_name: str = Field("crowsnest", pattern=r"^[^\r\n]+$", description="Title of Metabase's pages.")
    metabase_users: list[MetabaseUser] = Field([], description="Further people who log in to Metabase.")
    metabase_slack_token: SecretStr | None = Field(
        None, description="Token of a Slack app (xoxb-…), through which Metabase sends dashboards to channels."
    )
    maintenance: list[Maintenance] = Field([], description="Windows of planned work.")
    monitors: list[Monitor] = Field([], description="Monitors of Uptime Kuma beside those of the apps.")
    status_pages: list[StatusPage] = Field(
        [StatusPage(slug="status", title="Status")], description="Status pages of Uptime Kuma."
    )
    uptime_kuma_admin_password: Annotated[Password, AfterValidator(_not_too_weak)] | None = Field(
        None,
        description="Password of Uptime Kuma's user admin. Default: made once, in the inventory's folder secrets/.",
    )
    uptime_kuma_keep_days: int = Field(
        180, ge=1, le=3650, description="How many days Uptime Kuma keeps what it measured."
    )


def read(variables: dict[str, Any]) -> Declaration:
    """The declaration of `{"crowsnest_environment": …, …}`. Raises pydantic.ValidationError."""
    return Declaration.model_validate({key.removeprefix("crowsnest_"): value for key, value in variables.items()})


def first_email_receiver(declared: Declaration) -> EmailReceiver | None:
    """Its server also sends what Grafana and Metabase send."""
    return next((each for each in declared.receivers if isinstance(each, EmailReceiver)), None)


def receiver_name(receiver: _Receiver) -> str:
    """The name a report uses: the declared one, else the type."""
    return receiver.name or str(getattr(receiver, "type"))  # noqa: B009 - every subclass has it
