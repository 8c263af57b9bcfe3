# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Carries changes out, in Metabase's own words. Python 3.9, standard library.

Each path is read in https://github.com/metabase/metabase, below src/metabase: settings_rest/api.clj,
permissions_rest/api.clj, users_rest/api.clj, warehouses_rest/api.clj, collections_rest/api.clj,
queries_rest/api/card.clj, dashboards_rest/api.clj and pulse/api/pulse.clj. Metabase drops silently what a path does not
know.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import Metabase, MetabaseError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.dashboard import (
    channel_body,
    dashcard_bodies,
    parameter_bodies,
    pulse_cards,
    tab_bodies,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    ADMINISTRATORS,
    COLLECTION,
    DASHBOARD,
    DATABASE,
    EVERYBODY,
    GROUP,
    QUESTION,
    SETTINGS,
    SUBSCRIPTION,
    USER,
    caveats,
    described,
    entity_id,
    half_made,
    slot,
    subscription_name,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.plan import is_secret
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.questions import unknown_column
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    ARCHIVE,
    CREATE,
    UNARCHIVE,
    Change,
    Thing,
    Things,
)

_PATHS = {
    COLLECTION: "/api/collection",
    QUESTION: "/api/card",
    DASHBOARD: "/api/dashboard",
    SUBSCRIPTION: "/api/pulse",
}


class CannotError(MetabaseError):
    """Metabase lacks something that an object needs; the others go on."""


