# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""/api/database, /api/table and /api/field: src/metabase/warehouses_rest/api.clj of Metabase.

A synchronisation is done when its call answers, in Metabase some time later.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg

from double import warehouse
from double.people import now
from double.store import Store
from double.web import ANY, BOOLEAN, MAP, STRING, TEXT, ApiError, Object, Request, invalid, some

PROTECTED = "**MetabasePass**"
_MAYBE = {"is_full_sync": BOOLEAN, "is_on_demand": BOOLEAN, "auto_run_queries": BOOLEAN, "schedules": MAP}
_MORE = {"description": STRING, "caveats": STRING, "points_of_interest": STRING, "settings": MAP, "cache_ttl": ANY}


class Databases:
    """Databases with their tables and fields."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def details(self, number: int) -> Object | None:
        """The connection of a database, its password included."""
        row = self.store.get("database", number)
        return json.loads(self.store.cipher.decrypt(row["details"])) if row else None

    def field(self, number: int) -> Object | None:
        """{id, name, base_type, table, schema}; None for one that is not there (any more)."""
        row = self.store.get("field", number)
        table = self.store.get("table", row["table_id"]) if row and row["active"] else None
        return {**row, "table": table["name"], "schema": table["schema"]} if row and table else None

    def shown(self, row: Object, user: Object) -> Object:
        """As the API gives it: details for administrators only, never the password."""
        shown = {**row, "features": ["native-parameters", "basic-aggregations"], "native_permissions": "write"}
        details = self.details(row["id"]) or {}
        if details.get("password"):
            details["password"] = PROTECTED
        return {**shown, "details": details} if user["is_superuser"] else {k: shown[k] for k in shown if k != "details"}

    def listing(self, request: Request) -> Object:
        rows = [self.shown(row, request.user) for row in self.store.all("database")]
        if request.one("include") == "tables":
            rows = [{**row, "tables": self.tables(row["id"])} for row in rows]
        rows.sort(key=lambda row: row["name"].lower())
        return {"data": rows, "total": len(rows)}

    def get(self, request: Request, number: str) -> Object:
        row = self.shown(some(self.store.get("database", number)), request.user)
        if request.one("include") in ("tables", "tables.fields"):
            row["tables"] = self.tables(row["id"], "fields" in request.one("include"))
        return row

    def tables(self, database: int, fields: bool = False) -> list[Object]:
        """The tables that are there, with their fields when asked."""
        found = [table for table in self.store.all("table", db_id=database) if table["active"]]
        if fields:
            columns = [field for field in self.store.all("field", db_id=database) if field["active"]]
            found = [
                {**table, "fields": [each for each in columns if each["table_id"] == table["id"]]} for table in found
            ]
        return sorted(found, key=lambda table: table["display_name"].lower())

    def metadata(self, request: Request, number: str) -> Object:
        row = self.shown(some(self.store.get("database", number)), request.user)
        return {**row, "tables": self.tables(row["id"], not request.flag("skip_fields"))}

    def create(self, request: Request) -> Object:
        given = request.take(name=TEXT, engine=TEXT, details=MAP, **{key: each.maybe() for key, each in _MAYBE.items()})
        if given["engine"] != "postgres":
            raise invalid("engine", "value must be a valid database engine.")
        self._test(given["details"])
        fields: Object = {"is_full_sync": True, "is_on_demand": False, "auto_run_queries": True, "is_sample": False}
        fields |= {"initial_sync_status": "incomplete", "description": None, "timezone": "UTC", "settings": None}
        fields |= {"caveats": None, "points_of_interest": None, "cache_ttl": None, "is_attached_dwh": False}
        fields |= {key: value for key, value in given.items() if value is not None and key != "schedules"}
        fields |= {"creator_id": request.user["id"], "created_at": now(), "updated_at": now()}
        row = self.store.add("database", {**fields, "details": self._sealed(given["details"])})
        threading.Thread(target=self.sync, args=(row["id"],), daemon=True).start()
        return self.shown(row, request.user)

    def _sealed(self, details: Object) -> str:
        return self.store.cipher.encrypt(json.dumps(details))

    def _test(self, details: Object) -> None:
        """ApiError 400 in Metabase's words when the database does not let us in."""
        if refused := warehouse.refusal(details):
            raise ApiError(400, refused)

    def update(self, request: Request, number: str) -> Object:
        row = some(self.store.get("database", number))
        maybe = {"name": TEXT, "engine": TEXT, "details": MAP, **_MAYBE, **_MORE}
        given = request.take(**{key: each.maybe() for key, each in maybe.items()})
        changes = {key: value for key, value in given.items() if value is not None and key != "schedules"}
        if given.get("details"):
            old = self.details(row["id"]) or {}
            new = {**old, **{key: value for key, value in given["details"].items() if value != PROTECTED}}
            if new != old:
                self._test(new)
            changes["details"] = self._sealed(new)
        return self.shown(self.store.save("database", {**row, **changes, "updated_at": now()}), request.user)

    def delete(self, request: Request, number: str) -> None:
        row = some(self.store.get("database", number))
        for kind in ("table", "field"):
            for each in self.store.all(kind, db_id=row["id"]):
                self.store.delete(kind, each["id"])
        for card in self.store.all("card", database_id=row["id"]):
            self.store.delete("card", card["id"])
        self.store.delete("database", row["id"])

    # --- synchronisation ----------------------------------------------------------------------------------------------

    def sync_schema(self, request: Request, number: str) -> Object:
        row = some(self.store.get("database", number))
        if refused := warehouse.refusal(self.details(row["id"]) or {}):
            raise ApiError(422, refused["message"])
        self.sync(row["id"])
        return {"status": "ok"}

    def rescan(self, request: Request, number: str) -> Object:
        some(self.store.get("database", number))
        return {"status": "ok"}

    def sync(self, database: int) -> None:
        """Read the tables and columns; ids stay, what is gone becomes inactive."""
        details = self.details(database)
        try:
            found = warehouse.columns(details) if details else []
        except psycopg.Error:
            return
        with self.store.lock:
            known = {(each["schema"], each["name"]): each for each in self.store.all("table", db_id=database)}
            tables = {(row[0], row[1]): row[7] for row in found}
            kept = {place: self._table(database, place, note, known.get(place)) for place, note in tables.items()}
            self._drop("table", [each for place, each in known.items() if place not in kept])
            self._fields(database, found, {place: table["id"] for place, table in kept.items()})
            if row := self.store.get("database", database):
                self.store.save("database", {**row, "initial_sync_status": "complete"})

    def _drop(self, kind: str, rows: list[Object]) -> None:
        for row in rows:
            self.store.save(kind, {**row, "active": False})

    def _table(self, database: int, place: tuple[str, str], note: str | None, known: Object | None) -> Object:
        if known:
            return known if known["active"] else self.store.save("table", {**known, "active": True})
        names = {"schema": place[0], "name": place[1], "display_name": _title(place[1]), "description": note}
        more = {
            "db_id": database,
            "active": True,
            "visibility_type": None,
            "field_order": "database",
            "entity_type": None,
        }
        return self.store.add("table", {**names, **more, "initial_sync_status": "complete"})

    def _fields(self, database: int, found: list[tuple[Any, ...]], tables: dict[tuple[str, str], int]) -> None:
        known = {(each["table_id"], each["name"]): each for each in self.store.all("field", db_id=database)}
        seen = set()
        for schema, table, name, kind, enum, position, key, _, note in found:
            place = (tables[schema, table], name)
            seen.add(place)
            base = warehouse.base_type(kind, enum)
            fields = {"base_type": base, "effective_type": base, "database_type": kind, "position": position}
            fields |= {"active": True, "semantic_type": "type/PK" if key else None}
            old = known.get(place)
            if old and {**old, **fields} != old:
                self.store.save("field", {**old, **fields})
            if not old:
                more = {"visibility_type": "normal", "preview_display": True, "db_id": database, "table_id": place[0]}
                names = {"name": name, "display_name": _title(name), "description": note}
                more |= {"fk_target_field_id": None, "has_field_values": "none"}
                self.store.add("field", {**names, **fields, **more})
        self._drop("field", [each for place, each in known.items() if place not in seen and each["active"]])

    # --- parts --------------------------------------------------------------------------------------------------------

    def schemas(self, request: Request, number: str) -> list[str]:
        some(self.store.get("database", number))
        return sorted({table["schema"] for table in self.tables(int(number))})

    def schema(self, request: Request, number: str, name: str) -> list[Object]:
        some(self.store.get("database", number))
        return [table for table in self.tables(int(number)) if table["schema"] == name]

    def all_tables(self, request: Request) -> list[Object]:
        return [table for row in self.store.all("database") for table in self.tables(row["id"])]

    def table(self, request: Request, number: str) -> Object:
        return some(self.store.get("table", number))

    def table_metadata(self, request: Request, number: str) -> Object:
        table = some(self.store.get("table", number))
        fields = [each for each in self.store.all("field", table_id=table["id"]) if each["active"]]
        return {**table, "fields": fields}

    def get_field(self, request: Request, number: str) -> Object:
        return some(self.store.get("field", number))


def _title(name: str) -> str:
    return " ".join(word.capitalize() for word in name.replace("_", " ").split()) or name
