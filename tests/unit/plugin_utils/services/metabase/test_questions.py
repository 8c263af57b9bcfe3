# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which questions an app has: the starter ones, the team's in their place and after them, with the SQL of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Business
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import (
    STARTER,
    Ready,
    questions,
    read_sql,
    starter,
    starter_words,
)

REGION = {"name": "Sales by region", "sql": "SELECT 1 AS region, 2 AS revenue"}
OWN = {"name": "Stock", "sql": "SELECT 3 AS left", "chart": "number"}


def made(folder: Path = Path("/nowhere"), **keys: Any) -> dict[str, Ready]:
    return {ready.question.name: ready for ready in questions(Business.model_validate(keys), folder, "en")}


def test_the_starter_questions_come_first_and_in_their_order() -> None:
    assert list(made(questions=[OWN, REGION])) == [*starter(), "Stock"]


def test_without_the_starter_there_are_only_the_teams() -> None:
    assert list(made(starter=False, questions=[OWN, {**REGION, "chart": "table"}])) == ["Stock", "Sales by region"]
    assert made(starter=False) == {}


def test_one_of_a_starter_name_takes_its_place_and_its_drawing() -> None:
    given, ready = starter()["Sales by region"], made(questions=[REGION])["Sales by region"]
    assert ready.sql == "SELECT 1 AS region, 2 AS revenue"
    assert ready.size == given.size
    assert (ready.question.chart, ready.question.x, ready.question.y) == ("row", ["region"], ["revenue"])
    assert ready.question.currency == "KRW"


def test_it_does_not_take_what_was_said_of_the_other_sql() -> None:
    question = made(questions=[REGION])["Sales by region"].question
    assert (question.filters, question.description) == ({}, "")


def test_gaps_of_the_starter_one_are_taken_too() -> None:
    name = "Average order value per day"
    assert made(questions=[{"name": name, "sql": "SELECT 1"}])[name].question.gaps == "none"


def test_each_starter_question_has_korean_words_and_the_titles_of_its_columns() -> None:
    words = starter_words("ko")
    assert list(words) == list(starter())
    for name, question in starter().items():
        assert {*question.x, *question.y} <= set(words[name].columns), name
        assert all(re.search("[가-힣]", text) for text in (words[name].title, *words[name].columns.values())), name
        assert words[name].description.endswith("니다."), name


def test_in_korean_a_name_stays_the_key_and_a_question_in_its_place_has_its_title() -> None:
    keys = {"questions": [OWN, {**REGION, "description": "Ours."}]}
    found = {each.question.name: each for each in questions(Business.model_validate(keys), Path("/nowhere"), "ko")}
    assert list(found) == [*starter(), "Stock"]
    assert (found["Orders today"].title, found["Orders today"].question.description) == (
        "오늘 주문 수",
        "오늘 결제 완료된 주문입니다. 환불된 주문은 제외합니다.",
    )
    assert (found["Sales by region"].title, found["Sales by region"].question.description) == ("지역별 매출", "Ours.")
    assert (found["Stock"].title, found["Stock"].columns) == ("Stock", {})


def test_one_with_a_chart_of_its_own_takes_only_the_place() -> None:
    own = {**REGION, "chart": "pie", "x": "region", "y": "share"}
    question = made(questions=[own])["Sales by region"].question
    assert (question.chart, question.y, question.currency) == ("pie", ["share"], None)


def test_sizes_of_the_teams_fit_the_chart() -> None:
    chart = {"name": "Trend", "sql": "SELECT 1", "chart": "line", "x": "a", "y": "b"}
    found = made(questions=[OWN, chart])
    assert (found["Stock"].size, found["Trend"].size) == ((8, 4), (12, 6))


# Of each: content of the file, the SQL.
FILES = [
    ("SELECT 1", "SELECT 1"),
    ("-- A.\n-- B.\n\nSELECT 1\n", "SELECT 1"),
    ("\n  -- A.\nSELECT 1 -- one\n  FROM a;\n", "SELECT 1 -- one\n  FROM a"),
    ("SELECT 1; \n;\n", "SELECT 1"),
    ("SELECT 1; -- the end ; of it", "SELECT 1"),
    ("SELECT 1 -- one\n/* and\nall */;", "SELECT 1"),
    ("SELECT '; -- text'", "SELECT '; -- text'"),
    ("SELECT 'it''s; --' ;", "SELECT 'it''s; --'"),
    ("SELECT E'it\\'s; -- a' -- b", "SELECT E'it\\'s; -- a'"),
    ("SELECT a LIKE'\\' -- ' b", "SELECT a LIKE'\\'"),
    ('SELECT 1 AS "; --"', 'SELECT 1 AS "; --"'),
    ("SELECT $a$; -- $$ $a$;", "SELECT $a$; -- $$ $a$"),
    ("SELECT '한글'", "SELECT '한글'"),
]


@pytest.mark.parametrize(("content", "sql"), FILES)
def test_a_file_is_read_without_the_comment_at_its_top(tmp_path: Path, content: str, sql: str) -> None:
    (tmp_path / "a.sql").write_text(content, encoding="utf-8")
    named = {"name": "Stock", "chart": "table"}
    assert made(tmp_path, questions=[{**named, "file": "a.sql"}])["Stock"].sql == sql
    assert made(questions=[{**named, "file": str(tmp_path / "a.sql")}])["Stock"].sql == sql


def test_sql_in_the_declaration_is_taken_as_it_is() -> None:
    text = "-- Why.\nSELECT 1;\n"
    assert made(questions=[{**OWN, "sql": text}])["Stock"].sql == "-- Why.\nSELECT 1"


@pytest.mark.parametrize("name", list(starter()))
def test_a_starter_question_says_what_it_counts_and_asks_once(name: str) -> None:
    question = starter()[name]
    sql = read_sql(question, STARTER)
    assert question.description.endswith(".")
    assert sql.startswith("SELECT")
    assert ";" not in sql
    for tag in ("period", "region"):
        assert (tag in question.filters) == (f"{{{{{tag}}}}}" in sql)


KPI = Kpi(name="orders", sql="SELECT 7 AS value; -- now", description="Paid orders.")


def test_a_question_of_a_kpi_has_its_sql_and_its_description() -> None:
    asked = {"name": "Now", "kpi": "orders", "chart": "number"}
    own = {**asked, "name": "Own", "description": "Mine."}
    business = Business.model_validate({"starter": False, "questions": [asked, own]})
    found = [(ready.sql, ready.question.description) for ready in questions(business, Path("/nowhere"), "en", [KPI])]
    assert found == [("SELECT 7 AS value", "Paid orders."), ("SELECT 7 AS value", "Mine.")]
