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
_OWN_SQL = "Give these questions SQL of your own, or none with `starter: false`: docs/business.md."
_MADE = "`./crowsnest site` with the same -i makes them, or says what does not fit the database: docs/business.md."


def metabase_checks(url: str, key_file: str, wanted: Sequence[Question], connections: int) -> list[Check]:
    """Whether each question has an answer.

    At most `connections` questions are asked at a time, as each takes a connection of the reader.

    Empty when Metabase does not answer, which is said elsewhere. A question without an answer is a warning: its SQL and
    the database are the team's.
    """
    try:
        key = KeyFile(key_file, keep=False).key
        if not key:
            return [Check(FAIL, AREA, f"the key for Metabase is not there ({key_file})", RUN_SITE)]
        rows = Metabase(url, key).rows("/api/card")
    except RefusedError as error:
        return [Check(FAIL, AREA, f"Metabase refuses the key of the run: {error}", RUN_SITE)]
    except MetabaseError:
        return []
    numbers = {row.get("entity_id"): row["id"] for row in rows}
    ids: dict[str, int | None] = {each["key"]: numbers.get(entity_id(QUESTION, each["key"])) for each in wanted}

    def ask(each: Question) -> str:
        if ids[each["key"]] is None:
            return ""
        try:
            return sql_error(Metabase(url, key), ids[each["key"]], each["parameters"])
        except MetabaseError as error:
            return str(error)

    with ThreadPoolExecutor(connections) as pool:
        words = dict(zip((each["key"] for each in wanted), pool.map(ask, wanted)))
    apps = dict.fromkeys(each["app"] for each in wanted)
    return [check for app in apps for check in _app(app, [it for it in wanted if it["app"] == app], ids, words)]


def _app(
    app: str, wanted: Sequence[Question], ids: Mapping[str, int | None], words: Mapping[str, str]
) -> Iterator[Check]:
    """A line for each way in which questions of an app are amiss, or one that all is well."""
    missing = [each["name"] for each in wanted if ids[each["key"]] is None]
    failing = [f"{each['name']}: {' '.join(words[each['key']].split())}" for each in wanted if words[each["key"]]]
    if missing:
        word = f"{app}: {len(missing)} of {len(wanted)} questions are not there: {some(missing)}"
        yield Check(WARN, AREA, word, _MADE, kind="apps lack questions", name=app)
    if failing:
        word = f"{app}: {len(failing)} of {len(wanted)} questions have no answer: {some(failing, 3)}"
        yield Check(WARN, AREA, word, _OWN_SQL, kind="apps have questions without an answer", name=app)
    if not missing and not failing:
        yield Check(PASS, AREA, f"{app}: {len(wanted)} of {len(wanted)} questions have an answer")
