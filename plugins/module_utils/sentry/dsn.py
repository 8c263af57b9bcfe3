# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The address that an SDK sends events to. Python 3.9, standard library.

`https://KEY@HOST[:PORT][/PREFIX]/PROJECT`: https://develop.sentry.dev/sdk/foundations/transport/authentication/#parsing-the-dsn
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

# `KEY:SECRET@` is an old form, whose secret nobody reads any more. SDKs build no right address of an IPv6 host.
_DSN = re.compile(
    r"(?P<scheme>https?)://(?P<key>[A-Za-z0-9_-]+)(?::[A-Za-z0-9_-]*)?@"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<prefix>(?:/[A-Za-z0-9._~-]+)*)/(?P<project>[0-9]+)",
    re.ASCII,
)
_WHERE = "The DSN is in Sentry under Settings, Projects, the project, Client Keys (DSN)"
# What people paste instead, and how to tell it. All but the first are addresses for one purpose that hold the same key.
_OTHERS = (
    (r"sntry[a-z]_", "is a token of Sentry's API, which must not reach an app"),
    (r".*/cron/", "is the address of a cron monitor"),
    (r".*/(security|csp-report)/", "is an address for reports of browsers about Content-Security-Policy"),
    (r".*/(minidump|unreal|playstation)/", "is an address for crash reports of native programs"),
    (r".*/(envelope|store|otlp|integration)/", "is an address for one kind of data"),
    (r".*(sentry-cdn\.com|\.js\b)", "is the loader script for browsers"),
    (r"https?://[^/@]*/", "has no key before the host"),
    (r".*\[", "has an IPv6 address, which SDKs do not understand"),
    (r".*\s", "has a space or a line end in it"),
    (r".*[?#]", "has parameters behind the project's number"),
)


class DsnError(ValueError):
    """A text is no DSN; the message is the rest of a sentence that begins with its name, without the text itself."""


class Dsn(NamedTuple):
    """The parts of a DSN; `prefix` is empty or begins with a slash."""

    scheme: str
    key: str
    host: str
    port: int | None
    prefix: str
    project: str

    @property
    def project_place(self) -> tuple[str, str]:
        """What two DSNs have in common whose events arrive in one project."""
        return f"{self._authority.lower()}{self.prefix}", self.project

    @property
    def place(self) -> str:
        """The project for people, without the key."""
        return f"{self.host} (project {self.project})"

    @property
    def origin(self) -> str:
        """Where the server is, without the key."""
        return f"{self.scheme}://{self._authority}{self.prefix}"

    @property
    def _authority(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def is_of_sentry_io(self) -> bool:
        """Whether it is Sentry's own service, in any region."""
        return is_of_sentry_io(self.host)

    def is_served_at(self, url: str) -> bool:
        """Whether it is of the server whose API is there; the API of Sentry's own service is at another host."""
        host = urlsplit(url).hostname or ""
        return self.host.lower() == host or (self.is_of_sentry_io and is_of_sentry_io(host))

    @property
    def envelope(self) -> str:
        """The URL that takes events. Django answers the one without the last slash with 404."""
        return f"{self.origin}/api/{self.project}/envelope/"

    def check_in(self, monitor: str, environment: str, status: str) -> str:
        """The URL that tells a cron monitor `ok` or `error`; a secret, as it has the key. `monitor` is its slug.

        https://docs.sentry.io/product/crons/getting-started/http/
        """
        query = urlencode({"environment": environment, "status": status})
        return f"{self.origin}/api/{self.project}/cron/{monitor}/{self.key}/?{query}"


def is_of_sentry_io(host: str) -> bool:
    """Whether it is a host of Sentry's own service, in any region."""
    return f".{host.lower()}".endswith(".sentry.io")


def parse(text: str) -> Dsn:
    """The parts of a DSN. Raises DsnError."""
    found = _DSN.fullmatch(text)
    if found and int(found["port"] or 1) in range(1, 65536):
        port = int(found["port"]) if found["port"] else None
        return Dsn(found["scheme"], found["key"], found["host"], port, found["prefix"], found["project"])
    for pattern, what in _OTHERS:
        if re.match(pattern, text, re.DOTALL):
            raise DsnError(f"{what}. {_WHERE}")
    raise DsnError(f"is no DSN, such as https://KEY@o1.ingest.sentry.io/2. {_WHERE}")
