"""What crowsnest relies on when Metabase runs a question: filters, variables, limits and messages.

Against the double, or a real Metabase: test_metabase_contract.py says how.
"""

# ruff: noqa: S608 - the only name in the queries is that of the tests' own table
import pytest
from metabase_content import Content, native
from metabase_double import TABLE, Metabase


def test_a_query_that_fails_is_answered_with_what_postgresql_says(metabase: Metabase, content: Content) -> None:
    card = content.card("SELECT no_such_column FROM " + TABLE)
    answer = metabase.ask("POST", f"card/{card['id']}/query", {})
    assert answer.status_code == 202
    assert answer.json()["status"] == "failed"
    assert answer.json()["error"].startswith('ERROR: column "no_such_column" does not exist')


def test_two_thousand_rows_are_shown_and_all_are_exported(metabase: Metabase, content: Content) -> None:
    card = content.card("SELECT n FROM generate_series(1, 2500) AS n")
    found = metabase.post(f"card/{card['id']}/query")
    assert (found["row_count"], found["data"]["rows_truncated"]) == (2000, 2000)
    exported = metabase.post(f"card/{card['id']}/query/json")
    assert (len(exported), exported[-1]) == (2500, {"n": 2500})


def test_a_query_is_asked_without_a_question(metabase: Metabase, content: Content) -> None:
    answer = metabase.ask("POST", "dataset", native(content.database, "SELECT 1 AS one, 'x' AS word, 1.50 AS sum"))
    assert answer.status_code == 202
    data = answer.json()["data"]
    assert data["rows"] == [[1, "x", 1.5]]
    assert [(column["name"], column["base_type"]) for column in data["cols"]] == [
        ("one", "type/Integer"),
        ("word", "type/Text"),
        ("sum", "type/Decimal"),
    ]


DATES = [
    (None, 5),
    ("2026-11-01~2026-11-30", 2),  # in Berlin: the night of the 31st belongs to November, that of the 30th does not
    ("2026-11", 2),
    ("2026-11-15", 1),
    ("Q4-2026", 4),
    ("2026-12-01~", 0),
    ("~2026-11-01", 1),
]


@pytest.mark.parametrize(("value", "expected"), DATES)
def test_a_date_filter_counts_in_the_report_time_zone(content: Content, value: str | None, expected: int) -> None:
    if content.metabase.get("session/properties")["report-timezone"] != "Europe/Berlin":
        pytest.skip("this Metabase does not report in Berlin's time")
    sql = f"SELECT count(*) FROM {TABLE} WHERE (status <> 'recent' OR {value is None}) [[AND {{{{period}}}}]]"
    card = content.card(sql, tags={"period": content.tag("period", "placed_at", "date/all-options")})
    target = ["dimension", ["template-tag", "period"]]
    assert content.rows(card, {"type": "date/all-options", "target": target, "value": value}) == [[expected]]


@pytest.mark.parametrize(
    ("value", "found"), [("past30days", True), ("past3days", False), ("past10days~", True), ("today", False)]
)
def test_a_relative_date_filter_ends_yesterday_unless_it_has_a_wave(content: Content, value: str, found: bool) -> None:
    sql = f"SELECT count(*) FROM {TABLE} WHERE status = 'recent' AND {{{{period}}}}"
    card = content.card(sql, tags={"period": content.tag("period", "placed_at", "date/all-options")})
    target = ["dimension", ["template-tag", "period"]]
    assert content.rows(card, {"type": "date/all-options", "target": target, "value": value}) == [[int(found)]]


@pytest.mark.parametrize(("value", "expected"), [(["paid"], 2), (["paid", "open"], 3), (["o'hara; --"], 0), ([], 5)])
def test_a_text_filter_takes_one_or_several_values(content: Content, value: list[str], expected: int) -> None:
    sql = f"SELECT count(*) FROM {TABLE} WHERE true -- not {{{{a tag}}}}\n [[AND {{{{status}}}}]]"
    card = content.card(sql, tags={"status": content.tag("status", "status", "string/=")})
    target = ["dimension", ["template-tag", "status"]]
    assert content.rows(card, {"type": "string/=", "target": target, "value": value}) == [[expected]]


def test_variables_are_bound_and_a_default_fills_in(content: Content) -> None:
    tags = {name: {"id": name, "name": name, "display-name": name, "type": kind} for name, kind in VARIABLES.items()}
    tags["least"] |= {"default": "15", "required": True}
    sql = f"SELECT id FROM {TABLE} WHERE total >= {{{{least}}}} [[AND status LIKE {{{{like}}}} || '%']]"
    sql += " [[AND day < {{day}}]] ORDER BY 1"
    card = content.card(sql, tags=tags)
    assert content.rows(card) == [[2], [3], [4], [5]]
    given = {"type": "category", "target": ["variable", ["template-tag", "like"]], "value": "pai"}
    assert content.rows(card, given) == [[2]]
    day = {"type": "date/single", "target": ["variable", ["template-tag", "day"]], "value": "2026-11-20"}
    assert content.rows(card, day) == [[2], [3]]


VARIABLES = {"least": "number", "like": "text", "day": "date"}


@pytest.mark.parametrize(
    ("field", "words"), [(999999, "999999"), (None, "missing required parameters")], ids=["unknown field", "no tag"]
)
def test_a_filter_that_cannot_work_fails_with_words(content: Content, field: int | None, words: str) -> None:
    tag = {**content.tag("status", "status", "string/="), "dimension": ["field", {}, field]}
    card = content.card(f"SELECT 1 FROM {TABLE} WHERE {{{{status}}}}", tags={"status": tag} if field else {})
    answer = content.metabase.ask("POST", f"card/{card['id']}/query", {})
    assert answer.json()["status"] == "failed"
    assert words in answer.json()["error"]
