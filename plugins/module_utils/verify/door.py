# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether people reach the pages at their public names, and nobody else does. Python 3.9, standard library."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPSConnection
from typing import NamedTuple, Union

from ansible_collections.crowsnest.core.plugins.module_utils.caddy import MARK, MARK_PATH
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    logs_of,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Door

AREA = "pages"
_TIMEOUT_SECONDS = 5
# How long Let's Encrypt may take for the first certificates: until then Caddy has none to show.
FIRST_CERTIFICATE_SECONDS = 90
_DOCS = "See docs/pages.md."


class Told(NamedTuple):
    """How one name answers: whether our Caddy does, its status there, and the status of its page without a login."""

    ours: bool
    status: int
    page: int


Answers = Mapping[str, Union[Told, Exception]]


def door_checks(door: Door, age_seconds: float) -> list[Check]:
    """One line for all names, and one for each that is not as it should be. `age_seconds` of Caddy's configuration."""
    names = list(door["names"])
    if not names:
        return []
    context = ssl.create_default_context(cafile=door["authority"] or None)
    with ThreadPoolExecutor(len(names)) as pool:
        answers = dict(zip(names, pool.map(lambda name: ask(name, context), names)))
    return judged(door, answers, soon=age_seconds < FIRST_CERTIFICATE_SECONDS)


def judged(door: Door, answers: Answers, *, soon: bool) -> list[Check]:
    """The lines on these answers. `soon`: what is missing may still come."""
    checks = []
    for name, answer in answers.items():
        if isinstance(answer, Exception) or not answer.ours:
            why, advice = _unreached(door, answer)
            kind = f"pages {why}"
            checks.append(Check(WARN, AREA, f"https://{name}/ {why}", advice, soon=soon, kind=kind, name=name))
        elif door["names"][name] and answer.page != 401:
            detail = f"https://{name}/ can be read without a login (HTTP {answer.page})"
            checks.append(Check(FAIL, AREA, detail, RUN_SITE, kind="pages can be read without a login", name=name))
    right = len(answers) - len(checks)
    detail = f"{right} of {len(answers)} answer at https://{next(iter(answers))}/ and below"
    return [*checks, Check(PASS, AREA, detail)] if right else checks


def _unreached(door: Door, answer: Told | Exception) -> tuple[str, str]:
    """(why a page is not reached, what to do)."""
    domain = next(iter(door["names"]))
    if isinstance(answer, Told):
        if door["behind"] and answer.status in (502, 503, 504):
            return f"are not handed on (HTTP {answer.status})", f"Your proxy does not reach crowsnest's. {_DOCS}"
        advice = f"Another web server has the name. In your proxy, its block is missing. {_DOCS}"
        return f"are answered by something else (HTTP {answer.status})", advice
    if isinstance(answer, socket.gaierror):
        return "have no address in the DNS", f"Make two records that lead to the server: {domain} and *.{domain}."
    if isinstance(answer, ssl.SSLError):
        advice = f"Give your proxy a certificate for them. {_DOCS}" if door["behind"] else logs_of("proxy")
        return f"have no valid certificate ({_words(answer)})", advice
    return (
        f"do not answer at port 443 ({_words(answer)})",
        "Open 443 in the firewall of your provider: Lightsail opens 22 and 80 only. Some networks do not lead a server "
        "to its own public address: try it from your own machine.",
    )


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, socket.timeout):
        return f"nothing within {_TIMEOUT_SECONDS} s"
    return getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__


class _Connection(HTTPSConnection):
    """Names below localhost need no DNS: https://www.rfc-editor.org/rfc/rfc6761#section-6.3"""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        super().__init__(name, timeout=_TIMEOUT_SECONDS)
        self._tls = context

    def connect(self) -> None:
        address = "127.0.0.1" if f".{self.host}".endswith(".localhost") else self.host
        plain = socket.create_connection((address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def ask(name: str, context: ssl.SSLContext) -> Told | Exception:
    """What one name answers, or why it does not."""
    connection = _Connection(name, context)
    try:
        connection.request("GET", MARK_PATH)
        answer = connection.getresponse()
        ours = answer.status == 200 and answer.read(100).decode(errors="replace").strip() == MARK
        connection.close()
        connection.request("GET", "/")
        return Told(ours, answer.status, connection.getresponse().status)
    except (OSError, HTTPException) as error:
        return error
    finally:
        connection.close()
