# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The common form of declared objects and of those in Metabase, and the marks of ours. Pure. Python 3.9.

In this form everything refers to everything else by key, name or path, never by Metabase's number.

How ours are known again, whatever people did to them:
- question: its entity_id, which POST /api/card takes (src/metabase/queries_rest/api/card.clj).
- collection and dashboard: neither POST takes an entity_id. The one that Metabase gave is kept in the file on the host;
  if that is lost, a sentence in the description marks a collection, the column `caveats`, which no page shows, a
  dashboard (src/metabase/collections_rest/api.clj, src/metabase/dashboards_rest/api.clj).
- subscription: the end of its name, which no page lets people change. One whose dashboard is in the trash cannot be
  listed, not even as archived (src/metabase/pulse/models/pulse.clj); with the dashboard it is made anew.
- group, user and database: their name or address. A database is ours when it has the declared user.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

SETTINGS, GROUP, USER, DATABASE = "settings", "group", "user", "database"
COLLECTION, QUESTION, DASHBOARD, SUBSCRIPTION = "collection", "question", "dashboard", "subscription"
KINDS = (SETTINGS, GROUP, USER, DATABASE, COLLECTION, QUESTION, DASHBOARD, SUBSCRIPTION)

HAND = "made by hand"
_SENTENCE = re.compile(r"(?:^|\n)Managed by crowsnest \((?P<key>[^()\n]+)\): ")
_CAVEATS = re.compile(r"crowsnest:(?P<key>.+)")
_HALF_MADE = re.compile(r"crowsnest is making this dashboard \((?P<key>[^()\n]+)\)")
_ENDING = re.compile(r"(?P<name>.*) \[crowsnest (?P<key>[^\[\]]+)\]", re.DOTALL)
SECRET_SETTING = re.compile(r"password|secret|token|(^|-)key$", re.IGNORECASE)


class Thing(NamedTuple):
    """One object: its fields in canonical form and, if it is in Metabase, its number and all that Metabase says."""

    key: str
    name: str
    fields: Mapping[str, Any]
    id: Any = None
    raw: Mapping[str, Any] = {}
    archived: bool = False


Things = dict[str, dict[str, Thing]]  # kind -> key -> object
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


def text(value: Any) -> str | None:
    """Without blanks around it; an empty one is none."""
    return str(value if value is not None else "").replace("\r\n", "\n").strip() or None


def loose(value: Any) -> Any:
    """The value of a setting: `true`, `5` and "5" are what they say, an address has no slash at its end."""
    if isinstance(value, str):
        plain = value.strip()
        plain = plain.rstrip("/") if "://" in plain else plain  # site-url: src/metabase/system/settings.clj
        if plain.lower() in ("true", "false"):
            return plain.lower() == "true"
        return int(plain) if re.fullmatch(r"-?\d{1,15}", plain) else plain or None
    return value


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
    """The key in the description of a collection of ours."""
    found = _SENTENCE.search(raw.get("description") or "")
    return found["key"] if found else None


def caveats(key: str) -> str:
    """The mark of a dashboard."""
    return f"crowsnest:{key}"


def half_made(key: str) -> str:
    """The description of a dashboard until its mark is there: POST does not take `caveats`."""
    return f"crowsnest is making this dashboard ({key})"


def dashboard_key(raw: Mapping[str, Any]) -> str | None:
    """The key of a dashboard of ours, also of one that was left half-made."""
    found = _CAVEATS.fullmatch(raw.get("caveats") or "") or _HALF_MADE.fullmatch(raw.get("description") or "")
    return found["key"] if found else None


def subscription_name(key: str, name: str) -> str:
    """The name of a subscription in Metabase."""
    return f"{name} [crowsnest {key}]"


def subscription_parts(raw: Mapping[str, Any]) -> tuple[str | None, str]:
    """(key, declared name) of a subscription of ours."""
    found = _ENDING.fullmatch(raw.get("name") or "")
    return (found["key"], found["name"]) if found else (None, raw.get("name") or "")


def slot(kind: str, key: str) -> str:
    """The name of an object in the file on the host."""
    return f"{kind}:{key}"