class Apply:
    """Writes changes and remembers the numbers that Metabase gives."""

    def __init__(self, metabase: Metabase, key_file: KeyFile) -> None:
        self.metabase, self.key_file = metabase, key_file
        self.ids: dict[str, dict[str, Any]] = {}  # kind -> key -> Metabase's number
        self.columns: dict[str, dict[str, int]] = {}  # database -> schema.table.column -> number
        self.dashboards: dict[str, Mapping[str, Any]] = {}  # key -> all that Metabase says of it
        self.writers: Mapping[str, Callable[[Change], Any]] = {
            SETTINGS: self.settings,
            GROUP: self.group,
            USER: self.user,
            DATABASE: self.database,
            COLLECTION: self.collection,
            QUESTION: self.question,
            DASHBOARD: self.dashboard,
            SUBSCRIPTION: self.subscription,
        }

    def know(self, found: Things) -> None:
        """Takes over the numbers of what is there."""
        for kind, things in found.items():
            self.ids.setdefault(kind, {}).update({key: thing.id for key, thing in things.items()})
        self.dashboards.update({key: thing.raw for key, thing in found[DASHBOARD].items()})

    def __call__(self, change: Change) -> None:
        """Raises MetabaseError."""
        if change.verb == ARCHIVE:
            self.metabase.call("PUT", f"{_PATHS[change.kind]}/{change.found.id}", {"archived": True})
            return
        number = self.writers[change.kind](change)
        self.ids[change.kind][change.wanted.key] = number or change.found.id

    # --- settings, people, databases ---

    def settings(self, change: Change) -> None:
        """Those that differ, in one request."""
        self.metabase.call("PUT", "/api/setting", {name: change.wanted.raw[name] for name in change.fields})
        for name in change.fields:
            if is_secret(SETTINGS, name):
                self.key_file.note("settings", name, change.wanted.fields[name])

    def group(self, change: Change) -> Any:
        """Only its name."""
        return self.metabase.call("POST", "/api/permissions/group", {"name": change.name})["id"]

    def user(self, change: Change) -> Any:
        """With Metabase's e-mail set up a new one is invited by it. Groups that are not declared stay."""
        fields, found = change.wanted.fields, change.found
        names = {name: fields[name] for name in ("first_name", "last_name") if fields.get(name)}
        declared = self.ids[GROUP]
        others = set(found.raw.get("group_ids") or []) - set(declared.values()) - {EVERYBODY, ADMINISTRATORS}
        groups = {EVERYBODY, *others, *(declared[name] for name in fields["groups"])}
        groups |= {ADMINISTRATORS} if fields["admin"] else set()
        body = {**names, "user_group_memberships": [{"id": number} for number in sorted(groups)]}
        if change.verb == CREATE:
            return self.metabase.call("POST", "/api/user", {"email": change.name, **body})["id"]
        if "active" in change.fields:
            self.metabase.call("PUT", f"/api/user/{found.id}/reactivate")
        self.metabase.call("PUT", f"/api/user/{found.id}", {**body, "is_superuser": fields["admin"]})
        return None

    def database(self, change: Change) -> Any:
        """Metabase tries the connection and refuses one that fails."""
        declared, fields = change.wanted.raw, change.wanted.fields
        details = {
            **{name: fields[name] for name in ("host", "port", "dbname")},
            **{"user": declared["user"], "password": declared["password"], "ssl": bool(declared.get("ssl"))},
        }
        body = {"name": change.name, "engine": fields["engine"], "details": details}
        if change.verb == CREATE:
            number = self.metabase.call("POST", "/api/database", body)["id"]
        else:
            number, old = change.found.id, change.found.raw.get("details") or {}
            encryption = {} if declared.get("ssl") else {"ssl": bool(old.get("ssl"))}
            self.metabase.call("PUT", f"/api/database/{number}", {**body, "details": {**old, **details, **encryption}})
        self.key_file.note("databases", change.name, fields["password"])
        return number

    # --- content ---

    def place(self, fields: Mapping[str, Any], name: str = "collection") -> Any:
        """The number of a declared collection."""
        return self.ids[COLLECTION].get(fields[name]) if fields[name] else None

    def collection(self, change: Change) -> Any:
        """PUT without `archived` means that it is not."""
        fields, key = change.wanted.fields, change.wanted.key
        body = {
            "name": fields["name"],
            "description": described(key, fields["description"]),
            "parent_id": self.place(fields, "parent"),
        }
        if change.verb == CREATE:
            new = self.metabase.call("POST", "/api/collection", body)
            self.key_file.note("objects", slot(COLLECTION, key), new.get("entity_id"))
            return new["id"]
        self.metabase.call("PUT", f"/api/collection/{change.found.id}", {**body, "archived": False})
        return None

    def query(self, thing: Thing) -> dict[str, Any]:
        """The form in which Metabase keeps it since 0.57. Raises CannotError for an unknown column."""
        fields = thing.fields
        if fields["database"] not in self.ids[DATABASE]:
            raise CannotError(f"its database {fields['database']} is missing in Metabase")
        tags = {tag: self.tag(tag, fields["database"], filtered) for tag, filtered in fields["tags"].items()}
        stage = {"lib/type": "mbql.stage/native", "native": fields["sql"], **({"template-tags": tags} if tags else {})}
        return {"lib/type": "mbql/query", "database": self.ids[DATABASE][fields["database"]], "stages": [stage]}

    def tag(self, name: str, database: str, tag: Mapping[str, Any]) -> dict[str, Any]:
        """A field filter. Raises CannotError."""
        number = self.columns.get(database, {}).get(tag["field"])
        if number is None:
            raise CannotError(unknown_column(tag["field"], database))
        options = {"lib/uuid": str(uuid.uuid5(uuid.UUID(tag["id"]), tag["field"]))}
        sent = {key: tag[key] for key in ("id", "display-name", "type", "widget-type")}
        return {**sent, "name": name, "dimension": ["field", options, number]}

    def question(self, change: Change) -> Any:
        """Of a question that is there only what differs is sent."""
        fields, thing = change.wanted.fields, change.wanted
        body = {
            "name": fields["name"],
            "description": fields["description"],
            "collection_id": self.place(fields),
            "type": "question",
            "display": fields["display"],
            "visualization_settings": fields["visualization"],
        }
        if change.verb == CREATE:
            body["entity_id"] = entity_id(QUESTION, thing.key)
            return self.metabase.call("POST", "/api/card", {**body, "dataset_query": self.query(thing)})["id"]
        names = {"collection": "collection_id", "visualization": "visualization_settings"}
        sent = {names.get(field, field) for field in change.fields}
        body = {name: value for name, value in body.items() if name in sent}
        if sent & {"database", "sql", "tags"}:
            body["dataset_query"] = self.query(thing)
        if "dashboard" in sent:
            body.update(dashboard_id=None, collection_id=self.place(fields))
        if change.verb == UNARCHIVE:
            body.update(archived=False, collection_id=self.place(fields))
        self.metabase.call("PUT", f"/api/card/{change.found.id}", body)
        return None

    def dashboard(self, change: Change) -> Any:
        """POST takes neither cards nor width nor our mark: they come with a second request."""
        fields, key, live = change.wanted.fields, change.wanted.key, self.dashboard_there(change)
        plain = {
            "name": fields["name"],
            "description": fields["description"],
            "collection": self.place(fields),
            "width": fields["width"],
            "mark": caveats(key),
        }
        different = {*plain, "cards"} if change.verb == CREATE else set(change.fields)
        names = {"collection": "collection_id", "mark": "caveats"}
        body = {names.get(name, name): value for name, value in plain.items() if name in different}
        if different & {"filters", "cards"}:
            questions = self.ids[QUESTION]
            body["parameters"] = parameter_bodies(key, fields["filters"], live, questions.values())
            body["dashcards"] = dashcard_bodies(fields["cards"], live, questions)
            body["tabs"] = tab_bodies(live)
        number = live["id"] if change.verb == CREATE else change.found.id
        self.dashboards[key] = self.metabase.call("PUT", f"/api/dashboard/{number}", body) if body else live
        return number

    def dashboard_there(self, change: Change) -> Any:
        """All that Metabase says of a dashboard that can take cards: a new one, or the one that is there."""
        fields, path = change.wanted.fields, f"/api/dashboard/{change.found.id}"
        if change.verb == CREATE:
            key, place = change.wanted.key, self.place(fields)
            body = {"name": fields["name"], "collection_id": place, "description": half_made(key)}
            live = self.metabase.call("POST", "/api/dashboard", body)
            self.key_file.note("objects", slot(DASHBOARD, key), live.get("entity_id"))
            return live
        if change.verb == UNARCHIVE:  # what is in the trash takes no cards
            return self.metabase.call("PUT", path, {"archived": False, "collection_id": self.place(fields)})
        if {"filters", "cards"} & set(change.fields):  # a card whose question left the trash only now is there again
            return self.metabase.get(path)
        return change.found.raw

    def subscription(self, change: Change) -> Any:
        """It cannot move to another dashboard: then the old one is archived. Raises CannotError."""
        fields, found = change.wanted.fields, change.found
        cards = pulse_cards(self.dashboards.get(fields["dashboard"], {}))
        if not cards:
            raise CannotError(f"its dashboard {fields['dashboard']} has no question")
        body = {
            "name": subscription_name(change.wanted.key, fields["name"]),
            "cards": cards,
            "skip_if_empty": fields["skip_if_empty"],
            "channels": [channel_body(fields, found.raw.get("channels") or [])],
        }
        if change.verb != CREATE and "dashboard" not in change.fields:
            self.metabase.call("PUT", f"/api/pulse/{found.id}", {**body, "archived": False})
            return None
        if change.verb != CREATE and not found.archived:
            self.metabase.call("PUT", f"/api/pulse/{found.id}", {"archived": True})
        body["channels"] = [channel_body(fields, [])]
        dashboard = self.ids[DASHBOARD][fields["dashboard"]]
        return self.metabase.call("POST", "/api/pulse", {**body, "dashboard_id": dashboard, "parameters": []})["id"]
