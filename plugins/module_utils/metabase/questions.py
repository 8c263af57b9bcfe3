# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Questions that cannot be made, and those whose SQL fails. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import Metabase, RefusedError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import QUESTION
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import UNARCHIVE, Change, Thing, Things

_TRIED = {"sql", "tags", "database"}  # fields of a question after whose change its SQL is tried


def unknown_column(field: str, database: str) -> str:
    """Words for a filter's column that is not there."""
    return f"there is no column {field} in the database {database} (schema.table.column), as far as Metabase can see"


def broken_questions(
    wanted: Things,
    predicted: Collection[str],
    ids: Mapping[str, Any],
    columns: Mapping[str, Collection[str]],
    failed: Mapping[str, str],
) -> dict[str, str]:
    """Key -> why, of questions that cannot be made or changed now. One that is there stays as it is.

    `predicted` are databases that a run would make, `ids` those in Metabase, `columns` what these have, `failed` the
    words of Metabase for those that it does not take.
    """
    reasons = {}
    for key, thing in wanted[QUESTION].items():
        database = thing.fields["database"]
        fields = [tag["field"] for tag in thing.fields["tags"].values()]
        missing = [unknown_column(field, database) for field in fields if field not in columns.get(database, ())]
        if database in predicted:
            continue
        if database not in ids:
            reasons[key] = f"its database {database} is missing in Metabase ({failed.get(database)})"
        elif missing:
            reasons[key] = "; ".join(missing)
    return reasons


def without_cards(dashboards: Mapping[str, Thing], gone: Collection[str]) -> dict[str, Thing]:
    """Dashboards without cards of questions that do not exist, so that the next run finds them as they are."""
    return {
        key: thing._replace(
            fields={**thing.fields, "cards": [card for card in thing.fields["cards"] if card["question"] not in gone]}
        )
        for key, thing in dashboards.items()
    }


def try_questions(
    metabase: Metabase, key_file: KeyFile, done: Iterable[Change], ids: Mapping[str, Any], wanted: Collection[str]
) -> dict[str, str]:
    """Runs the SQL of what is new or changed, and of what failed in the last run: {key: words}. Raises LostError."""
    before = key_file.content["failing"]
    tried = [
        change.wanted.key
        for change in done
        if change.kind == QUESTION
        and change.wanted.key
        and (change.verb == UNARCHIVE or _TRIED & set(change.fields))  # a new one has all fields
    ]
    keys = dict.fromkeys([*tried, *(key for key in before if key in wanted)])
    failing = {key: words for key in keys if key in ids and (words := sql_error(metabase, ids[key]))}
    if list(failing) != before:
        key_file.set(failing=list(failing))
    return failing


def sql_error(metabase: Metabase, number: Any, parameters: Sequence[Any] = ()) -> str:
    """PostgreSQL's words, or nothing. Metabase answers 202 also when the SQL fails. Raises LostError."""
    body = {"ignore_cache": True, "parameters": list(parameters)}
    try:
        answer = metabase.call("POST", f"/api/card/{number}/query", body)
    except RefusedError as error:
        return str(error)
    if isinstance(answer, dict) and answer.get("status") == "completed":
        return ""
    words = answer.get("error") if isinstance(answer, dict) else answer
    return str(words or "no result")[:1000]
