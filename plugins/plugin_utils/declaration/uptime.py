# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team declares about uptime: monitors of its own, maintenance windows, status pages.

Monitors of the apps are made from the apps themselves (`services/uptime_kuma/monitors.py`). Types and their limits:
https://github.com/louislam/uptime-kuma/blob/master/server/model/monitor.js
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    AskedUrl,
    Container,
    Duration,
    HostAndPort,
    Part,
    Strict,
    Weekdays,
    duration_seconds,
    is_url,
    no_login,
    no_password,
    small_scheme,
)

# Bounds of Kuma for all intervals: MIN_INTERVAL_SECOND and MAX_INTERVAL_SECOND in its src/util.ts.
SHORTEST_SECONDS, LONGEST_SECONDS = 20, 2_073_600


def _interval(text: str) -> str:
    if not SHORTEST_SECONDS <= duration_seconds(text) <= LONGEST_SECONDS:
        raise ValueError("a duration from 20s, which is Uptime Kuma's shortest, to 24d")
    return text


def _as_text(code: object) -> object:
    """YAML reads 204 as a number."""
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else code


def _status_codes(text: str) -> str:
    if not re.fullmatch(r"(?P<hundred>[1-5])00-(?P=hundred)99|[1-9][0-9]{2}", text):
        raise ValueError("a status such as 204, or a range of a hundred such as 200-299")
    return text


def _hostname(text: str) -> str:
    """The underscore is for records such as _dmarc.example.com; other alphabets become ASCII, as in lookups."""
    if re.fullmatch(r"\w([\w.-]*[\w.])?", text):
        try:
            return text if text.isascii() else text.encode("idna").decode()
        except UnicodeError:
            raise ValueError("a host name that can be looked up") from None
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("a host name or an IP address, without a port") from None
    return text


def _engine(text: str) -> str:
    if not is_url(text, "tcp", "http", "https"):
        raise ValueError("tcp://host:port, http://host:port or https://host:port of a Docker engine")
    return small_scheme(text)


def _one_line(secret: SecretStr) -> SecretStr:
    """Programs that read a secret from a file strip the spaces around it."""
    text = secret.get_secret_value()
    if text != text.strip() or not text.isprintable():
        raise ValueError("one line without spaces around it")
    return secret


