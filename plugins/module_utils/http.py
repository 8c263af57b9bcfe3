# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests to the services on loopback, and what all requests have in common. Python 3.9, standard library.

API of Prometheus: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any, NamedTuple, Union
from urllib.parse import urlencode

from ansible_collections.crowsnest.core.plugins.module_utils.loopback import DIRECT

THREADS = 8


class ServiceError(Exception):
    """A service refuses a request; the text has its own words."""


class NoAnswerError(ServiceError):
    """A service does not answer at all; further requests make no sense."""


class Sample(NamedTuple):
    """One series of an answer of Prometheus, at one time."""

    labels: Mapping[str, str]
    value: float


Answer = Union[list[Sample], ServiceError]


def answered(opened: Callable[..., Any], request: urllib.request.Request, timeout_seconds: float) -> Any:
    """The answer, whatever its status is; `opened` is `open` of an opener. Raises OSError, HTTPException."""
    try:
        return opened(request, timeout=timeout_seconds)
    except urllib.error.HTTPError as refusal:
        return refusal


def basic(user: str, password: str) -> str:
    """The header Authorization of a login: https://www.rfc-editor.org/rfc/rfc7617#section-2"""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def fetch(
    url: str, timeout_seconds: float = 5, user: str = "", password: str = "", method: str = "GET", body: Any = None
) -> tuple[int, str]:
    """(HTTP status, text) whatever the status is; `body` is sent as JSON. Raises NoAnswerError."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the plan sets it
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if user:
        request.add_header("Authorization", basic(user, password))
    try:
        with answered(DIRECT.open, request, timeout_seconds) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from None


def parsed(status: int, text: str) -> Any:
    """The JSON of an answer. Raises ServiceError for any other status than 200."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if status != 200 or content is None:
        reason = content.get("error") or content.get("message") if isinstance(content, dict) else None
        raise ServiceError(f"HTTP {status}: {reason or ' '.join(text.split())[:200] or 'no text'}")
    return content


class Prometheus:
    """Queries one Prometheus. After no answer it sends nothing more: fifty queries cost one timeout."""

    def __init__(self, url: str, timeout_seconds: float = 5) -> None:
        self.url = url
        self.timeout_seconds = timeout_seconds
        self.silent: NoAnswerError | None = None

    def get(self, path: str) -> Any:
        """`data` of the answer. Raises ServiceError."""
        if self.silent:
            raise self.silent
        try:
            return parsed(*fetch(self.url + path, self.timeout_seconds))["data"]
        except NoAnswerError as error:
            self.silent = error
            raise

    def query(self, expr: str) -> list[Sample]:
        """The current series of an expression. Raises ServiceError with Prometheus' own words."""
        data = self.get("/api/v1/query?" + urlencode({"query": expr}))
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(row["metric"], float(row["value"][1])) for row in data["result"]]

    def series(self, selector: str, start: float, end: float) -> list[Mapping[str, str]]:
        """The labels of all series that had a sample between these Unix times; it reads none. Raises ServiceError.

        Prometheus looks at whole chunks, so a series that ended up to some hours before `start` may be among them.
        """
        words = {"match[]": selector, "start": start, "end": end}
        found: list[Mapping[str, str]] = self.get("/api/v1/series?" + urlencode(words))
        return found

    def query_all(self, exprs: Iterable[str]) -> dict[str, Answer]:
        """{expression: its series, or the refusal}, queried in parallel."""

        def ask(expr: str) -> Answer:
            try:
                return self.query(expr)
            except ServiceError as error:
                return error

        distinct = list(dict.fromkeys(exprs))
        with ThreadPoolExecutor(THREADS) as pool:
            return dict(zip(distinct, pool.map(ask, distinct)))
