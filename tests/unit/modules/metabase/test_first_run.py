# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""metabase on a new and on a settled Metabase: what it makes, predicts, shows and asks."""

from __future__ import annotations

import stat

import pytest
from clock import Clock
from metabase_by_hand import moved_card, sql_by_hand
from metabase_in_process import Databases, Double
from metabase_module import Runner, changed, settled


def test_the_first_run_makes_everything_and_the_second_nothing(metabase: Double, run: Runner) -> None:
    result = run()
    assert (result["changed"], result["changes"], result["version"]) == (True, run.first, "0.61.2")
    assert (result["failed_questions"], result["failed_databases"]) == ([], [])
    assert stat.S_IMODE(run.file.stat().st_mode) == 0o600
    settled(run, metabase)
    assert not any("archived" in request for request in metabase.requests)
    assert metabase.requests.count("GET /api/health") == 1
    assert len(metabase.requests) == len(set(metabase.requests)) == 12


def test_what_it_makes_is_as_declared(ready: Double) -> None:
    card = ready.one("card", "Revenue")
    assert card["entity_id"] == "crowsnestASnpqGJJS4AX"  # made of the key, the same for ever
    assert card["collection_id"] == ready.one("collection", "Sales")["id"]
    tags = card["dataset_query"]["stages"][0]["template-tags"]
    assert (tags["period"]["widget-type"], tags["city"]["widget-type"]) == ("date/all-options", "string/=")
    field = next(row for row in ready.store.all("field") if row["name"] == "created_at")
    assert [tags["period"]["dimension"][index] for index in (0, 2)] == ["field", field["id"]]
    dashboard = ready.one("dashboard", "The shop")
    assert (dashboard["width"], dashboard["description"], dashboard["caveats"]) == ("full", None, "crowsnest:shop")
    assert [(each["slug"], each["type"], each.get("default")) for each in dashboard["parameters"]] == [
        ("period", "date/all-options", "past30days"),
        ("city", "string/=", None),
    ]
    mappings = {each["card_id"]: each["parameter_mappings"] for each in dashboard["dashcards"]}
    assert {each["target"][1][1] for each in mappings[card["id"]]} == {"period", "city"}
    assert mappings[ready.one("card", "Orders")["id"]] == []
    pulse = ready.one("pulse", "Shop weekly")
    assert pulse["channels"][0]["recipients"] == [{"email": "boss@example.com"}]
    assert (pulse["channels"][0]["schedule_type"], pulse["channels"][0]["schedule_day"]) == ("weekly", "mon")
    assert ready.one("user", "ann@example.com")["group_ids"] == [1, ready.one("group", "Sales")["id"]]
    assert ready.ask("GET", "setting/site-url") == "https://bi.example.com"
    assert ready.one("collection", "Shop")["description"].startswith("All of it\n\nManaged by crowsnest (shop)")


@pytest.mark.parametrize("set_up", [False, True], ids=["new", "there"])
def test_check_mode_writes_nothing_and_predicts_the_run(metabase: Double, run: Runner, set_up: bool) -> None:
    if set_up:
        run(changed(questions=[], dashboards=[], subscriptions=[]))
        metabase.requests.clear()
    predicted = run(check=True)
    assert metabase.writes == []
    assert run.file.exists() is set_up
    result = run()
    assert predicted["changes"] == result["changes"] and len(result["changes"]) > 3


def test_check_mode_of_a_metabase_that_does_not_run_yet(run: Runner, closed_url: str) -> None:
    result = run(check=True, url=closed_url)
    assert result["changes"][-1] == run.first[-1] and "empty Metabase" in result["msg"]
    assert not run.file.exists()


def test_check_mode_with_the_password_makes_no_key(ready: Double, run: Runner) -> None:
    run.file.unlink()
    result = run(check=True)
    assert result["changes"][0] == f"create API key crowsnest in {run.file}"
    assert ready.writes == [] and not run.file.exists()


def test_new_sql_is_run(metabase: Double, run: Runner) -> None:
    run()
    numbers = [card["id"] for card in metabase.store.all("card")]
    assert [request for request in metabase.requests if "/query" in request] == [
        f"POST /api/card/{number}/query" for number in numbers
    ]


def test_only_changed_sql_is_run(ready: Double, run: Runner) -> None:
    run(changed(questions_1={"sql": "SELECT 2", "display": "table"}, questions_0={"name": "Takings"}))
    number = ready.one("card", "Orders")["id"]
    assert [request for request in ready.requests if "query" in request] == [f"POST /api/card/{number}/query"]


def test_it_waits_for_the_columns_of_a_new_database(
    metabase: Double, run: Runner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronise = Databases.sync
    monkeypatch.setattr(
        Databases, "sync", lambda self, number: clock.later.append((20, lambda: synchronise(self, number)))
    )
    assert run()["failed_questions"] == []
    assert clock.now == 20


def test_another_form_than_was_sent_is_told_once_and_then_known(metabase: Double, run: Runner) -> None:
    declared = changed(settings={"landing-page": "dashboard/1"})
    result = run(declared)
    assert result["warnings"] == ["Metabase keeps landing-page of settings in a different form than declared."]
    settled(run, metabase, declared)
    metabase.ask("PUT", "setting/landing-page", {"value": "/by-hand"})
    assert run(declared)["changes"] == ["change settings: landing-page"]
    settled(run, metabase, declared)
    assert run(changed(settings={"landing-page": "dashboard/2"}))["changes"] == ["change settings: landing-page"]


def test_the_diff_shows_what_changes_and_no_secret(ready: Double, run: Runner) -> None:
    sql_by_hand(ready)
    result = run(changed(questions_1={"sql": "SELECT count(*)\nFROM orders"}))
    assert result["diff"] == {
        "before": "question Orders:\n  sql: SELECT 1\n",
        "after": "question Orders:\n  sql: |\n    SELECT count(*)\n    FROM orders\n",
    }
    moved_card(ready)
    lines = run(check=True)["diff"]["before"].splitlines()
    assert lines[lines.index("  cards:") + 1].startswith('    - {"row": 0, "col": 18,')


def test_mistakes_come_before_anything_is_asked(metabase: Double, run: Runner) -> None:
    message = run(changed(questions_0={"collection": "x", "database": ""}))["msg"]
    assert "nothing was changed, 2 mistakes: questions[0] (shop/revenue).database: is missing; " in message
    message = run(changed(questions_0={"display": "chart"}))["msg"]
    assert message.startswith("value of display must be one of: table, ") and "got: chart found in quest" in message
    assert metabase.requests == []
