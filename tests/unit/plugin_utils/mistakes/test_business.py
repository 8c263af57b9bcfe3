# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What questions, subscriptions and users say of databases, SQL, files and receivers: each mistake as one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.business import business_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import starter

GROUPS = {"server": ["web1"], "monitored": ["web1", "web2"]}
DATABASE = {"name": "shop"}
EMAIL = {"type": "email", "to": ["a@example.com"], "sender": "b@example.com", "smarthost": "smtp.example.com:587"}
SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
AT = "crowsnest_apps[0] (shop).business"
STOCK = f"{AT}.questions[0] (Stock)"
Find = Callable[..., list[str]]


def stock(sql: str = "SELECT 1 AS a", **keys: Any) -> dict[str, Any]:
    return {"name": "Stock", "sql": sql, "chart": "table", **keys}


def from_file(name: str) -> dict[str, Any]:
    return {"name": "Stock", "file": name, "chart": "table"}


def asking(*questions: Any, **keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", "database": DATABASE, "business": {"questions": list(questions), **keys}}]}


def sent(*subscriptions: Any, **declared: Any) -> dict[str, Any]:
    return {**asking(subscriptions=list(subscriptions)), **declared}


def users(*emails: str) -> dict[str, Any]:
    return {"metabase_users": [{"email": email} for email in emails]}


def counting(*kpis: dict[str, Any], **question: Any) -> dict[str, Any]:
    """An app with KPIs, and a question of one."""
    asked = [{"name": "Now", "chart": "number", **question}] if question else []
    return {"apps": [{"name": "shop", "database": DATABASE, "kpis": list(kpis), "business": {"questions": asked}}]}


ORDERS = {"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}
NO_VALUE = "the SQL has no column `value`. Name it, as in `SELECT COUNT(*) AS value`."
ONE = "the SQL of a KPI is one statement. Remove the semicolon in the middle, and what follows it."
OF_FILE = {"name": "orders", "description": "Orders"}
KPI, NOW = "crowsnest_apps[0] (shop).kpis[0] (orders)", f"{AT}.questions[0] (Now)"


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """The mistakes of a declaration beside some files."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/good.sql").write_text("-- Good.\nSELECT 1 AS value\n")
    (tmp_path / "empty.sql").write_text("\n \n")
    (tmp_path / "binary.sql").write_bytes(b"SELECT '\xff'")
    (tmp_path / "delete.sql").write_text("DELETE FROM shop_order")

    def found(declared: dict[str, Any]) -> list[str]:
        named = {f"crowsnest_{name}": value for name, value in declared.items()}
        lines = business_mistakes(named, GROUPS, str(tmp_path))
        return [line.replace(str(tmp_path), "FOLDER") for line in lines]

    return found


RIGHT: list[dict[str, Any]] = [
    {},
    {"apps": [{"name": "idle"}]},
    {"apps": [{"name": "shop", "database": DATABASE, "host": "web1"}]},
    {"apps": [{"name": "shop", "database": {**DATABASE, "address": "10.0.0.2:5432"}, "host": "web2"}]},
    asking(from_file("sql/good.sql")),
    asking({"name": "Sales by region", "sql": "SELECT 1 AS region, 2 AS revenue"}),
    asking(stock(), {**stock(), "name": "Other"}),
    asking(stock("  select 1")),
    asking(stock("(SELECT 1) UNION (SELECT 2)")),
    asking(stock("WITH a AS (SELECT 1) SELECT * FROM a;")),
    asking(stock("/* Which? {{none}} */ -- {{no}}\nSELECT 1")),
    asking(stock("SELECT 1 WHERE true [[AND {{ region }}]] AND {{region}}", filters={"region": "a.b.c"})),
    asking(stock("SELECT ARRAY[ [1], [2] ]")),
    counting(ORDERS),
    counting({**OF_FILE, "file": "sql/good.sql"}),
    counting({**ORDERS, "sql": "/* {{none}} */ WITH a AS (SELECT ARRAY[[1], [2]] AS value) SELECT * FROM a -- {{no}}"}),
    counting(ORDERS, kpi="orders"),
    *(
        counting({**ORDERS, "sql": sql, "labels": ["region"]})
        for sql in (
            'SELECT "region", 1 AS VALUE; ; -- the end; of it',
            "SELECT ';' AS region, 1 /* ; */ value",
            "SELECT * FROM by_region",
            "SELECT o.* FROM by_region AS o",
        )
    ),
    sent({"to": ["a@example.com"]}, receivers=[SLACK, EMAIL]),
    sent({"channel": "#sales"}, metabase_slack_token="xoxb-1"),
    sent({"channel": "#sales"}, receivers=[{"type": "slack", "bot_token": "xoxb-1", "channel": "#alerts"}]),
    sent({"channel": "#sales"}, {"channel": "#sales"}, metabase_slack_token="xoxb-1"),
    {**users("a@example.com", "b@example.com"), "receivers": [EMAIL]},
    {"apps": [{"name": "idle"}], "receivers": [{**EMAIL, "password": "it's only Alertmanager's"}]},
    {**users("a@example.com"), "receivers": [EMAIL], "metabase_admin_email": "b@example.com"},
]


@pytest.mark.parametrize("declared", RIGHT, ids=str)
def test_what_fits_together_is_taken(find: Find, declared: dict[str, Any]) -> None:
    assert find(declared) == []


def reads(found: str) -> list[str]:
    return [f"{STOCK}: a question may only read, but {found}. Allowed: SQL that begins with SELECT or WITH."]


BRACKETS = (
    f"{STOCK}: Metabase reads {{{{…}}}} as a filter and [[…]] as a part with a filter in it, and something here is "
    "neither. Close each of them, and put a space between the brackets of nested arrays."
)
NO_COLUMN = "but `filters` names no column for it."
HOW = "Add its column, as in {period: public.shop_order.placed_at}."
RELATIVE = "Relative paths start at the inventory's folder."
STARTERS = ", ".join(starter())
ONLY = "is missing. Only a question that replaces a starter question takes over its chart."
REGION = {"filters": {"region": "a.b.c"}}
# Of each: declared, the lines.
LINES: list[tuple[dict[str, Any], list[str]]] = [
    # the database
    (
        {"apps": [{"name": "shop", "business": {"starter": False}}]},
        [f"{AT}: the app has no `database` to query. Needs `database` in the same app."],
    ),
    (
        {"apps": [{"name": "shop", "database": DATABASE, "host": "web2"}]},
        [
            "crowsnest_apps[0] (shop).database.address: '127.0.0.1:5432' cannot be reached from the server, as the app "
            "runs on web2. Allowed: an address of web2 that the server reaches, with `admin_user` and `admin_password`."
        ],
    ),
    # KPIs
    (
        counting({**ORDERS, "sql": "DELETE FROM orders"}),
        [line.replace(f"{STOCK}: a question", f"{KPI}: a KPI") for line in reads("the SQL begins with 'DELETE'")],
    ),
    *(
        (counting({**ORDERS, "sql": sql, "labels": labels}), [f"{KPI}: {line}" for line in lines])
        for sql, labels, lines in (
            ("SELECT COUNT(*) FROM orders", [], [NO_VALUE]),
            ("SELECT 'value', price * 2 FROM orders -- AS value", [], [NO_VALUE]),
            (
                "SELECT COUNT(*) AS value FROM orders",
                ["region"],
                ["the SQL has no column `region`. Name it, as in `SELECT COUNT(*) AS region`."],
            ),
            (
                "SET x TO 1",
                [],
                ["a KPI may only read, but the SQL begins with 'SET'. Allowed: SQL that begins with SELECT or WITH."],
            ),
            ("SELECT 1 AS value; -- one\nSELECT 2 AS value;", [], [ONE]),
        )
    ),
    (
        counting({**OF_FILE, "file": "none.sql"}),
        [f"{KPI}.file: 'none.sql' cannot be read: No such file or directory (FOLDER/none.sql). {RELATIVE}"],
    ),
    (
        counting({**ORDERS, "sql": "SELECT 1 AS value WHERE {{period}}"}),
        [f"{KPI}: nobody fills in {{{{…}}}} of a KPI. Write its SQL without them."],
    ),
    (
        counting(ORDERS, {**ORDERS, "name": "revenue"}, kpi="order"),
        [f"{NOW}.kpi: 'order' is not a KPI of the app. Did you mean `orders`? Allowed: orders, revenue."],
    ),
    (
        counting(kpi="orders"),
        [f"{NOW}.kpi: 'orders' is not a KPI of the app. Allowed: none, as the app has no `kpis`."],
    ),
    (
        counting({**ORDERS, "sql": "SELECT ARRAY[[1], [2]] AS value"}, kpi="orders"),
        [BRACKETS.replace(STOCK, NOW)],
    ),
    # names and charts
    (
        asking(stock(), stock()),
        [
            f"{AT}.questions[{index}] (Stock).name: 'Stock' is declared 2 times. Allowed: each name once within an app."
            for index in (0, 1)
        ],
    ),
    (
        asking({"name": "Sales by regions", "sql": "SELECT 1"}),
        [
            f"{AT}.questions[0] (Sales by regions).chart: {ONLY} Did you mean `Sales by region`? "
            f"Starter questions: {STARTERS}."
        ],
    ),
    (asking({"name": "Stock", "sql": "SELECT 1"}), [f"{STOCK}.chart: {ONLY} Starter questions: {STARTERS}."]),
    (
        asking({"name": "Sales by region", "sql": "SELECT 1"}, starter=False),
        [f"{AT}.questions[0] (Sales by region).chart: {ONLY} Starter questions: none, as `starter` is off."],
    ),
    # files
    (
        asking(from_file("none.sql")),
        [f"{STOCK}.file: 'none.sql' cannot be read: No such file or directory (FOLDER/none.sql). {RELATIVE}"],
    ),
    (asking(from_file("sql")), [f"{STOCK}.file: 'sql' cannot be read: Is a directory (FOLDER/sql). {RELATIVE}"]),
    (
        asking(from_file("empty.sql")),
        [f"{STOCK}.file: 'empty.sql' is empty (FOLDER/empty.sql). Allowed: a file with SQL in it."],
    ),
    (asking(from_file("binary.sql")), [f"{STOCK}.file: 'binary.sql' is not text in UTF-8 (FOLDER/binary.sql)."]),
    (asking(from_file("delete.sql")), reads("the SQL begins with 'DELETE'")),
    # SQL
    *(
        (asking(stock(f"{word} shop_order")), reads(f"the SQL begins with {word!r}"))
        for word in ("DELETE", "insert", "Update", "TRUNCATE", "selects", "EXPLAIN")
    ),
    *((asking(stock(sql)), reads("the SQL has no first word")) for sql in ("-- SELECT 1", " ", "/* SELECT")),
    (asking(stock("-- SELECT\nDROP TABLE a")), reads("the SQL begins with 'DROP'")),
    # filters
    (
        asking(stock("SELECT 1 WHERE {{regoin}}", **REGION)),
        [
            f"{STOCK}.filters: the SQL uses {{{{regoin}}}}, {NO_COLUMN} Did you mean `region`? {HOW}",
            f"{STOCK}.filters.region: the SQL does not use {{{{region}}}}. Write `[[AND {{{{region}}}}]]` into it, or "
            f"remove the filter.",
        ],
    ),
    (
        asking(stock("SELECT 1 WHERE {{period}} AND {{#12}}")),
        [f"{STOCK}.filters: the SQL uses {{{{{tag}}}}}, {NO_COLUMN} {HOW}" for tag in ("period", "#12")],
    ),
    (
        asking(stock("SELECT 1 -- {{region}}", **REGION)),
        [
            f"{STOCK}.filters.region: the SQL does not use {{{{region}}}}. "
            f"Write `[[AND {{{{region}}}}]]` into it, or remove the filter."
        ],
    ),
    *(
        (asking(stock(f"SELECT {{{{region}}}} {rest}", **REGION)), [BRACKETS])
        for rest in ("[[AND true]]", "[[AND {{region}}", "{{region", "ARRAY[[1, 2], [3, 4]]")
    ),
    # subscriptions
    (
        sent({"to": ["a@example.com"]}, receivers=[SLACK]),
        [f"{AT}.subscriptions[0].to: no mail server is known. Needs a receiver of type email, which names one."],
    ),
    (
        sent({"to": ["a@example.com"]}, {"channel": "#sales"}, receivers=[EMAIL, SLACK]),
        [
            f"{AT}.subscriptions[1].channel: Metabase needs the token of a bot for Slack, as a webhook cannot choose a "
            "channel. Needs `crowsnest_metabase_slack_token`, or a receiver with `bot_token`."
        ],
    ),
    (
        {**asking(starter=False, subscriptions=[{"channel": "#a"}]), "metabase_slack_token": "x"},
        [f"{AT}.subscriptions: there is no question to send. Needs `questions`, or `starter: true`."],
    ),
    # users
    (
        {**users("Kim@example.com", "kim@example.com"), "receivers": [EMAIL]},
        [
            f"crowsnest_metabase_users[{index}].email: 'kim@example.com' is declared 2 times. "
            "Allowed: each address once."
            for index in (0, 1)
        ],
    ),
    (
        {**users("A@example.com"), "receivers": [EMAIL], "metabase_admin_email": "a@Example.com"},
        [
            "crowsnest_metabase_users[0].email: 'a@example.com' is already the first account "
            "(`crowsnest_metabase_admin_email`). Give that account another address, or remove this entry."
        ],
    ),
    (
        {**users("a@example.com"), "receivers": [SLACK]},
        [
            "crowsnest_metabase_users: Metabase e-mails people the link to their first password, and no mail server "
            "is known. Needs a receiver of type email, which names one."
        ],
    ),
    # secrets that would be more than one line of the file that compose reads
    *(
        (
            declared,
            [
                f"{path}: the given value (not shown: it may hold a secret) cannot be passed to Metabase. Allowed: one "
                "line."
            ],
        )
        for path, declared in {
            "crowsnest_metabase_slack_token": {"metabase_slack_token": "a\nb"},
            "crowsnest_metabase_database.password": {"metabase_database": {"password": "a\r"}},
            "crowsnest_receivers[1].password": {
                "apps": [{"name": "shop", "database": DATABASE}],
                "receivers": [SLACK, {**EMAIL, "password": "a\nb"}],
            },
        }.items()
    ),
]


@pytest.mark.parametrize(("declared", "lines"), LINES, ids=[lines[0][-60:] for _, lines in LINES])
def test_what_does_not_fit_together_is_named_with_the_way_out(
    find: Find, declared: dict[str, Any], lines: list[str]
) -> None:
    assert find(declared) == lines


def test_all_mistakes_are_found_at_once(find: Find) -> None:
    questions = [stock("DROP TABLE a", **REGION), stock("SELECT {{x}}"), from_file("none.sql")]
    assert len(find(asking(*questions, subscriptions=[{"to": ["a@example.com"]}]))) == 8


# Values that are no lists or mappings at all are the model's to refuse.
@pytest.mark.parametrize("value", [None, "text", 5, ["text"], [None], [[]], {"a": 1}, [{"name": ["a"]}]], ids=str)
def test_what_has_another_form_breaks_nothing(find: Find, value: Any) -> None:
    for declared in (
        {"apps": value},
        {"metabase_users": value},
        {"apps": [{"name": value, "database": value, "business": value, "host": value}]},
        asking(subscriptions=value),
        {"apps": [{"name": "shop", "database": DATABASE, "business": {"questions": value, "starter": value}}]},
        asking({"name": "a", "sql": value, "file": value, "filters": value, "chart": value}),
        sent({"to": value, "channel": value}, receivers=value),
    ):
        find(declared)
