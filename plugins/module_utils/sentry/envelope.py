# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One marked event sent through a DSN, and what the answer means. Python 3.9, standard library.

https://develop.sentry.dev/sdk/foundations/transport/envelopes/, .../rate-limiting/. A 200 is no proof that the event
is kept: Sentry's own servers judge it later, and an exhausted quota drops it without a word.
"""

from __future__ import annotations

import json
import urllib.request
import uuid
from datetime import datetime
from http.client import HTTPException
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.http import answered
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import Dsn

CLIENT = "crowsnest/1"
CONTENT_TYPE = "application/x-sentry-envelope"
# The categories of an error event; a limit without a category is for all.
_OURS = {"", "default", "error"}


class Outcome(NamedTuple):
    """What became of an event: whether it was taken, and a sentence about it; `event` is its id."""

    taken: bool
    text: str
    event: str


class Answer(NamedTuple):
    """An HTTP answer, or the reason why there is none (status 0). `limits`: the header X-Sentry-Rate-Limits."""

    status: int
    text: str
    limits: str = ""
    retry_after: str = ""


def send(dsn: Dsn, app: str, environment: str, now: datetime, timeout_seconds: float = 10) -> Outcome:
    """Sends an event that says that it is a test; it is never read as one of the app's own errors."""
    event = uuid.uuid4().hex
    answer = _post(dsn, body(event, app, environment, now), timeout_seconds)
    return Outcome(answer.status == 200 and not _limited(answer.limits), explained(dsn, answer), event)


def body(event: str, app: str, environment: str, now: datetime) -> bytes:
    """An envelope with one event. The DSN is not in it: some servers believe it more than the key in the header."""
    payload = {
        "event_id": event,
        "timestamp": now.isoformat(),
        "platform": "other",
        "level": "info",
        "logger": "crowsnest",
        "logentry": {"formatted": f"Test event of crowsnest for {app}: errors of {app} arrive here."},
        "environment": environment,
        "tags": {"test": "true", "app": app},
        "fingerprint": ["crowsnest-test", app],
    }
    lines = ({"event_id": event, "sent_at": now.isoformat()}, {"type": "event"}, payload)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def authorization(dsn: Dsn) -> str:
    """The header X-Sentry-Auth."""
    return f"Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={dsn.key}"


def explained(dsn: Dsn, answer: Answer) -> str:
    """What an answer means, and what to do."""
    # Bugsink repeats the whole DSN.
    place, words = dsn.place, _words(answer.text.replace(dsn.key, "KEY"))
    if answer.status == 200:
        limit = _limited(answer.limits)
        return f"{place} answered 200, but takes no errors now: {limit}." if limit else f"{place} took the event."
    if answer.status == 429:
        limit = _limited(answer.limits) or f"for {answer.retry_after or '60'} s"
        return f"{place} takes no errors now: {limit}. A quota is used up, or it gets too many."
    if answer.status in (401, 403):
        return (
            f"{place} refuses the key: {words}. Take the DSN anew: Settings, Projects, the project, Client Keys (DSN)."
        )
    if answer.status == 404:
        return f"{place} knows no such project: {words}. Is it a server of Sentry, and is the DSN whole?"
    if answer.status == 0:
        return f"{place} does not answer: {words}. Can this host reach it (DNS, firewall, proxy)?"
    return f"{place} answered {answer.status}: {words}."


def _limited(limits: str) -> str:
    """`for 60 s (organization, quota)` when errors are limited; empty when only others are, or nothing.

    `60:error;default:organization:quota, 86400::project`: seconds, categories, scope, reason.
    """
    for limit in limits.split(","):
        seconds, categories, scope, reason, *_ = [*limit.strip().split(":"), "", "", ""]
        if seconds.isdigit() and _OURS & set(categories.split(";")):
            about = ", ".join(each for each in (scope, reason) if each)
            return f"for {seconds} s" + (f" ({about})" if about else "")
    return ""


def _words(text: str) -> str:
    """The server's own words: `detail` and `causes` of JSON, else the beginning of the text."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("detail"):
        text = " ".join([str(said["detail"]), *(str(cause) for cause in said.get("causes") or [])])
    return " ".join(text.split())[:200].rstrip(".") or "no words"


def _post(dsn: Dsn, content: bytes, timeout_seconds: float) -> Answer:
    headers = {"X-Sentry-Auth": authorization(dsn), "Content-Type": CONTENT_TYPE, "User-Agent": CLIENT}
    request = urllib.request.Request(dsn.envelope, content, headers)  # noqa: S310 - a DSN is http or https
    try:
        with answered(urllib.request.urlopen, request, timeout_seconds) as answer:
            text, told = answer.read(4096).decode(errors="replace"), answer.headers
    except (OSError, HTTPException) as error:
        return Answer(0, str(getattr(error, "reason", error)) or type(error).__name__)
    return Answer(answer.status, text, told.get("X-Sentry-Rate-Limits", ""), told.get("Retry-After", ""))
