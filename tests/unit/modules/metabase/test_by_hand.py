# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""metabase and what people do in Metabase: ours is put back, theirs stays."""

from __future__ import annotations

import json

import pytest
from metabase_by_hand import EDITS, cards, moved_card, place
from metabase_double import PASSWORD as OWNER_PASSWORD
from metabase_double import Postgres
from metabase_in_process import Double, Row
from metabase_module import DECLARED, Runner, changed, set_up_by_hand, settled


@pytest.mark.parametrize("case", EDITS)
def test_what_was_changed_by_hand_is_put_back(ready: Double, run: Runner, case: str) -> None:
    edit, expected = EDITS[case]
    edit(ready)
    predicted = run(check=True)["changes"]
    assert ready.writes == []
    result = run()
    assert result["changes"] == predicted
    assert expected in predicted and len([each for each in predicted if "dashboard" not in each]) <= 1
    settled(run, ready)


def test_a_card_comes_back_once_with_its_question(ready: Double, run: Runner) -> None:
    before = [each["card_id"] for each in cards(ready)]
    ready.edit("card", "Orders", archived=True)
    assert run()["changes"] == ["unarchive question Orders", "change dashboard The shop: cards"]
    assert sorted(each["card_id"] for each in cards(ready)) == sorted(before)
    settled(run, ready)


def test_a_dashboard_deleted_for_good_is_made_again(ready: Double, run: Runner) -> None:
    ready.delete("dashboard", "The shop")  # and its subscription with it
    assert run()["changes"] == ["create dashboard The shop", "create subscription Shop weekly"]
    settled(run, ready)


def test_what_is_not_declared_any_more_is_archived_and_comes_back(ready: Double, run: Runner) -> None:
    fewer = changed(
        questions=[{**DECLARED["questions"][1]}],
        collections=[DECLARED["collections"][1]],
        dashboards=[],
        subscriptions=[],
    )
    lines = ["subscription Shop weekly", "dashboard The shop", "question Revenue per day", "collection Sales"]
    assert run(fewer, check=True)["changes"] == [f"archive {line}" for line in lines]
    assert run(fewer)["changes"] == [f"archive {line}" for line in lines]
    assert ready.one("card", "Revenue")["archived"] and ready.one("collection", "Sales")["archived"]
    settled(run, ready, fewer)
    back = run()["changes"]
    assert back == [
        "unarchive collection Sales",
        "unarchive question Revenue per day",
        "unarchive dashboard The shop",
        "create subscription Shop weekly",  # the archived one is not listed while its dashboard is in the trash
    ]
    settled(run, ready)


def mine(metabase: Double) -> Row:
    """A question of a person, of the same name, on our dashboard with a filter and a heading of their own."""
    ours, board = metabase.one("card", "Orders"), metabase.one("dashboard", "The shop")
    card = metabase.ask("POST", "card", {**ours, "entity_id": None, "name": "Orders of mine"})
    mapping = {"parameter_id": "mine0001", "card_id": card["id"], "target": ["dimension", ["template-tag", "x"]]}
    size = {"col": 0, "size_x": 4, "size_y": 4, "visualization_settings": {"a": 1}}
    placed = {"id": -1, "card_id": card["id"], "parameter_mappings": [mapping], "row": 30, **size}
    heading = {"id": -2, "card_id": None, "parameter_mappings": [], "row": 40, **size}
    own = {"id": "mine0001", "name": "Mine", "slug": "mine", "type": "category"}
    place(metabase, [*cards(metabase), placed, heading], parameters=[*board["parameters"], own])
    metabase.edit("card", "Orders of mine", name="Orders")
    return dict(metabase.ask("GET", f"card/{card['id']}"))


def test_what_people_made_stays(ready: Double, run: Runner) -> None:
    card = mine(ready)
    theirs = cards(ready)[2:]
    settled(run, ready)
    moved_card(ready)
    assert run()["changes"] == ["change dashboard The shop: cards"]
    kept = {each["id"]: each for each in cards(ready)}
    for each in theirs:
        assert {**kept[each["id"]], "updated_at": each["updated_at"]} == each
    assert ready.one("dashboard", "The shop")["parameters"][-1]["id"] == "mine0001"
    assert ready.ask("GET", f"card/{card['id']}") == card
    settled(run, ready)


def test_tabs_that_people_made_stay(ready: Double, run: Runner) -> None:
    tabs = [{"id": -1, "name": "Ours"}, {"id": -2, "name": "Mine"}]
    ready.edit(
        "dashboard",
        "The shop",
        tabs=tabs,
        dashcards=[{**each, "dashboard_tab_id": -1} for each in cards(ready)[:-1]],
    )
    before = ready.one("dashboard", "The shop")["tabs"]
    assert run()["changes"] == ["change dashboard The shop: cards"]
    assert ready.one("dashboard", "The shop")["tabs"] == before
    assert [each["dashboard_tab_id"] for each in cards(ready)] == [before[0]["id"]] * 2


def test_a_collection_with_work_of_people_is_not_archived(ready: Double, run: Runner) -> None:
    card = mine(ready)
    ready.ask("PUT", f"card/{card['id']}", {"collection_id": ready.one("collection", "Sales")["id"]})
    none = changed(collections=[], questions=[], dashboards=[], subscriptions=[])
    result = run(none)
    assert "archive collection Sales" not in result["changes"] and "archive collection Shop" not in result["changes"]
    assert "holds what people created there (Orders)" in json.dumps(result["warnings"])
    assert not ready.ask("GET", f"card/{card['id']}")["archived"]
    settled(run, ready, none)


def shown_of(metabase: Double, place: str) -> Row:
    """Without the person who made it: that has logged in since."""
    return {key: value for key, value in metabase.ask("GET", place).items() if key != "creator"}


def test_objects_of_the_same_name_are_left_alone(metabase: Double, run: Runner, postgres: Postgres) -> None:
    set_up_by_hand(metabase)
    owner = postgres.details(user="postgres", password=OWNER_PASSWORD)
    foreign = {
        "collection": {"name": "Shop"},
        "database": {"name": "Shop", "engine": "postgres", "details": owner},
        "dashboard": {"name": "The shop", "description": "x"},
    }
    places = [f"{kind}/{metabase.ask('POST', kind, body)['id']}" for kind, body in foreign.items()]
    metabase.ask("POST", "database/1/sync_schema")
    metabase.edit("dashboard", "The shop", caveats="x")
    before = [shown_of(metabase, place) for place in places]
    assert run()["changes"] == [
        *run.first[1:2],
        "change settings: site-name, site-url, email-smtp-password",
        *run.first[3:],
    ]
    assert [shown_of(metabase, place) for place in places] == before
    settled(run, metabase)


def test_groups_made_by_hand_keep_their_people(ready: Double, run: Runner) -> None:
    by_hand = ready.ask("POST", "permissions/group", {"name": "By hand"})["id"]
    ready.ask("POST", "permissions/membership", {"group_id": by_hand, "user_id": ready.one("user", "ann")["id"]})
    assert run(changed(users_0={"last_name": "B", "groups": []}))["changes"] == [
        "change user Ann@example.com: last_name, groups"
    ]
    ann = ready.one("user", "ann")
    assert (ann["last_name"], ann["group_ids"]) == ("B", [1, by_hand])


def test_inner_collections_are_archived_before_outer_ones(ready: Double, run: Runner) -> None:
    lines = run(changed(collections=[], questions=[], dashboards=[], subscriptions=[]))["changes"]
    assert lines[-2:] == ["archive collection Sales", "archive collection Shop"]
