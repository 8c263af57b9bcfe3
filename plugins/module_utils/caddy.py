# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Caddy's admin API on its socket: https://caddyserver.com/docs/api. Python 3.9, standard library."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any

# At each name of a page, without a login: so whoever asks from outside knows that our Caddy answers.
MARK_PATH, MARK = "/.well-known/crowsnest", "crowsnest"


class RefusedError(Exception):
    """Caddy refuses a configuration; the text has its own words."""


class _Connection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def running(path: str) -> Any:
    """The configuration with which it runs. Raises OSError where it does not answer."""
    return json.loads(_ask(path, "GET", "/config/")[1])


def load(path: str, text: str) -> None:
    """Make it run with this configuration, without a moment in which it does not answer.

    Raises OSError where it does not answer, RefusedError where it keeps the one that it has.
    """
    status, answer = _ask(path, "POST", "/load", text)
    if status != 200:
        try:
            reason = str(json.loads(answer)["error"])
        except (ValueError, KeyError, TypeError):
            reason = answer.strip()
        raise RefusedError(reason)


def _ask(path: str, method: str, what: str, text: str | None = None) -> tuple[int, str]:
    connection = _Connection(path)
    try:
        connection.request(method, what, text and text.encode(), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
