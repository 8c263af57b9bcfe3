# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP with Metabase: one connection that is kept, waiting until it is ready, its refusals in words.

Python 3.9, standard library. All paths: https://www.metabase.com/docs/latest/api
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.crowsnest.core.plugins.module_utils.paths import logs_command
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import ReconcileError

ANSWER_SECONDS = 120  # for one answer: a question may take long
HEALTH_SECONDS = 5
IDLE_SECONDS = 10  # Metabase closes what is idle for long; a write that hits this moment could not be repeated
OLDEST = (0, 58)
LOGS = f"See `{logs_command('metabase')}` on the host."
_VERSION = re.compile(r"v?([01])\.(\d+)[\w.-]*$")


class MetabaseError(ReconcileError):
    """Metabase does not do what it should; the text says what to do."""


class NotThereError(MetabaseError):
    """Nothing answers, or Metabase is still starting."""


class LostError(MetabaseError):
    """The connection broke off."""


class RefusedError(MetabaseError):
    """Metabase answers that it will not; the text is its own. `errors` is {field: its words}."""

    def __init__(self, status: int, words: str, errors: Mapping[str, Any]) -> None:
        super().__init__(words)
        self.status, self.errors = status, errors


class Metabase:
    """One connection. `last` is the last change that was made, for the words of an error."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        self.headers: dict[str, str] = {"x-api-key": key} if key else {}
        self.last, self.requests = "", 0
        self.connection: HTTPConnection | None = None
        self.used = 0.0

    # --- one request ---

    def exchange(self, method: str, path: str, body: Any = None, seconds: float = ANSWER_SECONDS) -> tuple[int, Any]:
        """(HTTP status, JSON or text). Raises OSError or HTTPException. Only what reads is repeated, once."""
        if time.monotonic() - self.used > IDLE_SECONDS:
            self.close()
        kept = self.connection is not None
        try:
            return self._once(method, path, body, seconds)
        except (OSError, HTTPException):
            self.close()
            if not kept or method != "GET":
                raise
        return self._once(method, path, body, seconds)

    def _once(self, method: str, path: str, body: Any, seconds: float) -> tuple[int, Any]:
        parts = urlsplit(self.url)
        if self.connection is None:
            secure = parts.scheme == "https"
            self.connection = (HTTPSConnection if secure else HTTPConnection)(parts.netloc, timeout=seconds)
        self.connection.timeout = seconds
        if self.connection.sock:
            self.connection.sock.settimeout(seconds)
        headers = {"Accept": "application/json", **self.headers}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        self.requests += 1
        try:
            self.connection.request(method, parts.path + path, data, headers)
            answer = self.connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, HTTPException):
            self.close()
            raise
        self.used = time.monotonic()
        return answer.status, _content(text)

    def close(self) -> None:
        """Also after the connection broke."""
        if self.connection:
            self.connection.close()
        self.connection = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What Metabase answers. Raises LostError or RefusedError."""
        try:
            status, content = self.exchange(method, path, body)
        except (OSError, HTTPException) as error:
            raise self.lost(error) from None
        if status >= 400:
            raise RefusedError(status, _words(status, content), _errors(content))
        return content

    def get(self, path: str) -> Any:
        """Raises MetabaseError."""
        return self.call("GET", path)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """A list, wherever this page of Metabase has it. Raises MetabaseError."""
        content = self.get(path)
        found = content.get("data") if isinstance(content, dict) else content
        if not isinstance(found, list):
            raise MetabaseError(f"Metabase at {self.url} answers {path} with no list. {LOGS}")
        return found

    def lost(self, error: object) -> LostError:
        """What to say when the connection breaks off."""
        words = str(error) or type(error).__name__
        after = f"after: {self.last}" if self.last else "before anything was changed"
        return LostError(
            f"The connection to Metabase at {self.url} was lost {after} ({words}). What was done is kept; run it "
            f"again, it goes on from there. {LOGS}"
        )

    # --- before everything else ---

    def state(self) -> str:
        """Empty when Metabase is ready, else what it says of itself.

        https://github.com/metabase/metabase/blob/master/src/metabase/server/routes.clj: 503 while it starts.
        """
        try:
            status, content = self.exchange("GET", "/api/health", seconds=HEALTH_SECONDS)
        except (OSError, HTTPException) as error:
            return f"no answer ({str(error) or type(error).__name__})"
        if status == 200 and isinstance(content, dict) and content.get("status") == "ok":
            return ""
        return f"HTTP {status}: {_short(content)}"

    def wait_until_ready(self, seconds: float) -> None:
        """Raises NotThereError with the last state."""
        deadline = time.monotonic() + seconds
        while state := self.state():
            if time.monotonic() >= deadline:
                raise NotThereError(
                    f"Metabase at {self.url} is not ready after {seconds:g} seconds, its last state: {state}. {LOGS}"
                )
            time.sleep(1)

    def properties(self) -> dict[str, Any]:
        """What Metabase tells anybody: version, setup-token, has-user-setup. Raises MetabaseError."""
        found = self.get("/api/session/properties")
        if not isinstance(found, dict) or "has-user-setup" not in found:
            raise MetabaseError(f"What answers at {self.url}/api/session/properties is not Metabase.")
        return found

    def version(self, properties: Mapping[str, Any]) -> str:
        """Like `0.61.2`; `1.61.2` is the Enterprise edition of it. Raises MetabaseError for one that is too old."""
        tag = str((properties.get("version") or {}).get("tag"))
        found = _VERSION.match(tag)
        if not found or (0, int(found[2])) < OLDEST:
            raise MetabaseError(
                f"Metabase at {self.url} is version {tag}; this module knows 0.{OLDEST[1]} and later. Nothing was "
                "changed."
            )
        return tag.lstrip("v")


def _content(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _short(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return " ".join(text.split())[:200] or "no text"


def _errors(content: Any) -> dict[str, Any]:
    errors = content.get("errors") if isinstance(content, dict) else None
    return errors if isinstance(errors, dict) else {}


def _words(status: int, content: Any) -> str:
    """Metabase's own words. Not its `specific-errors`: those repeat what was sent."""
    found: list[str] = []
    if isinstance(content, dict):
        message = content.get("message") or content.get("cause") or content.get("error")
        found = [str(message)] if message else []
        for field, error in _errors(content).items():
            words = error if isinstance(error, str) else json.dumps(error)
            if words not in found:
                found.append(f"{field}: {words}")
    return f"HTTP {status}: {('; '.join(found) or _short(content))[:500]}"
