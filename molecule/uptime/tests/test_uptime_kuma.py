# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Uptime Kuma, the real program: what is declared is there, what people made by hand stays, faults are said clearly.

Asked through uptime-kuma-api2, as a person would through its pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from uptime_kuma_api import MonitorType, NotificationType, UptimeKumaApi

ROOT = Path(__file__).resolve().parents[3]
SHOP = "docker compose --file /srv/shop/compose.yaml"
MADE = {
    "shop": "group",
    "shop: website": "http",
    "shop: health": "http",
    "shop: database": "json-query",
    "shop: redis": "json-query",
    "shop: celery": "json-query",
    "shop: database port": "port",
    "shop: redis port": "port",
    "shop: job clean-up": "push",
    "Alerting path": "group",
    "Alerting path: heartbeat": "push",
    "Alerting path: Prometheus": "http",
    "Alerting path: Alertmanager": "http",
}
# A window on this day of the week is not now.
FAR_DAY = f"{datetime.now(ZoneInfo('Asia/Seoul')) + timedelta(days=3):%A}".lower()
EXTRA: dict[str, list[dict[str, Any]]] = {
    "crowsnest_monitors": [
        {"name": "Partners", "type": "group"},
        {"name": "Search", "type": "keyword", "url": "http://127.0.0.1:8000/", "keyword": "shop", "group": "Partners"},
        {"name": "Stock", "type": "json-query", "url": "http://127.0.0.1:8000/health/detailed/", "query": "status",
         "expected": "healthy", "tags": {"team": "stock", "tier": "1"}, "accepted_status": ["200-299", "503"]},
        {"name": "SSH", "type": "port", "address": "127.0.0.1:22"},
        {"name": "Itself", "type": "ping", "hostname": "127.0.0.1"},
        {"name": "Name", "type": "dns", "hostname": "localhost", "server": "127.0.0.53", "paused": True},
        {"name": "Import", "type": "push", "interval": "1d"},
        {"name": "Engine", "type": "docker", "container": "shop-web-1", "engine": "tcp://127.0.0.1:2375"},
    ],
    "crowsnest_status_pages": [
        {"slug": "status", "title": "Status"},
        {"slug": "partners", "title": "For partners", "description": "Since 2026", "domains": ["partners.example.com"],
         "groups": [{"name": "Search", "monitors": ["Search", "shop: website"]}],
         "incident": {"title": "Slow search", "content": "We are on it.", "style": "info"}},
    ],
    "crowsnest_maintenance": [
        {"title": "Weekly", "start": "02:00", "end": "04:00", "weekdays": FAR_DAY},
        {"title": "New disk", "start": "2026-12-24 22:00", "end": "2026-12-25 02:00", "apps": ["shop"]},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def password(lab: Any) -> str:
    return (ROOT / ".lab" / lab.name / "secrets/uptime_kuma_admin_password").read_text().strip()


@contextmanager
def logged_in(lab: Any, password: str) -> Iterator[UptimeKumaApi]:
    """As admin; the library looks at its lists without a pause."""
    with UptimeKumaApi(lab.url("uptime_kuma"), wait_events=0) as api:
        api.login("admin", password)
        yield api


@pytest.fixture
def kuma(lab: Any, password: str) -> Iterator[UptimeKumaApi]:
    """Logged in for the whole test."""
    with logged_in(lab, password) as api:
        yield api


@pytest.fixture
def monitors(lab: Any, password: str) -> Callable[[], dict[str, dict[str, Any]]]:
    """{name: monitor} as they are now: a run may have restarted Kuma, which ends a login."""

    def look() -> dict[str, dict[str, Any]]:
        with logged_in(lab, password) as api:
            found = api.get_monitors()
        assert len({monitor["name"] for monitor in found}) == len(found), "a name twice"
        return {monitor["name"]: monitor for monitor in found}

    return look


def page(lab: Any, slug: str) -> requests.Response:
    return requests.get(f"{lab.url('uptime_kuma')}/api/status-page/{slug}", timeout=10)


def lines(output: str) -> str:
    return " ".join(output.split())


def test_every_part_of_the_app_and_of_the_alerting_path_has_a_monitor(kuma: UptimeKumaApi) -> None:
    assert {monitor["name"]: monitor["type"].value for monitor in kuma.get_monitors()} == MADE
    groups = {monitor["id"]: monitor["name"] for monitor in kuma.get_monitors() if monitor["type"].value == "group"}
    parents = {monitor["name"]: groups.get(monitor["parent"]) for monitor in kuma.get_monitors()}
    assert all(parent == name.partition(":")[0] for name, parent in parents.items() if ":" in name)
    told = [monitor["name"] for monitor in kuma.get_monitors() if monitor["notificationIDList"]]
    assert told == ["Alerting path"]


def test_every_monitor_is_up_and_prometheus_knows_it(lab: Any, eventually: Any) -> None:
    eventually(
        lambda: {it["monitor_name"] for it, value in lab.query("monitor_status") if value == 1} == set(MADE), 180
    )
    found = {it["monitor_name"]: (it.get("app"), it.get("probe")) for it, _ in lab.query("monitor_status")}
    assert found["shop: website"] == ("shop", "url")
    assert found["shop: redis"] == found["shop: redis port"] == ("shop", "redis")
    assert found["shop: job clean-up"] == ("shop", None)
    assert found["Alerting path: heartbeat"] == (None, None)


def test_the_status_page_is_for_everybody_and_nothing_else_is(lab: Any) -> None:
    answer = page(lab, "status")
    assert answer.status_code == 200
    shown = {group["name"]: [it["name"] for it in group["monitorList"]] for group in answer.json()["publicGroupList"]}
    assert shown == {"shop": ["shop: website", "shop: health"]}
    assert "http://127.0.0.1:8000" not in answer.text
    for login in (None, ("admin", "admin"), ("", "")):
        assert requests.get(f"{lab.url('uptime_kuma')}/metrics", auth=login, timeout=10).status_code == 401


def test_secrets_are_in_no_list_of_processes_and_for_root_only(server: Any, password: str) -> None:
    secret = server.file("/opt/crowsnest/uptime_kuma/current/secrets/admin_password")
    assert (secret.user, oct(secret.mode), secret.content_string.strip()) == ("root", "0o640", password)
    key = server.file("/var/lib/crowsnest/prometheus_keys/uptime_kuma")
    assert (key.uid, oct(key.mode)) == (21090, "0o640")
    assert password not in server.check_output("ps axeww -o args")
    assert password not in server.check_output("docker inspect crowsnest-uptime_kuma-1")
    assert key.content_string.strip() not in server.check_output("docker inspect crowsnest-prometheus-1")


def test_all_kinds_of_objects_come_and_go_with_the_declaration(
    lab: Any, server: Any, monitors: Any, password: str, eventually: Any
) -> None:
    server.check_output("sysctl -w net.ipv4.ping_group_range='1 0'")  # as a kernel has it by itself
    predicted = lab.play("--check", "--diff", **EXTRA)
    assert predicted.status == 0, predicted.output
    assert set(monitors()) == set(MADE)
    run = lab.play("--diff", **EXTRA)
    assert run.status == 0, run.output
    for name in ("Search", "Import", "Engine"):
        assert f"monitor {name}" in predicted.output
        assert f"monitor {name}" in run.output
    assert predicted.recap["changed"] > 0
    assert lab.play(**EXTRA).recap["changed"] == 0
    found = monitors()
    assert set(found) == {*MADE, *(it["name"] for it in EXTRA["crowsnest_monitors"])}
    assert {(tag["name"], tag["value"]) for tag in found["Stock"]["tags"]} >= {("team", "stock"), ("tier", "1")}
    assert not found["Name"]["active"]
    with logged_in(lab, password) as api:
        assert {window["title"] for window in api.get_maintenances()} == {"Weekly", "New disk"}
        assert {each["slug"] for each in api.get_status_pages()} == {"status", "partners"}
    assert server.check_output("sysctl -n net.ipv4.ping_group_range").split() == ["15001", "15001"]
    assert page(lab, "partners").json()["incident"]["title"] == "Slow search"
    by_name = requests.get(lab.url("uptime_kuma"), headers={"Host": "partners.example.com"}, timeout=10)
    assert "For partners" in by_name.text
    eventually(
        lambda: len(lab.query('monitor_status{monitor_name=~"Search|Stock|SSH|Itself|Partners"} == 1')) == 5, 180
    )

    fewer = {**EXTRA, "crowsnest_monitors": [*EXTRA["crowsnest_monitors"][:2], STOCK_LESS], "crowsnest_maintenance": []}
    run = lab.play("--diff", **fewer)
    assert run.status == 0, run.output
    assert "accepted_statuscodes" in run.output
    assert lab.play(**fewer).recap["changed"] == 0
    stock = monitors()["Stock"]
    assert ({tag["name"] for tag in stock["tags"]}, stock["accepted_statuscodes"]) == ({"crowsnest"}, ["200-299"])

    run = lab.play()
    assert run.status == 0, run.output
    assert set(monitors()) == set(MADE)
    with logged_in(lab, password) as api:
        assert [each["slug"] for each in api.get_status_pages()] == ["status"]


STOCK_LESS = {
    "name": "Stock",
    "type": "json-query",
    "url": "http://127.0.0.1:8000/health/detailed/",
    "query": "status",
    "expected": "healthy",
}


def test_what_people_made_stays_and_what_they_changed_of_ours_is_put_right(
    lab: Any, kuma: UptimeKumaApi, monitors: Any, eventually: Any
) -> None:
    ours = {monitor["name"]: monitor["id"] for monitor in kuma.get_monitors()}
    tag = kuma.add_tag(name="of mine", color="#ff0000")
    added = kuma.add_monitor(type=MonitorType.HTTP, name="of mine", url="http://127.0.0.1:8000/", interval=120)
    mine = added["monitorID"]
    kuma.add_monitor_tag(tag["id"], mine, "x")
    hook = {"webhookURL": "http://127.0.0.1:8065/services/T/B/x", "webhookContentType": "json"}
    told = kuma.add_notification(name="of mine", type=NotificationType.WEBHOOK, **hook)["id"]
    kuma.add_status_page("by-hand", "Of mine")
    kuma.edit_monitor(ours["shop: website"], name="Web!", interval=300, headers='{"X-A": "b"}')
    kuma.delete_monitor(ours["shop: health"])
    kuma.pause_monitor(ours["shop: celery"])
    before = kuma.get_monitor(mine)

    predicted = lab.play("--check", "--diff")
    run = lab.play("--diff")
    for output in (predicted.output, run.output):
        for part in ("name: Web!", "interval: 300", "interval: 60", "monitor shop: health", "active: true"):
            assert part in output, part
        assert "X-A" not in output
        assert "of mine" not in output
    assert run.status == 0, run.output
    assert lab.play().recap["changed"] == 0

    found = monitors()
    assert set(found) == {*MADE, "of mine"}
    website = found["shop: website"]
    assert (website["id"], website["interval"], website["headers"]) == (ours["shop: website"], 60, None)
    assert found["shop: celery"]["active"]
    assert kuma.get_monitor(mine) == before
    assert "of mine" in {notification["name"] for notification in kuma.get_notifications()}
    assert page(lab, "by-hand").status_code == 200

    refused = lab.play(crowsnest_status_pages=[{"slug": "by-hand", "title": "Mine"}])
    assert refused.status != 0
    assert "status page by-hand was made by hand" in lines(refused.output)
    kuma.delete_monitor(mine)
    kuma.delete_notification(told)
    kuma.delete_status_page("by-hand")
    kuma.delete_tag(tag["id"])
    eventually(lambda: "shop: health" in {it["monitor_name"] for it, _ in lab.query("monitor_status == 1")}, 120)


def test_a_run_that_is_cut_off_is_gone_on_with_and_makes_nothing_twice(
    lab: Any, server: Any, kuma: UptimeKumaApi, monitors: Any, eventually: Any, figure: Any
) -> None:
    many = [{"name": f"Port {n}", "type": "port", "address": "127.0.0.1:22", "paused": True} for n in range(60)]
    begun = lab.start(crowsnest_monitors=many)
    eventually(lambda: len(kuma.get_monitors()) > len(MADE) + 10, 240, 0.05)
    server.check_output("docker kill crowsnest-uptime_kuma-1")
    run = lab.finish(begun)
    assert run.status != 0
    assert "The connection to Uptime Kuma at http://127.0.0.1:3001 was lost after" in lines(run.output)
    assert "Traceback" not in run.output

    start = time.monotonic()
    run = lab.play(crowsnest_monitors=many)
    figure("run that goes on with 60 monitors", f"{time.monotonic() - start:.1f} s")
    assert run.status == 0, run.output
    assert set(monitors()) == {*MADE, *(monitor["name"] for monitor in many)}
    assert lab.play(crowsnest_monitors=many).recap["changed"] == 0
    assert lab.play().status == 0


def test_a_wrong_password_changes_nothing_and_says_how_to_set_it(lab: Any) -> None:
    run = lab.play(crowsnest_uptime_kuma_admin_password="an-0ther-Passw0rd", crowsnest_monitors=[EXTRA_PING])
    assert run.status != 0
    assert "refuses the login of admin" in lines(run.output)
    assert "node extra/reset-password.js" in lines(run.output)
    assert "an-0ther-Passw0rd" not in run.output
    assert lab.play().status == 0


EXTRA_PING = {"name": "Itself", "type": "ping", "hostname": "127.0.0.1"}


def test_it_stops_with_its_database_closed(server: Any, lab: Any, eventually: Any) -> None:
    server.check_output("docker stop crowsnest-uptime_kuma-1")
    assert server.check_output("docker inspect --format '{{.State.ExitCode}}' crowsnest-uptime_kuma-1") == "0"
    assert server.check_output("find /var/lib/crowsnest/uptime_kuma -name 'kuma.db-*'") == ""
    report = lab.play(playbook="playbooks/verify.yml")
    assert report.status != 0
    assert "uptime_kuma is exited with exit code 0" in lines(report.output)
    assert lab.play().status == 0
    eventually(lambda: lab.query('up{job="uptime_kuma"} == 1'), 60)


def test_a_declared_window_keeps_kuma_and_alertmanager_silent(
    lab: Any, server: Any, kuma: UptimeKumaApi, eventually: Any
) -> None:
    now = datetime.now(ZoneInfo("Asia/Seoul"))
    start, end = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-5, 30))
    window = {"title": "Release", "apps": ["shop"], "start": start, "end": end}
    assert lab.play(crowsnest_maintenance=[window]).status == 0
    stopped = time.time()
    server.check_output(f"{SHOP} stop --timeout 2 web")
    try:
        eventually(lambda: lab.query('ALERTS{alertname="AppDown",app="shop",alertstate="firing"}'), 90)
        eventually(lambda: len(lab.query('monitor_status{app="shop"} == 3')) == 7, 150)
        time.sleep(20)  # AppDown is critical: its message leaves 10 s after it fires
        assert lab.messages(stopped, "shop: no metrics") == []
    finally:
        server.check_output(f"{SHOP} start web")
        eventually(lambda: not lab.query('ALERTS{alertname="AppDown",app="shop"}'), 90)
        assert lab.play().status == 0


def test_kuma_itself_tells_when_the_alerting_path_is_broken_and_a_silent_job_is_found(
    lab: Any, server: Any, eventually: Any, figure: Any
) -> None:
    eventually(lambda: len(lab.query('monitor_status{monitor_name=~"Alerting path.*|.*clean-up"} == 1')) == 5, 240)
    broken = time.time()
    server.check_output("mv /etc/cron.d/shop-clean-up /root/")
    server.check_output("docker stop crowsnest-alertmanager-1")
    try:
        found = eventually(lambda: lab.messages(broken, "Alerting path"), 330)
        figure("broken alerting path to Slack message", f"{found[0]['received'] - broken:.0f} s")
    finally:
        server.check_output("docker start crowsnest-alertmanager-1")
    try:
        eventually(lambda: lab.query('ALERTS{alertname="JobSilent",monitor_name="shop: job clean-up"}'), 240)
    finally:
        server.check_output("mv /root/shop-clean-up /etc/cron.d/")
    again = eventually(lambda: lab.messages(found[-1]["received"], "Up"), 240)
    assert len([message for message in [*found, *again] if "Alerting path" in str(message)]) <= 3
    eventually(lambda: lab.query('monitor_status{monitor_name="shop: job clean-up"} == 1'), 180)
