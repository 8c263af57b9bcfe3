# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Another language renames what is in Metabase: nothing is made anew, so links, stars and subscriptions stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from metabase_double import Postgres
from metabase_in_process import Double, Shop
from metabase_module import DB_PASSWORD, DECLARED, Runner, settled

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import objects
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import questions

# The columns of the sample shop that the starter questions ask for.
TABLES = (
    "CREATE TABLE shop_customer (id bigint, region text, signed_up_at timestamptz)",
    "CREATE TABLE shop_product (id bigint, name text)",
    "CREATE TABLE shop_order (id bigint, region text, status text, total_krw int, placed_at timestamptz)",
    "CREATE TABLE shop_orderitem (order_id bigint, product_id bigint, quantity int, unit_price_krw int)",
    "CREATE TABLE shop_payment (order_id bigint, status text, failure_reason text, created_at timestamptz)",
)
OWN = {"name": "Stock", "sql": "SELECT 3 AS left", "chart": "number"}
REPLACED = {"name": "Revenue per day", "sql": "SELECT 1 AS day, 2 AS revenue", "description": "Ours."}
KINDS = ("collection", "card", "dashboard", "pulse")


@pytest.fixture
def tables(shop: Shop) -> None:
    shop(*TABLES)


def declared(postgres: Postgres, language: str, **site: Any) -> dict[str, Any]:
    """What a run hands to the module for one app with a question of its own and a subscription."""
    business = {"questions": [OWN, REPLACED], "subscriptions": [{"to": ["boss@example.com"]}]}
    database = {"address": f"127.0.0.1:{postgres.port}", "name": "shop"}
    made = Declaration.model_validate({"apps": [{"name": "shop", "database": database, "business": business}]})
    ready = {"shop": questions(made.apps[0].business, Path("/nowhere"), language)}
    mail = {"email-smtp-host": "127.0.0.1", "email-smtp-password": "smtp-Secret-3"}
    return {
        **{key: DECLARED[key] for key in ("admin", "site")},
        "settings": mail,
        **objects(made.apps, ready, [], DB_PASSWORD, language),
        **site,
    }


def ids(metabase: Double) -> dict[str, set[Any]]:
    return {kind: {(row["id"], row.get("entity_id")) for row in metabase.store.all(kind)} for kind in KINDS}


@pytest.mark.usefixtures("tables")
def test_another_language_renames_what_is_there(metabase: Double, run: Runner, postgres: Postgres) -> None:
    assert not run(declared(postgres, "en")).get("failed")
    before = ids(metabase)
    result = run(declared(postgres, "ko"))
    assert {change.split()[0] for change in result["changes"]} == {"change"}
    assert ids(metabase) == before
    settled(run, metabase, declared(postgres, "ko"))
    names = {card["name"] for card in metabase.store.all("card")}
    assert {"오늘 매출", "일별 매출", "매출 상위 상품", "Stock"} <= names
    assert [each["name"] for each in metabase.store.all("dashboard")] == ["비즈니스 현황"]
    assert [each["name"].partition(" [")[0] for each in metabase.store.all("pulse")] == ["shop: 비즈니스 현황, 매일"]


@pytest.mark.usefixtures("tables")
def test_the_way_back_leaves_no_trace(metabase: Double, run: Runner, postgres: Postgres) -> None:
    first = run(declared(postgres, "en"))
    assert not first.get("failed")
    run(declared(postgres, "ko"))
    run(declared(postgres, "en"))
    settled(run, metabase, declared(postgres, "en"))
    assert {card["name"] for card in metabase.store.all("card")} >= {"Revenue today", "Revenue per day", "Stock"}


@pytest.mark.usefixtures("tables")
def test_people_read_titles_of_columns_and_filters(metabase: Double, run: Runner, postgres: Postgres) -> None:
    run(declared(postgres, "ko"))
    top = metabase.one("card", "매출 상위 상품")
    columns = top["visualization_settings"]["column_settings"]
    assert {key: column["column_title"] for key, column in columns.items()} == {
        '["name","Product"]': "상품",
        '["name","Units"]': "판매 수량",
        '["name","Revenue"]': "매출",
    }
    tags = top["dataset_query"]["stages"][0]["template-tags"]
    assert {name: tag["display-name"] for name, tag in tags.items()} == {"period": "기간", "region": "지역"}
    dashboard = metabase.one("dashboard", "비즈니스 현황")
    assert [each["name"] for each in dashboard["parameters"]] == ["기간", "지역"]
    assert metabase.one("card", "일별 매출")["description"] == "Ours."
