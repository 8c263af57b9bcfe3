# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Metabase has the declared questions and each has an answer. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import (
    Metabase,
    MetabaseError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import QUESTION, entity_id
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.questions import sql_error
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    some,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Question

AREA = "business"
_OWN_SQL = "Give these questions your own SQL, or turn them off with `starter: false`: docs/business.md."
_MADE = "`./crowsnest site` with the same -i creates them, or reports what does not fit the database: docs/business.md."


def metabase_checks(url: str, key_file: str, wanted: Sequence[Question], connections: int) -> list[Check]:
    """Whether each question has an answer.

    At most `connections` questions are asked at a time, as each takes a connection of the reader.

    Empty when Metabase does not answer, which is reported elsewhere. A question without an answer is a warning: its
    SQL and the database are the team's.
    """
    try:
        key = KeyFile(key_file, keep=False).key
        if not key:
            return [Check(FAIL, AREA, f"the API key of Metabase is missing ({key_file})", RUN_SITE)]
        rows = Metabase(url, key).rows("/api/card")
    except RefusedError as error:
        return [Check(FAIL, AREA, f"Metabase refuses crowsnest's API key: {error}", RUN_SITE)]
    except MetabaseError:
        return []
    numbers = {row.get("entity_id"): row["id"] for row in rows}
    keys = [question["key"] for question in wanted]
    ids: dict[str, int | None] = {key: numbers.get(entity_id(QUESTION, key)) for key in keys}

    def ask(question: Question) -> str:
        if ids[question["key"]] is None:
            return ""
        try:
            return sql_error(Metabase(url, key), ids[question["key"]], question["parameters"])
        except MetabaseError as error:
            return str(error)

    with ThreadPoolExecutor(connections) as pool:
        errors = dict(zip(keys, pool.map(ask, wanted)))
    of_app: dict[str, list[Question]] = {}
    for question in wanted:
        of_app.setdefault(question["app"], []).append(question)
    return [check for app, questions in of_app.items() for check in _app(app, questions, ids, errors)]


def _app(
    app: str, wanted: Sequence[Question], ids: Mapping[str, int | None], errors: Mapping[str, str]
) -> Iterator[Check]:
    """A line for each kind of fault in an app's questions, or one that reports that all is well."""
    missing = [question["name"] for question in wanted if ids[question["key"]] is None]
    failing = [
        f"{question['name']}: {' '.join(errors[question['key']].split())}"
        for question in wanted
        if errors[question["key"]]
    ]
    if missing:
        detail = f"{app}: {len(missing)} of {len(wanted)} questions are missing: {some(missing)}"
        yield Check(WARN, AREA, detail, _MADE, kind="apps lack questions", name=app)
    if failing:
        detail = f"{app}: {len(failing)} of {len(wanted)} questions have no answer: {some(failing, 3)}"
        yield Check(WARN, AREA, detail, _OWN_SQL, kind="apps have questions without an answer", name=app)
    if not missing and not failing:
        yield Check(PASS, AREA, f"{app}: {len(wanted)} of {len(wanted)} questions have an answer")
