# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""dataset_query in both forms, and what running one answers.

src/metabase/query_processor/{api,card,dashboard}.clj and middleware/catch_exceptions.clj of Metabase.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from double import sql, warehouse
from double.people import now
from double.settings import Settings
from double.warehouse import QueryError
from double.web import Answer, ApiError, Object, Request, crashed, not_found, some

_EXPORT_LIMIT = 1_048_575


def normalized(query: Object) -> Object:
    """The form that Metabase stores: {"lib/type": "mbql/query", database, stages: [{"lib/type": …, native, …}]}."""
    if not query or not (query.get("lib/type") or query.get("type")):
        raise crashed(
            "Invalid output: invalid query: missing :lib/type or :type", type="class clojure.lang.ExceptionInfo"
        )
    if query.get("lib/type"):
        stages = [_stage(stage) for stage in query.get("stages") or []]
        return {**query, "stages": stages}
    if query["type"] != "native":
        stage = {**query.get("query", {}), "lib/type": "mbql.stage/mbql"}
        return {"lib/type": "mbql/query", "database": query.get("database"), "stages": [stage]}
    native = query.get("native") or {}
    stage = {"lib/type": "mbql.stage/native", "native": native.get("query", "")}
    if native.get("template-tags"):
        stage["template-tags"] = native["template-tags"]
    return {"lib/type": "mbql/query", "database": query.get("database"), "stages": [_stage(stage)]}


def _stage(stage: Object) -> Object:
    """A field in a template tag becomes ["field", {"lib/uuid": …}, id], as Metabase keeps it."""
    tags = {}
    for name, tag in (stage.get("template-tags") or {}).items():
        options = next((part for part in tag.get("dimension") or [] if isinstance(part, dict)), {})
        dimension = ["field", {"lib/uuid": str(uuid.uuid4()), **options}, sql.field_id(tag)]
        tags[name] = {**tag, "dimension": dimension} if tag.get("dimension") else tag
    return {**stage, "template-tags": tags} if tags else {key: stage[key] for key in stage if key != "template-tags"}


class Queries:
    """Runs native queries; `details` gives the connection of a database, `field` a field by its id."""

    def __init__(
        self, settings: Settings, details: Callable[[int], Object | None], field: Callable[[int], Object | None]
    ) -> None:
        self.settings, self.details, self.field = settings, details, field

    def context(self) -> sql.Context:
        today = dt.datetime.now(ZoneInfo(self.settings.zone())).date()
        return sql.Context(self.field, today, self.settings.value("start-of-week"))

    def answer(self, query: Object, parameters: list[Object], context: str, limit: int | None = None) -> Object:
        """The answer of a run, good or bad: the status of HTTP is 202 for both."""
        limit, started, begin = limit or warehouse.ROW_LIMIT, now(), time.monotonic()
        basis = {"database_id": query.get("database"), "started_at": started, "context": context}
        basis["json_query"] = {**query, "parameters": parameters, "middleware": {"js-int-to-string?": True}}
        try:
            text, values = self._text(query, parameters)
            data = warehouse.run(some(self.details(query["database"])), text, values, self.settings.zone(), limit)
        except QueryError as error:
            failed = {
                "status": "failed",
                "error": str(error),
                "error_type": error.kind,
                "class": f"class {error.source}",
            }
            empty = {"row_count": 0, "running_time": 0, "data": {"rows": [], "cols": []}}
            return {**basis, **failed, **empty, "via": [], "stacktrace": []}
        native = {"query": text.replace("%s", "?").replace("%%", "%"), "params": values or None}
        columns = [{key: each[key] for key in ("name", "display_name", "base_type")} for each in data["cols"]]
        data |= {"native_form": native, "results_timezone": self.settings.zone(), "insights": None}
        data |= {"results_metadata": {"columns": columns}}
        spent = round((time.monotonic() - begin) * 1000)
        done = {
            "status": "completed",
            "row_count": len(data["rows"]),
            "running_time": spent,
            "average_execution_time": None,
        }
        return {"data": data, **basis, **done}

    def _text(self, query: Object, parameters: list[Object]) -> tuple[str, list[Any]]:
        stage = (query.get("stages") or [{}])[0]
        if stage.get("lib/type") != "mbql.stage/native":
            raise QueryError("The contract double runs native queries only.", "unsupported-feature")
        return sql.expanded(stage.get("native", ""), stage.get("template-tags") or {}, parameters, self.context())

    def dataset(self, request: Request) -> Answer:
        """POST /api/dataset: any query, of a database that exists."""
        body = request.body()
        database = body.get("database")
        if not isinstance(database, int):
            raise crashed("`database` is required for all queries whose type is not `internal`.")
        if self.details(database) is None:
            raise not_found()
        return Answer(self.answer(normalized(body), body.get("parameters") or [], "ad-hoc"), 202)

    def export(self, request: Request, query: Object, kind: str) -> Answer:
        """The rows as a file: an array of objects, or CSV."""
        given = request.body().get("parameters") or []
        parameters = json.loads(given) if isinstance(given, str) else given
        if kind not in ("json", "csv"):
            raise ApiError(400, {"errors": {"export-format": "the contract double exports json and csv"}})
        found = self.answer(query, parameters, f"{kind}-download", _EXPORT_LIMIT)
        if found["status"] == "failed":
            return Answer(found)
        names, rows = [column["display_name"] for column in found["data"]["cols"]], found["data"]["rows"]
        if kind == "json":
            return Answer([dict(zip(names, row, strict=True)) for row in rows])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([names, *rows])
        return Answer(text.getvalue(), type="text/csv")


def parameters_of(dashboard: Object, dashcard: Object, card: int, given: list[Object]) -> list[Object]:
    """What a dashboard's values mean for one card: its mappings' targets. ApiError 400 for an unknown filter."""
    declared = {each["id"]: each for each in dashboard["parameters"]}
    values = {key: each["default"] for key, each in declared.items() if each.get("default") is not None}
    for each in given:
        if each.get("id") not in declared:
            raise ApiError(400, f'Dashboard does not have a parameter with ID "{each.get("id")}".')
        values[each["id"]] = each.get("value")
    found = []
    for mapping in dashcard.get("parameter_mappings") or []:
        key = mapping.get("parameter_id")
        if key in values and mapping.get("card_id") in (None, card):
            found.append({"id": key, "type": declared[key]["type"], "target": mapping["target"], "value": values[key]})
    return found


def parameters_of_card(card: Object, given: list[Object]) -> list[Object]:
    """Values with a target; those that name a parameter of the card by id get its target."""
    declared = {each["id"]: each for each in card.get("parameters") or []}
    tags = {tag.get("id"): tag for tag in tags_of(card).values()}
    found = []
    for each in given:
        tag, known = tags.get(each.get("id")), declared.get(each.get("id"), {})
        kind = "dimension" if tag and tag["type"] == "dimension" else "variable"
        target = each.get("target") or known.get("target") or (tag and [kind, ["template-tag", tag["name"]]])
        if target is None:
            raise ApiError(
                400, f'Invalid parameter: Card {card["id"]} does not have a parameter named "{each.get("id")}".'
            )
        found.append({**each, "type": each.get("type") or known.get("type"), "target": target})
    return found


def tags_of(card: Object) -> Object:
    """The template tags of a card's query."""
    return (card["dataset_query"].get("stages") or [{}])[0].get("template-tags") or {}
