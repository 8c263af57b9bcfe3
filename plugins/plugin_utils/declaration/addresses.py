# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Hosts and ports as people write them, and the address of an app's metrics as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address

NAME = r"[A-Za-z0-9._-]+"  # with an underscore: compose names containers shop_web_1
IPV6 = rf"\[[0-9A-Fa-f:.]+(?:%{NAME})?\]"
_METRICS = re.compile(rf"((?:{NAME})?|{IPV6}):([0-9]{{1,5}})(?:/([^\s?#]*))?")
_USUAL_PATH = "/metrics"


def is_host(text: str) -> bool:
    """Whether text in brackets is an IPv6 address; any other name is left to the resolver."""
    if not text.startswith("["):
        return True
    try:
        return ip_address(text.strip("[]")).version == 6
    except ValueError:
        return False


def is_port(digits: str) -> bool:
    """Whether this is the number of a port."""
    return 0 < int(digits) < 65536


@dataclass(frozen=True)
class MetricsPage:
    """Where an app shows its metrics over HTTP; equal values are one page.

    `host` is empty where only a port is declared; an IPv6 address keeps its brackets. `path` begins with a slash.
    """

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str, path: str | None = None) -> MetricsPage:
        """`127.0.0.1:8000/internal` → ("127.0.0.1", 8000, "/internal"); `:8000` → ("", 8000, "/metrics").

        `path` stands in for one that is not in the text.

        Raises ValueError when it is not host:port/path; the host may be missing.
        """
        found = _METRICS.fullmatch(text)
        if not found or not is_host(found[1]) or not is_port(found[2]):
            allowed = "host:port/path as the host itself reaches it, such as 127.0.0.1:8000/metrics or :8000"
            raise ValueError(f"{allowed}{_about_scheme(text)}")
        return cls(found[1], int(found[2]), f"/{found[3]}" if found[3] else path or _USUAL_PATH)

    @property
    def address(self) -> str:
        """`127.0.0.1:8000`."""
        return f"{self.host}:{self.port}"

    @property
    def instance(self) -> str:
        """`127.0.0.1:8000/internal`; without the path where it is the usual one."""
        return self.address if self.path == _USUAL_PATH else self.address + self.path

    def on(self, host: str) -> MetricsPage:
        """The same with this host where none is declared."""
        return self if self.host else replace(self, host=host)


def _about_scheme(text: str) -> str:
    """What to do about the `http://` of somebody who wrote a URL."""
    scheme = text.partition("://")[0].lower()
    return {
        "http": "; leave `http://` out, and name the port (80 where the URL has none)",
        "https": "; over https write a mapping such as {address: 127.0.0.1:8443, scheme: https}",
    }.get(scheme, "")
