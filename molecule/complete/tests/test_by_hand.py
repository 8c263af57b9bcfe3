# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What people and accidents changed: verify finds it, --check shows it, one run puts it right, what is theirs stays.

Everything is changed at once, so that five runs tell what each fault does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from complete.declared import MONITORS, QUESTIONS, one_line
from complete.people import change_monitors, change_questions, remove_own
from lab.metabase_client import Metabase
from uptime_kuma_api import UptimeKumaApi

# A data source behind a login that knows another password, as a server of one's own would be.
LOCKED = """
import http.server
class Locked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
    do_POST = do_GET
http.server.HTTPServer(("127.0.0.1", 9099), Locked).serve_forever()
"""
WRONG_PASSWORD = r"""
import pathlib
path = pathlib.Path("/opt/crowsnest/grafana/current/provisioning/datasources/crowsnest.yml")
text = path.read_text()
login = "basicAuth: true\n  basicAuthUser: reader\n  secureJsonData: {basicAuthPassword: wrong}"
path.write_text(text.replace("127.0.0.1:9090", "127.0.0.1:9099\n  " + login))
"""
CURRENT = "/opt/crowsnest/{}/current"


@dataclass(frozen=True)
class Fault:
    """What is broken on the host, and the words of one failed check that finds it.

    `mend`: the command that puts it right where `site` only tells it.
    """

    commands: tuple[str, ...]
    words: tuple[str, ...]
    mend: str = ""


FAULTS = {
    "a stopped container": Fault(("docker stop crowsnest-blackbox-1",), ("containers", "blackbox")),
    "a changed file": Fault(
        (f"sed -i 's/summary: .*/summary: nothing/' {CURRENT.format('prometheus')}/rules/host.yml",),
        ("files", "rules/host.yml"),
    ),
    "a changed setting": Fault(
        (f"sed -i 's/evaluation_interval: .*/evaluation_interval: 7m/' {CURRENT.format('prometheus')}/prometheus.yml",),
        ("files", "prometheus.yml"),
    ),
    "an extra published port, and no firewall": Fault(
        (
            "docker run --detach --name stray --publish 5433:5432 --entrypoint sleep "
            "$(docker inspect --format '{{.Config.Image}}' crowsnest-blackbox-1) 3600",
            "nft delete table inet crowsnest",
        ),
        ("ports", "lab1", "the firewall is not as declared"),
    ),
    "a wrong password in a data source": Fault(
        (
            f"systemd-run --quiet --unit locked-prometheus python3 -c '{LOCKED}'",
            f"python3 -c '{WRONG_PASSWORD}'",
            "docker restart crowsnest-grafana-1",
        ),
        ("data source prometheus", "refuses Grafana's login"),
    ),
    "a deleted dashboard": Fault(
        (f"rm {CURRENT.format('grafana')}/dashboards/operations/host.json",), ("dashboards", "host")
    ),
    "a lost key": Fault(
        ("rm /var/lib/crowsnest/prometheus_keys/uptime_kuma",), ("services", "key for its metrics cannot be read")
    ),
    "a memory limit changed by hand": Fault(
        ("docker update --memory 300m --memory-swap 300m crowsnest-alertmanager-1",),
        ("containers", "alertmanager"),
        "docker compose --file /opt/crowsnest/compose.yaml up --detach --force-recreate alertmanager",
    ),
}


@dataclass(frozen=True)
class Story:
    """The runs, and {names of questions}, {names of monitors} after the first of them."""

    predicted: Any
    run: Any
    again: Any
    after_check: tuple[set[str], set[str]]


def failures(run: Any) -> list[str]:
    """`AREA DETAIL` of each failed check."""
    lines = [line.strip() for line in run.output.splitlines()]
    return [" ".join(line.split()[1:]) for line in lines if line.startswith("FAIL ")]


def healthy(lab: Any) -> Any:
    """The first verification that passes: what was just restarted must be read twice."""
    end = time.monotonic() + 120
    while (run := lab.play(playbook="playbooks/verify.yml")).status != 0:
        assert time.monotonic() < end, run.output
    return run


@dataclass(frozen=True)
class Edits:
    """What was there before people changed it, and what they made."""

    questions: dict[str, dict[str, Any]]
    own_question: int
    monitors: dict[str, int]
    own_monitor: dict[str, Any]


@pytest.fixture(scope="module")
def edits(metabase_login: Callable[[], Metabase], kuma_login: Any) -> Iterator[Edits]:
    """An afternoon of people in Metabase and Uptime Kuma; at the end what is theirs goes."""
    questions, own_question = change_questions(metabase_login())
    with kuma_login() as kuma:
        ours, own_monitor = change_monitors(kuma)
    yield Edits(questions, own_question, ours, own_monitor)
    with kuma_login() as kuma:
        remove_own(metabase_login(), own_question, kuma, own_monitor["id"])


