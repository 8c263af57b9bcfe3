"""What Metabase's own client, `mb` of the npm package @metabase/cli, makes of the API of the double or of METABASE_URL.

It comes from npm at the first run and stays in .cache/mb.
"""

import fcntl
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from metabase_double import Metabase, Postgres

CACHE = Path(__file__).resolve().parents[3] / ".cache/mb"
PACKAGE = "@metabase/cli@0.3.1"
NAME = f"client {uuid.uuid4().hex[:8]}"
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def program() -> Path:
    """The pinned client, installed when it is not there yet."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w", encoding="utf-8") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        package = CACHE / "node_modules/@metabase/cli/package.json"
        version = json.loads(package.read_text(encoding="utf-8"))["version"] if package.is_file() else ""
        if version != PACKAGE.rpartition("@")[2]:
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE), PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stderr
    return CACHE / "node_modules/.bin/mb"


@pytest.fixture(scope="module")
def mb(program: Path, metabase: Metabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The client with an API key from its environment: no keyring, no profile of the person who runs the tests."""
    key = metabase.post("api-key", {"name": NAME, "group_id": 2})
    folder = tmp_path_factory.mktemp("mb")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    variables |= {"MB_URL": metabase.url, "MB_API_KEY": key["unmasked_key"], "MB_CLI_DISABLE_KEYRING": "1"}

    def run(*arguments: str, status: int = 0) -> Any:
        command = [str(program), *arguments, "--json"]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout) if status == 0 else done.stdout + done.stderr

    yield run
    metabase.done("DELETE", f"api-key/{key['id']}")


@pytest.fixture(scope="module")
def made(metabase: Metabase, postgres: Postgres) -> Iterator[dict[str, Any]]:
    """A database, a collection, a question and a dashboard, made through the API."""
    database = metabase.post("database", {"name": NAME, "engine": "postgres", "details": postgres.details()})
    metabase.post(f"database/{database['id']}/sync_schema")
    collection = metabase.post("collection", {"name": NAME})
    query = {"type": "native", "native": {"query": "SELECT 1 AS one, 'x' AS word"}, "database": database["id"]}
    body = {"name": NAME, "display": "table", "visualization_settings": {}, "collection_id": collection["id"]}
    card = metabase.post("card", {**body, "dataset_query": query})
    board = metabase.post("dashboard", {"name": NAME, "collection_id": collection["id"]})
    dashcard = {"id": -1, "card_id": card["id"], "row": 0, "col": 0, "size_x": 12, "size_y": 6}
    board = metabase.put(f"dashboard/{board['id']}", {"dashcards": [dashcard], "tabs": []})
    yield {"db": database, "collection": collection, "card": card, "dashboard": board}
    metabase.done("DELETE", f"dashboard/{board['id']}")
    metabase.put(f"collection/{collection['id']}", {"archived": True})
    metabase.done("DELETE", f"collection/{collection['id']}")
    metabase.done("DELETE", f"database/{database['id']}")


def test_the_client_keeps_a_key_as_a_profile(mb: Client, metabase: Metabase) -> None:
    mb("auth", "login")
    found = mb("auth", "status")
    assert (found["present"], found["url"].rstrip("/")) == (True, metabase.url)


@pytest.mark.parametrize("kind", ["db", "card", "dashboard", "collection"])
def test_things_are_listed_and_read(mb: Client, made: dict[str, Any], kind: str) -> None:
    number = made[kind]["id"]
    listed = mb(kind, "list", "--max-bytes", "0")["data"]
    assert NAME in [each["name"] for each in listed if each["id"] == number]
    found = mb(kind, "get", str(number))
    assert (found["id"], found["name"]) == (number, NAME)


def test_a_dashboard_comes_with_its_cards(mb: Client, made: dict[str, Any]) -> None:
    found = mb("dashboard", "get", str(made["dashboard"]["id"]))
    assert [each["card_id"] for each in found["dashcards"]] == [made["card"]["id"]]


def test_a_question_is_asked(mb: Client, made: dict[str, Any]) -> None:
    found = mb("card", "query", str(made["card"]["id"]), "--full")
    assert (found["status"], found["data"]["rows"]) == ("completed", [[1, "x"]])
    assert [each["name"] for each in found["data"]["cols"]] == ["one", "word"]


def test_the_client_asks_a_query_that_it_checks(mb: Client, made: dict[str, Any]) -> None:
    stage = {"lib/type": "mbql.stage/native", "native": "SELECT 2 AS two"}
    query = {"lib/type": "mbql/query", "database": made["db"]["id"], "stages": [stage]}
    assert mb("query", "--body", json.dumps(query), "--full")["data"]["rows"] == [[2]]


def test_the_client_makes_moves_and_archives_a_question(mb: Client, made: dict[str, Any]) -> None:
    stage = {"lib/type": "mbql.stage/native", "native": "SELECT 3 AS three"}
    query = {"lib/type": "mbql/query", "database": made["db"]["id"], "stages": [stage]}
    body = {"name": f"{NAME} 2", "display": "scalar", "visualization_settings": {}, "dataset_query": query}
    number = str(mb("card", "create", "--body", json.dumps(body))["id"])
    assert mb("card", "update", number, "--body", json.dumps({"name": f"{NAME} 3"}))["name"] == f"{NAME} 3"
    assert mb("card", "archive", number)["archived"] is True


def test_a_collection_shows_what_is_in_it(mb: Client, made: dict[str, Any]) -> None:
    items = mb("collection", "items", str(made["collection"]["id"]))["data"]
    assert {(each["model"], each["name"]) for each in items} == {("card", NAME), ("dashboard", NAME)}
    assert NAME in [each["name"] for each in mb("collection", "tree")]


def test_the_search_and_the_settings_are_read(mb: Client, made: dict[str, Any]) -> None:
    assert mb("search", NAME, "--models", "dashboard")["returned"] >= 0
    assert "site-name" in [each["key"] for each in mb("setting", "list", "--max-bytes", "0")["data"]]


def test_the_client_says_that_a_wrong_key_is_refused(mb: Client, metabase: Metabase) -> None:
    said = mb("db", "list", "--api-key", "mb_wrong", "--url", metabase.url, status=1)
    assert "Invalid or unauthorized API key" in said
