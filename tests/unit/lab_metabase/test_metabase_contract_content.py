"""What crowsnest relies on in Metabase's API: collections, questions, dashboards, subscriptions and the search.

Against the double, or a real Metabase: test_metabase_contract.py says how.
"""

# ruff: noqa: S608 - the only name in the queries is that of the tests' own table
import time
import uuid
from typing import Any

import pytest
from metabase_content import NAME, Content, mark, native
from metabase_double import TABLE, Metabase

# --- collections ------------------------------------------------------------------------------------------------------


def test_collections_are_nested_and_found_by_number_and_entity_id(metabase: Metabase, content: Content) -> None:
    parent = content.collection
    child = metabase.post("collection", {"name": "Below", "description": "Words", "parent_id": parent["id"]})
    assert child["location"] == f"/{parent['id']}/"
    for reference in (child["id"], child["entity_id"]):
        assert metabase.get(f"collection/{reference}")["parent_id"] == parent["id"]
    assert child["id"] in [each["id"] for each in metabase.get("collection")]
    node = next(each for each in metabase.get("collection/tree") if each["id"] == parent["id"])
    assert [each["id"] for each in node["children"]] == [child["id"]]
    assert metabase.put(f"collection/{child['id']}", {"parent_id": None})["location"] == "/"
    metabase.put(f"collection/{child['id']}", {"archived": True})
    assert child["id"] in [each["id"] for each in metabase.get("collection?archived=true")]
    assert child["id"] in [each["id"] for each in metabase.get("collection/trash/items")["data"]]
    # Without `archived` a change brings it back.
    assert metabase.put(f"collection/{child['id']}", {"name": "Back"})["archived"] is False
    metabase.put(f"collection/{child['id']}", {"archived": True})
    metabase.done("DELETE", f"collection/{child['id']}")


def test_a_collection_gets_an_entity_id_of_its_own(metabase: Metabase, content: Content) -> None:
    wanted = mark()
    made = metabase.post("collection", {"name": "Mine", "entity_id": wanted, "parent_id": content.collection["id"]})
    assert len(made["entity_id"]) == 21
    assert made["entity_id"] != wanted
    assert metabase.ask("GET", f"collection/{wanted}").status_code == 404


def test_a_collection_without_a_name_is_refused(metabase: Metabase) -> None:
    answer = metabase.ask("POST", "collection", {"description": ""})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"name", "description"}


# --- questions --------------------------------------------------------------------------------------------------------


def test_a_question_keeps_its_entity_id_and_is_found_by_it(metabase: Metabase, content: Content) -> None:
    wanted = mark()
    card = content.card(entity_id=wanted, description="Why")
    assert card["entity_id"] == wanted
    assert metabase.get(f"card/{wanted}")["id"] == card["id"]
    assert metabase.get(f"card/{wanted}")["dataset_query"]["stages"][0]["native"] == "SELECT 1 AS one"
    body = {"name": "Twin", "display": "table", "visualization_settings": {}, "entity_id": wanted}
    twin = metabase.ask("POST", "card", {**body, "dataset_query": native(content.database, "SELECT 2")})
    assert twin.status_code >= 400
    assert metabase.put(f"card/{card['id']}", {"entity_id": mark(), "description": None})["entity_id"] == wanted
    assert metabase.get(f"card/{wanted}")["description"] is None


def test_the_older_form_of_a_query_comes_back_in_the_new_one(metabase: Metabase, content: Content) -> None:
    tag = {**content.tag("status", "status", "string/="), "dimension": ["field", content.fields["status"], None]}
    sql = f"SELECT count(*) FROM {TABLE} WHERE {{{{status}}}}"
    query = {"type": "native", "native": {"query": sql, "template-tags": {"status": tag}}, "database": content.database}
    stored = content.card(dataset_query=query)["dataset_query"]
    assert (stored["lib/type"], stored["database"]) == ("mbql/query", content.database)
    assert stored["stages"][0]["lib/type"] == "mbql.stage/native"
    assert stored["stages"][0]["native"] == sql
    name, options, number = stored["stages"][0]["template-tags"]["status"]["dimension"]
    assert (name, "lib/uuid" in options, number) == ("field", True, content.fields["status"])