def _plain(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", secret.get_secret_value()):
        raise ValueError("one line of plain ASCII characters without spaces around it")
    return secret


Engine = Annotated[
    str, no_login("Leave it out: Uptime Kuma uses Docker engines without a login"), AfterValidator(_engine)
]
Interval = Annotated[Duration, AfterValidator(_interval)]
StatusCodes = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int), AfterValidator(_status_codes)]
Hostname = Annotated[str, AfterValidator(_hostname)]
Domain = Annotated[Hostname, AfterValidator(str.lower)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
HeaderValue = Annotated[SecretStr, AfterValidator(_plain)]
LoginPassword = Annotated[SecretStr, AfterValidator(_one_line)]
# What people read: one line, no spaces around it.
Title = Annotated[str, Field(pattern=r"^\S(.{0,98}\S)?$")]


class Job(Strict):
    """A scheduled job that reports each success, such as a nightly import; a missing report alerts you."""

    name: Part = Field(description="Short name, unique within the app.")
    every: Duration = Field(description="How often it runs, such as 1d.")
    grace: Duration = Field("10m", description="How much later than usual a report may come.")
    check_in: bool = Field(False, description="Report to a cron monitor in Sentry, too; needs `sentry`.")

    @model_validator(mode="after")
    def _within_bounds(self) -> Job:
        if not SHORTEST_SECONDS <= self.silent_seconds <= LONGEST_SECONDS:
            raise ValueError("`every` and `grace` must add up to 20s to 24d, which are Uptime Kuma's bounds")
        return self

    @property
    def silent_seconds(self) -> int:
        """After this long without a report something is wrong."""
        return duration_seconds(self.every) + duration_seconds(self.grace)


class AnyMonitor(Strict):
    """What all monitors share."""

    name: Title = Field(description="What it watches, in words; unique.")
    id: Title | None = Field(
        None,
        description="Identifies it from run to run. Default: the name. To rename it, set `id` to its first name.",
    )
    group: str | None = Field(None, description="Name of an app, or of a monitor of type group, that it belongs to.")
    description: str | None = Field(None, description="A note for people.")
    interval: Interval = Field("60s", description="How often it checks; at least 20s.")
    retries: int = Field(1, ge=0, le=100, description="Failures in a row that are not yet an outage.")
    notifications: list[str] = Field(
        [],
        description="Names of receivers that Uptime Kuma itself notifies. Leave it empty: Alertmanager sends alerts.",
    )
    tags: dict[Title, str] = Field({}, description="Tags and their values.")
    paused: bool = Field(False, description="Declared, but not checked.")


class HttpRequest(Strict):
    """How an address is requested over HTTP."""

    # A colon would end the name: https://www.rfc-editor.org/rfc/rfc7617#section-2
    username: Annotated[str, Field(pattern=r"^[^:\x00-\x1f\x7f]+$"), no_password("password")] | None = Field(
        None, description="User of a login by HTTP basic authentication."
    )
    password: LoginPassword | None = Field(None, description="Password of that login.")
    headers: dict[HeaderName, HeaderValue] = Field(
        {},
        description="Headers of the request; secrets, as they may hold a token. Only Host and User-Agent of an app are "
        "not treated as secrets.",
    )
    verify_tls: bool = Field(True, description="Whether an invalid certificate counts as an outage.")

    @model_validator(mode="after")
    def _login_as_a_whole(self) -> HttpRequest:
        if (self.username is None) != (self.password is None):
            raise ValueError("Set `username` and `password` together, or neither")
        names = [name.lower() for name in self.headers]
        if len(set(names)) < len(names):
            raise ValueError("List each name in `headers` once; case does not matter")
        if self.username is not None and "authorization" in names:
            raise ValueError("Set `username` or a header Authorization, not both")
        return self


class HttpOptions(HttpRequest):
    """How an address is requested over HTTP, and which answers count as healthy."""

    accepted_status: list[StatusCodes] = Field(
        ["200-299"],
        min_length=1,
        description="Status codes that count as healthy. With any of 300 to 399, redirects are not followed.",
    )

    @property
    def follows_redirects(self) -> bool:
        """Whether redirects lead to the answer; otherwise a redirect may itself be a healthy answer."""
        return not any(code.startswith("3") for code in self.accepted_status)

    @property
    def own_status(self) -> list[str]:
        """The accepted status codes, if they are not the usual ones."""
        return [] if self.accepted_status == ["200-299"] else self.accepted_status

    @property
    def as_usual(self) -> bool:
        """Whether the declaration leaves all of these options at their defaults."""
        return self.username is None and not self.headers and self.verify_tls and not self.own_status


class AddressMonitor(AnyMonitor, HttpOptions):
    """What all monitors of an address share."""

    url: AskedUrl = Field(description="The address. It is shown in diffs; a token belongs in `headers`.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field("GET", description="Method.")
    body: SecretStr | None = Field(None, description="Body of the request, as JSON; a secret, as it may hold a token.")
    redirects: int = Field(10, ge=0, le=100, description="How many redirects are followed.")
    timeout: Duration = Field("48s", description="How long an answer may take.")
    certificate: bool = Field(
        True, description="Whether `notifications` warn of its certificate. Alert MonitorCertificateExpiry always does."
    )


class HttpMonitor(AddressMonitor):
    """An address that must answer."""

    type: Literal["http"]


class KeywordMonitor(AddressMonitor):
    """An address whose answer must hold a text."""

    type: Literal["keyword"]
    keyword: str = Field(min_length=1, description="The text.")
    absent: bool = Field(False, description="Whether the text must be absent instead.")


class JsonMonitor(AddressMonitor):
    """An address whose JSON must hold a value."""

    type: Literal["json-query"]
    query: str = Field(
        min_length=1, description="A JSONata expression, https://jsonata.org, such as data.queue.length."
    )
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "contains"] = Field("==", description="How to compare.")
    expected: str = Field(description="What the expression must return, as text.")


class PortMonitor(AnyMonitor):
    """A TCP port that must accept connections."""

    type: Literal["port"]
    address: HostAndPort = Field(description="host:port as the server reaches it.")


class PingMonitor(AnyMonitor):
    """A host that must answer a ping."""

    type: Literal["ping"]
    hostname: Hostname = Field(description="Host name or address.")


class DnsMonitor(AnyMonitor):
    """A name that must be resolved."""

    type: Literal["dns"]
    hostname: Hostname = Field(description="The name.")
    server: Hostname = Field("1.1.1.1", description="The name server to query.")
    record: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = Field(
        "A", description="Type of the record."
    )


class PushMonitor(AnyMonitor):
    """Something that reports by itself: silence longer than `interval` is an outage."""

    type: Literal["push"]

    @model_validator(mode="after")
    def _names_a_file(self) -> PushMonitor:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", self.id or self.name):
            raise ValueError(
                "A push monitor needs an `id` of at most 60 letters, digits, spaces, dots and hyphens: "
                "its address is in a file"
            )
        return self


class DockerMonitor(AnyMonitor):
    """A container that must run, as a Docker engine reports."""

    type: Literal["docker"]
    container: Container = Field(description="Name of the container.")
    engine: Engine = Field(
        description="The engine's address, such as tcp://127.0.0.1:2375. The socket is not given to Uptime Kuma: "
        "anyone who can use it is root.",
    )


class GroupMonitor(AnyMonitor):
    """A group of monitors; it is down when one of them is."""

    type: Literal["group"]


Monitor = Annotated[
    HttpMonitor
    | KeywordMonitor
    | JsonMonitor
    | PortMonitor
    | PingMonitor
    | DnsMonitor
    | PushMonitor
    | DockerMonitor
    | GroupMonitor,
    Field(discriminator="type"),
]

_TIME_OF_DAY = "([01][0-9]|2[0-3]):[0-5][0-9]"


def _moment(text: str) -> str:
    """A time of day, or a day with a time without seconds."""
    if re.fullmatch(_TIME_OF_DAY, text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo:
        raise ValueError('a day and a time such as "2026-12-01 02:00", or a time of day such as "02:00"')
    return moment.strftime("%Y-%m-%d %H:%M")


Moment = Annotated[str, AfterValidator(_moment)]


class Maintenance(Strict):
    """A window of planned work, in `crowsnest_timezone`: alerts stay silent and it does not count as downtime.

    Once, with a day in `start` and `end`; or again and again, with times of day and `weekdays` or `days_of_month`.
    """

    title: Title = Field(description="What happens, for the status page; unique.")
    description: str = Field("", description="More for people; Markdown.")
    apps: list[str] = Field([], description="Names of the apps. Default: everything, hosts included.")
    start: Moment = Field(description='"2026-12-01 02:00" once, or "02:00" repeatedly; in quotes.')
    end: Moment = Field(description="The same form as `start`. A time before `start` is on the next day.")
    weekdays: Weekdays | None = Field(None, description="A day or a range of days. Default: every day.")
    days_of_month: list[Annotated[int, Field(ge=1, le=31)]] = Field([], description="Days of the month, 1 to 31.")

    @model_validator(mode="after")
    def _one_form(self) -> Maintenance:
        if self.once != (" " in self.end) or self.start == self.end or (self.once and self.start > self.end):
            raise ValueError("`start` must be before `end`, both with a day or both without")
        if self.overnight and self.days_of_month:
            raise ValueError(
                "A window over midnight takes `weekdays`; `days_of_month` needs an `end` later than `start`"
            )
        if self.weekdays and self.days_of_month:
            raise ValueError("Set `weekdays` or `days_of_month`, not both")
        if self.once and (self.weekdays or self.days_of_month):
            raise ValueError("`weekdays` and `days_of_month` need times of day such as 02:00")
        return self

    @property
    def once(self) -> bool:
        """Whether it happens on one day only."""
        return " " in self.start

    @property
    def overnight(self) -> bool:
        """Whether it recurs and ends on the day after it begins."""
        return not self.once and self.start > self.end


class Incident(Strict):
    """A notice at the top of a status page."""

    title: Title = Field(description="The heading.")
    content: str = Field(min_length=1, description="The text; Markdown.")
    style: Literal["info", "warning", "danger", "primary", "light", "dark"] = Field("warning", description="Colour.")


class StatusGroup(Strict):
    """A heading of a status page with its monitors."""

    name: Title = Field(description="The heading.")
    monitors: list[str] = Field(min_length=1, description="Names of monitors, such as `shop: website`.")


class StatusPage(Strict):
    """A page that anybody may read, at /status/SLUG of Uptime Kuma."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)] = Field(
        description="Last part of its address."
    )
    title: Title = Field(description="The heading.")
    description: str | None = Field(None, description="Text under the heading; Markdown.")
    footer: str | None = Field(None, description="Text at the end; Markdown.")
    theme: Literal["auto", "light", "dark"] = Field("auto", description="Colours.")
    domains: list[Domain] = Field([], description="Domain names at which Uptime Kuma shows this page directly.")
    certificates: bool = Field(False, description="Whether it shows when certificates expire.")
    groups: list[StatusGroup] | None = Field(
        None, description="What it shows. Default: a group per app with its address and health endpoint."
    )
    incident: Incident | None = Field(None, description="A notice at the top.")
