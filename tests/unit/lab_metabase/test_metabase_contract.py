"""What crowsnest relies on in Metabase's API: the start, access, people, settings and databases.

By default against the contract double, started here with a PostgreSQL. With METABASE_URL, METABASE_EMAIL and
METABASE_PASSWORD set, and METABASE_TEST_DATABASE (the URL of a PostgreSQL that both this machine and that Metabase
reach, in which a table may be made), the same tests ask that Metabase instead. They leave nothing behind but a
deactivated person and, in a new instance, its set-up:

    METABASE_URL=http://127.0.0.1:3002 METABASE_EMAIL=admin@example.com METABASE_PASSWORD=… \\
        METABASE_TEST_DATABASE=postgresql://user:…@db.example.com/shop pytest tests/unit/lab_metabase
"""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from metabase_double import TABLE, Metabase, Postgres

NAME = f"contract {uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def key(metabase: Metabase) -> Iterator[dict[str, Any]]:
    made = metabase.post("api-key", {"name": NAME, "group_id": 2})
    yield made
    metabase.done("DELETE", f"api-key/{made['id']}")


@pytest.fixture(scope="module")
def database(metabase: Metabase, postgres: Postgres) -> Iterator[dict[str, Any]]:
    made = metabase.post("database", {"name": NAME, "engine": "postgres", "details": postgres.details()})
    assert metabase.post(f"database/{made['id']}/sync_schema") == {"status": "ok"}
    yield made
    metabase.done("DELETE", f"database/{made['id']}")


# --- the start, set-up and logins -------------------------------------------------------------------------------------


