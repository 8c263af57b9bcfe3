#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: alertmanager_test_alerts
short_description: Send one marked test alert per severity and report what each receiver answered
description:
  - Posts alerts with the label C(test="true") to the running Alertmanager, watches its delivery counters until every
    expected delivery has succeeded or failed, and reads the receiver's own words of a refusal from Alertmanager's log.
options:
  url:
    description: URL of Alertmanager.
    type: str
    required: true
  deliveries:
    description:
      - What must arrive. Maps each receiver of Alertmanager (a severity, or C(SEVERITY_after_TIME)) to its
        integrations, and these to the number of declared receivers.
    type: dict
    required: true
  texts:
    description: Maps each severity to the annotations of its alert.
    type: dict
    required: true
  labels:
    description: Further labels of the alerts, such as the environment and the host.
    type: dict
    default: {}
  log_command:
    description: Command that prints Alertmanager's log since a time (RFC 3339), which is appended as the last argument.
    type: list
    elements: str
    required: true
  timeout:
    description: How long to wait for answers, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    description: Nothing is sent in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Send test alerts
  crowsnest.core.alertmanager_test_alerts:
    url: http://127.0.0.1:9093
    deliveries: {critical: {slack: 1}, low: {slack: 1}}
    texts: {critical: {summary: A critical test}, low: {summary: A test}}
    log_command: [docker, logs, crowsnest-alertmanager-1, --since]
"""

RETURN = r"""
deliveries:
  description: One entry per severity and integration, with the receiver's own words where it refused.
  type: list
  elements: dict
  returned: always
  sample:
    - {severity: critical, integration: slack, expected: 1, delivered: 0, failed: 1, words: "403: invalid_token"}
"""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.alertmanager_client import (
    AlertmanagerClient,
    AlertmanagerError,
)

Counts = Mapping[tuple[str, str], tuple[int, int]]


def test_alert(severity: str, labels: Mapping[str, str], texts: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """One alert as the API takes it. It resolves by itself after a minute; `run` makes it new to Alertmanager."""
    return {
        "labels": {
            **labels,
            "alertname": "TestAlert",
            "severity": severity,
            "test": "true",
            "run": now.strftime("%Y%m%dT%H%M%S"),
        },
        "annotations": dict(texts),
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=1)).isoformat(),
    }


def deliveries(expected: Mapping[str, Mapping[str, int]], before: Counts, now: Counts) -> list[dict[str, Any]]:
    """What happened between two readings of the counters, for every expected delivery."""
    rows = []
    for severity, integrations in expected.items():
        for integration, count in integrations.items():
            (sent, failed), (sent_before, failed_before) = (
                counts.get((severity, integration), (0, 0)) for counts in (now, before)
            )
            refused = failed - failed_before
            rows.append(
                {
                    "severity": severity,
                    "integration": integration,
                    "expected": count,
                    "delivered": sent - sent_before - refused,
                    "failed": refused,
                    "words": "",
                }
            )
    return rows


def refusals(log: str) -> Iterator[tuple[str, str, str]]:
    """(severity, integration, the receiver's words) of each failed delivery in Alertmanager's log.

    Seen with 0.28: `err="critical/slack[0]: notify retry canceled … : unexpected status code 403: invalid_token"`,
    or with `receiver=critical integration=slack[0]` and the words in `err`.
    """
    for line in log.splitlines():
        where = re.search(r"receiver=(\w+) integration=(\w+)\[", line) or re.search(r'err="(\w+)/(\w+)\[', line)
        reason = re.search(r'err="((?:[^"\\]|\\.)*)"', line)
        if where and reason:
            yield where[1], where[2], reason[1].replace('\\"', '"')[-400:]


def watch(client: AlertmanagerClient, expected: Mapping[str, Mapping[str, int]], before: Counts, timeout: float) -> Any:
    """Read the counters until every delivery was answered, or the time is up."""
    end = time.monotonic() + timeout
    while True:
        rows = deliveries(expected, before, client.delivery_counts())
        if all(row["delivered"] + row["failed"] >= row["expected"] for row in rows) or time.monotonic() > end:
            return rows
        time.sleep(1)


def read_log(command: list[str]) -> str:
    """What the command prints; nothing when it cannot be run, as the counters alone suffice."""
    try:
        log = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return log.stdout + log.stderr


def run(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Send the alerts, wait, and explain what was refused. Raises AlertmanagerError."""
    client, started = AlertmanagerClient(params["url"]), datetime.now(timezone.utc)
    before = client.delivery_counts()
    labels, texts = params["labels"], params["texts"]
    client.post_alerts([test_alert(severity, labels, texts[severity], started) for severity in texts])
    rows: list[dict[str, Any]] = watch(client, params["deliveries"], before, params["timeout"])
    if any(row["delivered"] < row["expected"] for row in rows):
        log = read_log([*params["log_command"], started.strftime("%Y-%m-%dT%H:%M:%SZ")])
        reasons = {(severity, integration): text for severity, integration, text in refusals(log)}
        for row in rows:
            row["words"] = reasons.get((row["severity"], row["integration"]), "")
    return rows


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "deliveries": {"type": "dict", "required": True},
            "texts": {"type": "dict", "required": True},
            "labels": {"type": "dict", "default": {}},
            "log_command": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, deliveries=[])
    try:
        rows = run(module.params)
    except AlertmanagerError as error:
        module.fail_json(msg=str(error), deliveries=[])
    module.exit_json(changed=True, deliveries=rows)


if __name__ == "__main__":
    main()
