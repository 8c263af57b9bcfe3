# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""When the way to Slack itself is broken."""

from __future__ import annotations

import re
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
    assert re.search(r"critical +slack +refused", run.output)
    assert "invalid_token" in run.output
    assert "Traceback" not in run.output
