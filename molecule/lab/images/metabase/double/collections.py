# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Collections, the trash, what is in them, and the search: src/metabase/collections_rest/api.clj of Metabase."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from double.people import now
from double.secrets import entity_id
from double.store import Store
from double.web import BOOLEAN, NANO, POSITIVE, TEXT, ApiError, Object, Request, crashed, some

ROOT = {"id": "root", "name": "Our analytics", "can_write": True, "is_personal": False, "authority_level": None}
_ITEM = ("id", "name", "description", "archived", "entity_id", "collection_position", "display", "database_id")
KINDS = ("dashboard", "card", "collection")


def resolve(store: Store, kind: str, reference: str) -> Object:
    """An object by id or entity id. ApiError 404, and 400 for what is neither."""
    if reference.isdecimal():
        return some(store.get(kind, reference))
    if NANO.fits(reference):
        return some(next(iter(store.all(kind, entity_id=reference)), None))
    raise ApiError(400, {"errors": {"id": "value must be an integer greater than zero., or NanoID"}})


class Collections:
    """A collection's `location` names its ancestors: /1/5/."""

    def __init__(self, store: Store) -> None:
        self.store = store
        if not store.all("collection"):
            store.add("collection", {**_new("Trash", None, "/"), "type": "trash"})
        self.trash = store.all("collection", type="trash")[0]["id"]

    def check(self, table: str, number: int | None) -> None:
        """Nothing is moved to the trash by hand; of one that does not exist PostgreSQL says so to Metabase."""
        if number == self.trash:
            raise ApiError(400, "You cannot modify the Trash Collection.")
        if number is not None and self.store.get("collection", number) is None:
            words = f'ERROR: insert or update on table "{table}" violates a foreign key constraint\n'
            raise crashed(f'{words}  Detail: Key (collection_id)=({number}) is not present in table "collection".')

    def in_trash(self, row: Object) -> Object:
        """A thing that was itself archived is shown in the trash, wherever it came from."""
        return {**row, "collection_id": self.trash} if row["archived"] and row["archived_directly"] else row

    def shown(self, row: Object) -> Object:
        parent = _parent(row["location"])
        ancestors = [self.store.get("collection", each) for each in row["location"].strip("/").split("/") if each]
        shown = {**row, "parent_id": parent, "effective_location": row["location"], "can_write": True}
        named = [{"id": each["id"], "name": each["name"], "can_write": True} for each in ancestors if each]
        return {**shown, "is_personal": False, "effective_ancestors": [ROOT, *named], "can_restore": row["archived"]}

    def listing(self, request: Request) -> list[Object]:
        archived = request.flag("archived")
        rows = [row for row in self.store.all("collection", archived=archived) if row["type"] != "trash"]
        rows = sorted((self.shown(row) for row in rows), key=lambda row: row["name"].lower())
        return [*([] if archived else [ROOT]), *rows]

    def tree(self, request: Request) -> list[Object]:
        rows = [row for row in self.store.all("collection", archived=False) if row["type"] != "trash"]
        filled = {
            kind: {row["collection_id"] for row in self.store.all(kind, archived=False)}
            for kind in ("card", "dashboard")
        }

        def below(location: str) -> list[Object]:
            found = []
            for row in sorted(rows, key=lambda row: row["name"].lower()):
                if row["location"] == location:
                    children = below(f"{location}{row['id']}/")
                    here = [kind for kind, places in filled.items() if row["id"] in places]
                    here += ["collection"] if children else []
                    deeper = sorted({kind for child in children for kind in [*child["here"], *child["below"]]})
                    found.append({**row, "children": children, "here": here, "below": deeper})
            return found

        return below("/")

    def get(self, request: Request, reference: str) -> Object:
        if reference == "root":
            return ROOT
        return self.shown(resolve(self.store, "collection", str(self.trash) if reference == "trash" else reference))

    def create(self, request: Request) -> Object:
        maybe = {"description": TEXT.maybe(), "parent_id": POSITIVE.maybe(), "namespace": TEXT.maybe()}
        given = request.take(name=TEXT, authority_level=TEXT.maybe(), **maybe)
        location = self._place(given.get("parent_id"))
        return self.shown(self.store.add("collection", _new(given["name"], given.get("description"), location)))

    def _place(self, parent: int | None) -> str:
        """The location of what is in this collection. ApiError 404."""
        row = some(self.store.get("collection", parent)) if parent else None
        return f"{row['location']}{row['id']}/" if row else "/"

    def update(self, request: Request, number: str) -> Object:
        """Without `archived` a collection comes back from the trash: the key's default is false."""
        row = some(self.store.get("collection", number))
        maybe = {"description": TEXT.maybe(), "parent_id": POSITIVE.maybe(), "authority_level": TEXT.maybe()}
        given = request.take(name=TEXT.maybe(), archived=BOOLEAN.maybe(), **maybe)
        if given.get("name"):
            row |= {"name": given["name"], "slug": _slug(given["name"])}
        row |= {"description": given["description"]} if "description" in given else {}
        self.store.save("collection", row)
        archived = given.get("archived") or False
        if archived != row["archived"]:
            self._archive(row, archived)
        if "parent_id" in given and (archived == row["archived"] or not archived):
            self._move(row["id"], self._place(given["parent_id"]))
        return self.shown(some(self.store.get("collection", number)))

    def _tree_of(self, row: Object) -> list[Object]:
        inside = f"{row['location']}{row['id']}/"
        return [row, *(each for each in self.store.all("collection") if each["location"].startswith(inside))]

    def _archive(self, row: Object, archived: bool) -> None:
        """With everything inside; what was archived before stays so when the collection comes back."""
        for place in self._tree_of(row):
            if place["id"] == row["id"] or place["archived_directly"] is not True:
                direct = archived if place["id"] == row["id"] else None
                self.store.save("collection", {**place, "archived": archived, "archived_directly": direct})
            for kind in ("card", "dashboard"):
                for each in self.store.all(kind, collection_id=place["id"]):
                    if not each["archived_directly"]:
                        self.store.save(kind, {**each, "archived": archived})

    def _move(self, number: int, location: str) -> None:
        row = some(self.store.get("collection", number))
        old, new = f"{row['location']}{number}/", f"{location}{number}/"
        if new.startswith(old) and new != old:
            raise ApiError(400, "Invalid Request.")
        for each in self._tree_of(row)[1:]:
            self.store.save("collection", {**each, "location": new + each["location"].removeprefix(old)})
        self.store.save("collection", {**row, "location": location})

    def delete(self, request: Request, number: str) -> None:
        row = some(self.store.get("collection", number))
        if not row["archived"]:
            raise ApiError(400, "Collection must be trashed before deletion.")
        for place in self._tree_of(row):
            for kind in ("card", "dashboard"):
                for each in self.store.all(kind, collection_id=place["id"]):
                    self.store.delete(kind, each["id"])
            self.store.delete("collection", place["id"])

    # --- what is inside -----------------------------------------------------------------------------------------------

    def items(self, request: Request, reference: str) -> Object:
        place = None if reference == "root" else self.get(request, reference)
        trash = bool(place and place["type"] == "trash")
        archived = trash or request.flag("archived") or bool(place and place["archived"])
        rows = []
        for kind in KINDS:
            if request.query.get("models", KINDS) and kind in request.query.get("models", KINDS):
                rows += [
                    self._item(kind, row) for row in self._inside(kind, place, trash) if row["archived"] == archived
                ]
        rows.sort(key=lambda row: row["name"].lower())
        return {**_page(request, rows), "models": list(KINDS)}

    def _inside(self, kind: str, place: Object | None, trash: bool) -> list[Object]:
        if trash:
            return self.store.all(kind, archived_directly=True)
        if kind == "collection":
            rows = self.store.all(kind, location=self._place(place["id"] if place else None))
            return [row for row in rows if row["type"] != "trash"]
        return self.store.all(kind, collection_id=place["id"] if place else None)

    def _item(self, kind: str, row: Object) -> Object:
        parent = _parent(row["location"]) if kind == "collection" else row["collection_id"]
        return {
            "model": kind,
            **{key: row.get(key) for key in _ITEM},
            "collection_id": parent,
            "location": row.get("location"),
        }

    def search(self, request: Request) -> Object:
        """By words in name or description."""
        words, archived = request.one("q").lower(), request.flag("archived")
        rows: list[Any] = []
        for kind in request.query.get("models", [*KINDS, "database"]):
            found = self.store.all(kind) if kind in (*KINDS, "database") else []
            for row in found:
                text = f"{row['name']} {row.get('description') or ''}".lower()
                if words in text and (row.get("archived") or False) == archived and row.get("type") != "trash":
                    rows.append(self._hit(kind, row))
        rows.sort(key=lambda row: (words not in row["name"].lower(), row["name"].lower()))
        return {**_page(request, rows), "available_models": [*KINDS, "database"], "engine": "double"}

    def _hit(self, kind: str, row: Object) -> Object:
        number = _parent(row["location"]) if kind == "collection" else row.get("collection_id")
        place = self.store.get("collection", number) if number else None
        collection = {"id": number, "name": place["name"] if place else None, "authority_level": None, "type": None}
        keys = {key: row.get(key) for key in _ITEM}
        return {**keys, "model": kind, "archived": row.get("archived") or False, "collection": collection}

    def translate(self, request: Request) -> Object:
        """Entity ids to numbers."""
        found = {}
        for kind, marks in (request.body().get("entity_ids") or {}).items():
            for mark in marks:
                row = next(iter(self.store.all(kind, entity_id=mark)), None)
                found[mark] = {"type": kind, **({"status": "ok", "id": row["id"]} if row else {"status": "not-found"})}
        return {"entity_ids": found}


def _new(name: str, description: str | None, location: str) -> Object:
    fields = {"name": name, "slug": _slug(name), "description": description, "location": location, "archived": False}
    fields |= {"archived_directly": None, "entity_id": entity_id(), "personal_owner_id": None, "namespace": None}
    return {**fields, "authority_level": None, "type": None, "is_sample": False, "created_at": now()}


def _parent(location: str) -> int | None:
    return int(location.strip("/").split("/")[-1]) if location != "/" else None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "_", plain)


def _page(request: Request, rows: list[Any]) -> Object:
    limit, offset = (int(request.one(name)) if request.one(name) else None for name in ("limit", "offset"))
    part = rows[offset or 0 :][: limit if limit is not None else len(rows)]
    return {"total": len(rows), "data": part, "limit": limit, "offset": offset}
