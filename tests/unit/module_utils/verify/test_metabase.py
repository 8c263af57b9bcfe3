"""The questions of the business, asked of a Metabase that a real server plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import QUESTION, entity_id
from ansible_collections.crowsnest.core.plugins.module_utils.verify import metabase as verify_metabase

Serve = Callable[..., Any]
PERIOD = [{"value": "past30days~"}]
WANTED = [
    {"key": "shop/Revenue", "app": "shop", "name": "Revenue", "parameters": PERIOD},
    {"key": "shop/Orders", "app": "shop", "name": "Orders", "parameters": []},
    {"key": "depot/Stock", "app": "depot", "name": "Stock", "parameters": []},
]
WELL = {"status": "completed", "data": {"rows": []}}
FAILED = {"status": "failed", "error": "ERROR: no such\n  column"}


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    (tmp_path / "key").write_text('{"key": "mb_1"}')
    return str(tmp_path / "key")


@pytest.fixture
def lines(serve: Serve, key_file: str) -> Callable[..., list[tuple[str, str]]]:
    """(status, detail) of all checks; `answers` is {key: what Metabase answers}, without those that are not there."""

    def look(answers: dict[str, Any]) -> list[tuple[str, str]]:
        cards = [{"id": number, "entity_id": entity_id(QUESTION, key)} for number, key in enumerate(answers)]
        asked = list(answers.values())

        def answer(_: str, path: str, body: bytes) -> tuple[int, str]:
            if path == "/api/card":
                return 200, json.dumps([*cards, {"id": 99, "entity_id": "of-the-team"}])
            number = int(path.split("/")[3])
            look.bodies[number] = json.loads(body)  # type: ignore[attr-defined]
            return 202, json.dumps(asked[number])

        checks = verify_metabase.metabase_checks(serve(answer).url, key_file, WANTED, 3)
        return [(check.status, check.detail) for check in checks]

    look.bodies = {}  # type: ignore[attr-defined]
    return look


def test_each_app_whose_questions_are_answered_is_a_line(lines: Any) -> None:
    assert lines({each["key"]: WELL for each in WANTED}) == [
        ("PASS", "shop: 2 of 2 questions have an answer"),
        ("PASS", "depot: 1 of 1 questions have an answer"),
    ]
    # As the dashboard asks when it is opened, and not for all there ever was.
    assert [lines.bodies[number]["parameters"] for number in range(3)] == [PERIOD, [], []]


# The SQL and the database are the team's: a run must not fail for ever because of them.
def test_a_question_without_an_answer_is_a_warning_with_postgresql_s_words(lines: Any) -> None:
    assert lines({"shop/Revenue": WELL, "shop/Orders": FAILED, "depot/Stock": WELL})[0] == (
        "WARN",
        "shop: 1 of 2 questions have no answer: Orders: ERROR: no such column",
    )


def test_questions_that_could_not_be_made_are_a_warning(lines: Any) -> None:
    assert lines({"depot/Stock": WELL}) == [
        ("WARN", "shop: 2 of 2 questions are missing: Revenue, Orders"),
        ("PASS", "depot: 1 of 1 questions have an answer"),
    ]


def test_a_metabase_that_does_not_answer_is_told_elsewhere(key_file: str, closed_url: str) -> None:
    assert verify_metabase.metabase_checks(closed_url, key_file, WANTED, 3) == []


def test_a_key_that_is_refused_or_missing_is_a_fault(serve: Serve, key_file: str, tmp_path: Path) -> None:
    refusing = serve(lambda *_: (401, "Unauthenticated"))
    (refused,) = verify_metabase.metabase_checks(refusing.url, key_file, WANTED, 3)
    (missing,) = verify_metabase.metabase_checks(refusing.url, str(tmp_path / "none"), WANTED, 3)
    assert (refused.status, missing.status) == ("FAIL", "FAIL")
    assert "refuses crowsnest's API key" in refused.detail and "is missing" in missing.detail
