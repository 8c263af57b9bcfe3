# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The starter questions answer a real PostgreSQL with the sample shop's tables, row by row."""

from __future__ import annotations

from datetime import date
from itertools import chain, combinations
from typing import Any

import metabase_sql
import psycopg
import pytest
from metabase_sql import TIMEZONE, Value

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Business
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import (
    STARTER,
    questions,
    starter,
    starter_words,
)

Shop = psycopg.Connection[tuple[Any, ...]]
READY = {ready.question.name: ready for ready in questions(Business(), STARTER, "en")}
MARCH_9, MARCH_10, MARCH_11, MARCH_12 = (date(2026, 3, day) for day in (9, 10, 11, 12))
ALL: dict[str, Value] = {"period": (MARCH_10, MARCH_12), "region": ["seoul", "japan"]}


def asked(shop: Shop, name: str, **values: Value) -> psycopg.Cursor[tuple[Any, ...]]:
    """The answer to a starter question with these filters set."""
    ready = READY[name]
    known = {tag: value for tag, value in values.items() if tag in ready.question.filters}
    sql = metabase_sql.expanded(ready.sql, ready.question.filters, known)
    return shop.execute(sql.encode())


CUSTOMERS = [
    (1, "a@example.com", "seoul", "2026-03-01 12:00"),
    (2, "b@example.com", "japan", "2026-03-01 23:59"),
    (3, "c@example.com", "seoul", "2026-03-02 00:00"),
]
PRODUCTS = [(1, "A-1", "LUMEN9 Album"), (2, "A-2", "Velvet Hour Hoodie"), (3, "A-3", "LUMEN9 Album")]
ORDERS = [
    (1, 1, "seoul", "paid", 30_000, "2026-03-09 23:30"),
    (2, 1, "seoul", "paid", 50_000, "2026-03-10 00:30"),  # still March 9 in UTC
    (3, 2, "japan", "paid", 20_000, "2026-03-10 12:00"),
    (4, 2, "japan", "payment_failed", 90_000, "2026-03-10 13:00"),
    (5, 3, "seoul", "refunded", 70_000, "2026-03-10 14:00"),
    (6, 3, "seoul", "new", 11_000, "2026-03-10 15:00"),
    (7, 2, "japan", "paid", 40_000, "2026-03-12 23:59"),
]
# Of each: order, product, quantity, price.
ITEMS = [(1, 1, 1, 30_000), (2, 1, 1, 30_000), (2, 2, 2, 10_000), (3, 2, 2, 10_000), (4, 2, 9, 10_000)]
ITEMS += [(5, 2, 7, 10_000), (7, 3, 4, 10_000)]
# Of each: order, status, reason, moment.
PAYMENTS = [
    (1, "paid", "", "2026-03-09 23:30"),
    (2, "paid", "", "2026-03-10 00:30"),
    (3, "paid", "", "2026-03-10 12:00"),
    (4, "failed", "card_declined", "2026-03-10 13:00"),
    (4, "failed", "no_funds", "2026-03-11 00:10"),
    (4, "failed", "no_funds", "2026-03-12 00:10"),
    (5, "paid", "", "2026-03-10 14:00"),
    (7, "paid", "", "2026-03-12 23:59"),
]


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """The shop with the rows above."""
    with shop.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_customer VALUES (%s, %s, %s, %s, now())", CUSTOMERS)
        cursor.executemany("INSERT INTO shop_product VALUES (%s, %s, %s, 'x', 'x', 1, 1, now())", PRODUCTS)
        cursor.executemany(
            "INSERT INTO shop_order (id, customer_id, region, status, total_krw, placed_at) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            ORDERS,
        )
        cursor.executemany(
            "INSERT INTO shop_orderitem (order_id, product_id, quantity, unit_price_krw) VALUES (%s, %s, %s, %s)",
            ITEMS,
        )
        cursor.executemany(
            "INSERT INTO shop_payment (order_id, method, status, amount_krw, failure_reason, created_at) "
            "VALUES (%s, 'card', %s, 1, %s, %s)",
            PAYMENTS,
        )
    return shop


