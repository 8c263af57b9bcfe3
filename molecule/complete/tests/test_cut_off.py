# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs that end early: by a refused login, a lost connection or a kill at any moment. The next run makes them good."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import Any

import pytest
from complete.declared import MONITORS, one_line, shop_with
from uptime_kuma_api import UptimeKumaApi

WRONG_PASSWORD = "an-0ther-Passw0rd"
KEY_FILE = "/opt/crowsnest/metabase/api_key"
PING = {"name": "Itself", "type": "ping", "hostname": "127.0.0.1"}
MANY = [{"name": f"Port {n}", "type": "port", "address": "127.0.0.1:22", "paused": True} for n in range(60)]
# What the random moments come from; the same number gives the same moments. `./crowsnest test --long` takes ten.
SEED = int(os.environ.get("CROWSNEST_TEST_SEED") or random.randrange(10**6))
KILLS = 10 if os.environ.get("CROWSNEST_TEST_LONG") else 3


@pytest.fixture(scope="module", autouse=True)
def _as_before(lab: Any) -> Any:
    yield
    run = lab.play()
    assert run.status == 0, run.output
    assert lab.play().recap["changed"] == 0


def test_a_refused_login_of_uptime_kuma_is_told_with_the_way_out(lab: Any, monitors: Any) -> None:
    run = lab.play(crowsnest_uptime_kuma_admin_password=WRONG_PASSWORD, crowsnest_monitors=[PING])
    assert run.status != 0
    assert "refuses the login of admin" in one_line(run.output)
    assert "node extra/reset-password.js" in one_line(run.output)
    assert WRONG_PASSWORD not in run.output
    assert set(monitors()) == set(MONITORS)


def test_a_refused_login_of_metabase_is_told_and_the_next_run_makes_a_key(lab: Any, server: Any) -> None:
    kept = server.check_output(f"cat {KEY_FILE}")
    server.check_output(f"rm {KEY_FILE}")
    run = lab.play(crowsnest_metabase_admin_password=WRONG_PASSWORD)
    assert run.status != 0
    assert "refuses the login of admin@crowsnest.invalid" in one_line(run.output)
    assert "crowsnest_metabase_admin_password" in run.output
    assert WRONG_PASSWORD not in run.output
    assert not server.file(KEY_FILE).exists
    run = lab.play()
    assert run.status == 0, run.output
    assert server.file(KEY_FILE).mode == 0o600
    assert json.loads(server.check_output(f"cat {KEY_FILE}"))["key"] != json.loads(kept)["key"]


def test_a_lost_connection_to_uptime_kuma_is_gone_on_with_and_makes_nothing_twice(
    lab: Any, server: Any, kuma: UptimeKumaApi, monitors: Any, eventually: Any, figure: Any
) -> None:
    begun = lab.start(crowsnest_monitors=MANY)
    eventually(lambda: len(kuma.get_monitors()) > len(MONITORS), 240, 0.05)
    server.check_output("docker kill crowsnest-uptime_kuma-1")
    run = lab.finish(begun)
    assert run.status != 0
    assert "The connection to Uptime Kuma at http://127.0.0.1:3001 was lost after" in one_line(run.output)
    assert "Traceback" not in run.output
    run = lab.play(crowsnest_monitors=MANY)
    figure("run that goes on with 60 monitors", f"{run.seconds:.1f} s")
    assert run.status == 0, run.output
    assert set(monitors()) == {*MONITORS, *(monitor["name"] for monitor in MANY)}
    assert lab.play(crowsnest_monitors=MANY).recap["changed"] == 0


def test_a_run_that_is_killed_at_any_moment_is_made_good_by_the_next(lab: Any, figure: Any) -> None:
    """Runs with a change in every service, each killed at another moment of its length."""
    figure("seed of the moments (CROWSNEST_TEST_SEED)", str(SEED))
    moments = random.Random(SEED)
    whole = lab.play(crowsnest_apps=shop_with(error_ratio=0.3)).seconds
    for number in range(KILLS):
        apps = [
            *shop_with(error_ratio=0.31 + number / 100),
            {"name": "other", "url": f"http://127.0.0.1:8000/?{number}"},
        ]
        process, _ = lab.start(crowsnest_apps=apps, crowsnest_repeat_after=f"{20 + number}m")
        moment = moments.uniform(0.1, 0.95) * whole
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        print(f"killed after {moment:.1f} of {whole:.1f} s")  # shown when the test fails
    run = lab.play(crowsnest_apps=shop_with(error_ratio=0.45))
    assert run.status == 0, run.output
    groups = lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    queries = [rule["query"] for group in groups for rule in group["rules"] if rule["name"] == "AppErrorRatioHigh"]
    assert "0.45" in queries[0]
