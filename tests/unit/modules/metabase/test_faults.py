# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""metabase when Metabase, a database, a question or a setting does not do what is declared."""

from __future__ import annotations

import time

import pytest
from clock import Clock
from metabase_in_process import Double, Shop
from metabase_module import DECLARED, Row, Runner, changed, set_up_by_hand, settled


def test_it_waits_until_metabase_is_ready(metabase: Double, run: Runner) -> None:
    metabase.faults.starting = 30
    assert run()["changes"] == run.first


def test_a_metabase_that_never_gets_ready(metabase: Double, run: Runner) -> None:
    metabase.faults.starting = 10_000
    result = run(timeout=60)
    assert "is not ready after 60 seconds, its last state: HTTP 503" in result["msg"] and "0.5" in result["msg"]


@pytest.mark.parametrize("tag, good", [("v0.58.0", True), ("v1.61.2", True), ("v0.57.9", False), ("vUNKNOWN", False)])
def test_versions(metabase: Double, run: Runner, monkeypatch: pytest.MonkeyPatch, tag: str, good: bool) -> None:
    monkeypatch.setattr("double.settings.VERSION", tag[1:])
    result = run()
    assert result.get("version") == (tag[1:] if good else None)
    assert good or f"is version {tag}; this module knows 0.58 and later" in result["msg"]


@pytest.mark.parametrize("other", [{"email": "other@example.com"}, {"password": "other-1"}])
def test_an_account_made_by_hand(metabase: Double, run: Runner, other: Row) -> None:
    set_up_by_hand(metabase, **other)
    message = run()["msg"]
    assert "refuses the login of admin@example.com" in message and "crowsnest_metabase_admin_password" in message
    assert "reset-password admin@example.com" in message
    assert metabase.requests.count("POST /api/session") == 1


def wrong_logins(metabase: Double, count: int) -> None:
    """After 10 of them Metabase takes no login for a while, longer with every further one."""
    metabase.api.people.attempts["admin@example.com"] = [time.time()] * count


def test_a_throttled_login_waits_once(ready: Double, run: Runner, clock: Clock) -> None:
    run.file.unlink()
    wrong_logins(ready, 10)
    assert run()["changed"]
    assert ready.requests.count("POST /api/session") == 2
    run.file.unlink()
    wrong_logins(ready, 10)
    clock.speed = 0.5
    assert "refuses all logins of admin@example.com for now" in run()["msg"]
    assert ready.requests.count("POST /api/session") == 4


def test_a_login_that_is_throttled_for_long_is_not_waited_for(ready: Double, run: Runner, clock: Clock) -> None:
    run.file.unlink()
    wrong_logins(ready, 14)
    assert "Wait 76 seconds and run again" in run()["msg"]
    assert (ready.requests.count("POST /api/session"), clock.now) == (1, 0)


def test_a_password_that_metabase_does_not_take(metabase: Double, run: Runner) -> None:
    declared = changed()
    declared["admin"]["password"] = "Pw1-x"
    message = run(declared)["msg"]
    assert "does not create its first account admin@example.com: HTTP 400: password: password is too common" in message
    assert "Pw1-x" not in run.output


def test_an_unreachable_database_does_not_stop_the_rest(metabase: Double, run: Runner, shop: Shop) -> None:
    declared = changed()
    declared["databases"].append({**declared["databases"][0], "name": "Old", "dbname": "old"})
    declared["questions"][1].update(database="Old", sql="SELECT 1")
    result = run(declared)
    lines = [line for line in run.first if line != "create question Orders"]
    assert result["changes"] == lines
    assert result["failed_databases"] == [
        {
            "database": "Old",
            "message": "HTTP 400: Looks like the Database name is incorrect.; "
            "dbname: check your database name settings",
        }
    ]
    (question,) = result["failed_questions"]
    assert question["question"] == "shop/orders" and "Old is missing in Metabase (HTTP 400" in question["message"]
    assert any("cannot connect to the database Old as declared" in warning for warning in result["warnings"])
    again = run(declared)
    assert (again["changed"], len(again["failed_databases"]), len(again["failed_questions"])) == (False, 1, 1)
    shop("CREATE DATABASE old")
    assert run(declared)["changes"] == [
        "create database Old",
        "create question Orders",
        "change dashboard The shop: cards",
    ]
    settled(run, metabase, declared)


def test_a_new_password_that_the_database_refuses(ready: Double, run: Runner) -> None:
    declared = changed(databases_0={"password": "wrong"})
    result = run(declared)
    assert not result["changed"] and "Password is incorrect" in result["failed_databases"][0]["message"]
    settled(run, ready)


