# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""uptime_kuma as Ansible runs it, in-process, with a real Uptime Kuma: what it makes, changes, predicts and removes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from called_docker import Docker
from kuma_module import ALL, SITE, Run, Wire, runner
from uptime_kuma import DELETIONS, Kuma


def test_the_first_run_makes_everything_and_the_second_nothing(
    new_kuma: Kuma, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runner(new_kuma.url, capsys)
    first = run(**ALL)
    assert (first["changed"], first["version"][:2], first["restarted"]) == (True, "2.", False)
    assert first["counts"] == {"created": 12, "changed": 1, "removed": 0}
    monitors = {each["name"]: each for each in new_kuma.rows("monitor")}
    assert monitors["shop: website"]["parent"] == monitors["shop"]["id"]
    assert [monitors[name]["active"] for name in ("job", "c")] == [1, 0]
    wire.calls.clear()
    second = run(**ALL)
    assert (second["changed"], second["changes"], second["diff"]) == (False, [], {"before": "", "after": ""})
    assert wire.writes == []


def test_check_mode_predicts_what_a_run_does_and_writes_nothing(
    new_kuma: Kuma, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runner(new_kuma.url, capsys)
    stages: list[dict[str, Any]] = [
        ALL,
        {**ALL, "monitors": ALL["monitors"][1:], "status_pages": [], "maintenances": []},
        {"monitors": [{**SITE, "interval": 30}]},
    ]
    for options in stages:
        wire.calls.clear()
        predicted = run(check=True, **options)
        assert wire.writes == []
        if options is not ALL:
            assert wire.calls.count("login") == 1
        done = run(**options)
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        assert done["changed"] is True


@pytest.mark.parametrize("event", ["add", "addMonitorTag", "resumeMonitor", "addStatusPage", "saveStatusPage"])
def test_a_lost_connection_says_after_what_and_the_next_run_goes_on(
    run: Run, kuma: Kuma, wire: Wire, event: str
) -> None:
    wire.dies_at = event
    message = run(**ALL)["msg"]
    assert "was lost after create " in message and "run it again, it goes on from there" in message
    assert run(**ALL)["changed"] is True
    assert run(**ALL)["changed"] is False
    assert sorted(each["name"] for each in kuma.rows("monitor")) == ["a", "c", "job", "shop", "shop: website"]
    assert len(kuma.rows("status_page")) == 1


def test_a_refusal_names_the_change_and_no_values(run: Run, wire: Wire) -> None:
    wire.refused["add"] = "insert into `monitor` (`a`) values ('SECRET-X') - SQLITE_ERROR: no column a"
    message = run(monitors=[SITE])["msg"]
    assert "refuses to create monitor shop: website: SQL error SQLITE_ERROR: no column a." in message


def test_ours_edited_by_hand_is_put_right_and_the_rest_is_left(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    site, job = kuma.one("monitor", name="shop: website"), kuma.one("monitor", name="job")
    tag = kuma.rows("monitor_tag", monitor_id=site["id"])[0]["tag_id"]
    kuma.edit("monitor", site["id"], interval=999, parent=None)
    kuma.database.execute("DELETE FROM monitor_notification WHERE monitor_id = ?", [site["id"]])
    kuma.add("monitor_tag", monitor_id=site["id"], tag_id=tag, value="mine")
    kuma.edit("monitor", job["id"], active=0)
    kuma.copy("monitor", job, name="mine", description="", push_token="mine")
    before = kuma.one("monitor", name="mine")
    assert [line.split(":")[0] for line in run(**ALL)["changes"]] == ["change monitor job", "change monitor shop"]
    assert run(**ALL)["changed"] is False
    assert kuma.one("monitor", name="mine") == before


def test_our_incident_is_edited_and_taken_off(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    page = ALL["status_pages"][0]
    for incident, titles in (({"title": "Slower", "content": "x"}, ["Slower"]), (None, [])):
        run(**{**ALL, "status_pages": [{**page, "incident": incident}]})
        assert kuma.incidents("status") == titles


def test_what_is_no_longer_declared_goes(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    assert run()["counts"]["removed"] == 9
    assert [table for table in DELETIONS if kuma.rows(table)] == ["tag"]


def test_a_page_made_by_hand_is_refused_before_anything_is_written(run: Run, kuma: Kuma, wire: Wire) -> None:
    with kuma.hands() as client:
        client.add_status_page("theirs", "Mine")
    options = {**ALL, "maintenances": [], "status_pages": [{"slug": "theirs", "title": "Status", "groups": []}]}
    assert "1 mistake: status page theirs was made by hand" in run(**options)["msg"]
    assert wire.writes == []


def test_a_copy_made_by_hand_is_warned_about(run: Run, kuma: Kuma) -> None:
    run(monitors=[SITE])
    kuma.copy("monitor", kuma.one("monitor"), name="My copy")
    result = run(monitors=[SITE])
    assert result["changed"] is False
    assert "My copy" in str(result["warnings"])


def test_a_new_tag_restarts_kuma_once(run: Run, kuma: Kuma, wire: Wire, docker: Docker, tmp_path: Path) -> None:
    docker.works.touch()
    state = tmp_path / "state"
    state.mkdir()
    options = {**ALL, "container": kuma.container, "state_directory": str(state), "timeout": 60}
    result = run(**options)
    assert (result["restarted"], docker.commands) == (True, [f"restart {kuma.container}"])
    assert (wire.calls.count("login"), wire.calls.count("loginByToken")) == (1, 1)
    assert wire.calls.index("loginByToken") < wire.calls.index("add")  # before monitors, whose labels need it
    assert run(**options)["restarted"] is False
    assert list(state.iterdir()) == []


def test_a_restart_that_failed_is_made_up_for(run: Run, docker: Docker, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    options = {**ALL, "container": "kuma", "state_directory": str(state)}
    docker.fails.touch()
    assert run(**options)["msg"] == "Uptime Kuma cannot be restarted: No such container"
    docker.fails.unlink()
    assert run(check=True, **options)["restarted"] is True
    assert run(**options)["restarted"] is True
    assert run(**options)["changed"] is False


def test_version_1_has_no_tags_as_labels_and_is_not_restarted(run: Run, wire: Wire, docker: Docker) -> None:
    wire.version = "1.23.17"
    assert run(**ALL, container="kuma")["restarted"] is False
    assert docker.commands == []
