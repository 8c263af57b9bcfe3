# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""From a fault to a message: what the one who is woken at night gets to read.

Such tests mostly wait, so all faults that do not touch each other are made at once; each has its own course.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from complete.declared import SHOP_COMPOSE, SHOP_IMAGE


@dataclass(frozen=True)
class Courses:
    """What the courses share."""

    lab: Any
    server: Any
    eventually: Callable[..., Any]
    figure: Callable[[str, str], None]

    def wait_for_well_shop(self) -> None:
        """Until nothing of the shop fires, and nothing that was wrong with it or deployed explains a fault any more."""
        self.eventually(lambda: len(self.lab.query('probe_success{job="probe",app="shop"} == 1')) == 6, 180)
        self.eventually(lambda: not self.lab.query('ALERTS{alertname=~"AppDown|PostgresDown|Probe.+",app="shop"}'), 240)
        self.eventually(lambda: not self.lab.query('app:cause:explains{app="shop"}'), 300)

    def broken_shop(self) -> dict[str, Any]:
        """First its database is down, then all of it: {what: what was seen}."""
        self.wait_for_well_shop()
        database = self.stopped_database()
        self.deploy()
        self.wait_for_well_shop()
        return {"database": database, **self.stopped_app()}

    def stopped_database(self) -> dict[str, Any]:
        stopped = time.time()
        self.server.check_output(f"{SHOP_COMPOSE} stop --timeout 2 db")
        try:
            self.eventually(lambda: self.lab.query('probe_success{probe="database"} == 0'), 60)
            told = self.eventually(lambda: self.lab.messages(stopped, "PostgreSQL of shop"), 75)
            others = self.lab.query('probe_success{probe=~"redis|celery"}')
        finally:
            self.server.check_output(f"{SHOP_COMPOSE} start db")
        self.eventually(lambda: self.lab.query('probe_success{probe="database"} == 1'), 120)
        self.eventually(lambda: self.lab.messages(stopped, "Resolved: PostgreSQL of shop"), 240)
        critical = map(title, self.lab.messages(stopped, "CRITICAL"))
        return {
            "other components": {labels["probe"]: value for labels, value in others},
            "seconds": told[0]["received"] - stopped,
            "critical": [each for each in critical if "shop" in each],
        }

    def stopped_app(self) -> dict[str, Any]:
        stopped = time.time()
        self.server.check_output(f"{SHOP_COMPOSE} stop --timeout 2 web")
        try:
            told = self.eventually(lambda: self.lab.messages(stopped, "shop on lab1 is down"), 75)
        finally:
            self.server.check_output(f"{SHOP_COMPOSE} start web")
        resolved = self.eventually(lambda: self.lab.messages(stopped, "Resolved: shop on lab1 is down"), 300)
        return {"seconds": told[0]["received"] - stopped, "message": told[0], "resolved": resolved[0]}

    def deploy(self) -> None:
        """The shop's web gets a new image of the old name; back when that is recorded."""
        begun = time.time()
        image = f"FROM {SHOP_IMAGE}\nLABEL release={begun}\n"
        self.server.check_output(f"printf '{image}' | docker build --quiet --tag {SHOP_IMAGE} - 2>&1")
        self.server.check_output(f"{SHOP_COMPOSE} up --detach web 2>&1")
        self.eventually(lambda: self.lab.query(f'app:deployed:time_seconds{{app="shop", part="web"}} > {begun}'), 120)

    def weekly_message(self) -> dict[str, Any]:
        """The message of the week, sent now by hand."""
        begun = time.time()
        self.server.check_output("python3 /opt/crowsnest/weekly_report/weekly_report.py --now")
        return dict(self.eventually(lambda: self.lab.messages(begun, "Week of development"), 60)[0])

    def silent_job(self) -> None:
        """Cron does not run the job any more; then it does again."""
        monitor = 'monitor_name="shop: job clean-up"'
        self.eventually(lambda: self.lab.query(f"monitor_status{{{monitor}}} == 1"), 240)
        self.server.check_output("mv /etc/cron.d/shop-clean-up /root/")
        try:
            self.eventually(lambda: self.lab.query(f'ALERTS{{alertname="JobSilent",{monitor}}}'), 420)
        finally:
            self.server.check_output("mv /root/shop-clean-up /etc/cron.d/")
        self.eventually(lambda: self.lab.query(f"monitor_status{{{monitor}}} == 1"), 180)

    def restart_loop(self) -> dict[str, Any]:
        """Metabase is killed as soon as Docker has started it again."""
        start = time.time()
        inspect = "docker inspect --format '{{.State.Pid}} {{.RestartCount}}' crowsnest-metabase-1"

        def look(field: int) -> int:
            return int(self.server.check_output(inspect).split()[field])

        first = look(1)
        for number in range(1, 5):
            process = self.eventually(lambda: look(0), 60)
            self.server.check_output(f"kill -9 {process}")
            time.sleep(10)  # so that it is seen in between
            self.eventually(lambda: look(1) >= first + number, 60)  # noqa: B023 - waited for here
        found = self.eventually(lambda: self.lab.messages(start, "crowsnest-metabase-1"), 240)
        self.figure("restart loop to Slack message", f"{found[0]['received'] - start:.0f} s")
        well = 'probe_success{job="service_probe", service="metabase"} == 1'
        self.eventually(lambda: self.lab.query(well), 120)
        return dict(found[0])

    def heartbeats(self) -> int:
        """How many arrived in three minutes."""

        def count() -> int:
            return int(self.lab.get("slack_catcher", "/heartbeats")["lab"]["count"])

        first = count()
        self.eventually(lambda: count() > first, 75)
        self.eventually(lambda: count() > first + 1, 75)
        return count() - first

    def alerts_on_trial(self) -> tuple[Any, set[str]]:
        """(run, titles of the messages) of `./crowsnest alert-test`."""
        begun = time.time()
        run = self.lab.play(playbook="playbooks/alert_test.yml")
        return run, {title(message) for message in self.lab.messages(begun, "[TEST]")}


