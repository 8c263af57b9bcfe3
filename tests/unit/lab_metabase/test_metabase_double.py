"""The contract double of Metabase itself: its start, its key, what outlives a restart, and its pages."""

import re
import uuid
from pathlib import Path
from typing import Any

import metabase_double as helper
import postgresql
import pytest
import requests
from metabase_double import IMAGE, KEY, PASSWORD, Metabase, Postgres, environment, refused, running, set_up

OTHER_KEY = "another-key-of-enough-characters"


@pytest.fixture(scope="module", autouse=True)
def own_server(postgres: Postgres) -> None:
    if postgres.user != "reader":
        pytest.skip("these make application databases, which METABASE_TEST_DATABASE need not allow")


@pytest.fixture(scope="module")
def double(postgres: Postgres) -> Any:
    with running(postgres, "pages") as double:
        yield set_up(double)


def variables(postgres: Postgres, **more: str) -> dict[str, str]:
    return environment(postgres, helper.database(postgres), postgresql.free_port(), **more)


# --- a start that is refused ------------------------------------------------------------------------------------------


def test_only_postgresql_holds_the_data(postgres: Postgres) -> None:
    assert "set MB_DB_TYPE=postgres" in refused(variables(postgres, MB_DB_TYPE=""))


@pytest.mark.parametrize("wrong", [{"MB_DB_PASS": "wrong"}, {"MB_DB_PORT": "1"}, {"MB_DB_DBNAME": "no_such_database"}])
def test_without_the_application_database_it_ends(postgres: Postgres, wrong: dict[str, str]) -> None:
    said = refused(variables(postgres, **wrong))
    assert "Metabase Initialization FAILED: Unable to connect to Metabase postgres DB." in said
    assert PASSWORD not in said


def test_a_short_key_is_refused(postgres: Postgres) -> None:
    words = "MB_ENCRYPTION_SECRET_KEY must be at least 16 characters."
    assert words in refused(variables(postgres, MB_ENCRYPTION_SECRET_KEY="short"))


def test_a_port_that_is_taken_is_refused(postgres: Postgres, double: Metabase) -> None:
    taken = variables(postgres, MB_JETTY_PORT=double.url.rpartition(":")[2])
    assert "Address already in use" in refused(taken)


# --- files with secrets -----------------------------------------------------------------------------------------------


