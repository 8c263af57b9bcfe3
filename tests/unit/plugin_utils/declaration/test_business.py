# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team may declare about its business: each kind of value, and the words of each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

ADMIN = {"admin_user": "postgres", "admin_password": "hush-hush"}
USER = {"email": "kim@example.com", "first_name": "Ji-woo", "last_name": "Kim"}


def database(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", "database": {"name": "shop", **keys}}]}


def business(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", "database": {"name": "shop"}, "business": keys}]}


def question(**keys: Any) -> dict[str, Any]:
    return business(questions=[{"name": "Stock", "sql": "SELECT 1 AS a", "chart": "table", **keys}])


def drawn(chart: str, **keys: Any) -> dict[str, Any]:
    return question(chart=chart, **keys)


def subscription(**keys: Any) -> dict[str, Any]:
    return business(subscriptions=[keys])


def user(**keys: Any) -> dict[str, Any]:
    return {"metabase_users": [{**USER, **keys}]}


TAKEN: list[dict[str, Any]] = [
    database(),
    database(address="localhost:5433", schemas=["public", "Sales_2"], ssl=True),
    database(address="[::1]:5432"),
    database(address="db.internal:5432", **ADMIN),
    database(address="127.0.0.2:5432", **ADMIN),
    *(database(name=name) for name in ("a", "_a", "Shop-2", "x" * 63, "가" * 21, "1a", "a b", 'a"b', "a.b")),
    database(schemas=["public.a", "a;b", "테넌트 1", "it's"], admin_user="post gres", admin_password="x"),
    drawn("bar", x="지역", y=["매출", "Total revenue", "a-b", '"q"', "50%"]),
    question(filters={"Region": "public.주문.지역", "1": "a.b.c", "order.kind": "Tenant-1.Order items.my.kind"}),
    subscription(channel="@kim"),
    business(),
    business(starter=False),
    *(drawn(chart, x="day", y="revenue") for chart in ("line", "bar", "area", "row", "pie")),
    *(drawn(chart, x=["day", "status"], y=["a", "b"]) for chart in ("line", "bar", "area", "row")),
    drawn("number"),
    drawn("number", y="revenue", currency="KRW"),
    drawn("table"),
    drawn("table", y=["revenue", "discount"], currency="EUR"),
    drawn("line", x="day", y="average", gaps="none"),
    question(sql="SELECT 1 WHERE true [[AND {{period}}]]", filters={"period": "public.shop_order.placed_at"}),
    question(filters={"region": "public.shop_order.region", "a_1": "sales.Order.kind"}),
    business(questions=[{"name": "Sales by region", "file": "sql/regions.sql"}]),
    subscription(to=["kim@example.com", "lee@example.com"]),
    subscription(channel="#sales", every="day", at=0),
    subscription(channel="#매출", every="week", at=23, weekday="sunday"),
    subscription(channel="#sales", every="month", at=8, skip_if_empty=True),
    subscription(channel="#sales", every="hour"),
    user(),
    user(groups=["Sales", "Purchasing team"], admin=True),
]


@pytest.mark.parametrize("declared", TAKEN, ids=str)
def test_a_right_value_is_taken(declared: dict[str, Any]) -> None:
    Declaration.model_validate(declared)


HOST_AND_PORT = "host:port as the server reaches it, such as 127.0.0.1:5432"
TOGETHER = "Set `admin_user` and `admin_password` together, or neither"
REMOTE = "An `address` that is not the server's loopback needs `admin_user` and `admin_password`"
ONE_TEXT = "Set one of `sql`, `file` and `kpi`"
WITH_CHART = "`x`, `y` and `currency` need `chart`"
CURRENCY = "`currency` needs `y`: the columns with sums of money"
IDENTIFIER = "a name in PostgreSQL: any text of at most 63 bytes (21 Korean letters)"
COLUMN = "schema.table.column, such as public.shop_order.placed_at"
ONE_WAY = "Set either `to` or `channel`"
OWN_GROUP = "a group of your own; everybody is in All Users, and `admin: true` makes an administrator"
MISSING, UNKNOWN_KEY, PATTERN = "Field required", "Extra inputs are not permitted", "String should match pattern"

# Of each: declared, words of the refusal.
REFUSED: list[tuple[dict[str, Any], str]] = [
    # database
    ({"apps": [{"name": "shop", "database": {}}]}, MISSING),
    (database(password="x"), UNKNOWN_KEY),
    *((database(address=text), HOST_AND_PORT) for text in ("db", "db:0", "db:99999", "postgres://db:5432", "")),
    *((database(name=text), IDENTIFIER) for text in ("", "a\0b", "x" * 64, "가" * 22)),
    *((database(name=text), "without ? % +, which Metabase would misread") for text in ("a?b", "50%", "a+b")),
    *((database(schemas=[text]), IDENTIFIER) for text in ("", "x" * 64)),
    (database(schemas=[]), "at least 1 item"),
    (database(schemas="public"), "valid list"),
    (database(admin_user="postgres"), TOGETHER),
    (database(admin_password="hush-hush"), TOGETHER),
    (database(admin_user="\0", admin_password="x"), IDENTIFIER),
    *((database(address=f"{host}:5432"), REMOTE) for host in ("db.internal", "10.0.0.5", "localhost.example.com")),
    (database(ssl="maybe"), "valid boolean"),
    # the SQL of a question, and its name
    (business(questions=[{"name": "Stock", "chart": "table"}]), ONE_TEXT),
    (question(file="a.sql"), ONE_TEXT),
    (question(kpi="orders"), ONE_TEXT),
    (question(sql=None, kpi="orders", filters={"period": "a.b.c"}), "`filters` needs `sql` or `file`"),
    (question(sql=""), "at least 1 character"),
    (question(sql=None, file=""), "at least 1 character"),
    *((question(name=name), PATTERN) for name in ("", " a", "a ", "a\nb", "x" * 101)),
    (question(title="a"), UNKNOWN_KEY),
    # how a question is drawn
    (drawn("combo"), "'line', 'bar', 'area', 'row', 'pie', 'number' or 'table'"),
    *((drawn(chart), f"`chart: {chart}` needs `x` and `y`") for chart in ("line", "bar", "area", "row")),
    *((drawn(chart, x="day"), f"`chart: {chart}` needs `x` and `y`") for chart in ("line", "bar", "area", "row")),
    *((drawn(chart, y="a"), f"`chart: {chart}` needs `x` and `y`") for chart in ("line", "bar", "area", "row")),
    (drawn("line", x=["a", "b", "c"], y="d"), "`x` takes at most two columns"),
    *(
        (drawn("pie", **columns), "`chart: pie` needs one `x` and one `y`")
        for columns in ({}, {"x": "a"}, {"y": "a"}, {"x": ["a", "b"], "y": "c"}, {"x": "a", "y": ["b", "c"]})
    ),
    *((drawn(chart, x="day"), f"`chart: {chart}` takes no `x`") for chart in ("number", "table")),
    (drawn("number", y=["a", "b"]), "`chart: number` takes at most one `y`"),
    (drawn("line", x="day", y=""), IDENTIFIER),
    *((question(chart=None, **keys), WITH_CHART) for keys in ({"x": "a"}, {"y": "a"}, {"currency": "KRW"})),
    *((drawn(chart, currency="KRW"), CURRENCY) for chart in ("number", "table")),
    *((drawn("number", y="a", currency=text), PATTERN) for text in ("won", "krw", "KR", "₩")),
    (drawn("line", x="a", y="b", gaps="join"), "'zero' or 'none'"),
    # what a filter is a column of
    *(
        (question(filters={"period": text}), COLUMN)
        for text in ("placed_at", "shop_order.placed_at", "a..c", "a.b.", ".b.c")
    ),
    *((question(filters={tag: "a.b.c"}), PATTERN) for tag in ("", "a-b", "지역", "a b", "#12", "snippet: a")),
    # subscriptions
    (subscription(), ONE_WAY),
    (subscription(to=["a@example.com"], channel="#a"), ONE_WAY),
    *((subscription(to=[text]), PATTERN) for text in ("", "kim", "kim@", "kim@example", "kim @example.com")),
    *((subscription(channel=text), PATTERN) for text in ("", "sales", "#", "# sales", "##a", "#a@b")),
    (subscription(channel="#a", every="minute"), "'hour', 'day', 'week' or 'month'"),
    *((subscription(channel="#a", at=hour), "equal to") for hour in (-1, 24)),
    (subscription(channel="#a", every="hour", at=9), "`every: hour` takes no `at`"),
    (subscription(channel="#a", every="week", weekday="mon"), "'monday', 'tuesday'"),
    *(
        (subscription(channel="#a", every=every, weekday="monday"), "`weekday` needs `every: week`")
        for every in ("hour", "day", "month")
    ),
    # users
    *(({"metabase_users": [{key: text for key, text in USER.items() if key != name}]}, MISSING) for name in USER),
    (user(email="kim"), PATTERN),
    *((user(groups=[name]), OWN_GROUP) for name in ("Administrators", "administrators", "All Users")),
    (user(groups=[""]), PATTERN),
    (user(password="x"), UNKNOWN_KEY),
]


@pytest.mark.parametrize(("declared", "words"), REFUSED, ids=str)
def test_a_wrong_value_is_refused_with_what_is_allowed(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Declaration.model_validate(declared)
    assert words in str(refused.value)


def test_an_app_without_a_word_about_it_has_nothing_to_ask() -> None:
    (app,) = Declaration.model_validate({"apps": [{"name": "shop"}]}).apps
    assert app.database is None
    assert app.business.starter


def test_the_password_is_never_shown() -> None:
    assert "hush" not in str(Declaration.model_validate(database(**ADMIN)))
    with pytest.raises(ValidationError) as refused:
        Declaration.model_validate(database(admin_password="hush-hush", admin_user="x" * 64))
    assert "hush" not in str(refused.value.errors()[0]["msg"])
