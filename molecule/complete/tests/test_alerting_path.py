# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""When the way to Slack itself is broken."""

from __future__ import annotations

import time
from typing import Any

import requests


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


def test_kuma_itself_tells_when_the_alerting_path_is_broken(
    lab: Any, server: Any, eventually: Any, figure: Any
) -> None:
    eventually(lambda: len(lab.query('monitor_status{monitor_name=~"Alerting path.*"} == 1')) == 4, 240)
    broken = time.time()
    server.check_output("docker stop crowsnest-alertmanager-1")
    try:
        found = eventually(lambda: lab.messages(broken, "alerting path"), 90)
        figure("broken alerting path to Slack message", f"{found[0]['received'] - broken:.0f} s")
        assert "Alertmanager does not answer" in str(found[0])
    finally:
        server.check_output("docker start crowsnest-alertmanager-1")
    eventually(lambda: lab.messages(broken, "Resolved: The alerting path is broken"), 240)
    assert len(lab.messages(broken, "alerting path")) == 2