@pytest.fixture(scope="module")
def found(lab: Any, server: Any, edits: Edits) -> Iterator[Any]:
    """What verify says after all faults; at the end what they left behind goes."""
    for fault in FAULTS.values():
        for command in fault.commands:
            server.check_output(command.strip())
    time.sleep(20)  # Grafana looks for its dashboards every 15 s
    yield lab.play(playbook="playbooks/verify.yml")
    server.check_output("systemctl stop locked-prometheus; docker rm --force stray")


@pytest.fixture(scope="module")
def story(lab: Any, server: Any, edits: Edits, found: Any, metabase_login: Any, monitors: Any) -> Story:
    """--check, site, mend, verify, site."""
    predicted = lab.play("--check", "--diff")
    after_check = set(metabase_login().cards()), set(monitors())
    run = lab.play("--diff")
    for fault in FAULTS.values():
        if fault.mend:
            server.check_output(fault.mend)
    healthy(lab)
    return Story(predicted, run, lab.play(), after_check)


@pytest.mark.parametrize("what", FAULTS)
def test_verify_finds_it(found: Any, what: str) -> None:
    assert any(all(word in line for word in FAULTS[what].words) for line in failures(found)), found.output


@pytest.mark.usefixtures("found")
def test_a_service_that_ended_well_is_a_fault_too_and_its_database_is_closed(lab: Any, server: Any) -> None:
    server.check_output("docker stop crowsnest-uptime_kuma-1")
    try:
        assert server.check_output("docker inspect --format '{{.State.ExitCode}}' crowsnest-uptime_kuma-1") == "0"
        assert server.check_output("find /var/lib/crowsnest/uptime_kuma -name 'kuma.db-*'") == ""
        run = lab.play(playbook="playbooks/verify.yml")
    finally:
        server.check_output("docker start crowsnest-uptime_kuma-1")
    assert run.status != 0
    assert "uptime_kuma is exited with exit code 0" in one_line(run.output)


def test_what_runs_and_is_not_declared_is_a_block_to_copy(found: Any) -> None:
    assert "On lab1: stray (" in found.output
    assert "- {name: stray, container: stray}" in found.output
    assert "shop-web-1 (" not in found.output


@pytest.mark.parametrize("what", FAULTS)
def test_one_run_puts_it_right_or_tells_it_again(story: Story, what: str) -> None:
    found = failures(story.run)
    told = any(all(word in line for word in FAULTS[what].words) for line in found)
    assert told == bool(FAULTS[what].mend), story.run.output


def test_the_next_run_changes_nothing(story: Story) -> None:
    assert story.again.status == 0, story.again.output
    assert story.again.recap["changed"] == 0, story.again.output


def test_check_mode_shows_what_the_run_does_and_writes_nothing(story: Story) -> None:
    assert story.predicted.status == 0, story.predicted.output
    for output in (story.predicted.output, story.run.output):
        for part in ("Renamed by hand", "name: Web!", "interval: 300", "interval: 60", "monitor shop: health",
                     "active: true", "-  evaluation_interval: 7m"):  # fmt: skip
            assert part in output, part
        assert "X-A" not in output
        assert "of mine" not in output
    cards, monitors = story.after_check
    assert "Renamed by hand" in cards
    assert {"Web!", "shop: health"} & monitors == {"Web!"}


def test_questions_are_as_declared_and_those_of_people_stay(story: Story, edits: Edits, metabase: Metabase) -> None:
    after = metabase.cards()
    expected = {name: card["id"] for name, card in edits.questions.items()} | {"My question": edits.own_question}
    assert {name: card["id"] for name, card in after.items()} == expected
    assert "/* mine */" not in after["Sales by region"]["dataset_query"]["stages"][0]["native"]
    names = [card["card"]["name"] for card in metabase.dashboard()["dashcards"]]
    assert sorted(names) == sorted([*QUESTIONS, "My question"])


def test_monitors_are_as_declared_and_those_of_people_stay(
    story: Story, edits: Edits, kuma: UptimeKumaApi, monitors: Any, status_page: Any
) -> None:
    found = monitors()
    assert set(found) == {*MONITORS, "of mine"}
    website = found["shop: website"]
    assert (website["id"], website["interval"], website["headers"]) == (edits.monitors["shop: website"], 60, None)
    assert found["shop: celery"]["active"]
    assert kuma.get_monitor(edits.own_monitor["id"]) == edits.own_monitor
    assert "of mine" in {notification["name"] for notification in kuma.get_notifications()}
    assert status_page("by-hand").status_code == 200


@pytest.mark.usefixtures("story")
def test_a_status_page_that_somebody_made_is_not_taken_over(lab: Any) -> None:
    refused = lab.play(crowsnest_status_pages=[{"slug": "by-hand", "title": "Mine"}])
    assert refused.status != 0
    assert "status page by-hand was made by hand" in one_line(refused.output)
