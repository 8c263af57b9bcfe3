# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""From a fault to a message: what the one who is woken at night gets to read."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

SHOP = "docker compose --file /srv/shop/compose.yaml"


@pytest.fixture(autouse=True)
def _shop_is_well(lab: Any, eventually: Any) -> None:
    """Each test begins with a shop that has been well for long enough that nothing of it fires."""
    eventually(lambda: len(lab.query('probe_success{app="shop"} == 1')) == 6, 180)
    eventually(lambda: not lab.query('ALERTS{alertname=~"AppDown|Probe.+",app="shop"}'), 180)


def _attachment(message: dict[str, Any]) -> dict[str, Any]:
    return message["payload"]["attachments"][0]


def test_a_stopped_app_is_reported_within_a_minute_and_then_resolved(
    lab: Any, server: Any, eventually: Any, figure: Any
) -> None:
    stopped = time.time()
    server.check_output(f"{SHOP} stop --timeout 2 web")
    try:
        found = eventually(lambda: lab.messages(stopped, "shop: no metrics"), 75)
        seconds = found[0]["received"] - stopped
        figure("stopped app to Slack message", f"{seconds:.0f} s")
        assert seconds < 60
        message = _attachment(found[0])
        assert message["title"] == "🔴 CRITICAL: shop: no metrics can be read on lab1"
        for part in ("app shop", "host lab1", "Since:", "KST", "Value: up = 0", "/AppDown.md|Runbook>"):
            assert part in message["text"]
    finally:
        server.check_output(f"{SHOP} start web")
    resolved = eventually(lambda: lab.messages(stopped, "Resolved: shop: no metrics"), 180)
    assert _attachment(resolved[0])["title"].startswith("✅")


def test_a_database_that_is_down_is_named_by_its_component(lab: Any, server: Any, eventually: Any) -> None:
    stopped = time.time()
    server.check_output(f"{SHOP} stop --timeout 2 db")
    try:
        eventually(lambda: lab.query('probe_success{probe="database"} == 0'), 60)
        eventually(lambda: lab.query('ALERTS{alertname="ProbeComponentFailed",probe="database"}'), 60)
        healthy = {labels["probe"]: value for labels, value in lab.query('probe_success{probe=~"redis|celery"}')}
        assert healthy == {"redis": 1.0, "celery": 1.0}
    finally:
        server.check_output(f"{SHOP} start db")
    eventually(lambda: lab.query('probe_success{probe="database"} == 1'), 120)
    assert not lab.messages(stopped, "Host lab1")


def test_test_alerts_of_every_severity_arrive(lab: Any) -> None:
    begun = time.time()
    run = lab.play(playbook="playbooks/alert_test.yml")
    assert run.status == 0, run.output
    titles = {_attachment(message)["title"] for message in lab.messages(begun, "[TEST]")}
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
        assert any(severity in title for title in titles), titles


def test_a_refusing_slack_is_reported_in_its_own_words(lab: Any) -> None:
    fault = f"{lab.url('slack_catcher')}/fault"
    requests.post(fault, json={"mode": "refuse", "word": "invalid_token"}, timeout=5).raise_for_status()
    try:
        run = lab.play(playbook="playbooks/alert_test.yml")
    finally:
        requests.post(fault, json={"mode": "off"}, timeout=5).raise_for_status()
    assert run.status != 0
    assert "critical  slack    refused" in run.output
    assert "invalid_token" in run.output
    assert "Traceback" not in run.output


def test_the_dead_mans_switch_beats_every_minute(lab: Any, eventually: Any) -> None:
    def beats() -> int:
        return int(lab.get("slack_catcher", "/heartbeats")["lab"]["count"])

    first = beats()
    eventually(lambda: beats() >= first + 1, 75)
    eventually(lambda: beats() >= first + 2, 75)