PERIOD: dict[str, Value] = {"period": (MARCH_10, MARCH_12)}
ONE_DAY: dict[str, Value] = {"period": (MARCH_10, MARCH_10)}
SEOUL: dict[str, Value] = {"region": ["seoul"]}
NOWHERE: dict[str, Value] = {"region": ["jeju"]}
# Of each: question, filters, rows.
ANSWERS: list[tuple[str, dict[str, Value], list[tuple[Any, ...]]]] = [
    ("Revenue per day", {}, [(MARCH_9, 30_000), (MARCH_10, 70_000), (MARCH_12, 40_000)]),
    ("Revenue per day", SEOUL, [(MARCH_9, 30_000), (MARCH_10, 50_000)]),
    ("Revenue per day", PERIOD, [(MARCH_10, 70_000), (MARCH_12, 40_000)]),
    ("Revenue per day", ONE_DAY | SEOUL, [(MARCH_10, 50_000)]),
    ("Revenue per day", NOWHERE, []),
    ("Orders per day", {}, [(MARCH_9, 1), (MARCH_10, 2), (MARCH_12, 1)]),
    ("Orders per day", ONE_DAY | SEOUL, [(MARCH_10, 1)]),
    ("Average order value", {}, [(35_000,)]),
    ("Average order value", ONE_DAY, [(35_000,)]),
    ("Average order value", SEOUL, [(40_000,)]),
    ("Average order value", NOWHERE, [(0,)]),
    ("Average order value per day", {}, [(MARCH_9, 30_000), (MARCH_10, 35_000), (MARCH_12, 40_000)]),
    ("Sales by region", {}, [("seoul", 80_000), ("japan", 60_000)]),
    ("Sales by region", PERIOD, [("japan", 60_000), ("seoul", 50_000)]),
    ("Sales by region", PERIOD | SEOUL, [("seoul", 50_000)]),
    (
        "Top products",
        {},
        [("LUMEN9 Album", 2, 60_000), ("LUMEN9 Album", 4, 40_000), ("Velvet Hour Hoodie", 4, 40_000)],
    ),
    ("Top products", ONE_DAY | SEOUL, [("LUMEN9 Album", 1, 30_000), ("Velvet Hour Hoodie", 2, 20_000)]),
    (
        "Payments by status",
        {},
        [
            *((MARCH_9, "paid", 1), (MARCH_10, "failed", 1), (MARCH_10, "paid", 3)),
            *((MARCH_11, "failed", 1), (MARCH_12, "failed", 1), (MARCH_12, "paid", 1)),
        ],
    ),
    ("Payments by status", ONE_DAY | SEOUL, [(MARCH_10, "paid", 2)]),
    ("Failed payments by reason", {}, [("no_funds", 2), ("card_declined", 1)]),
    ("Failed payments by reason", ONE_DAY, [("card_declined", 1)]),
    ("Failed payments by reason", SEOUL, []),
    ("Sign-ups per day", {}, [(date(2026, 3, 1), 2), (date(2026, 3, 2), 1)]),
    ("Sign-ups per day", SEOUL, [(date(2026, 3, 1), 1), (date(2026, 3, 2), 1)]),
    ("Sign-ups per day", {"period": (date(2026, 3, 2), MARCH_9)}, [(date(2026, 3, 2), 1)]),
]


@pytest.mark.parametrize(("name", "values", "rows"), ANSWERS, ids=[f"{name}-{[*given]}" for name, given, _ in ANSWERS])
def test_known_rows_give_known_numbers(busy: Shop, name: str, values: dict[str, Value], rows: list[Any]) -> None:
    assert asked(busy, name, **values).fetchall() == rows


def test_each_question_that_is_not_of_today_has_known_answers() -> None:
    assert {name for name, _, _ in ANSWERS} == set(READY) - {"Revenue today", "Orders today"}


@pytest.mark.parametrize("timezone", [TIMEZONE, "UTC", "America/Los_Angeles"])
def test_today_begins_at_midnight_of_the_session(busy: Shop, timezone: str) -> None:
    busy.execute(f"SET TIME ZONE '{timezone}'".encode())
    for number, (moment, status, region) in enumerate(
        [
            ("date_trunc('day', now())", "paid", "japan"),
            ("now()", "paid", "seoul"),
            ("now()", "refunded", "seoul"),
            ("now()", "payment_failed", "seoul"),
            ("date_trunc('day', now()) - interval '1 second'", "paid", "seoul"),
        ]
    ):
        columns = "id, customer_id, region, status, total_krw, placed_at"
        busy.execute(
            f"INSERT INTO shop_order ({columns}) VALUES (%s, 1, %s, %s, %s, {moment})".encode(),  # noqa: S608 - ours
            (100 + number, region, status, 10**number),
        )
    assert asked(busy, "Revenue today").fetchall() == [(11,)]
    assert asked(busy, "Orders today").fetchall() == [(2,)]
    assert asked(busy, "Revenue today", **SEOUL).fetchall() == [(10,)]
    assert asked(busy, "Orders today", **SEOUL).fetchall() == [(1,)]


@pytest.mark.parametrize("name", READY)
def test_an_empty_database_has_no_error_and_numbers_are_zero(shop: Shop, name: str) -> None:
    for tags in chain.from_iterable(combinations(ALL, count) for count in range(3)):
        rows = asked(shop, name, **{tag: ALL[tag] for tag in tags}).fetchall()
        assert rows == ([(0,)] if READY[name].question.chart == "number" else [])


@pytest.mark.parametrize("name", READY)
def test_the_chart_finds_its_columns_in_the_answer(shop: Shop, name: str) -> None:
    question = READY[name].question
    columns = [column.name for column in asked(shop, name).description or []]
    assert set(question.x) | set(question.y) <= set(columns)
    if question.chart not in ("number", "table"):
        assert [*question.x, *question.y] == columns


@pytest.mark.parametrize("name", READY)
def test_filters_are_columns_of_the_right_type(shop: Shop, name: str) -> None:
    """A filter of dates needs a moment with a time zone, or a day would begin at another hour."""
    for tag, column in READY[name].question.filters.items():
        row = shop.execute(
            "SELECT data_type FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            column.split("."),
        ).fetchone()
        assert row == ("timestamp with time zone" if tag == "period" else "character varying",)


def test_every_sql_file_is_a_starter_question() -> None:
    assert {path.name for path in STARTER.glob("*.sql")} == {str(each.file) for each in starter().values()}


@pytest.mark.parametrize("name", list(starter()))
def test_every_column_that_people_see_has_a_title_in_korean(shop: Shop, name: str) -> None:
    assert set(starter_words("ko")[name].columns) == {column.name for column in asked(shop, name).description or ()}