def test_a_question_whose_sql_fails_is_made_and_reported_until_it_works(
    metabase: Double, run: Runner, shop: Shop
) -> None:
    declared = changed(questions_1={"sql": "SELECT count(*) FROM parcels"})
    result = run(declared)
    assert result["changes"] == run.first
    assert result["failed_questions"] == [
        {"question": "shop/orders", "message": 'ERROR: relation "parcels" does not exist\n  Position: 22'}
    ]
    again = run(declared)
    assert not again["changed"] and again["failed_questions"] == result["failed_questions"]
    shop("CREATE TABLE parcels (id int)")
    assert run(declared)["failed_questions"] == []
    metabase.requests.clear()
    assert run(declared)["failed_questions"] == [] and not any("query" in request for request in metabase.requests)


def test_a_column_that_is_not_there(metabase: Double, run: Runner) -> None:
    filters = {
        "period": {"type": "date", "field": "public.orders.gone"},
        "city": DECLARED["questions"][0]["filters"]["city"],
    }
    declared = changed(questions_0={"filters": filters})
    result = run(declared)
    assert "create question Revenue per day" not in result["changes"] and "create question Orders" in result["changes"]
    assert result["failed_questions"] == [
        {
            "question": "shop/revenue",
            "message": "there is no column public.orders.gone in the database Shop (schema.table.column), as far as "
            "Metabase can see",
        }
    ]
    assert len(metabase.one("dashboard", "The shop")["dashcards"]) == 1
    again = run(declared)
    assert not again["changed"] and len(again["failed_questions"]) == 1
    assert run()["changes"] == ["create question Revenue per day", "change dashboard The shop: cards"]
    settled(run, metabase)


def test_a_column_that_went_leaves_its_question_as_it_is(ready: Double, run: Runner, shop: Shop) -> None:
    shop("ALTER TABLE orders DROP COLUMN city")
    ready.ask("POST", "database/1/sync_schema")
    result = run()
    assert not result["changed"] and result["failed_questions"][0]["question"] == "shop/revenue"
    assert not ready.one("card", "Revenue")["archived"]
    assert len(ready.one("dashboard", "The shop")["dashcards"]) == 2


def test_a_question_that_metabase_refuses_does_not_stop_the_rest(metabase: Double, run: Runner) -> None:
    run(changed(questions=DECLARED["questions"][:1], dashboards=[], subscriptions=[]))
    metabase.faults.refused["POST /api/card"] = (400, {"message": "no such thing"})
    result = run()
    assert result["changes"] == ["create dashboard The shop", "create subscription Shop weekly"]
    assert result["failed_questions"] == [{"question": "shop/orders", "message": "HTTP 400: no such thing"}]
    assert not run()["changed"]
    metabase.mend()
    assert run()["changes"] == ["create question Orders", "change dashboard The shop: cards"]


def test_a_dashboard_that_metabase_refuses_is_a_warning(metabase: Double, run: Runner) -> None:
    metabase.faults.refused["POST /api/pulse"] = (400, {"errors": {"channels": "Slack is not set up"}})
    result = run()
    assert result["changes"] == run.first[:-1]
    assert any("cannot create subscription Shop weekly" in warning for warning in result["warnings"])
    assert result["failed_changes"][0]["change"] == "create subscription Shop weekly"


def test_anything_else_refused_stops_the_run(metabase: Double, run: Runner) -> None:
    metabase.faults.refused["POST /api/permissions/group"] = (402, "Not allowed")
    assert "refuses to create group Sales: HTTP 402: Not allowed" in run()["msg"]
    metabase.mend()
    assert run()["changes"] == run.first[3:]


def test_a_setting_of_the_environment_is_a_warning(ready: Double, run: Runner) -> None:
    ready.restart(MB_SITE_NAME="Fixed")
    result = run()
    assert not result["changed"]
    assert any("site-name of Metabase is fixed by MB_SITE_NAME" in warning for warning in result["warnings"])
    ready.restart(MB_SITE_NAME="Example")
    assert run()["warnings"] == []


def test_an_unknown_setting_is_a_mistake(ready: Double, run: Runner) -> None:
    message = run(changed(settings={"site-nmae": "x"}))["msg"]
    assert message.endswith("nothing was changed, 1 mistake: settings.site-nmae: Metabase 0.61.2 has no such setting")
    assert ready.writes == []