def test_a_question_says_what_it_lacks(metabase: Metabase, content: Content) -> None:
    answer = metabase.ask("POST", "card", {"dataset_query": native(content.database, "SELECT 1")})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"name", "display", "visualization_settings"}
    assert answer.json()["specific-errors"]["name"] == ["missing required key, received: nil"]


@pytest.mark.parametrize("wrong", [{"dataset_query": {}}, {"collection_id": 999999}, {"collection_id": "x" * 21}])
def test_a_question_without_a_query_or_in_a_place_that_is_not_there_is_refused(
    metabase: Metabase, content: Content, wrong: dict
) -> None:
    body = {"name": NAME, "display": "table", "visualization_settings": {}}
    body |= {"dataset_query": native(content.database, "SELECT 1"), **wrong}
    assert metabase.ask("POST", "card", body).status_code >= 400


def test_an_archived_question_is_shown_in_the_trash_and_returns(metabase: Metabase, content: Content) -> None:
    card = content.card()
    path = f"card/{card['id']}"
    metabase.put(path, {"archived": True})
    assert metabase.get(path)["archived"] is True
    assert metabase.get(path)["collection_id"] == metabase.get("collection/trash")["id"]
    assert card["id"] not in [each["id"] for each in metabase.get("card")]
    assert card["id"] in [each["id"] for each in metabase.get("card?f=archived")]
    moved = metabase.ask("PUT", path, {"collection_id": metabase.get(path)["collection_id"]})
    assert (moved.status_code, moved.text) == (400, "You cannot modify the Trash Collection.")
    metabase.put(path, {"archived": False})
    assert metabase.get(path)["collection_id"] == content.collection["id"]


def test_a_question_moves_and_its_collection_lists_it(metabase: Metabase, content: Content) -> None:
    card = content.card(display="bar")
    items = metabase.get(f"collection/{content.collection['id']}/items?models=card")
    item = next(each for each in items["data"] if each["id"] == card["id"])
    assert (item["model"], item["display"], item["entity_id"]) == ("card", "bar", card["entity_id"])
    assert metabase.put(f"card/{card['id']}", {"collection_id": None})["collection_id"] is None
    assert card["id"] in [each["id"] for each in metabase.get("collection/root/items")["data"]]
    assert metabase.ask("GET", "card/999999").status_code == 404


# --- dashboards -------------------------------------------------------------------------------------------------------


def filled(content: Content) -> tuple[dict[str, Any], dict[str, Any]]:
    """(question with a filter, dashboard that has it twice and filters by it)."""
    sql = f"SELECT count(*) FROM {TABLE} WHERE true [[AND {{{{status}}}}]]"
    card = content.card(sql, tags={"status": content.tag("status", "status", "string/=")})
    parameters = [{"id": "abcd1234", "name": "Status", "slug": "status", "type": "string/=", "default": ["paid"]}]
    target = ["dimension", ["template-tag", "status"]]
    mapping = {"parameter_id": "abcd1234", "card_id": card["id"], "target": target}
    first = {
        "id": -1,
        "card_id": card["id"],
        "row": 0,
        "col": 0,
        "size_x": 12,
        "size_y": 6,
        "parameter_mappings": [mapping],
    }
    second = {"id": -2, "card_id": card["id"], "row": 0, "col": 12, "size_x": 12, "size_y": 6}
    board = content.dashboard(parameters=parameters)
    return card, content.metabase.put(f"dashboard/{board['id']}", {"dashcards": [first, second], "tabs": []})


def test_negative_ids_make_dashcards_and_the_list_replaces_them(metabase: Metabase, content: Content) -> None:
    card, board = filled(content)
    path = f"dashboard/{board['id']}"
    first, second = sorted(board["dashcards"], key=lambda each: each["col"])
    assert first["id"] > 0
    assert (first["card"]["id"], first["size_x"], first["dashboard_id"]) == (card["id"], 12, board["id"])
    assert metabase.get(f"dashboard/{board['entity_id']}")["id"] == board["id"]
    again = metabase.put(path, {"dashcards": [{**second, "row": 3}], "tabs": []})
    assert [(each["id"], each["row"]) for each in again["dashcards"]] == [(second["id"], 3)]
    assert metabase.put(path, {"width": "full", "description": "Words"})["dashcards"][0]["id"] == second["id"]
    assert metabase.get(path)["width"] == "full"
    metabase.put(f"card/{card['id']}", {"archived": True})
    assert metabase.get(path)["dashcards"] == []


