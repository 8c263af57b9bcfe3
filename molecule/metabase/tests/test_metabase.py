# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase on the running stack: what is declared is there with data, what people made stays, faults are said clearly.

Asked through its API, as the pages do. In the laboratory a double plays Metabase; PostgreSQL and the app are real.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

ROOT = Path(__file__).resolve().parents[3]
KEY_FILE = "/opt/crowsnest/metabase/api_key"
SHOP = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/apps.yml").read_text())["crowsnest_apps"][0]
STARTER = [it["name"] for it in yaml.safe_load((ROOT / "files/business/starter.yml").read_text())]


def lines(output: str) -> str:
    return " ".join(output.split())


def shop(**business: Any) -> list[dict[str, Any]]:
    """The laboratory's app with something of its own in `business`."""
    return [{**SHOP, "business": business}]


class Metabase:
    """Its API as one person."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url, self.headers = f"{url}/api/", {}
        answer = self.ask("POST", "session", {"username": email, "password": password})
        self.status = answer.status_code
        if self.status == 200:
            self.headers = {"X-Metabase-Session": answer.json()["id"]}

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, self.url + path, json=body, headers=self.headers, timeout=60)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, **body: Any) -> None:
        answer = self.ask("PUT", path, body)
        assert answer.status_code in (200, 202, 204), answer.text

    def post(self, path: str, **body: Any) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def cards(self) -> dict[str, dict[str, Any]]:
        """{name: question} of those that are not archived."""
        return {card["name"]: card for card in self.get("card")}

    def dashboard(self) -> dict[str, Any]:
        """The dashboard Business with its cards."""
        (found,) = [it for it in self.get("dashboard") if it["name"] == "Business"]
        return dict(self.get(f"dashboard/{found['id']}"))

    def rows(self, card: int, dashcard: int, **filters: Any) -> list[list[Any]]:
        """What a card of the dashboard Business shows with these filters."""
        board = self.dashboard()
        known = {it["slug"]: it for it in board["parameters"]}
        mapped = {
            it["parameter_id"]: it["target"]
            for each in board["dashcards"]
            if each["id"] == dashcard
            for it in each["parameter_mappings"]
        }
        parameters = [
            {"id": known[name]["id"], "value": value, "target": mapped[known[name]["id"]], "type": known[name]["type"]}
            for name, value in filters.items()
        ]
        path = f"dashboard/{board['id']}/dashcard/{dashcard}/card/{card}/query"
        answer = self.post(path, parameters=parameters)
        assert answer["status"] == "completed", answer.get("error")
        return list(answer["data"]["rows"])


@pytest.fixture
def secret(lab: Any) -> Callable[[str], str]:
    """A generated secret."""
    return lambda name: (ROOT / ".lab" / lab.name / "secrets" / name).read_text().strip()


@pytest.fixture
def metabase(lab: Any, secret: Callable[[str], str]) -> Metabase:
    """Logged in as the first account."""
    found = Metabase(lab.url("metabase"), "admin@crowsnest.invalid", secret("metabase_admin_password"))
    assert found.status == 200
    return found


def ready(lab: Any) -> bool:
    """Whether Metabase says that it is."""
    try:
        return requests.get(f"{lab.url('metabase')}/api/health", timeout=10).status_code == 200
    except requests.RequestException:
        return False


def psql(server: Any, container: str, user: str, *statements: str, password: str = "") -> Any:
    """psql over TCP in a container, one transaction each; its result."""
    database = {"shop-db-1": "shop"}.get(container, "metabase")
    commands = " ".join(f"--command {shlex.quote(statement)}" for statement in statements)
    login = f"--host 127.0.0.1 --username {user} --dbname {database} --no-align --tuples-only"
    return server.run(f"docker exec --env PGPASSWORD={password} {container} psql {login} {commands}")


def test_the_business_dashboard_is_there_after_the_first_run_with_data_in_every_card(
    metabase: Metabase, server: Any
) -> None:
    board = metabase.dashboard()
    names = [each["card"]["name"] for each in board["dashcards"]]
    assert sorted(names) == sorted(STARTER)
    assert [it["slug"] for it in board["parameters"]] == ["period", "region"]
    shown = {each["card"]["name"]: metabase.rows(each["card_id"], each["id"]) for each in board["dashcards"]}
    assert [name for name, rows in shown.items() if not rows] == []
    # The same number as the app's own database gives, in the zone of the report.
    today = "SELECT count(*) FROM shop_order WHERE status = 'paid' AND placed_at >= date_trunc('day', now())"
    before = int(psql(server, "shop-db-1", "shop", "SET TIME ZONE 'Asia/Seoul'", today).stdout.split()[-1])
    asked = int(shown["Orders today"][0][0])
    assert asked <= before <= asked + 200  # customers go on buying


def test_filters_reach_the_sql(metabase: Metabase) -> None:
    (card,) = [it for it in metabase.dashboard()["dashcards"] if it["card"]["name"] == "Sales by region"]
    all_regions = {row[0] for row in metabase.rows(card["card_id"], card["id"], period="past30days~")}
    assert len(all_regions) > 3
    assert {row[0] for row in metabase.rows(card["card_id"], card["id"], region=["jeju"])} == {"jeju"}
    assert metabase.rows(card["card_id"], card["id"], period="2001-01-01") == []


def test_nothing_that_metabase_is_asked_can_write(
    metabase: Metabase, server: Any, secret: Callable[[str], str]
) -> None:
    (database,) = [it for it in metabase.get("database")["data"] if it["name"] == "shop"]
    count = "SELECT count(*) FROM shop_product"
    before = psql(server, "shop-db-1", "shop", count).stdout
    for statement in (
        "DELETE FROM shop_orderitem",
        "UPDATE shop_product SET price_krw = 1",
        "CREATE TABLE own (id int)",
        "SET default_transaction_read_only = off; DELETE FROM shop_refund",
    ):
        query = {"type": "native", "native": {"query": statement}, "database": database["id"]}
        answer = metabase.post("dataset", **query)
        assert answer["status"] == "failed", statement
        assert re.search("permission denied|read-only", answer["error"]), answer["error"]
    writes = ("SET default_transaction_read_only = off", "DELETE FROM shop_orderitem")
    password = secret("database_reader_password")
    refused = psql(server, "shop-db-1", "crowsnest_ro", *writes, password=password)
    assert "permission denied for table shop_orderitem" in refused.stderr
    assert psql(server, "shop-db-1", "crowsnest_ro", count, password=password).stdout == before


def test_a_second_run_changes_nothing_and_is_fast(lab: Any, figure: Any) -> None:
    run = lab.play()
    assert run.status == 0, run.output
    assert run.recap["changed"] == 0
    assert "shop: 11 of 11 questions have an answer" in lines(run.output)
    figure("second run", f"{run.seconds:.1f} s, {run.recap['ok']} tasks, {run.recap['changed']} changed")


def test_what_people_changed_of_ours_is_put_right_and_what_is_theirs_stays(lab: Any, metabase: Metabase) -> None:
    ours, board = metabase.cards(), metabase.dashboard()
    collection = ours["Revenue per day"]["collection_id"]
    query = {**ours["Orders today"]["dataset_query"]}
    own = metabase.post(
        "card",
        name="My question",
        display="table",
        visualization_settings={},
        collection_id=collection,
        dataset_query=query,
    )
    metabase.put(f"card/{ours['Revenue per day']['id']}", name="Renamed by hand")
    metabase.put(f"card/{ours['Top products']['id']}", archived=True)
    changed = json.loads(json.dumps(ours["Sales by region"]["dataset_query"]).replace("SELECT", "SELECT /* mine */", 1))
    metabase.put(f"card/{ours['Sales by region']['id']}", dataset_query=changed)
    place = {"id": -1, "card_id": own["id"], "row": 90, "col": 0, "size_x": 12, "size_y": 4, "parameter_mappings": []}
    metabase.put(f"dashboard/{board['id']}", dashcards=[*metabase.dashboard()["dashcards"], place])

    checked = lab.play("--check", "--diff")
    assert checked.status == 0, checked.output
    assert "Renamed by hand" in checked.output
    assert "Renamed by hand" in metabase.cards()
    run = lab.play()
    assert run.status == 0, run.output
    after = metabase.cards()
    assert set(after) == {*STARTER, "My question"}
    assert {name: card["id"] for name, card in after.items()} == {
        **{name: card["id"] for name, card in ours.items()},
        "My question": own["id"],
    }
    assert after["Sales by region"]["dataset_query"]["stages"][0]["native"].count("/* mine */") == 0
    names = [each["card"]["name"] for each in metabase.dashboard()["dashcards"]]
    assert sorted(names) == sorted([*STARTER, "My question"])
    assert lab.play().recap["changed"] == 0
    metabase.put(f"card/{own['id']}", archived=True)


def test_a_team_s_own_questions_replace_and_follow_the_starter_ones(
    lab: Any, metabase: Metabase, tmp_path: Path
) -> None:
    file = tmp_path / "regions.sql"
    file.write_text("SELECT region, 42 AS revenue FROM shop_order WHERE true [[AND {{region}}]] GROUP BY region\n")
    own = [
        {"name": "Sales by region", "file": str(file), "filters": {"region": "public.shop_order.region"}},
        {"name": "Sold out", "sql": "SELECT sku FROM shop_product WHERE stock = 0", "chart": "table"},
        {"name": "Broken", "sql": "SELECT no_such_column FROM shop_product", "chart": "table"},
    ]
    run = lab.play(crowsnest_apps=shop(questions=own))
    assert run.status == 0, run.output
    assert '1 of 13 questions have no answer: Broken: ERROR: column "no_such_column" does not exist' in lines(
        run.output
    )
    assert {row[1] for row in metabase.rows(*_place(metabase, "Sales by region"))} == {42}
    assert _place(metabase, "Sold out")
    assert lab.play(crowsnest_apps=shop(questions=own)).recap["changed"] == 0

    run = lab.play()
    assert run.status == 0, run.output
    assert set(metabase.cards()) == set(STARTER)
    archived = {card["name"] for card in metabase.get("card?f=archived")}
    assert {"Sold out", "Broken"} <= archived
    assert {row[1] for row in metabase.rows(*_place(metabase, "Sales by region"))} != {42}


def _place(metabase: Metabase, name: str) -> tuple[int, int]:
    """(question, its card on the dashboard)."""
    (found,) = [each for each in metabase.dashboard()["dashcards"] if each["card"]["name"] == name]
    return found["card_id"], found["id"]


def test_a_database_that_does_not_answer_is_told_and_does_not_stop_the_rest(lab: Any, metabase: Metabase) -> None:
    gone = {"address": "127.0.0.1:5499", "name": "depot", "admin_user": "depot", "admin_password": "hush-Hush-1"}
    apps = [*shop(), {"name": "depot", "database": gone, "business": {"starter": False}}]
    run = lab.play(crowsnest_apps=apps)
    assert run.status == 0, run.output
    assert "crowsnest_ro cannot read all that is declared in database depot at 127.0.0.1:5499" in lines(run.output)
    assert "hush-Hush-1" not in run.output
    assert "Traceback" not in run.output
    assert metabase.rows(*_place(metabase, "Orders per day"))
    assert lab.play().status == 0


def test_an_app_with_other_tables_is_a_warning_and_no_fault(lab: Any) -> None:
    other = {**SHOP["database"], "name": "postgres"}  # in the same server, without the shop's tables
    apps = [*shop(), {"name": "depot", "database": other}]
    run = lab.play(crowsnest_apps=apps)
    assert run.status == 0, run.output
    assert "depot: 11 of 11 questions are not there" in lines(run.output)
    assert "shop: 11 of 11 questions have an answer" in lines(run.output)
    assert lab.play(crowsnest_apps=apps).recap["changed"] == 0
    assert lab.play().status == 0


def test_passwords_are_rotated_by_a_run(lab: Any, metabase: Metabase, secret: Callable[[str], str]) -> None:
    old = secret("metabase_admin_password")
    for name in ("metabase_admin_password", "database_reader_password"):
        (ROOT / ".lab" / lab.name / "secrets" / name).write_text(secret(name)[::-1] + "7")
    run = lab.play()
    assert run.status == 0, run.output
    assert "11 of 11 questions have an answer" in lines(run.output)
    login = lab.url("metabase"), "admin@crowsnest.invalid"
    assert (Metabase(*login, secret("metabase_admin_password")).status, Metabase(*login, old).status) == (200, 401)
    assert lab.play().recap["changed"] == 0


def test_a_wrong_password_without_a_key_changes_nothing_and_says_what_to_do(lab: Any, server: Any) -> None:
    kept = server.check_output(f"cat {KEY_FILE}")
    server.check_output(f"rm {KEY_FILE}")
    run = lab.play(crowsnest_metabase_admin_password="an-0ther-Passw0rd")
    assert run.status != 0
    assert "refuses the login of admin@crowsnest.invalid" in lines(run.output)
    assert "crowsnest_metabase_admin_password" in run.output
    assert "an-0ther-Passw0rd" not in run.output
    assert not server.file(KEY_FILE).exists
    run = lab.play()
    assert run.status == 0, run.output
    assert server.file(KEY_FILE).mode == 0o600
    assert json.loads(server.check_output(f"cat {KEY_FILE}"))["key"] != json.loads(kept)["key"]
    assert lab.play().recap["changed"] == 0


def test_its_own_database_keeps_everything_over_a_restart(
    lab: Any, server: Any, metabase: Metabase, eventually: Any
) -> None:
    eventually(lambda: lab.query('probe_success{job="service_probe", service="metabase"} == 1'), 120)
    before = set(metabase.cards())
    server.check_output("docker restart crowsnest-metabase_database-1 crowsnest-metabase-1")
    eventually(lambda: ready(lab), 60)
    assert set(metabase.cards()) == before
    settings = server.check_output("docker exec crowsnest-metabase-1 env")
    assert "MB_DB_TYPE=postgres" in settings and "-Xmx1024m" in settings
    refused = psql(server, "crowsnest-metabase_database-1", "metabase", "SELECT 1", password="wrong")
    assert "password authentication failed" in refused.stderr


def test_a_restart_loop_is_told(lab: Any, server: Any, eventually: Any, figure: Any) -> None:
    start = time.time()
    inspect = "docker inspect --format '{{.State.Pid}} {{.RestartCount}}' crowsnest-metabase-1"
    first = int(server.check_output(inspect).split()[1])
    for number in range(1, 5):
        process = eventually(lambda: int(server.check_output(inspect).split()[0]), 60)
        server.check_output(f"kill -9 {process}")
        time.sleep(10)  # so that it is seen in between
        eventually(lambda: int(server.check_output(inspect).split()[1]) >= first + number, 60)  # noqa: B023 - waited for here
    found = eventually(lambda: lab.messages(start, "crowsnest-metabase-1"), 240)
    assert "restarts again and again" in json.dumps(found[0])
    figure("restart loop to Slack message", f"{found[0]['received'] - start:.0f} s")
    eventually(lambda: lab.query('probe_success{job="service_probe", service="metabase"} == 1'), 120)
