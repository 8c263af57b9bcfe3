# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP with Sentry or Bugsink: pages, rate limits, refusals in words. Python 3.9, standard library.

https://docs.sentry.io/api/auth/, https://docs.sentry.io/api/pagination/, https://docs.sentry.io/api/ratelimits/
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from ansible_collections.crowsnest.core.plugins.module_utils.http import answered
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import ReconcileError

Row = Mapping[str, Any]
MOST_WAIT_SECONDS = 90  # for the rate limits of one run, in sum
MOST_PAGES = 100
NOT_FOUND, TOO_MANY = 404, 429
_NEXT_PAGE = re.compile(r'<([^>]+)>;[^,]*rel="next"(?:;[^,]*results="(\w+)")?')


class SentryError(ReconcileError):
    """The server does not do what it should; the text says what to do."""


class SilentError(SentryError):
    """There is no answer, or none but that it is out of order or asked too often."""


class MissingError(SentryError):
    """The server answers that there is no such thing."""


class Answer(NamedTuple):
    """An answer whatever its status is. `content` is None if it is not JSON."""

    status: int
    headers: Message
    text: str
    content: Any


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would send the token on to wherever it is redirected."""

    def redirect_request(self, *about: Any) -> None:
        """Never."""


class Client:
    """`last` is the last change that was made, for the words of an error."""

    def __init__(self, url: str, token: str, timeout_seconds: float) -> None:
        self.url, self.timeout_seconds = url.rstrip("/"), timeout_seconds
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "crowsnest"}
        self.opener = urllib.request.build_opener(_NoRedirects())
        self.last, self.waited = "", 0.0

    def get(self, path: str, scope: str) -> Any:
        """What stands at a path. Raises SentryError; `scope` is what a token needs for it, like `org:read`."""
        return self.call("GET", path, scope=scope)

    def rows(self, path: str, scope: str = "", **query: Any) -> list[dict[str, Any]]:
        """All pages of a list. Raises SentryError."""
        found: list[dict[str, Any]] = []
        address = f"{self.url}{path}?{urlencode(query)}" if query else self.url + path
        for _ in range(MOST_PAGES):
            answer = self._exchange("GET", address, scope=scope)
            page = answer.content.get("results") if isinstance(answer.content, dict) else answer.content
            if not isinstance(page, list):
                raise SentryError(f"{_asked('GET', address)} answers no list: {_short(answer.text)}")
            found += page
            following = self._next_page(answer)
            if not following:
                return found
            address = following
        raise SentryError(f"{_asked('GET', address)} has more than {MOST_PAGES} pages.")

    def call(self, method: str, path: str, body: Row | None = None, scope: str = "") -> Any:
        """The JSON of the answer. Raises SentryError."""
        return self._exchange(method, self.url + path, body, scope).content

    def probe(self, path: str) -> Answer:
        """The answer to a GET, also if it is a refusal. Raises SentryError if there is none."""
        return self._patient("GET", self.url + path, None)

    def _exchange(self, method: str, address: str, body: Row | None = None, scope: str = "") -> Answer:
        """Raises SentryError for all but a JSON answer."""
        answer = self._patient(method, address, body)
        asked = _asked(method, address)
        if 300 <= answer.status < 400 and isinstance(answer.content, dict) and answer.content.get("slug"):
            raise SentryError(
                f"{asked}: in Sentry it was renamed to {answer.content['slug']}. Give it the old slug again there, or "
                f"declare the DSN of its app. {self.after()}"
            )
        if 300 <= answer.status < 400:
            raise SentryError(
                f"{asked} redirects to {answer.headers.get('Location')}. Declare the URL at which the API itself "
                "answers; the token was sent nowhere else."
            )
        if answer.status == 401:
            raise SentryError(f"{asked}: the token is not accepted ({_words(answer)}). {self.after()}")
        if answer.status == 403:
            needs = f" The token needs the scope {scope}." if scope else ""
            raise SentryError(f"{asked}: the token may not do this ({_words(answer)}).{needs} {self.after()}")
        if answer.status >= 400:
            kind = {NOT_FOUND: MissingError}.get(answer.status, SilentError if answer.status >= 500 else SentryError)
            raise kind(f"{asked}: {_words(answer)}. {self.after()}")
        if answer.content is None:  # as pages about maintenance are
            raise SilentError(
                f"{asked} answers no JSON but: {_short(answer.text)}. Is that the address of Sentry? {self.after()}"
            )
        return answer

    def _patient(self, method: str, address: str, body: Row | None) -> Answer:
        """Waits as long as a rate limit says, within MOST_WAIT_SECONDS."""
        while (answer := self._once(method, address, body)).status == TOO_MANY:
            seconds = _wait_seconds(answer.headers)
            if self.waited + seconds > MOST_WAIT_SECONDS:
                raise SilentError(
                    f"{_asked(method, address)}: too many requests, and the next one is allowed in {seconds:g} "
                    f"seconds only. Run it again then. {self.after()}"
                )
            self.waited += seconds
            time.sleep(seconds)
        return answer

    def _once(self, method: str, address: str, body: Row | None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = self.headers if data is None else {**self.headers, "Content-Type": "application/json"}
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - checked in options.py
        try:
            with answered(self.opener.open, request, self.timeout_seconds) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SilentError(
                f"{_asked(method, address)} has no answer within {self.timeout_seconds:g} seconds "
                f"({str(reason) or type(reason).__name__}). {self.after()}"
            ) from None

    def _next_page(self, answer: Answer) -> str | None:
        """Sentry's Link header has results="false" on the last page; Bugsink says `next` in the answer."""
        if isinstance(answer.content, dict):
            address = answer.content.get("next")
        else:
            link = _NEXT_PAGE.search(answer.headers.get("Link") or "")
            address = link[1] if link and link[2] != "false" else None
        if address and urlsplit(address).netloc != urlsplit(self.url).netloc:
            # Behind a proxy a server may not know its own name; the token goes to the declared one only.
            parts = urlsplit(address)
            return f"{self.url}{parts.path}?{parts.query}"
        return str(address) if address else None

    def after(self) -> str:
        """What is done already."""
        return f"Done before: {self.last}. What was done is kept." if self.last else "Nothing was changed."


def _asked(method: str, address: str) -> str:
    """What was asked, without its parameters."""
    return f"{method} {address.split('?')[0]}"


def _answer(status: int, headers: Message, body: bytes) -> Answer:
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    return Answer(status, headers, text, content)


def _wait_seconds(headers: Message) -> float:
    """Retry-After in seconds, else until the window of X-Sentry-Rate-Limit-Reset (UTC seconds) ends, at least one."""
    after, reset = headers.get("Retry-After") or "", headers.get("X-Sentry-Rate-Limit-Reset") or ""
    if after.isdigit():
        return max(1.0, float(after))
    return max(1.0, float(reset) - time.time()) if reset.isdigit() else 1.0


def _words(answer: Answer) -> str:
    """The server's own words: Sentry and Bugsink say `detail`, or {field: [sentences]}."""
    detail = answer.content.get("detail") if isinstance(answer.content, dict) else None
    if isinstance(detail, dict):
        detail = detail.get("message")
    return f"HTTP {answer.status}: {_short(str(detail or answer.text))}"


def _short(text: str) -> str:
    return " ".join(text.split())[:300] or "no text"
