# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of the objects in Metabase are ours: {Metabase's number: our key}. Pure. Python 3.9.

How they are known: see metabase_objects. `record` is the content of the file on the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import (
    COLLECTION,
    DASHBOARD,
    QUESTION,
    Rows,
    Things,
    collection_key,
    dashboard_key,
    entity_id,
    slot,
)

Given = Mapping[str, Any]


def _keyed(kind: str, rows: Rows, key_of: Any, record: Given) -> dict[Any, str]:
    """Number -> key: the object that the file knows, else the oldest with our mark."""
    known = {
        entity: name.partition(":")[2] for name, entity in record["objects"].items() if name.startswith(f"{kind}:")
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


def collection_keys(rows: Rows, record: Given) -> dict[Any, str]:
    """Number -> key of the collections of ours."""
    return _keyed(COLLECTION, [row for row in rows if isinstance(row["id"], int)], collection_key, record)


def dashboard_keys(rows: Rows, record: Given) -> dict[Any, str]:
    """Number -> key of the dashboards of ours."""
    return _keyed(DASHBOARD, rows, dashboard_key, record)


def question_keys(rows: Rows, declared: Iterable[str]) -> dict[Any, str]:
    """Number -> key of the questions of ours; of one that is not declared the entity_id stands for the key."""
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
