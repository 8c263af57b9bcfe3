# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is announced wakes nobody."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from complete.declared import SHOP_COMPOSE, ZONE


def test_a_declared_window_keeps_kuma_and_alertmanager_silent(lab: Any, server: Any, eventually: Any) -> None:
    now = datetime.now(ZONE)
    start, end = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-5, 30))
    window = {"title": "Release", "apps": ["shop"], "start": start, "end": end}
    assert lab.play(crowsnest_maintenance=[window]).status == 0
    stopped = time.time()
    server.check_output(f"{SHOP_COMPOSE} stop --timeout 2 web")
    try:
        eventually(
            lambda: lab.query('ALERTS{alertname="AppDown",app="shop",alertstate="firing"}'), 300
        )  # it was just started
        eventually(lambda: len(lab.query('monitor_status{app="shop"} == 3')) == 7, 150)
        time.sleep(20)  # AppDown is critical: its message leaves 10 s after it fires
        assert lab.messages(stopped, "shop on lab1 is down") == []
    finally:
        server.check_output(f"{SHOP_COMPOSE} start web")
        eventually(lambda: not lab.query('ALERTS{alertname="AppDown",app="shop"}'), 240)
        assert lab.play().status == 0