def test_health_needs_no_login(metabase: Metabase) -> None:
    answer = requests.get(f"{metabase.url}/api/health", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_properties_after_the_setup_hold_no_token(metabase: Metabase) -> None:
    found = requests.get(f"{metabase.url}/api/session/properties", timeout=10).json()
    assert found["has-user-setup"] is True
    assert found["setup-token"] is None
    assert found["version"]["tag"].startswith("v0.")
    assert found["site-name"]


def test_a_setup_token_that_is_not_the_one_is_refused(metabase: Metabase) -> None:
    person = {"email": "second@example.com", "password": "made-up-password-2"}
    body = {"token": str(uuid.uuid4()), "user": person, "prefs": {"site_name": "Mine"}}
    assert metabase.ask("POST", "setup", body).status_code in (400, 403)


def test_a_wrong_password_says_so_and_not_whether_the_person_exists(metabase: Metabase) -> None:
    for name in (metabase.email, f"{uuid.uuid4().hex}@example.com"):
        answer = metabase.ask("POST", "session", {"username": name, "password": "wrong"})
        assert answer.status_code == 401
        assert answer.json() == {"errors": {"password": "did not match stored password"}}


def test_many_wrong_passwords_make_the_next_one_wait(metabase: Metabase) -> None:
    body = {"username": f"{uuid.uuid4().hex}@example.com", "password": "wrong"}
    answers = [metabase.ask("POST", "session", body) for _ in range(14)]
    assert answers[-1].status_code == 401
    assert "Too many attempts! You must wait" in answers[-1].json()["errors"]["username"]


def test_a_login_opens_the_api_by_header_and_by_cookie_until_it_is_ended(metabase: Metabase) -> None:
    body = {"username": metabase.email, "password": metabase.password}
    answer = metabase.ask("POST", "session", body)
    token = answer.json()["id"]
    assert metabase.ask("GET", "user/current", X_Metabase_Session=token).json()["email"] == metabase.email
    cookie = {"metabase.SESSION": token}
    assert requests.get(f"{metabase.url}/api/user/current", cookies=cookie, timeout=10).json()["is_superuser"] is True
    assert metabase.ask("DELETE", "session", X_Metabase_Session=token).status_code == 204
    assert metabase.ask("GET", "user/current", X_Metabase_Session=token).status_code == 401


@pytest.mark.parametrize("path", ["user/current", "database", "card", "dashboard", "collection", "setting", "pulse"])
def test_nothing_is_read_without_a_login(metabase: Metabase, path: str) -> None:
    answer = requests.get(f"{metabase.url}/api/{path}", timeout=10)
    assert (answer.status_code, answer.text) == (401, "Unauthenticated")


def test_an_endpoint_that_does_not_exist_is_not_found(metabase: Metabase) -> None:
    assert metabase.ask("GET", "no-such-endpoint").status_code == 404


# --- API keys ---------------------------------------------------------------------------------------------------------


def test_an_api_key_is_shown_once_and_opens_the_api(metabase: Metabase, key: dict[str, Any]) -> None:
    assert key["unmasked_key"].startswith("mb_")
    assert metabase.ask("GET", "user/current", x_api_key=key["unmasked_key"]).json()["is_superuser"] is True
    listed = next(each for each in metabase.get("api-key") if each["id"] == key["id"])
    assert "unmasked_key" not in listed
    assert listed["masked_key"].startswith(key["unmasked_key"][:6])
    assert listed["masked_key"].endswith("***")
    assert listed["group"]["id"] == 2


def test_a_wrong_api_key_is_nobody(metabase: Metabase) -> None:
    assert metabase.ask("GET", "user/current", x_api_key="mb_wrong").status_code == 401


def test_the_name_of_an_api_key_is_its_own(metabase: Metabase, key: dict[str, Any]) -> None:
    answer = metabase.ask("POST", "api-key", {"name": NAME, "group_id": 2})
    assert answer.status_code == 400
    assert answer.json()["errors"]["name"] == "An API key with this name already exists."


def test_an_api_key_of_everybody_does_not_administrate_and_a_deleted_one_is_nobody(metabase: Metabase) -> None:
    made = metabase.post("api-key", {"name": f"{NAME} 2", "group_id": 1})
    asked = {"x_api_key": made["unmasked_key"]}
    answer = metabase.ask("GET", "setting", **asked)
    assert (answer.status_code, answer.text) == (403, "You don't have permissions to do that.")
    assert metabase.ask("GET", "collection/root", **asked).status_code == 200
    assert metabase.put(f"api-key/{made['id']}", {"group_id": 2, "name": f"{NAME} 3"})["group"]["id"] == 2
    assert metabase.ask("GET", "setting", **asked).status_code == 200
    assert metabase.ask("DELETE", f"api-key/{made['id']}").status_code == 204
    assert metabase.ask("GET", "user/current", **asked).status_code == 401


# --- people and groups ------------------------------------------------------------------------------------------------


def test_a_person_is_created_changed_deactivated_and_reactivated(metabase: Metabase) -> None:
    group = metabase.post("permissions/group", {"name": NAME})["id"]
    email = f"{uuid.uuid4().hex}@example.com"
    body = {
        "first_name": "Eve",
        "last_name": "Example",
        "email": email,
        "user_group_memberships": [{"id": group}, {"id": 1}],
    }
    person = metabase.post("user", body)
    number = person["id"]
    assert {each["id"] for each in person["user_group_memberships"]} == {1, group}
    assert "password" not in person
    again = metabase.ask("POST", "user", body)
    assert (again.status_code, again.json()["errors"]["email"]) == (400, "Email address already in use.")
    changed = metabase.put(f"user/{number}", {"is_superuser": True, "user_group_memberships": [{"id": 1}, {"id": 2}]})
    assert (changed["is_superuser"], changed["email"]) == (True, email)
    contradiction = {"is_superuser": True, "user_group_memberships": [{"id": 1}]}
    assert "is_superuser" in metabase.ask("PUT", f"user/{number}", contradiction).json()["errors"]
    assert metabase.done("DELETE", f"user/{number}") == {"success": True}
    assert email not in [each["email"] for each in metabase.get("user")["data"]]
    assert email in [each["email"] for each in metabase.get("user?status=all")["data"]]
    assert metabase.ask("PUT", f"user/{number}", {"first_name": "Eva"}).status_code == 404
    assert metabase.put(f"user/{number}/reactivate", {})["is_superuser"] is False
    active = metabase.ask("PUT", f"user/{number}/reactivate", {})
    assert (active.status_code, active.json()["message"]) == (400, "Not able to reactivate an active user")
    assert metabase.ask("PUT", f"user/{number}/password", {"password": "made-up-password-3"}).status_code == 204
    assert metabase.ask("POST", "session", {"username": email, "password": "made-up-password-3"}).status_code == 200
    metabase.done("DELETE", f"user/{number}")
    disabled = metabase.ask("POST", "session", {"username": email, "password": "made-up-password-3"})
    assert (disabled.status_code, disabled.json()) == (401, {"errors": {"_error": "Your account is disabled."}})
    metabase.done("DELETE", f"permissions/group/{group}")


def test_memberships_are_listed_by_person(metabase: Metabase) -> None:
    me = metabase.get("user/current")["id"]
    mine = metabase.get("permissions/membership")[str(me)]
    assert {each["group_id"] for each in mine} >= {1, 2}
    names = {group["id"]: group["name"] for group in metabase.get("permissions/group")}
    assert (names[1], names[2]) == ("All Users", "Administrators")


# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_setting_is_written_and_the_default_is_shown_as_nothing(metabase: Metabase) -> None:
    assert metabase.ask("PUT", "setting/help-link", {"value": "hidden"}).status_code == 204
    assert metabase.ask("GET", "setting/help-link").text.strip(chr(34)) == "hidden"
    assert metabase.ask("PUT", "setting", {"help_link": None, "no-such-setting": 1}).status_code == 204
    answer = metabase.ask("GET", "setting/help-link")
    assert (answer.status_code, answer.text) == (204, "")
    row = next(row for row in metabase.get("setting") if row["key"] == "help-link")
    assert (row["value"], row["default"], row["is_env_setting"]) == (None, "metabase", False)


def test_a_landing_page_becomes_a_path(metabase: Metabase) -> None:
    before = metabase.get("session/properties")["landing-page"]
    metabase.put("setting/landing-page", {"value": "dashboard/1"})
    assert metabase.get("session/properties")["landing-page"] == "/dashboard/1"
    metabase.put("setting/landing-page", {"value": before})


def test_a_setting_of_the_environment_is_written_without_effect(metabase: Metabase) -> None:
    fixed = {row["key"] for row in metabase.get("setting") if row["is_env_setting"]}
    if "site-url" not in fixed:
        pytest.skip("this Metabase has no MB_SITE_URL")
    row = next(row for row in metabase.get("setting") if row["key"] == "site-url")
    assert (row["value"], row["default"]) == (None, "Using value of env var $MB_SITE_URL")
    before = metabase.get("session/properties")["site-url"]
    assert metabase.ask("PUT", "setting/site-url", {"value": "http://elsewhere.example.com"}).status_code == 204
    assert metabase.get("session/properties")["site-url"] == before
    metabase.ask("PUT", "setting/site-url", {"value": None})


# --- databases --------------------------------------------------------------------------------------------------------


def test_a_database_never_gives_its_password_back(metabase: Metabase, database: dict, postgres: Postgres) -> None:
    for found in (database, metabase.get(f"database/{database['id']}")):
        assert found["details"]["user"] == postgres.user
        assert found["details"]["password"] == "**MetabasePass**"
    assert database["id"] in [each["id"] for each in metabase.get("database")["data"]]


def test_a_change_with_the_masked_password_keeps_the_password(metabase: Metabase, database: dict) -> None:
    path = f"database/{database['id']}"
    details = metabase.get(path)["details"]
    assert metabase.put(path, {"name": f"{NAME} renamed", "details": details})["name"] == f"{NAME} renamed"
    assert metabase.post(f"{path}/sync_schema") == {"status": "ok"}
    metabase.put(path, {"name": NAME})


@pytest.mark.parametrize(
    ("different", "message", "names"),
    [
        ({"password": "wrong"}, "Looks like your Password is incorrect.", {"password"}),
        ({"dbname": "no_such_database"}, "Looks like the Database name is incorrect.", {"dbname"}),
        ({"port": 1}, "Hmm, we couldn't connect to the database.", {"host", "port"}),
        ({"host": "no-such-host.invalid"}, "", set()),
    ],
)
def test_a_database_that_refuses_is_not_added(
    metabase: Metabase, postgres: Postgres, different: dict, message: str, names: set
) -> None:
    body = {"name": f"{NAME} wrong", "engine": "postgres", "details": postgres.details(**different)}
    answer = metabase.ask("POST", "database", body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)
    assert set(answer.json().get("errors", {})) >= names
    assert f"{NAME} wrong" not in [each["name"] for each in metabase.get("database")["data"]]


def test_a_database_without_a_name_is_told_what_is_missing(metabase: Metabase) -> None:
    answer = metabase.ask("POST", "database", {"engine": "postgres", "details": {}})
    assert answer.status_code == 400
    assert {"name"} <= set(answer.json()["errors"])
    assert answer.json()["specific-errors"]["name"] == ["missing required key, received: nil"]


def test_metadata_has_the_tables_and_fields_with_their_types(metabase: Metabase, database: dict) -> None:
    end = time.monotonic() + 60
    while not (table := table_of(metabase, database)):
        assert time.monotonic() < end
        time.sleep(0.5)
    fields = {each["name"]: each for each in table["fields"]}
    assert table["schema"] == "public"
    assert fields["id"]["base_type"] == "type/Integer"
    assert fields["placed_at"]["base_type"] == "type/DateTimeWithLocalTZ"
    assert fields["day"]["base_type"] == "type/Date"
    assert fields["status"]["base_type"] == "type/Text"
    assert fields["total"]["base_type"] == "type/Decimal"
    assert all(isinstance(each["id"], int) for each in fields.values())


def table_of(metabase: Metabase, database: dict) -> dict[str, Any] | None:
    tables = metabase.get(f"database/{database['id']}/metadata")["tables"]
    return next((table for table in tables if table["name"] == TABLE and table["fields"]), None)


def test_an_unknown_database_is_not_found(metabase: Metabase) -> None:
    assert metabase.ask("GET", "database/999999").status_code == 404
    query = {"type": "native", "native": {"query": "SELECT 1"}, "database": 999999}
    assert metabase.ask("POST", "dataset", query).status_code == 404
