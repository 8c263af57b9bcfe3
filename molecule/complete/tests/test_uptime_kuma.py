# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Uptime Kuma, the real program: what is declared is there, and faults are said clearly.

Asked through uptime-kuma-api2, as a person would through its pages. What comes and goes with the declaration is in
test_come_and_go.py, what people change in test_by_hand.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from complete.declared import MONITORS
from lab.fault_course import complaints, course, settle
from lab.faults import by_name
from uptime_kuma_api import UptimeKumaApi

# Other tests that run on this machine.
BUSY = {"HostCpuHigh lab1 medium", "told: CPU of lab1 is busy"}


def test_every_part_of_the_app_and_of_the_alerting_path_has_a_monitor(kuma: UptimeKumaApi) -> None:
    assert {monitor["name"]: monitor["type"].value for monitor in kuma.get_monitors()} == MONITORS
    groups = {monitor["id"]: monitor["name"] for monitor in kuma.get_monitors() if monitor["type"].value == "group"}
    parents = {monitor["name"]: groups.get(monitor["parent"]) for monitor in kuma.get_monitors()}
    del parents["stack: backup"]  # of no app
    assert all(parent == name.partition(":")[0] for name, parent in parents.items() if ":" in name)
    told = [monitor["name"] for monitor in kuma.get_monitors() if monitor["notificationIDList"]]
    assert told == ["Alerting path"]


def test_every_monitor_is_up_and_prometheus_knows_it(lab: Any, server: Any, eventually: Any) -> None:
    server.check_output("crowsnest-backup run")  # cron begins with the first backups within a quarter of an hour
    eventually(
        lambda: {it["monitor_name"] for it, value in lab.query("monitor_status") if value == 1} == set(MONITORS), 180
    )
    found = {it["monitor_name"]: (it.get("app"), it.get("probe")) for it, _ in lab.query("monitor_status")}
    assert found["shop: website"] == ("shop", "url")
    assert found["shop: redis"] == found["shop: redis port"] == ("shop", "redis")
    assert found["shop: job clean-up"] == ("shop", None)
    assert found["Alerting path: heartbeat"] == (None, None)


def test_the_status_page_is_for_everybody_and_nothing_else_is(lab: Any, status_page: Any) -> None:
    answer = status_page("status")
    assert answer.status_code == 200
    shown = {group["name"]: [it["name"] for it in group["monitorList"]] for group in answer.json()["publicGroupList"]}
    assert shown == {"shop": ["shop: website", "shop: health"]}
    assert "http://127.0.0.1:8000" not in answer.text
    for login in (None, ("admin", "admin"), ("", "")):
        assert requests.get(f"{lab.url('uptime_kuma')}/metrics", auth=login, timeout=10).status_code == 401


def test_secrets_are_in_no_list_of_processes_and_for_root_only(server: Any, secret: Callable[[str], str]) -> None:
    password = secret("uptime_kuma_admin_password")
    file = server.file("/opt/crowsnest/uptime_kuma/current/secrets/admin_password")
    assert (file.user, oct(file.mode), file.content_string.strip()) == ("root", "0o640", password)
    key = server.file("/var/lib/crowsnest/prometheus_keys/uptime_kuma")
    assert (key.uid, oct(key.mode)) == (21090, "0o640")
    assert password not in server.check_output("ps axeww -o args")
    assert password not in server.check_output("docker inspect crowsnest-uptime_kuma-1")
    assert key.content_string.strip() not in server.check_output("docker inspect crowsnest-prometheus-1")


def test_kuma_itself_tells_when_the_alerting_path_is_broken(
    lab: Any, server: Any, eventually: Any, figure: Any
) -> None:
    eventually(lambda: len(lab.query('monitor_status{monitor_name=~"Alerting path.*"} == 1')) == 4, 240)
    settle(lab, print, 600, BUSY)
    fault = by_name("alertmanager-killed")
    seen = course(
        lab, fault, server.check_output, print, watch=180, beyond=120, mine=lambda post: "CPU of lab1" not in post.title
    )
    assert complaints(fault, seen) == []
    assert seen.first
    figure("broken alerting path to Slack message", f"{seen.first.at - seen.made:.0f} s")
