# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Metabase has the declared questions and each has an answer. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase_broken import sql_error
from ansible_collections.crowsnest.core.plugins.module_utils.metabase_client import (
    Metabase,
    MetabaseError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase_objects import QUESTION, entity_id
from ansible_collections.crowsnest.core.plugins.module_utils.metabase_record import Record
from ansible_collections.crowsnest.core.plugins.module_utils.verify_check import (
    FAIL,
    PASS,
    RUN_SITE,
    WARN,
    Check,
    logs_of,
    some,
)

AREA = "business"
# The reader of an app's database has ten connections, and people use Metabase as well.
THREADS = 3
_OWN_SQL = "Give these questions SQL of your own, or none with `starter: false`: docs/business.md."


def metabase_checks(url: str, key_file: str, wanted: Sequence[dict[str, Any]]) -> list[Check]:
    """`wanted` is [{"key", "app", "name"}], the keys as the module `metabase` has them."""
    try:
        key = Record(key_file, keep=False).key
        if not key:
            return [Check(FAIL, AREA, f"the key for Metabase is not there ({key_file})", RUN_SITE)]
        rows = _asking(url, key).rows("/api/card")
    except RefusedError as error:
        return [Check(FAIL, AREA, f"Metabase refuses the key of the run: {error}", RUN_SITE)]
    except MetabaseError as error:
        return [Check(FAIL, AREA, str(error), logs_of("metabase"), soon=True)]
    numbers = {row.get("entity_id"): row["id"] for row in rows}
    found = {each["key"]: numbers.get(entity_id(QUESTION, each["key"])) for each in wanted}
    missing = [f"{each['app']}: {each['name']}" for each in wanted if found[each["key"]] is None]
    there = [each for each in wanted if found[each["key"]] is not None]

    def ask(each: dict[str, Any]) -> str:
        try:
            return sql_error(_asking(url, key), found[each["key"]])
        except MetabaseError as error:
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        words = dict(zip((each["key"] for each in there), pool.map(ask, there)))
    checks = [Check(FAIL, AREA, f"questions are missing: {some(missing)}", RUN_SITE)] if missing else []
    checks += [check for app in dict.fromkeys(each["app"] for each in there) for check in _app(app, there, words)]
    return checks


def _asking(url: str, key: str) -> Metabase:
    metabase = Metabase(url)
    metabase.headers = {"x-api-key": key}
    return metabase


def _app(app: str, there: Sequence[dict[str, Any]], words: dict[str, str]) -> list[Check]:
    """One line for the questions of an app; a question that fails is no fault of the stack."""
    asked = [each for each in there if each["app"] == app]
    failing = [f"{each['name']}: {' '.join(words[each['key']].split())}" for each in asked if words[each["key"]]]
    if failing:
        word = f"{app}: {len(failing)} of {len(asked)} questions have no answer: {some(failing, 3)}"
        return [Check(WARN, AREA, word, _OWN_SQL)]
    return [Check(PASS, AREA, f"{app}: {len(asked)} of {len(asked)} questions have an answer")]
