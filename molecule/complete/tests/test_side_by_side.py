# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""From a fault to a message: what the one who is woken at night gets to read.

Such tests mostly wait, so all faults that do not touch each other are made at once; each has its own course. Those of
the matrix (molecule/lab/faults.py) are judged as ./crowsnest bench faults judges them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from complete.declared import SHOP_COMPOSE, SHOP_IMAGE
from lab.fault_course import Post, Seen, complaints, course
from lab.faults import by_name


@dataclass(frozen=True)
class Courses:
    """What the courses share."""

    lab: Any
    server: Any
    eventually: Callable[..., Any]
    figure: Callable[[str, str], None]

    def wait_for_well_shop(self) -> None:
        """Until nothing critical of the shop fires, and nothing that was wrong or deployed explains anything."""
        self.eventually(lambda: len(self.lab.query('probe_success{job="probe",app="shop"} == 1')) == 6, 180)
        self.eventually(lambda: not self.lab.query('ALERTS{severity="critical", app=~"shop.*"}'), 300)
        self.eventually(lambda: not self.lab.query('app:cause:explains{app=~"shop.*"}'), 300)

    def shop_faults(self) -> dict[str, Seen]:
        """The faults of the shop, two at a time that do not explain each other; what else is told counts for both."""
        self.wait_for_well_shop()
        seen = self.two_of_shop({"database-stopped": "PostgreSQL of shop", "redis-stopped": "Redis of shop"})
        self.deploy()
        self.wait_for_well_shop()
        return seen | self.two_of_shop({"worker-stopped": "Celery worker", "app-killed": "shop on lab1 is down"})

    def two_of_shop(self, titles: dict[str, str]) -> dict[str, Seen]:
        """{fault: what was told of it}; `titles` are patterns of what is told of each."""
        with ThreadPoolExecutor(len(titles)) as pool:
            started = {
                name: pool.submit(
                    self.course,
                    name,
                    r"\bshop\b",
                    "|".join(
                        [r"job clean-up|exporter|metabase|\[TEST\]", *(titles[it] for it in titles if it != name)]
                    ),
                )
                for name in titles
            }
            return {name: future.result() for name, future in started.items()}

    def course(self, name: str, mine: str, others: str) -> Seen:
        """What was told of a fault of the matrix, which lasts for a shorter time than in the bench.

        Messages without `mine`, or with `others` in the title, belong to other courses.
        """

        def belongs(post: Post) -> bool:
            return bool(re.search(mine, post.text)) and not re.search(others, post.title)

        on_host = self.server.check_output
        seen = course(self.lab, by_name(name), on_host, print, watch=210, beyond=90, mine=belongs)
        if seen.first:
            self.figure(f"{name} to Slack message", f"{seen.first.at - seen.made:.0f} s")
        return seen

    def deploy(self) -> None:
        """The shop's web gets a new image of the old name; back when that is recorded, and that it has started."""
        begun = time.time()
        image = f"FROM {SHOP_IMAGE}\nLABEL release={begun}\n"
        self.server.check_output(f"printf '{image}' | docker build --quiet --tag {SHOP_IMAGE} - 2>&1")
        self.server.check_output(f"{SHOP_COMPOSE} up --detach web 2>&1")
        started = 'container_start_time_seconds{container="shop-web-1"}'
        for newest in ('app:deployed:time_seconds{app="shop", part="web"}', started):
            self.eventually(lambda newest=newest: self.lab.query(f"{newest} > {begun}"), 150)
        time.sleep(30)  # two evaluations of the rules: now it explains what the shop shows

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

    def stack_faults(self) -> tuple[Seen, dict[str, Any]]:
        """An exporter is gone, then Metabase restarts again and again: both are told of the stack."""
        return self.course("exporter-gone", "query.exporter", "metabase"), self.restart_loop()

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


COURSES = ("shop_faults", "silent_job", "stack_faults", "heartbeats", "alerts_on_trial", "weekly_message")


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


@pytest.mark.parametrize("name", ["database-stopped", "redis-stopped", "worker-stopped", "app-killed"])
def test_a_fault_of_the_shop_is_told_by_its_cause_and_ends_once(results: Any, name: str) -> None:
    assert complaints(by_name(name), results["shop_faults"].result()[name]) == []


def test_an_exporter_that_is_gone_is_told_once(results: Any) -> None:
    seen, _ = results["stack_faults"].result()
    assert complaints(by_name("exporter-gone"), seen) == []


def test_a_message_says_where_since_when_and_what_to_do(results: Any) -> None:
    first = results["shop_faults"].result()["app-killed"].first
    for part in ("app shop", "host lab1", "Since:", "KST", "Value: up = 0", "/AppDown.md|Runbook>"):
        assert part in first.text
    assert "Deployed: image of web changed" in first.text


def test_the_message_of_the_week_arrives_with_every_part(results: Any) -> None:
    message = results["weekly_message"].result()
    text = attachment(message)["text"]
    for part in ("Availability:", "Slowest pages", "KPIs", "Backups:", "Disks:", "Images older"):
        assert part in text
    assert "shop Orders today: " in text
    assert "Alerts, how often" in text or "no alert fired" in text


def test_a_job_that_reports_nothing_is_found_and_found_again(results: Any) -> None:
    results["silent_job"].result()


def test_a_restart_loop_is_told(results: Any) -> None:
    assert "restarts again and again" in json.dumps(results["stack_faults"].result()[1])


def test_the_dead_mans_switch_beats_every_minute(results: Any) -> None:
    assert results["heartbeats"].result() >= 2


def test_test_alerts_of_every_severity_arrive(results: Any) -> None:
    run, titles = results["alerts_on_trial"].result()
    assert run.status == 0, run.output
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
        assert any(severity in each for each in titles), titles