def test_a_password_comes_from_a_file_and_not_from_both(postgres: Postgres, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    given = {"MB_DB_PASS_FILE": str(file)}
    with running(postgres, "files", MB_DB_PASS="", **given) as double:
        assert double.get("session/properties")["has-user-setup"] is False
    assert "error: both MB_DB_PASS and MB_DB_PASS_FILE are set (but are exclusive)" in refused(
        variables(postgres, **given)
    )


def test_the_application_database_may_be_one_uri(postgres: Postgres) -> None:
    uri = f"jdbc:postgresql://127.0.0.1:{postgres.port}/{helper.database(postgres)}?user=postgres&password={PASSWORD}"
    none = dict.fromkeys(("MB_DB_TYPE", "MB_DB_HOST", "MB_DB_PORT", "MB_DB_DBNAME", "MB_DB_USER", "MB_DB_PASS"), "")
    with running(postgres, "uri", MB_DB_CONNECTION_URI=uri, **none) as double:
        assert requests.head(f"{double.url}/api/health", timeout=10).status_code == 200


def test_the_encryption_key_comes_from_no_file(postgres: Postgres, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY, encoding="utf-8")
    with running(postgres, "nokey", MB_ENCRYPTION_SECRET_KEY="", MB_ENCRYPTION_SECRET_KEY_FILE=str(file)) as double:
        assert "encryption is DISABLED" in double.log()


# --- the start --------------------------------------------------------------------------------------------------------


def test_health_says_that_it_initializes_before_it_is_ready(postgres: Postgres) -> None:
    with helper.started(variables(postgres, METABASE_DOUBLE_START_SECONDS="0.6")) as double:
        assert double.waits_until_healthy() == [(503, "initializing"), (200, "ok")]
        token = double.get("session/properties")["setup-token"]
        assert str(uuid.UUID(token)) == token
        assert "300.0 MB" in double.log()


def test_the_setup_is_done_once(postgres: Postgres) -> None:
    with running(postgres, "setup") as double:
        assert double.get("session/properties")["site-name"] == "Metabase"
        token = double.get("session/properties")["setup-token"]
        person = {"email": double.email, "password": PASSWORD}
        body = {"token": "wrong", "user": person, "prefs": {"site_name": "Shop"}}
        wrong = double.ask("POST", "setup", body)
        assert (wrong.status_code, wrong.json()["errors"]["token"]) == (400, "Token does not match the setup token.")
        weak = double.ask("POST", "setup", {**body, "token": token, "user": {**person, "password": "x"}})
        assert (weak.status_code, weak.json()["errors"]) == (400, {"password": "password is too common."})
        session = double.post("setup", {**body, "token": token})["id"]
        assert double.ask("GET", "user/current", X_Metabase_Session=session).json()["is_installer"] is True
        assert double.ask("POST", "setup", {**body, "token": token}).status_code == 403
        assert double.get("session/properties")["site-name"] == "Shop"


# --- what outlives a restart ------------------------------------------------------------------------------------------


def test_a_restart_keeps_everything_and_another_key_is_refused(postgres: Postgres) -> None:
    name = helper.database(postgres)
    with running(postgres, name) as double:
        set_up(double)
        made = double.post("database", {"name": "Shop", "engine": "postgres", "details": postgres.details()})
        double.post(f"database/{made['id']}/sync_schema")
        fields = double.get(f"database/{made['id']}/metadata")["tables"][0]["fields"]
        query = {"type": "native", "native": {"query": "SELECT current_user"}, "database": made["id"]}
        body = {"name": "Who", "display": "table", "visualization_settings": {}, "dataset_query": query}
        card, token = double.post("card", body), double.token
    stored = postgres.run(name, "SELECT string_agg(body::text, '') FROM double_object")[0][0]
    assert PASSWORD not in stored
    assert token not in stored
    with running(postgres, name) as double:
        double.token = token
        assert double.get("user/current")["email"] == double.email
        assert double.get(f"database/{made['id']}/metadata")["tables"][0]["fields"] == fields
        assert double.post(f"card/{card['id']}/query")["data"]["rows"] == [["reader"]]
    wrong = environment(postgres, name, postgresql.free_port(), MB_ENCRYPTION_SECRET_KEY=OTHER_KEY)
    assert "Database was encrypted with a different key than the MB_ENCRYPTION_SECRET_KEY environment" in refused(wrong)
    none = environment(postgres, name, postgresql.free_port(), MB_ENCRYPTION_SECRET_KEY="")
    assert "MB_ENCRYPTION_SECRET_KEY environment variable was NOT set" in refused(none)


def test_a_key_that_is_new_encrypts_what_is_there(postgres: Postgres) -> None:
    name = helper.database(postgres)
    with running(postgres, name, MB_ENCRYPTION_SECRET_KEY="") as double:
        set_up(double).post("database", {"name": "Shop", "engine": "postgres", "details": postgres.details()})
        double.put("setting", {"email-smtp-password": "made-up-4"})
    details = "SELECT body::text FROM double_object WHERE kind = 'database'"
    assert PASSWORD in postgres.run(name, details)[0][0]
    with running(postgres, name) as double:
        assert "Encrypting database..." in double.log()
        assert set_up(double).post("database/1/sync_schema") == {"status": "ok"}
        assert double.ask("GET", "setting/email-smtp-password").text == "**********-4"
    assert PASSWORD not in postgres.run(name, details)[0][0]


# --- the pages --------------------------------------------------------------------------------------------------------


def test_a_browser_without_a_login_is_sent_to_the_login_page(double: Metabase) -> None:
    answer = requests.get(f"{double.url}/dashboard/1", timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/auth/login?redirect=/dashboard/1")


@pytest.mark.parametrize("path", ["", "auth/login", "collection/root", "dashboard/1", "question/1"])
def test_every_page_says_that_it_is_a_double(double: Metabase, path: str) -> None:
    answer = requests.get(f"{double.url}/{path}", cookies={"metabase.SESSION": double.token}, timeout=10)
    assert answer.status_code == 200
    assert "Contract double: this is not Metabase" in answer.text
    for name in re.findall(r"/app/double/([\w.]+)", answer.text):
        if name != "chart.min.js":  # comes from Debian's package in the image
            assert requests.get(f"{double.url}/app/double/{name}", timeout=10).status_code == 200


def test_a_page_that_does_not_exist_and_a_file_outside_are_not_found(double: Metabase) -> None:
    for path in ("no/such/page", "app/double/..%2Fmain.py", "app/double/main.py"):
        assert requests.get(f"{double.url}/{path}", timeout=10).status_code == 404


def test_the_image_has_only_packages_of_debian() -> None:
    lines = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
    assert "ARG BASE=debian:trixie-slim\nFROM ${BASE}" in lines
    assert "pip" not in lines
