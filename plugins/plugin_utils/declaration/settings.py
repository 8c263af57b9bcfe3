# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declaration: everything a team writes down, as typed objects.

A setting `environment` here is the variable `crowsnest_environment` in `group_vars`. Unknown keys are refused.
To add a setting or a key of an app, add a field with a description: the reference in docs/ and the JSON Schema
are made from this file. How the user sees a mistake is in `mistakes/`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.backup import (
    BackupRemote,
    StackBackup,
    Switch,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import (
    DatabaseName,
    Identifier,
    MetabaseUser,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.door import (
    Certificates,
    OpenPortItem,
    ProxyMode,
    User,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Receiver
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import SentryAccount
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import (
    Domain,
    Maintenance,
    Monitor,
    StatusPage,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    Clock,
    DatabaseAddress,
    Duration,
    Email,
    Folder,
    HttpUrl,
    Image,
    MirrorUrl,
    Name,
    Part,
    Password,
    Port,
    SecretUrl,
    Strict,
    TextfileFolder,
    TimeZone,
    Weekdays,
    duration_seconds,
    switch,
)

# A container's name, with the wildcards of fnmatch.
NamePattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*?\[\]!-]+$")]
DOCS = "https://github.com/crowsnest-ops/crowsnest/blob/main/docs"
_OWN_RUNBOOKS = f"{DOCS}/runbooks"


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
            raise ValueError("`start` must be before `end`")
        return self


class WeeklyReport(Strict):
    """When the weekly message comes, and what it tells of. `true` or `{}` takes all defaults."""

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        "monday", description="The day."
    )
    at: Clock = Field(
        "09:00", description="Hour:minute in the time zone, in quotes. A message that was missed is sent later."
    )
    image_days: int = Field(90, ge=1, le=3650, description="Images of containers that are older are listed.")

    @property
    def when(self) -> str:
        """`Monday 09:00`."""
        return f"{self.weekday.capitalize()} {self.at}"


def _scrape_interval(text: str) -> str:
    """The shortest window of the rules is one minute, and a rate needs two samples in it."""
    if duration_seconds(text) > 30:
        raise ValueError("a duration of at most 30s: the rules use windows of one minute")
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
        raise ValueError("12 to 128 characters of at least two kinds: lower-case letters, capitals, digits, others")
    return password


def _backup_pause(text: str) -> str:
    if duration_seconds(text) > 3600:
        raise ValueError("a duration of at most 1h: an hour after a failed series the next one begins")
    return text


class MetabaseDatabase(Strict):
    """A PostgreSQL database for Metabase's own data: users, questions, dashboards."""

    address: DatabaseAddress = Field(description="Host and port as the server reaches them.")
    name: DatabaseName = Field("metabase", description="Name of the database; it must exist.")
    user: Identifier = Field("metabase", description="Role that owns it.")
    password: SecretStr = Field(description="Its password.")


class Declaration(Strict):
    """All variables `crowsnest_*` of an inventory."""

    environment: Name = Field(
        "production", description="Label `environment` on every series; it keeps environments apart."
    )
    timezone: TimeZone = Field("Asia/Seoul", description="For times in messages and for office hours.")
    language: Literal["en", "ko"] = Field(
        "en", description="Language of alerts, dashboards, starter questions and reports."
    )
    apps: list[App] = Field([], description="The team's apps.")
    ignored_containers: list[NamePattern] = Field(
        [],
        description="Names of containers or compose projects that `./crowsnest found` and `verify` should not propose "
        "to declare; with * ? [] as in a shell, such as ci-*.",
    )
    scrape_interval: Annotated[Duration, AfterValidator(_scrape_interval)] = Field(
        "15s", description="How often metrics are read and rules evaluated; 30s at most."
    )
    retention: Duration = Field(
        "92d", description="How long metrics are kept; availability over 90 days needs at least 90d."
    )
    retention_size_mib: int | None = Field(
        None, ge=256, description="How much disk metrics may take, in MiB. Default: from the size of the disk."
    )
    registry_mirrors: list[MirrorUrl] = Field(
        [], description="Docker Hub mirrors that the host's Docker engine tries first."
    )
    images: dict[str, Image] = Field({}, description="Another image for a service: name, tag and digest.")
    ports: dict[str, Port] = Field(
        {},
        description="Another port for a service, on the server's loopback; for `node_exporter` on every host.",
    )
    pushgateway: dict[Name, Duration] | None = Field(
        None,
        description="A Pushgateway on the server's loopback, port 9091, where batch jobs leave numbers: {name of a "
        "job: how long it may be silent}, such as {nightly-import: 25h}. Each job pushes as its last step: "
        'echo "rows_imported 12" | curl -sSf --data-binary @- 127.0.0.1:9091/metrics/job/nightly-import',
    )
    textfile_directory: TextfileFolder = Field(
        "/var/lib/prometheus/node-exporter",
        description="Folder on every host whose *.prom files node exporter exports as well: results of your cron jobs, "
        "and what crowsnest reports about containers.",
    )
    external_urls: dict[str, HttpUrl] = Field(
        {},
        description="Where people open a service's page, for links in messages. Default: below `crowsnest_domain`, "
        "else its port on 127.0.0.1.",
    )
    domain: Domain | None = Field(
        None,
        description="Domain of the pages, such as watch.example.com: its own page shows all others, which are below "
        "it: grafana., metabase., uptime., status., prometheus., alerts.",
    )
    proxy: ProxyMode | None = Field(
        None,
        description="Who serves them. `own`: crowsnest, on ports 80 and 443. `behind`: a proxy of yours that has these "
        "ports hands on to crowsnest's. `none`: nobody; pages are reached through SSH. Default: `own` with "
        "`crowsnest_domain`, else `none`.",
    )
    certificates: Certificates = Field(
        "letsencrypt",
        description="Whose certificates proxy `own` shows: those of Let's Encrypt, or of an authority that it makes "
        "itself (`internal`) and that browsers do not know.",
    )
    users: list[User] = Field(
        [User(name="admin")], min_length=1, description="Who may open the pages that have no login of their own."
    )
    open_ports: list[OpenPortItem] = Field(
        [22, 80, 443],
        validate_default=True,
        description="Ports of your hosts that may be reached from outside, each the number of a TCP port, or a mapping "
        "with those who may. `crowsnest_firewall` closes all others, and verify reports them.",
    )
    firewall: bool = Field(
        False,
        description="Whether crowsnest closes all other ports of your hosts, those that Docker publishes too. A rule "
        "that would lock you out is taken back by itself.",
    )
    updates: bool = Field(
        False,
        description="Whether your hosts install security updates of Debian and Ubuntu by themselves, each morning. "
        "Docker's packages and reboots are left to you; an alert tells of a reboot that is due.",
    )
    metabase: bool | None = Field(
        None,
        description="Whether Metabase runs. Default: when an app has a `database`; it needs more than 1 GiB of memory.",
    )
    metabase_heap_mib: int | None = Field(
        None,
        ge=700,
        description="Memory for Metabase's objects, in MiB; with less than 700 it keeps restarting. Default: a "
        "quarter of the host's memory, 768 to 2048.",
    )
    metabase_database: MetabaseDatabase | None = Field(
        None, description="Where Metabase keeps its own data. Default: a PostgreSQL of its own, in a container."
    )
    backup_remotes: dict[Part, BackupRemote] = Field(
        {}, description="Object storage that backups are copied to, by the name that a `remote` gives."
    )
    backup_stack: Annotated[StackBackup | None, Switch] = Field(
        StackBackup(), description="When the state of the stack itself is backed up on the server; `false`: never."
    )
    backup_notices: bool = Field(
        True, description="Whether each successful backup is told to the receivers; failures always are."
    )
    backup_tries: int = Field(3, ge=1, le=10, description="How often a failed backup is tried in a row.")
    backup_pause: Annotated[Duration, AfterValidator(_backup_pause)] = Field(
        "5m", description="How long it waits between these tries."
    )
    grafana_plugins: dict[
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
    ] = Field(
        {},
        description="Plugins of Grafana and their exact versions; downloaded from grafana.com after Grafana starts.",
    )
    rule_files: list[str] = Field(
        [], description="Prometheus rule files of your own; a relative path starts at the inventory's folder."
    )
    disabled_alerts: list[str] = Field([], description="Names of crowsnest's own alerts to leave out.")
    runbook_url: HttpUrl = Field(
        _OWN_RUNBOOKS,
        validate_default=True,
        description="Where the runbooks are; the alert's name and .md are appended. With language `ko`, the default "
        "continues with /ko; with `crowsnest_domain`, they are on its page. A folder of your own is taken as it is.",
    )
    receivers: list[Receiver] = Field([], description="Where alerts go.")
    heartbeat_url: SecretUrl | None = Field(
        None, description="Dead man's switch: called every minute while alerting works; its silence must alert you."
    )
    grafana_admin_password: Password | None = Field(
        None,
        description="Password of Grafana's user admin. Default: generated once, in the inventory's folder secrets/.",
    )
    repeat_after: Annotated[Duration, AfterValidator(_repeat_guard)] = Field(
        "10m", description="An alert that keeps firing is repeated no sooner than this; lower severities later."
    )
    weekly_report: Annotated[WeeklyReport | None, switch("no weekly message")] = Field(
        None,
        description="A message once a week to the receivers that get alerts of severity low, but for those of type "
        "webhook and those with `after`: availability, what fired, slow pages, KPIs, backups, disks, old images. "
        "Default: none.",
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
        None, description="Its password. Default: generated once, in the inventory's folder secrets/."
    )
    metabase_site_name: str = Field("crowsnest", pattern=r"^[^\r\n]+$", description="Title of Metabase's pages.")
    metabase_users: list[MetabaseUser] = Field([], description="Further people who log in to Metabase.")
    metabase_slack_token: SecretStr | None = Field(
        None,
        description="Token of a Slack app (xoxb-…), through which Metabase sends dashboards to channels. Default: "
        "`bot_token` of the first receiver that has one.",
    )
    maintenance: list[Maintenance] = Field([], description="Windows of planned work.")
    monitors: list[Monitor] = Field([], description="Monitors of Uptime Kuma in addition to those of the apps.")
    sentry: SentryAccount | None = Field(
        None, description="Account in which the projects and alerts of the apps' `sentry` are made."
    )
    status_pages: list[StatusPage] = Field(
        [StatusPage(slug="status", title="Status")], description="Status pages of Uptime Kuma."
    )
    uptime_kuma_admin_password: Annotated[Password, AfterValidator(_not_too_weak)] | None = Field(
        None,
        description="Password of Uptime Kuma's user admin. Default: generated once, in the inventory's folder "
        "secrets/.",
    )
    uptime_kuma_keep_days: int = Field(
        180, ge=1, le=3650, description="How many days Uptime Kuma keeps its measurements."
    )

    @property
    def proxy_mode(self) -> ProxyMode:
        """The declared one, or what a domain stands for."""
        return self.proxy or ("own" if self.domain else "none")

    @property
    def public_ports(self) -> tuple[int, ...]:
        """The ports at which the pages are served to everybody."""
        return (80, 443) if self.proxy_mode == "own" else ()

    @field_validator("runbook_url")
    @classmethod
    def _in_the_language(cls, url: str, declared: ValidationInfo) -> str:
        """The portal has them in the declared language; else Korean ones of our own are in ko/.

        A team may have none.
        """
        if url.rstrip("/") != _OWN_RUNBOOKS:
            return url
        domain, proxy = declared.data.get("domain"), declared.data.get("proxy")
        if domain and proxy != "none":
            return f"https://{domain}/runbooks"
        return f"{_OWN_RUNBOOKS}/ko" if declared.data.get("language") == "ko" else url

    def runbook(self, alert: str) -> str:
        """Address of the runbook of an alert."""
        return f"{self.runbook_url.rstrip('/')}/{alert}.md"


def read(variables: dict[str, Any]) -> Declaration:
    """The declaration of `{"crowsnest_environment": …, …}`. Raises pydantic.ValidationError."""
    return Declaration.model_validate({key.removeprefix("crowsnest_"): value for key, value in variables.items()})
