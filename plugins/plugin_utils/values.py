# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinds of values in the declaration, each with the words of its refusal."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

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


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("a time zone name of the IANA database, such as Asia/Seoul or Europe/Berlin")
    return name


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, an unclosed bracket
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("a full URL such as https://shop.example.com/")
    return url


def _secret_url(url: SecretStr) -> SecretStr:
    _http_url(url.get_secret_value())
    if not re.fullmatch("[!-~]+", url.get_secret_value()):
        raise ValueError("a full URL of plain ASCII characters")
    return url


def _password(password: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~][ -~]{10,126}[!-~]", password.get_secret_value()):
        raise ValueError("12 to 128 plain ASCII characters without a space or a line's end around them")
    return password


def _folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("an absolute path, such as /home/me/secrets")
    return text


def _textfile_folder(text: str) -> str:
    """It stands in a line of flags and in a unit of systemd, which sees nothing below /home and a /tmp of its own."""
    hidden = ("/home", "/root", "/run", "/tmp", "/var/tmp")  # noqa: S108 - compared, not written to
    if (
        not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text)
        or "/.." in text
        or f"{text}/".startswith(tuple(f"{it}/" for it in hidden))
    ):
        raise ValueError(
            "an absolute path of letters, digits, dots and dashes such as /srv/metrics, outside " + ", ".join(hidden)
        )
    return text


def _path_or_url(text: str) -> str:
    return text if re.fullmatch(r"/\S*", text) else _http_url(text)


# Hosts that only one's own machine understands, at the start of an address.
LOOPBACK = re.compile(r"^(?:127\.[0-9.]+|localhost|\[::1\])(?=[:/]|$)")
_HOST = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])"


def host_and_port(text: str) -> tuple[str, int]:
    """`[::1]:5432` → ("::1", 5432). Raises ValueError when it is not host:port."""
    found = re.fullmatch(rf"({_HOST}):([0-9]{{1,5}})", text)
    if not found or not 0 < int(found[2]) < 65536:
        raise ValueError("host:port as the server reaches it, such as 127.0.0.1:5432")
    return found[1].strip("[]"), int(found[2])


def _host_and_port(text: str) -> str:
    host_and_port(text)
    return text


def metrics_target(text: str) -> tuple[str, str]:
    """`127.0.0.1:8000/internal` → ("127.0.0.1:8000", "/internal"); `:8000` → (":8000", "/metrics").

    Raises ValueError when it is not host:port/path; the host may be missing.
    """
    found = re.fullmatch(r"((?:[A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]):([0-9]{1,5}))(?:/([^\s?#]*))?", text)
    if not found or not 0 < int(found[2]) < 65536:
        known = "host:port/path as the host itself reaches it, such as 127.0.0.1:8000/metrics or :8000"
        raise ValueError(f"{known}{_about_scheme(text)}")
    return found[1], f"/{found[3] or 'metrics'}"


def _about_scheme(text: str) -> str:
    """What to do about the `http://` of somebody who wrote a URL."""
    scheme = text.partition("://")[0].lower()
    return {
        "http": "; leave `http://` out, and name the port (80 where the URL has none)",
        "https": "; metrics are read over plain http: name an address where the app answers without TLS",
    }.get(scheme, "")


def _metrics_target(text: str) -> str:
    metrics_target(text)
    return text


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
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
Folder = Annotated[str, AfterValidator(_folder)]
TextfileFolder = Annotated[str, AfterValidator(_textfile_folder)]
PathOrUrl = Annotated[str, AfterValidator(_path_or_url)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
MetricsTarget = Annotated[str, AfterValidator(_metrics_target)]
Password = Annotated[SecretStr, AfterValidator(_password)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Email = Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$")]
# Lower ports are for root, and no container is root.
Port = Annotated[int, Field(ge=1024, le=65535)]
# Hour and minute, in quotes in YAML: 12:00 without them is the number 720.
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?$")]


class Strict(BaseModel):
    """A mapping of the declaration: no unknown keys, no silent change of a value's type."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
