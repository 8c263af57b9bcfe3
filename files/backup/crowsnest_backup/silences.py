# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alertmanager's silences, by its API: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from http.client import HTTPException
from typing import Any

from crowsnest_backup.errors import BackupError

Silence = Mapping[str, Any]
# What Alertmanager itself gives to a silence.
_GIVEN = ("id", "status", "updatedAt")
_SECONDS = 30
# Whatever proxy the environment names: Alertmanager is on this host.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read(url: str) -> list[dict[str, Any]]:
    """The silences that are in force or will be, without what Alertmanager gave them. Raises BackupError."""
    return [
        {name: value for name, value in silence.items() if name not in _GIVEN}
        for silence in json.loads(_asked(url))
        if silence["status"]["state"] != "expired"
    ]


def lacking(wanted: Iterable[Silence], present: Sequence[Silence], now: datetime) -> list[Silence]:
    """The wanted silences that have not ended and are not there; Alertmanager moves a start in the past to now."""
    there = [_likeness(silence) for silence in present]
    return [silence for silence in wanted if _end(silence) > now and _likeness(silence) not in there]


def post(url: str, silence: Silence) -> None:
    """Puts it into force under a new number. Raises BackupError."""
    _asked(url, json.dumps(silence).encode())


def _likeness(silence: Silence) -> tuple[Any, ...]:
    matchers = sorted(json.dumps(matcher, sort_keys=True) for matcher in silence["matchers"])
    return matchers, _end(silence), silence["createdBy"], silence["comment"]


def _end(silence: Silence) -> datetime:
    return datetime.fromisoformat(str(silence["endsAt"]).replace("Z", "+00:00"))


def _asked(url: str, body: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(f"{url}/api/v2/silences", data=body, headers=headers)  # noqa: S310 - declared
    try:
        with _DIRECT.open(request, timeout=_SECONDS) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        reason = error.read().decode(errors="replace")[:300]
        raise BackupError(f"Alertmanager refuses its silences: HTTP {error.code} {reason}.") from None
    except (OSError, HTTPException) as error:
        raise BackupError(
            f"Alertmanager does not answer at {url}: {error}.", "Its silences are a part of the backup: start it."
        ) from None
