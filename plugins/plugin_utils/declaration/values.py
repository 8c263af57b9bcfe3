# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinds of values in the declaration, each with the text of its refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import getaddresses
from functools import cache
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import (
    IPV6,
    NAME,
    MetricsPage,
    is_host,
    is_port,
)

# Longest first, the order in which Prometheus takes them.
_UNIT_SECONDS = {"y": 31536000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = "".join(f"(?:([0-9]+){unit})?" for unit in _UNIT_SECONDS)
# Prometheus counts in nanoseconds with 63 bits.
_LONGEST_SECONDS = 2**63 // 10**9


def duration_seconds(text: str) -> int:
    """Seconds of a Prometheus duration such as `90s`, `5m`, `15d` or `1h30m`.

    Units and their lengths: https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations
    Raises ValueError for anything else.
    """
    found = re.fullmatch(_DURATION, text)
    if not text or not found:
        raise ValueError("a duration: whole numbers with y, w, d, h, m, s in this order, such as 30s, 5m, 1h30m or 15d")
    seconds = sum(int(number) * unit for number, unit in zip(found.groups("0"), _UNIT_SECONDS.values(), strict=True))
    if seconds > _LONGEST_SECONDS:
        raise ValueError("a duration of at most 292y")
    return seconds


def _duration(text: str) -> str:
    if duration_seconds(text) == 0:
        raise ValueError("a duration longer than zero, such as 30s or 5m")
    return text


class RefusalError(ValueError):
    """A refusal with a text of its own: "is an old name. Use …", not "does not fit. Allowed: …".

    `hidden`: the value is not shown.
    """

    def __init__(self, text: str, hidden: bool = False) -> None:
        super().__init__(text)
        self.hidden = hidden


@cache
def time_zones() -> tuple[frozenset[str], Mapping[str, str]]:
    """(names that every program knows, {old name: the one to use}).

    Distributions have moved names outside the tables of zones to a package that images lack; Debian's is tzdata-legacy:
    https://packages.debian.org/trixie/tzdata-legacy
    """
    folder = files("tzdata") / "zoneinfo"
    tables = [(folder / name).read_text().splitlines() for name in ("zone.tab", "zone1970.tab")]
    known = {line.split("\t")[2] for table in tables for line in table if not line.startswith("#")} | {"UTC"}
    links = [line.split() for line in (folder / "tzdata.zi").read_text().splitlines() if line.startswith("L ")]
    targets = {name: target for _, target, name in links} | {"Etc/UTC": "UTC", "Etc/GMT": "UTC"}
    return frozenset(known), {name: _target(name, targets, known) for name in targets if name not in known}


def _target(name: str, targets: Mapping[str, str], known: set[str]) -> str:
    """A link may lead to another link."""
    while name not in known:
        name = targets[name]
    return name


def _timezone(name: str) -> str:
    known, old = time_zones()
    if name in old:
        raise RefusalError(f"is an old name. Use {old[name]}")
    if name not in known:
        raise ValueError("a time zone name of the IANA database, such as Asia/Seoul or Europe/Berlin")
    return name


def no_login(way_out: str) -> AfterValidator:
    """Refuses `user@` or `user:password@` before a host, percent-encoded as well; `way_out` tells where it belongs."""

    def judge(text: str) -> str:
        # Up to the first slash, as people read it: a password may have ? and # in it.
        authority = re.match(r"(?:[^/@]*//)?([^/]*)", text)
        if authority and re.search("@|%40", authority[1], re.IGNORECASE):
            raise RefusalError(f"has a login in it, which would be shown with the address. {way_out}", hidden=True)
        return text

    return AfterValidator(judge)


def no_password(key: str) -> BeforeValidator:
    """Refuses `user:password` where only the user belongs; `key` is where the password goes."""

    def judge(text: Any) -> Any:
        if isinstance(text, str) and ":" in text:
            raise RefusalError(
                f"has a colon in it. If a password follows it, put the password into `{key}`", hidden=True
            )
        return text

    return BeforeValidator(judge)


def is_url(text: str, *schemes: str) -> bool:
    """Whether this is a full URL of one of these schemes."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is not a number, an unclosed bracket
        return False
    return bool(usable) and not parts.netloc.endswith(":") and not re.search(r"[\s\x00-\x1f\x7f]", text)


def _http_url(url: str) -> str:
    if not is_url(url, "http", "https"):
        raise ValueError("a full URL such as https://shop.example.com/")
    return small_scheme(url)


def small_scheme(url: str) -> str:
    """`HTTPS://a/` → `https://a/`: people may write either, programs compare."""
    scheme, colon, rest = url.partition(":")
    return scheme.lower() + colon + rest


def _secret_url(url: SecretStr) -> SecretStr:
    usual = _http_url(url.get_secret_value())
    if not re.fullmatch("[!-~]+", usual):
        raise ValueError("a full URL of plain ASCII characters")
    return SecretStr(usual)


def _password(password: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~][ -~]{10,126}[!-~]", password.get_secret_value()):
        raise ValueError("12 to 128 plain ASCII characters without spaces or line ends around them")
    return password


def _folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("an absolute path, such as /home/me/secrets")
    return text


def _file(text: str) -> str:
    if not re.fullmatch(r"(/[^/]+)+", text) or not text.isprintable() or re.search(r"/\.\.?(/|$)", text):
        raise ValueError("an absolute path of a file, such as /srv/shop/.env or /srv/shop/templates/base.html")
    return text


def _textfile_folder(text: str) -> str:
    """It stands in a line of flags and in a unit of systemd, which sees nothing below /home and a /tmp of its own."""
    hidden = ("/home", "/root", "/run", "/tmp", "/var/tmp")  # noqa: S108 - compared, not written to
    if (
        not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text)
        or "/.." in text
        or f"{text}/".startswith(tuple(f"{folder}/" for folder in hidden))
    ):
        raise ValueError(
            "an absolute path of letters, digits, dots and dashes such as /srv/metrics, outside " + ", ".join(hidden)
        )
    return text


def _path_or_url(text: str) -> str:
    """Two slashes would start a host name."""
    return text if re.fullmatch(r"/(?!/)\S*", text) else _http_url(text)


# Headers that blackbox exporter sets itself: reservedHeaders in https://github.com/prometheus/common/blob/main/config/headers.go
RESERVED_HEADERS = {
    *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "keep-alive"),
    *("proxy-authenticate", "proxy-authorization", "www-authenticate"),
    *("x-prometheus-remote-read-version", "x-prometheus-remote-write-version", "x-prometheus-scrape-timeout-seconds"),
    *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
}
# The scheme and the credentials of a header Authorization; a login has keys of its own.
AUTHORIZATION = re.compile(r"(?!basic\b)([!-~]+) ([!-~].*)", re.IGNORECASE)
# Hosts that mean the machine itself, at the start of an address.
LOOPBACK = re.compile(r"^(?:127\.[0-9.]+|localhost|\[::1\])(?=[:/]|$)")


def host_and_port(text: str) -> tuple[str, int]:
    """`[::1]:5432` → ("::1", 5432). Raises ValueError when it is not host:port."""
    found = re.fullmatch(rf"({NAME}|{IPV6}):([0-9]{{1,5}})", text)
    if not found or not is_host(found[1]) or not is_port(found[2]):
        raise ValueError("host:port as the server reaches it, such as 127.0.0.1:5432")
    return found[1].strip("[]"), int(found[2])


def _host_and_port(text: str) -> str:
    host_and_port(text)
    return text


def _metrics_address(text: str) -> str:
    MetricsPage.parse(text)
    return text


def _mail_address(text: str) -> str:
    found = getaddresses([text])
    if len(found) != 1 or not re.fullmatch(r"[^\s@]+@[^\s@]+", found[0][1]) or not text.isprintable():
        raise ValueError("one e-mail address, such as ops@example.com or Ops <ops@example.com>")
    return text


def switch(off: str) -> BeforeValidator:
    """Takes `false`, which means `off`, and `true` instead of a mapping; `false` becomes None.

    An empty value in YAML is neither: it must not switch anything off.
    """

    def judge(value: object) -> object:
        if value is None:
            raise ValueError(f"a mapping, or `false` for {off}")
        return {} if value is True else None if value is False else value

    return BeforeValidator(judge, json_schema_input_type=bool | dict[str, object])


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def days_of(weekdays: str) -> list[str]:
    """`friday:monday` → its four days. Raises ValueError when it is neither a day nor a range of days."""
    first, _, last = weekdays.partition(":")
    last = last if ":" in weekdays else first
    if first not in WEEKDAYS or last not in WEEKDAYS:
        raise ValueError(f"a day or a range such as monday:friday, of {', '.join(WEEKDAYS)}")
    start = WEEKDAYS.index(first)
    days = [*WEEKDAYS[start:], *WEEKDAYS[:start]]
    return days[: days.index(last) + 1]


def _weekdays(text: str) -> str:
    days_of(text)
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Weekdays = Annotated[str, AfterValidator(_weekdays)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
# In order: a link that people open, addresses requested over HTTP, one only connected to, one of metrics.
HttpUrl = Annotated[str, no_login("Leave it out: people log in when they open the address"), AfterValidator(_http_url)]
MirrorUrl = Annotated[str, no_login("Leave it out: Docker uses mirrors without a login"), AfterValidator(_http_url)]
_ASKED = no_login("Put it in `username` and `password`")
AskedUrl = Annotated[str, _ASKED, AfterValidator(_http_url)]
PathOrUrl = Annotated[str, _ASKED, AfterValidator(_path_or_url)]
HostAndPort = Annotated[str, no_login("Leave it out: checking a port needs no login"), AfterValidator(_host_and_port)]
MetricsAddress = Annotated[
    str,
    no_login("Put it in `username` and `password` of a mapping, beside `address`"),
    AfterValidator(_metrics_address),
]
SmtpServer = Annotated[str, _ASKED, AfterValidator(_host_and_port)]
DatabaseAddress = Annotated[
    str, no_login("Put it in the keys for the user and the password"), AfterValidator(_host_and_port)
]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
Folder = Annotated[str, AfterValidator(_folder)]
File = Annotated[str, AfterValidator(_file)]
TextfileFolder = Annotated[str, AfterValidator(_textfile_folder)]
AuthorityFile = Annotated[
    str | None,
    Field(
        min_length=1,
        description="For a certificate that is not publicly trusted: a file with that of the authority that signed it, "
        "as PEM, on your machine, relative to the inventory.",
    ),
]
Password = Annotated[SecretStr, AfterValidator(_password)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
# Part of an app: a port, a job. With an underscore, as in compose files and crontabs.
Part = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
# The name at a login of Metabase, which demands a dot in the domain; mail servers take other addresses as well.
Email = Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$")]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
# What Docker takes as a container's name: https://docs.docker.com/reference/cli/docker/container/run/#name
Container = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
# https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
# Lower ports are for root, and no container is root.
Port = Annotated[int, Field(ge=1024, le=65535)]
# Hour and minute, in quotes in YAML: 12:00 without them is the number 720.
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
# With a registry's host in front, also one with capitals or an IPv6 address: https://pkg.go.dev/github.com/distribution/reference
Image = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9])[A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?$")]


class Strict(BaseModel):
    """A mapping of the declaration: no unknown keys, no silent change of a value's type."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