def test_a_dashboard_keeps_neither_a_given_entity_id_nor_cards_at_creation(content: Content) -> None:
    wanted = mark()
    board = content.dashboard(entity_id=wanted, width="full", dashcards=[{"id": -1}])
    assert board["entity_id"] != wanted
    assert (board["width"], board["dashcards"]) == ("fixed", [])


@pytest.mark.parametrize("wrong", [{"size_x": 0}, {"row": -1}, {"card_id": 999999}, {"id": "one"}])
def test_a_dashcard_that_cannot_be_is_refused(metabase: Metabase, content: Content, wrong: dict) -> None:
    card, board = content.card(), content.dashboard()
    place = {"id": -1, "card_id": card["id"], "row": 0, "col": 0, "size_x": 4, "size_y": 4}
    answer = metabase.ask("PUT", f"dashboard/{board['id']}", {"dashcards": [{**place, **wrong}], "tabs": []})
    assert answer.status_code in (400, 404)


def test_a_filter_of_the_dashboard_reaches_the_cards_that_are_mapped(metabase: Metabase, content: Content) -> None:
    card, board = filled(content)
    for dashcard, values, expected in [(0, None, 2), (0, ["open"], 1), (0, [], 5), (1, ["open"], 5)]:
        number = sorted(board["dashcards"], key=lambda each: each["col"])[dashcard]["id"]
        given = [] if values is None else [{"id": "abcd1234", "value": values}]
        path = f"dashboard/{board['id']}/dashcard/{number}/card/{card['id']}/query"
        assert metabase.post(path, {"parameters": given})["data"]["rows"] == [[expected]]
    wrong = metabase.ask("POST", path, {"parameters": [{"id": "other", "value": "x"}]})
    assert wrong.status_code == 400


# --- subscriptions and the search -------------------------------------------------------------------------------------


def test_a_subscription_is_made_changed_and_archived(metabase: Metabase, content: Content) -> None:
    card, board = filled(content)
    cards = [
        {"id": card["id"], "include_csv": False, "include_xls": False, "dashboard_card_id": board["dashcards"][0]["id"]}
    ]
    mail = {"channel_type": "email", "enabled": True, "recipients": [{"email": "team@example.com"}], "details": {}}
    mail |= {"schedule_type": "weekly", "schedule_hour": 8, "schedule_day": "mon", "schedule_frame": None}
    body = {"name": NAME, "cards": cards, "channels": [mail], "dashboard_id": board["id"], "skip_if_empty": True}
    assert set(metabase.ask("POST", "pulse", {"name": NAME}).json()["errors"]) == {"cards", "channels"}
    wrong = {**body, "channels": [{**mail, "schedule_hour": 25}]}
    assert metabase.ask("POST", "pulse", wrong).status_code >= 400
    made = metabase.post("pulse", body)
    path = f"pulse/{made['id']}"
    assert [each["email"] for each in made["channels"][0]["recipients"]] == ["team@example.com"]
    assert (made["channels"][0]["schedule_type"], made["channels"][0]["schedule_day"]) == ("weekly", "mon")
    assert made["id"] in [each["id"] for each in metabase.get(f"pulse?dashboard_id={board['id']}")]
    daily = {**mail, "schedule_type": "daily", "schedule_day": None}
    changed = metabase.put(path, {"name": f"{NAME} daily", "channels": [daily]})
    assert changed["channels"][0]["schedule_type"] == "daily"
    assert changed["skip_if_empty"] is False  # what is missing becomes false
    metabase.put(path, {"archived": True})
    assert made["id"] not in [each["id"] for each in metabase.get("pulse")]


def test_the_search_finds_by_name_and_kind(metabase: Metabase, content: Content) -> None:
    word = uuid.uuid4().hex
    card, board = content.card(name=f"Find {word}"), content.dashboard(name=f"Board {word}")
    end = time.monotonic() + 30
    while len(hits := metabase.get(f"search?q={word}")["data"]) < 2 and time.monotonic() < end:
        time.sleep(0.5)
    assert {(hit["model"], hit["id"]) for hit in hits} == {("card", card["id"]), ("dashboard", board["id"])}
    assert [hit["model"] for hit in metabase.get(f"search?q={word}&models=card")["data"]] == ["card"]
