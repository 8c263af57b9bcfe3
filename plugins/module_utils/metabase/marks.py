# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Metabase holds, and the marks that identify crowsnest's own objects. Pure. Python 3.9.

How crowsnest recognises its own, whatever people did to them:
- question: its entity_id, which POST /api/card takes (src/metabase/queries_rest/api/card.clj).
- collection and dashboard: neither POST takes an entity_id. The one that Metabase gave is kept in the file on the host;
  if that is lost, a sentence in the description marks a collection, the column `caveats`, which no page shows, a
  dashboard (src/metabase/collections_rest/api.clj, src/metabase/dashboards_rest/api.clj).
- subscription: the end of its name, which no page lets people change. One whose dashboard is in the trash cannot be
  listed, not even as archived (src/metabase/pulse/models/pulse.clj); with the dashboard it is made anew.
- group, user and database: their name or address. A database is crowsnest's if it has the declared user.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import text
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Things

SETTINGS, GROUP, USER, DATABASE = "settings", "group", "user", "database"
COLLECTION, QUESTION, DASHBOARD, SUBSCRIPTION = "collection", "question", "dashboard", "subscription"
KINDS = (SETTINGS, GROUP, USER, DATABASE, COLLECTION, QUESTION, DASHBOARD, SUBSCRIPTION)

_SENTENCE = re.compile(r"(?:^|\n)Managed by crowsnest \((?P<key>[^()\n]+)\): ")
_CAVEATS = re.compile(r"crowsnest:(?P<key>.+)")
_HALF_MADE = re.compile(r"crowsnest is making this dashboard \((?P<key>[^()\n]+)\)")
_ENDING = re.compile(r"(?P<name>.*) \[crowsnest (?P<key>[^\[\]]+)\]", re.DOTALL)
EVERYBODY, ADMINISTRATORS = 1, 2  # numbers of these groups, in every Metabase
SECRET_SETTING = re.compile(r"password|secret|token|(^|-)key$", re.IGNORECASE)


Rows = list[dict[str, Any]]


class Live(NamedTuple):
    """What is in Metabase, in its own words, by its own numbers."""

    settings: Rows
    groups: Rows
    users: Rows
    databases: Rows
    tables: dict[int, Rows]  # number of the database -> its tables with `fields`, of those whose columns are needed
    collections: Rows
    cards: Rows
    dashboards: Rows  # ours with `dashcards` and `tabs`
    pulses: Rows
    archived: dict[str, Rows]  # kind -> the archived ones, read only when something is missing


NOTHING = Live([], [], [], [], {}, [], [], [], [], {})


# --- marks ---


def entity_id(kind: str, key: str) -> str:
    """21 characters of NanoID's alphabet, always the same ones."""
    digest = hashlib.sha256(f"{kind}:{key}".encode()).digest()
    return "crowsnest" + base64.urlsafe_b64encode(digest)[:12].decode()


def tag_id(question: str, tag: str) -> str:
    """The number of a template tag."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"crowsnest:{question}/{tag}"))


def parameter_id(dashboard: str, tag: str) -> str:
    """The number of a dashboard's filter: 8 hexadecimal digits as Metabase's own."""
    return hashlib.sha256(f"{dashboard}/{tag}".encode()).hexdigest()[:8]


def described(key: str, description: Any) -> str:
    """The description of a collection: what people wrote, and the sentence that marks it."""
    sentence = f"Managed by crowsnest ({key}): change the declaration, the next run puts back what is changed here."
    return f"{text(description)}\n\n{sentence}" if text(description) else sentence


def undescribed(description: Any) -> str | None:
    """What people wrote of it; without the mark it is another description."""
    whole = text(description) or ""
    found = _SENTENCE.search(whole)
    return text(whole[: found.start()]) if found else f"{whole} (without the mark of crowsnest)"


def collection_key(raw: Mapping[str, Any]) -> str | None:
    """The key in the description of one of our collections."""
    found = _SENTENCE.search(raw.get("description") or "")
    return found["key"] if found else None


def caveats(key: str) -> str:
    """The mark of a dashboard."""
    return f"crowsnest:{key}"


def half_made(key: str) -> str:
    """The description of a dashboard until its mark is there: POST does not take `caveats`."""
    return f"crowsnest is making this dashboard ({key})"


def dashboard_key(raw: Mapping[str, Any]) -> str | None:
    """The key of one of our dashboards, also of one that was left half-made."""
    found = _CAVEATS.fullmatch(raw.get("caveats") or "") or _HALF_MADE.fullmatch(raw.get("description") or "")
    return found["key"] if found else None


def subscription_name(key: str, name: str) -> str:
    """The name of a subscription in Metabase."""
    return f"{name} [crowsnest {key}]"


def subscription_parts(raw: Mapping[str, Any]) -> tuple[str | None, str]:
    """(key, declared name) of one of our subscriptions."""
    found = _ENDING.fullmatch(raw.get("name") or "")
    return (found["key"], found["name"]) if found else (None, raw.get("name") or "")


def slot(kind: str, key: str) -> str:
    """The name of an object in the file on the host."""
    return f"{kind}:{key}"


# --- which objects are ours: {Metabase's number: our key} ---


def _keyed(kind: str, rows: Rows, key_of: Any, remembered: Mapping[str, Any]) -> dict[Any, str]:
    """Number -> key: the object that the file on the host (`remembered`) knows, else the oldest with our mark."""
    known = {
        entity: name.partition(":")[2] for name, entity in remembered["objects"].items() if name.startswith(f"{kind}:")
    }
    keys: dict[Any, str] = {}
    rows = sorted(rows, key=lambda row: (bool(row.get("archived")), int(row["id"])))
    for row in rows:
        if row.get("entity_id") in known:
            keys[row["id"]] = known[row["entity_id"]]
    for row in rows:
        key = key_of(row)
        if key and row["id"] not in keys and key not in keys.values():
            keys[row["id"]] = key
    return keys


def collection_keys(rows: Rows, remembered: Mapping[str, Any]) -> dict[Any, str]:
    """Number -> key of our collections."""
    return _keyed(COLLECTION, [row for row in rows if isinstance(row["id"], int)], collection_key, remembered)


def dashboard_keys(rows: Rows, remembered: Mapping[str, Any]) -> dict[Any, str]:
    """Number -> key of our dashboards."""
    return _keyed(DASHBOARD, rows, dashboard_key, remembered)


def question_keys(rows: Rows, declared: Iterable[str]) -> dict[Any, str]:
    """Number -> key of our questions; of one that is not declared the entity_id stands for the key."""
    keys = {entity_id(QUESTION, key): key for key in declared}
    return {
        row["id"]: keys.get(row["entity_id"], str(row["entity_id"]))
        for row in rows
        if str(row.get("entity_id") or "").startswith("crowsnest")
    }


def object_slots(things: Things) -> dict[str, str]:
    """What the file on the host should say of collections and dashboards."""
    return {
        slot(kind, key): str(thing.raw["entity_id"])
        for kind in (COLLECTION, DASHBOARD)
        for key, thing in things[kind].items()
        if thing.raw.get("entity_id")
    }
