# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""/api/card: src/metabase/queries_rest/api/card.clj of Metabase."""

from __future__ import annotations

from typing import Any

from double.collections import Collections, resolve
from double.databases import Databases
from double.people import People, now
from double.queries import Queries, normalized, parameters_of_card
from double.secrets import entity_id
from double.web import (
    ANY,
    BOOLEAN,
    ID_OR_NANO,
    LIST,
    MAP,
    POSITIVE,
    STRING,
    TEXT,
    Answer,
    ApiError,
    Check,
    Object,
    Request,
    crashed,
    invalid,
    not_found,
    some,
)

# A PUT may clear these; null means nothing for the others.
CLEARABLE = ("description", "collection_id", "collection_position", "cache_ttl", "dashboard_id")
_TYPE = Check(lambda value: value in ("question", "model", "metric"), "enum of question, model, metric").maybe()
_SHARED = {"parameters": LIST, "parameter_mappings": LIST, "collection_position": POSITIVE, "result_metadata": LIST}
_SHARED |= {"cache_ttl": POSITIVE, "dashboard_id": POSITIVE, "dashboard_tab_id": POSITIVE}
_CREATE = {"entity_id": TEXT, "description": TEXT, "collection_id": ID_OR_NANO, **_SHARED}
_UPDATE = {"name": TEXT, "dataset_query": MAP, "display": TEXT, "description": STRING, "visualization_settings": MAP}
_UPDATE |= {"archived": BOOLEAN, "collection_id": POSITIVE, "collection_preview": BOOLEAN, "enable_embedding": BOOLEAN}
_UPDATE |= {"embedding_params": MAP, "embedding_type": STRING, **_SHARED}


def archiving(row: Object, given: Object) -> Object:
    """archived_directly follows archived (api/updates-with-archived-directly)."""
    return {"archived_directly": given["archived"]} if given.get("archived") not in (None, row["archived"]) else {}


