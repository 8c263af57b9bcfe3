# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase on the running stack: what is declared is there with data, and nobody writes through it.

Asked through its API, as the pages do. In the laboratory a double plays Metabase; PostgreSQL and the app are real. What
comes and goes with the declaration is in test_come_and_go.py, what people change in test_by_hand.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from complete.declared import QUESTIONS
from lab.metabase_client import Metabase


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
    assert sorted(names) == sorted(QUESTIONS)
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


def test_its_own_database_keeps_everything_over_a_restart(
    lab: Any, server: Any, metabase: Metabase, eventually: Any, metabase_ready: Any
) -> None:
    eventually(lambda: lab.query('probe_success{job="service_probe", service="metabase"} == 1'), 120)
    before = set(metabase.cards())
    server.check_output("docker restart crowsnest-metabase_database-1 crowsnest-metabase-1")
    eventually(metabase_ready, 60)
    assert set(metabase.cards()) == before
    settings = server.check_output("docker exec crowsnest-metabase-1 env")
    assert "MB_DB_TYPE=postgres" in settings and f"-Xmx{lab.facts['memory']['limit_mib'] // 4}m" in settings
    refused = psql(server, "crowsnest-metabase_database-1", "metabase", "SELECT 1", password="wrong")
    assert "password authentication failed" in refused.stderr
