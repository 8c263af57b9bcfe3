"""A synchronised database and a collection, in which a test makes questions and dashboards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from metabase_double import TABLE, Metabase, Postgres

NAME = f"content {uuid.uuid4().hex[:8]}"


def mark() -> str:
    """As crowsnest makes one: 21 characters of the NanoID's alphabet."""
    return f"crowsnest{uuid.uuid4().hex[:12]}"


def native(database: int, sql: str, **tags: Any) -> dict[str, Any]:
    stage = {"lib/type": "mbql.stage/native", "native": sql, **({"template-tags": tags} if tags else {})}
    return {"lib/type": "mbql/query", "database": database, "stages": [stage]}


@dataclass
class Content:
    """A database that is synchronised, a collection, and what to remove at the end."""

    metabase: Metabase
    database: int
    fields: dict[str, int]
    collection: dict[str, Any]
    made: list[str] = field(default_factory=list)

    def tag(self, name: str, column: str, widget: str, **more: Any) -> dict[str, Any]:
        dimension = {"type": "dimension", "dimension": ["field", {}, self.fields[column]], "widget-type": widget}
        return {"id": str(uuid.uuid4()), "name": name, "display-name": name.title(), **dimension, **more}

    def card(self, sql: str = "SELECT 1 AS one", **more: Any) -> dict[str, Any]:
        tags = more.pop("tags", {})
        body = {"name": NAME, "display": "table", "visualization_settings": {}, "collection_id": self.collection["id"]}
        card = self.metabase.post("card", {**body, "dataset_query": native(self.database, sql, **tags), **more})
        self.made.append(f"card/{card['id']}")
        return card

    def dashboard(self, **more: Any) -> dict[str, Any]:
        board = self.metabase.post("dashboard", {"name": NAME, "collection_id": self.collection["id"], **more})
        self.made.append(f"dashboard/{board['id']}")
        return board

    def rows(self, card: dict[str, Any], *parameters: dict[str, Any]) -> list[Any]:
        answer = self.metabase.ask("POST", f"card/{card['id']}/query", {"parameters": list(parameters)})
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "completed", answer.json()["error"]
        return answer.json()["data"]["rows"]


@contextmanager
def made(metabase: Metabase, postgres: Postgres) -> Iterator[Content]:
    """Everything it made is gone afterwards."""
    database = metabase.post("database", {"name": NAME, "engine": "postgres", "details": postgres.details()})["id"]
    metabase.post(f"database/{database}/sync_schema")
    end, fields = time.monotonic() + 60, {}
    while not fields:
        assert time.monotonic() < end
        tables = metabase.get(f"database/{database}/metadata")["tables"]
        fields = {each["name"]: each["id"] for table in tables if table["name"] == TABLE for each in table["fields"]}
    content = Content(metabase, database, fields, metabase.post("collection", {"name": NAME}))
    yield content
    for path in reversed(content.made):
        metabase.ask("DELETE", path)
    metabase.put(f"collection/{content.collection['id']}", {"archived": True})
    metabase.done("DELETE", f"collection/{content.collection['id']}")
    metabase.done("DELETE", f"database/{database}")