class Cards:
    """Questions."""

    def __init__(self, people: People, databases: Databases, collections: Collections, queries: Queries) -> None:
        self.store, self.people, self.queries = people.store, people, queries
        self.databases, self.collections = databases, collections

    def shown(self, row: Object) -> Object:
        """With what every answer about a card has besides its columns."""
        creator = self.store.get("user", row["creator_id"])
        keys = ("id", "first_name", "last_name", "email", "common_name")
        person = {key: self.people.shown(creator)[key] for key in keys} if creator else None
        place = self.store.get("collection", row["collection_id"]) if row["collection_id"] else None
        uses = sum(self.uses(board, row["id"]) for board in self.store.all("dashboard"))
        more = {"creator": person, "collection": place, "can_write": True, "dashboard_count": uses, "dashboard": None}
        return {**row, **more, "can_restore": row["archived"], "can_delete": row["archived"], "moderation_reviews": []}

    def uses(self, dashboard: Object, card: int) -> bool:
        return any(dashcard["card_id"] == card for dashcard in dashboard["dashcards"])

    def listing(self, request: Request) -> list[Object]:
        kind, model = request.one("f", "all"), request.one("model_id")
        rows = [self.shown(row) for row in self.store.all("card", archived=kind == "archived")]
        if kind == "database":
            if not model:
                raise invalid("model_id", "model_id is a required parameter when filter mode is 'database'")
            rows = [row for row in rows if row["database_id"] == int(model)]
        if kind == "mine":
            rows = [row for row in rows if row["creator_id"] == request.user["id"]]
        return sorted(rows, key=lambda row: row["name"].lower())

    def get(self, request: Request, reference: str) -> Object:
        return self.collections.in_trash(self.shown(resolve(self.store, "card", reference)))

    def create(self, request: Request) -> Object:
        maybe = {key: check.maybe() for key, check in _CREATE.items()}
        given = request.take(
            name=TEXT, dataset_query=MAP, display=TEXT, visualization_settings=MAP, type=_TYPE, **maybe
        )
        fields: dict[str, Any] = dict.fromkeys(
            ("description", "table_id", "public_uuid", "made_public_by_id", "source_card_id")
        )
        fields |= dict.fromkeys(
            ("collection_id", "collection_position", "cache_ttl", "dashboard_id", "result_metadata")
        )
        fields |= {"type": "question", "parameters": [], "parameter_mappings": [], "archived": False}
        fields |= {"archived_directly": False, "enable_embedding": False, "embedding_params": None}
        fields |= {"collection_preview": True, "metabase_version": "v0.61.2 (double)", "view_count": 0}
        fields |= {key: value for key, value in given.items() if value is not None}
        if isinstance(fields["collection_id"], str):
            fields["collection_id"] = resolve(self.store, "collection", fields["collection_id"])["id"]
        self.collections.check("report_card", fields["collection_id"])
        fields |= self._query(given["dataset_query"])
        fields["entity_id"] = self._mark(given.get("entity_id"))
        moments = {"created_at": now(), "updated_at": now(), "creator_id": request.user["id"]}
        return self.shown(self.store.add("card", {**fields, **moments}))

    def _mark(self, given: str | None) -> str:
        """The entity id of a new card; a used one breaks a unique constraint in Metabase's database."""
        if given and len(given) > 21:
            raise crashed("ERROR: value too long for type character(21)")
        if given and self.store.all("card", entity_id=given):
            words = 'ERROR: duplicate key value violates unique constraint "report_card_entity_id_key"'
            raise crashed(f"{words}\n  Detail: Key (entity_id)=({given}) already exists.")
        return given or entity_id()

    def _query(self, given: Object) -> Object:
        query = normalized(given)
        if self.databases.details(query.get("database") or 0) is None:
            raise not_found()
        native = query["stages"][0]["lib/type"] == "mbql.stage/native"
        return {"dataset_query": query, "database_id": query["database"], "query_type": "native" if native else "query"}

    def update(self, request: Request, number: str) -> Object:
        row = some(self.store.get("card", number))
        given = request.take(type=_TYPE, **{key: check.maybe() for key, check in _UPDATE.items()})
        self.collections.check("report_card", given.get("collection_id"))
        changes = {key: value for key, value in given.items() if value is not None or key in CLEARABLE}
        if changes.get("dataset_query"):
            changes |= self._query(changes["dataset_query"])
        changes |= archiving(row, given)
        return self.shown(self.store.save("card", {**row, **changes, "updated_at": now()}))

    def delete(self, request: Request, number: str) -> None:
        row = some(self.store.get("card", number))
        for board in self.store.all("dashboard"):
            if self.uses(board, row["id"]):
                kept = [each for each in board["dashcards"] if each["card_id"] != row["id"]]
                self.store.save("dashboard", {**board, "dashcards": kept})
        self.store.delete("card", row["id"])

    def dashboards(self, request: Request, number: str) -> list[Object]:
        card = some(self.store.get("card", number))["id"]
        return [
            {"id": each["id"], "name": each["name"]} for each in self.store.all("dashboard") if self.uses(each, card)
        ]

    def run(self, request: Request, reference: str) -> Answer:
        card = resolve(self.store, "card", reference)
        given = request.take(parameters=LIST.maybe(), ignore_cache=BOOLEAN.maybe(), dashboard_id=ANY.maybe())
        parameters = parameters_of_card(card, given.get("parameters") or [])
        return Answer(self.queries.answer(card["dataset_query"], parameters, "question"), 202)

    def export(self, request: Request, reference: str, kind: str) -> Answer:
        card = resolve(self.store, "card", reference)
        return self.queries.export(request, card["dataset_query"], kind)


def usable(card: Object | None) -> Object:
    """A card that can be put on a dashboard. ApiError 404."""
    found = some(card)
    if found["archived"]:
        raise ApiError(404, {"message": "The object has been archived.", "error_code": "archived"})
    return found
