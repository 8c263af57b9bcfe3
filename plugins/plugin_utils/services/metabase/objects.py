# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Metabase must hold for the apps, as options of the module `metabase`. Pure.

Each app with a database has a collection, a database and one dashboard. Keys are made of the names of app and
question, so a question that is renamed is a new one. In another language keys are the same, and what people read of the
same objects changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import (
    Business,
    Database,
    MetabaseUser,
    Subscription,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.charts import (
    display,
    visualization_settings,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import Ready

Fields = dict[str, Any]
Say = Callable[[str], str]

READER = "crowsnest_ro"
# Connections that the reader may have at once on a server, for all programs together.
READER_CONNECTIONS = 10
# Connections for Metabase: a run needs one itself, to check whether the reader is as declared.
METABASE_CONNECTIONS = READER_CONNECTIONS - 1
# How many of Metabase's connections a verification takes: people use Metabase at the same time.
VERIFY_CONNECTIONS = METABASE_CONNECTIONS // 3
DASHBOARD = "Business"
# The part of files/words.
WORDS = "business"
# The columns of a dashboard's grid.
_GRID = 24
# The filter of dates, and what it shows at first: the last 30 days and today, as Metabase writes it.
PERIOD, _FIRST_PERIOD = "period", "past30days~"


class App(Protocol):
    """The part of `declaration.App` that is used here."""

    @property
    def name(self) -> str:
        """Name of the app."""

    @property
    def database(self) -> Database | None:
        """Its database, if it has one that may be queried."""

    @property
    def business(self) -> Business:
        """What Metabase shows of it."""


def objects(
    apps: Sequence[App],
    questions: Mapping[str, Sequence[Ready]],
    users: Sequence[MetabaseUser],
    reader_password: str,
    language: str,
) -> dict[str, list[Any]]:
    """{"collections", "databases", "questions", "dashboards", "subscriptions", "groups", "users"}.

    `questions` is {name of the app: its questions in order}. The databases hold the password of `crowsnest_ro`.
    """
    with_database = [app for app in apps if app.database]
    with_answers = [app for app in with_database if questions[app.name]]

    def say(text: str) -> str:
        return translated(text, language, WORDS)

    return {
        "collections": [_collection(app.name, say) for app in with_database],
        "databases": [_database(app.name, app.database, reader_password) for app in with_database if app.database],
        "questions": [_question(app.name, ready, say) for app in with_database for ready in questions[app.name]],
        "dashboards": [_dashboard(app.name, questions[app.name], say) for app in with_answers],
        "subscriptions": [fields for app in with_answers for fields in _subscriptions(app.name, app.business, say)],
        "groups": sorted({group for user in users for group in user.groups}),
        "users": [_user(user) for user in users],
    }


def _key(app: str, name: str) -> str:
    """`shop/Revenue+per+day`: the module takes neither spaces nor brackets, and two names never share a key."""
    special = r"[%+()\[\]\s]"
    return f"{app}/" + re.sub(special, lambda found: "+" if found[0] == " " else f"%{ord(found[0]):02X}", name)


def _collection(app: str, say: Say) -> Fields:
    return {"key": app, "name": app, "description": say(f"Questions to the database of {app}."), "parent": None}


def _database(app: str, database: Database, password: str) -> Fields:
    host, port = host_and_port(database.address)
    login = {"dbname": database.name, "user": READER, "password": password, "ssl": database.ssl}
    return {"name": app, "host": host, "port": port, **login}


def _question(app: str, ready: Ready, say: Say) -> Fields:
    question = ready.question
    return {
        "key": _key(app, question.name),
        "collection": app,
        "database": app,
        "name": ready.title,
        "description": question.description,
        "sql": ready.sql,
        "display": display(question),
        "visualization": visualization_settings(question, ready.columns),
        "filters": {
            tag: {"type": _kind(tag), "field": column, "name": _filter_name(tag, say)}
            for tag, column in question.filters.items()
        },
    }


def first_parameters(question: Mapping[str, Any]) -> list[Fields]:
    """The parameters that the dashboard sends when it is opened: https://www.metabase.com/docs/latest/api#tag/apicard"""
    target = ["dimension", ["template-tag", PERIOD]]
    period = {"type": "date/all-options", "target": target, "value": _FIRST_PERIOD}
    return [period] if PERIOD in question["filters"] else []


def _kind(tag: str) -> str:
    return "date" if tag == PERIOD else "text"


def _filter_name(tag: str, say: Say) -> str:
    return say(tag.replace("_", " ").capitalize())


def _dashboard(app: str, questions: Sequence[Ready], say: Say) -> Fields:
    tags = list(dict.fromkeys(tag for ready in questions for tag in ready.question.filters))
    return {
        "key": _key(app, DASHBOARD),
        "collection": app,
        "name": say(DASHBOARD),
        "description": say(f"The business of {app}. At first the period is the last 30 days, with today."),
        "width": "full",
        "filters": [_filter(tag, say) for tag in sorted(tags, key=lambda tag: tag != PERIOD)],
        "cards": [{"question": _key(app, name), **place} for name, place in _places(questions)],
    }


def _filter(tag: str, say: Say) -> Fields:
    default = _FIRST_PERIOD if tag == PERIOD else None
    return {"tag": tag, "name": _filter_name(tag, say), "type": _kind(tag), "default": default}


def _places(questions: Sequence[Ready]) -> Iterator[tuple[str, dict[str, int]]]:
    """(name, place) of each question; a row holds as many of one size as fit."""
    row, col, before = 0, 0, (0, 0)
    for ready in questions:
        width, height = ready.size
        if before != ready.size or col + width > _GRID:
            row, col = row + before[1], 0
        yield ready.question.name, {"row": row, "col": col, "width": width, "height": height}
        col, before = col + width, ready.size


def _subscriptions(app: str, business: Business, say: Say) -> Iterator[Fields]:
    """A second subscription of one kind has a number in its key, which identifies it from run to run."""
    seen: Counter[str] = Counter()
    for subscription in business.subscriptions:
        kind = f"{subscription.every}/{subscription.channel or 'e-mail'}"
        seen[kind] += 1
        number = f"/{seen[kind]}" if seen[kind] > 1 else ""
        name = say(f"{app}: {DASHBOARD}, every {subscription.every}")
        fields = {"key": f"{app}/{kind}{number}", "name": name, "dashboard": _key(app, DASHBOARD)}
        yield {**fields, **_delivery(subscription)}


def _delivery(subscription: Subscription) -> Fields:
    return {
        **({"channel": subscription.channel} if subscription.channel else {"emails": subscription.to}),
        "every": subscription.every,
        "at": subscription.at,
        "weekday": subscription.short_weekday,
        "skip_if_empty": subscription.skip_if_empty,
    }


def _user(user: MetabaseUser) -> Fields:
    """Metabase keeps addresses in lower case."""
    return {**user.model_dump(), "email": user.email.lower()}
