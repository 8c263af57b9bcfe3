# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A small client of Alertmanager: post alerts, read delivery counters. Python 3.9, standard library.

API: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.loopback import DIRECT
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_COMMAND

# One sample of the text format of metrics; the counters below have plain label values.
_SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
REQUESTS = "alertmanager_notification_requests_total"
FAILED = "alertmanager_notification_requests_failed_total"


class AlertmanagerError(Exception):
    """Alertmanager did not answer or refused; the text says what to do."""


class AlertmanagerClient:
    """Talks to one Alertmanager at `url`, such as http://127.0.0.1:9093."""

    def __init__(self, url: str, timeout_seconds: float = 10) -> None:
        self.url = url.rstrip("/")
        self.timeout_seconds = timeout_seconds

    def post_alerts(self, alerts: list[dict[str, Any]]) -> None:
        """Post alerts as Prometheus does. Raises AlertmanagerError."""
        self._request("/api/v2/alerts", json.dumps(alerts).encode())

    def delivery_counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """{(receiver, integration): (requests sent, requests refused or failed)} since Alertmanager started."""
        counts: dict[tuple[str, str], list[int]] = {}
        for sample in _SAMPLE.finditer(self._request("/metrics")):
            if sample["name"] in (REQUESTS, FAILED):
                labels = dict(_LABEL.findall(sample["labels"]))
                row = counts.setdefault((labels.get("receiver_name", ""), labels["integration"]), [0, 0])
                row[sample["name"] == FAILED] = int(float(sample["value"]))
        return {key: (sent, failed) for key, (sent, failed) in counts.items()}

    def _request(self, path: str, body: bytes | None = None) -> str:
        headers = {"Content-Type": "application/json"} if body else {}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)  # noqa: S310 - the plan sets it
        try:
            with DIRECT.open(request, timeout=self.timeout_seconds) as answer:
                return str(answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")[:300]
            raise AlertmanagerError(f"Alertmanager refused {path}: HTTP {error.code} {reason}") from None
        except (OSError, HTTPException) as error:
            raise AlertmanagerError(
                f"Alertmanager does not answer at {self.url} ({error}). "
                f"`{COMPOSE_COMMAND} ps` on the host shows whether it runs."
            ) from None
