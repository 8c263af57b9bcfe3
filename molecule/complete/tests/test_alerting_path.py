# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""When the way to Slack itself is broken."""

from __future__ import annotations

from typing import Any

import requests
from lab.fault_course import complaints, course, settle
from lab.faults import by_name


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
    settle(lab, print, 1200, set())  # what a refusing Slack brought goes on for some minutes
    fault = by_name("alertmanager-killed")
    seen = course(lab, fault, server.check_output, print, watch=180, beyond=120)
    assert complaints(fault, seen) == []
    assert seen.first
    figure("broken alerting path to Slack message", f"{seen.first.at - seen.made:.0f} s")
