# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The matrix of faults: how what was seen is judged, and that each fault is one that can be made."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from lab.fault_course import Post, Seen, complaints, course, declared_wait, posts, settle
from lab.faults import APPS, FAULTS, Fault, by_name
from lab.progress import LabError

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from bench import matrix

FAULT = Fault("db", "make", "repair", ("shop", "database"), alert="PostgresDown")
MADE, REPAIRED = 1000.0, 1300.0


def post(at: float, title: str = "🔴 CRITICAL: shop: database down", edit: bool = False) -> Post:
    return Post(at, title, title, edit)


def seen(*found: Post, wait: float = 60) -> Seen:
    return Seen(MADE, REPAIRED, wait, found)


END = post(REPAIRED + 30, "✅ Resolved: shop: database down")
LATER = post(REPAIRED + 147, "🔴 CRITICAL: errors")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([], "nothing was told"),
        ([post(MADE + 121), END], "first message after 121 s, allowed are 120 s"),
        ([post(REPAIRED + 5), END], "told only after the repair"),
        ([post(MADE + 90, "🔴 CRITICAL: shop: ProbeFailed (2 firing)"), END], "does not name database"),
        ([post(MADE + 90), post(MADE + 120), post(MADE + 150), END], "3 messages before the repair"),
        ([post(MADE + 90)], "0 ends"),
        ([post(MADE + 90), END, END], "2 ends"),
        ([post(MADE + 90), END, LATER], "began during recovery: 🔴 CRITICAL: errors"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(found: list[Post], sentence: str) -> None:
    assert sentence in "; ".join(complaints(FAULT, seen(*found)))


def test_one_message_one_more_and_one_end_are_as_they_should_be() -> None:
    assert complaints(FAULT, seen(post(MADE + 119), post(MADE + 130), END)) == []
    edited = [post(MADE + 90), *(post(MADE + 100 + each, edit=True) for each in range(5)), replace(END, edit=True)]
    assert complaints(FAULT, seen(*edited)) == []
    assert (seen(*edited).edits, len(seen(*edited).before), len(seen(*edited).after)) == (6, 1, 0)


def test_where_two_things_are_told_both_are_named_and_each_has_its_end() -> None:
    two = replace(FAULT, names=("database", "reach slack"), ends=2)
    slack = post(MADE + 95, "🔴 CRITICAL: Alerts do not reach slack")
    assert complaints(two, seen(post(MADE + 90), slack, END, END)) == []
    (sentence,) = complaints(two, seen(post(MADE + 90), post(MADE + 95), END, END))
    assert sentence.startswith("the title does not name reach slack: ")
    assert complaints(two, seen(post(MADE + 90), slack, END)) == ["1 ends"]


def test_an_effect_has_120_seconds_whatever_its_rule_waits() -> None:
    effect = replace(FAULT, kind="effect")
    assert complaints(effect, seen(post(MADE + 121), END)) == ["first message after 121 s, allowed are 120 s"]
    assert complaints(replace(FAULT, severity="high"), seen(post(MADE + 240), END)) == []


def test_a_deploy_is_told_by_no_message_and_a_flap_by_one() -> None:
    assert complaints(by_name("deploy"), seen()) == []
    assert complaints(by_name("deploy"), seen(post(MADE + 50, "🟠"))) == ["told: 🟠"]
    assert complaints(by_name("flap"), seen(post(MADE + 50), post(MADE + 60), END)) == ["2 messages before the repair"]
    assert complaints(by_name("flap"), seen(post(MADE + 50), replace(END, at=REPAIRED - 5))) == []


def message(received: float, title: str, **rest: Any) -> dict[str, Any]:
    return {"id": 1, "received": received, "payload": {"attachments": [{"title": title, "text": "app shop"}]}, **rest}


def test_messages_and_their_edits_are_read_in_order_and_notices_are_none() -> None:
    first = message(1, "🔴 one")["payload"]
    edited = message(1, "✅ one", posted=first, edits=[{"received": 9, "payload": message(9, "✅ one")["payload"]}])
    found = posts([edited, message(5, "🔴 two"), message(6, "💾 Backup done"), message(7, "📋 Week")])
    assert [(each.at, each.title, each.edit) for each in found] == [
        (1, "🔴 one", False), (5, "🔴 two", False), (9, "✅ one", True)
    ]  # fmt: skip
    assert found[0].text == "🔴 one app shop"
    assert found[2].ends


def test_the_text_of_a_message_without_a_title_counts_as_one() -> None:
    section = {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Message*\n[Alerting path] [✅ Up] 200"}]}
    payload = {
        "text": "Uptime Kuma Alert\n[Alerting path] [✅ Up] 200",
        "attachments": [{"color": "#2eb886", "blocks": [section]}],
    }
    (found,) = posts([{"received": 1, "payload": payload}])
    assert found.title == "Uptime Kuma Alert [Alerting path] [✅ Up] 200"
    assert found.ends


class Pages:
    """A lab whose pages answer what a test says, on a clock that only `sleep` moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, messages: list[dict[str, Any]] = []) -> None:  # noqa: B006
        self.now, self.done, self.all, self.firing = MADE, list[tuple[float, str]](), messages, [{"alertname": "A"}]
        clock = {"time": lambda: self.now, "monotonic": lambda: self.now, "sleep": self.sleep}
        monkeypatch.setattr("lab.fault_course.time", type("Clock", (), {k: staticmethod(v) for k, v in clock.items()}))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def get(self, *_: str, **__: str) -> Any:
        rule = {"name": "PostgresDown", "labels": {"severity": "critical"}, "duration": 60}
        return {"data": {"groups": [{"rules": [rule]}]}}

    def messages(self, since: float) -> list[dict[str, Any]]:
        return [each for each in self.all if since < each["received"] <= self.now]

    def query(self, promql: str) -> list[Any]:
        return [(labels, 1.0) for labels in self.firing if promql.startswith("ALERTS")]

    def on_host(self, script: str) -> None:
        self.done.append((self.now - MADE, script))


def test_a_fault_lasts_as_long_as_its_rule_needs_and_is_watched_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, said = Pages(monkeypatch, [message(1090, "🔴 a"), message(1330, "✅ a"), message(1500, "🔴 b")]), list[str]()
    found = course(lab, FAULT, lab.on_host, said.append)  # type: ignore[arg-type]
    assert lab.done == [(0, "make"), (300, "repair")]
    assert [(each.at, each.title) for each in found.posts] == [(1090, "🔴 a"), (1330, "✅ a"), (1500, "🔴 b")]
    assert found.wait == 60
    assert "db repair +30 s: ✅ a" in said
    assert lab.now == pytest.approx(1300 + 360, abs=5), "watched to the end of the time in which nothing may begin"


def test_what_a_fault_breaks_is_repaired_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Pages(monkeypatch)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    lab.sleep = interrupted  # type: ignore[method-assign]
    monkeypatch.setattr("lab.fault_course.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        course(lab, FAULT, lab.on_host, str)  # type: ignore[arg-type]
    assert lab.done[-1][1] == "repair"


def test_a_repair_that_fails_says_what_is_left_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Pages(monkeypatch)

    def on_host(script: str) -> None:
        if script == "repair":
            raise LabError("no such container")

    with pytest.raises(LabError, match="db could not be repaired; on the lab's host: repair\nno such container"):
        course(lab, FAULT, on_host, str)  # type: ignore[arg-type]


def test_an_unknown_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="no rule PostgresDown of severity high"):
        declared_wait(Pages(monkeypatch), replace(FAULT, severity="high"))  # type: ignore[arg-type]


def test_the_next_fault_waits_until_nothing_fires_and_says_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    lab, said = Pages(monkeypatch), list[str]()
    assert settle(lab, said.append, 60, set()) == {"A"}  # type: ignore[arg-type]
    assert said == ["waiting for the end of: A", "still firing after 60 s: A"]
    assert settle(lab, said.append, 60, {"A"}) == set()  # type: ignore[arg-type]


def test_the_next_fault_waits_for_the_ends_of_what_was_told_and_until_they_are_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = [
        message(MADE - 50, "🟠 HIGH: shop is slow; also failing: url"),
        message(MADE + 90, "✅ Resolved: shop is slow"),
    ]
    lab, said = Pages(monkeypatch, told), list[str]()
    lab.firing = []
    assert settle(lab, said.append, 300, set()) == set()  # type: ignore[arg-type]
    assert said == ["waiting for the end of: told: shop is slow"]
    assert lab.now == pytest.approx(MADE + 90 + 75, abs=5)


# --- what is declared -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_makes_and_repairs_a_fault_is_a_script(fault: Fault) -> None:
    for script in (fault.make, fault.repair):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script
    for name in fault.names:
        re.compile(name)


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len(set(matrix.NAMES)) == len(FAULTS)


def test_the_further_apps_may_be_declared() -> None:
    groups = {"server": ["lab1"], "monitored": ["lab1"]}
    assert filters.declaration_mistakes({"crowsnest_apps": list(APPS)}, groups, "/nowhere") == []


def test_every_rule_that_a_fault_names_has_a_runbook() -> None:
    runbooks = {path.stem for path in (Path(__file__).parents[3] / "docs/runbooks").glob("*.md")}
    assert {fault.alert for fault in FAULTS if fault.alert} <= runbooks


# --- the run, and its page --------------------------------------------------------------------------------------------


TITLE = "🔴 CRITICAL: shop: no metrics, database"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(matrix, "RESULTS", tmp_path / "cache/faults.json")
    monkeypatch.setattr(matrix, "PAGE", tmp_path / "faults.md")
    monkeypatch.setattr(matrix, "describe", lambda *_: {"CPU": "one"})
    monkeypatch.setattr(matrix, "settle", lambda *_: set())
    monkeypatch.setattr(matrix.state, "need", lambda _: {})
    monkeypatch.setattr(matrix.Lab, "query", lambda *_: [({}, 1.0)])
    return tmp_path


def test_a_run_that_was_cut_off_goes_on_where_it_ended(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def measured(_lab: Any, fault: Fault, *_: Any) -> Seen:
        made.append(fault.name)
        if fault.name == "redis-stopped" and len(made) < 4:
            raise LabError("redis-stopped could not be repaired")
        return seen(post(MADE + 30, TITLE), END)

    monkeypatch.setattr(matrix, "course", measured)
    words = ["--lab", "demo", "--only", "app-killed,database-stopped,redis-stopped"]
    assert matrix.main(words) == 1
    assert made == ["app-killed", "database-stopped", "redis-stopped"]
    page = (files / "faults.md").read_text()
    assert re.search(r"\| app-killed .*\| 60 s .*\| 30 s .*\| 120 s .*\| 1 and 1 .*\| 1 .*\| yes ", page)
    assert f"\n- app-killed: “{TITLE}”\n" in page
    assert "\n- redis-stopped: not measured: redis-stopped could not be repaired\n" in page
    assert f"2 of {len(FAULTS)} are as they should be." in page
    assert matrix.main(words) == 1, "the title does not name Redis"
    assert made[3:] == ["redis-stopped"]
    assert f"\n- redis-stopped: “{TITLE}”; the title does not name redis" in (files / "faults.md").read_text()
    assert matrix.main([*words[:3], "app-killed", "--again"]) == 0
    assert made[4:] == ["app-killed"]
    assert set(json.loads((files / "cache/faults.json").read_text())) == set(words[3].split(","))
    assert "- flap: not measured: not yet\n" in (files / "faults.md").read_text()
    capsys.readouterr()


def test_several_labs_share_the_faults_that_are_left(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[list[str]] = []

    class Run:
        def __init__(self, command: list[str], **_: Any) -> None:
            self.words = command[command.index("--name") :]

        def wait(self) -> None:
            pass

        def terminate(self) -> None:
            ended.append(self.words)

    monkeypatch.setattr(matrix.subprocess, "Popen", Run)
    record = {"date": "2026-01-01", "despite": [], "seen": asdict(seen(post(MADE + 30, TITLE), END))}
    matrix.record(by_name("redis-stopped"), record, {})
    assert matrix.main(["--labs", "2", "--only", "app-killed,database-stopped,redis-stopped,flap"]) == 1
    shares = [["--name", "faults1", "--only", "app-killed,flap"], ["--name", "faults2", "--only", "database-stopped"]]
    assert ended == shares
    capsys.readouterr()


def test_an_unknown_fault_is_refused_before_a_lab_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "laboratory", lambda *_: pytest.fail("a lab was started"))
    assert matrix.main(["--only", "app-kiled"]) == 2
    assert "app-kiled: there are app-killed, " in capsys.readouterr().err