COURSES = ("broken_shop", "silent_job", "restart_loop", "heartbeats", "alerts_on_trial", "weekly_message")


@pytest.fixture(scope="module")
def results(lab: Any, server: Any, eventually: Any, figure: Any) -> Iterator[dict[str, Future[Any]]]:
    """{course: what it saw} of all courses, begun together; a course that fails does so in its own test."""
    courses = Courses(lab, server, eventually, figure)
    with ThreadPoolExecutor(len(COURSES)) as pool:
        yield {name: pool.submit(getattr(courses, name)) for name in COURSES}


def attachment(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message["payload"]["attachments"][0]
    return found


def title(message: dict[str, Any]) -> str:
    return str(attachment(message)["title"])


def test_a_stopped_app_is_reported_within_a_minute_and_then_resolved(results: Any, figure: Any) -> None:
    seen = results["broken_shop"].result()
    figure("stopped app to Slack message", f"{seen['seconds']:.0f} s")
    assert seen["seconds"] < 60
    assert title(seen["message"]).startswith("🔴 CRITICAL: shop on lab1 is down")
    for part in ("app shop", "host lab1", "Since:", "KST", "Value: up = 0", "/AppDown.md|Runbook>"):
        assert part in attachment(seen["message"])["text"]
    assert title(seen["resolved"]).startswith("✅")
    assert "Deployed: image of web changed" in attachment(seen["message"])["text"]


def test_the_message_of_the_week_arrives_with_every_part(results: Any) -> None:
    message = results["weekly_message"].result()
    text = attachment(message)["text"]
    for part in ("Availability:", "Slowest pages", "KPIs", "Backups:", "Disks:", "Images older"):
        assert part in text
    assert "shop Orders today: " in text
    assert "Alerts, how often" in text or "no alert fired" in text


def test_a_database_that_is_down_is_one_message_which_names_it(results: Any, figure: Any) -> None:
    """Its component in the health answer fails too, which the same message says; nothing else is critical."""
    seen = results["broken_shop"].result()["database"]
    figure("stopped database to Slack message", f"{seen['seconds']:.0f} s")
    assert seen["seconds"] < 70
    assert seen["other components"] == {"redis": 1.0, "celery": 1.0}
    (told,) = seen["critical"]
    assert told.startswith("🔴 CRITICAL: PostgreSQL of shop cannot be reached; also failing: ")
    assert "database" in told


def test_a_job_that_reports_nothing_is_found_and_found_again(results: Any) -> None:
    results["silent_job"].result()


def test_a_restart_loop_is_told(results: Any) -> None:
    assert "restarts again and again" in json.dumps(results["restart_loop"].result())


def test_the_dead_mans_switch_beats_every_minute(results: Any) -> None:
    assert results["heartbeats"].result() >= 2


def test_test_alerts_of_every_severity_arrive(results: Any) -> None:
    run, titles = results["alerts_on_trial"].result()
    assert run.status == 0, run.output
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
        assert any(severity in each for each in titles), titles
