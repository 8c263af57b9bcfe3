# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every path of the API and of the pages, who may ask it, and what answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from double import pages
from double.cards import Cards
from double.collections import Collections
from double.config import Environment
from double.dashboards import Dashboards
from double.databases import Databases
from double.groups import Groups
from double.people import People
from double.pulses import Pulses
from double.queries import Queries
from double.settings import Settings
from double.store import Store
from double.web import Answer, ApiError, Request, forbidden

ANYONE, USER, ADMIN = range(3)
Handler = Callable[..., Any]


class Metabase:
    """The running double."""

    def __init__(self, store: Store, environment: Environment) -> None:
        self.store, self.people = store, People(store, environment)
        self.settings = Settings(store, environment, self.people)
        databases, collections = Databases(store), Collections(store)
        queries = Queries(self.settings, databases.details, databases.field)
        cards = Cards(self.people, databases, collections, queries)
        dashboards = Dashboards(cards)
        rows = _people(self.people, Groups(self.people)) + _settings(self.settings) + _databases(databases, queries)
        rows += _content(collections, cards, dashboards, Pulses(dashboards, self.settings))
        rows += pages.routes(self.settings)
        self.routes = [(method, _pattern(path), who, handler) for method, path, who, handler in rows]

    def answer(self, request: Request) -> Answer:
        """ApiError. A browser without a login is sent to the page for it."""
        for method, pattern, who, handler in self.routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                self._admit(request, who)
                found = handler(request, *match.groups())
                return found if isinstance(found, Answer) else Answer(found)
        if request.path.startswith("/api/"):
            raise ApiError(404, "API endpoint does not exist.")
        return pages.missing()

    def _admit(self, request: Request, who: int) -> None:
        if who != ANYONE and request.user is None:
            if request.path.startswith("/api/"):
                raise ApiError(401, "Unauthenticated")
            raise pages.to_login(request)
        if who == ADMIN and request.user and not request.user["is_superuser"]:
            raise forbidden()


def _pattern(path: str) -> re.Pattern[str]:
    """:id is a number, :ref also an entity id or a word, :any everything up to the next slash."""
    return re.compile(re.sub(r":id\b", r"([1-9]\\d*)", re.sub(r":(ref|any)\b", "([^/]+)", path)))


def _people(people: People, groups: Groups) -> list[tuple[str, str, int, Handler]]:
    return [
        ("POST", "/api/setup", ANYONE, people.setup),
        ("POST", "/api/session", ANYONE, people.log_in),
        ("DELETE", "/api/session", ANYONE, people.log_out),
        ("GET", "/api/user", ADMIN, people.listing),
        ("POST", "/api/user", ADMIN, people.create),
        ("GET", "/api/user/current", USER, people.current),
        ("GET", "/api/user/:id", USER, people.get),
        ("PUT", "/api/user/:id", USER, people.update),
        ("DELETE", "/api/user/:id", ADMIN, people.deactivate),
        ("PUT", "/api/user/:id/reactivate", ADMIN, people.reactivate),
        ("PUT", "/api/user/:id/password", USER, people.change_password),
        ("GET", "/api/permissions/group", ADMIN, groups.listing),
        ("POST", "/api/permissions/group", ADMIN, groups.create),
        ("GET", "/api/permissions/group/:id", ADMIN, groups.get),
        ("PUT", "/api/permissions/group/:id", ADMIN, groups.update),
        ("DELETE", "/api/permissions/group/:id", ADMIN, groups.delete),
        ("GET", "/api/permissions/membership", ADMIN, groups.memberships),
        ("POST", "/api/permissions/membership", ADMIN, groups.add_member),
        ("DELETE", "/api/permissions/membership/:id", ADMIN, groups.remove_member),
        ("GET", "/api/api-key", ADMIN, groups.keys),
        ("GET", "/api/api-key/count", ADMIN, lambda request: len(groups.keys(request))),
        ("POST", "/api/api-key", ADMIN, groups.create_key),
        ("PUT", "/api/api-key/:id", ADMIN, groups.update_key),
        ("PUT", "/api/api-key/:id/regenerate", ADMIN, groups.regenerate_key),
        ("DELETE", "/api/api-key/:id", ADMIN, groups.delete_key),
    ]


def _settings(settings: Settings) -> list[tuple[str, str, int, Handler]]:
    return [
        ("GET", "/api/session/properties", ANYONE, settings.properties),
        ("GET", "/api/setting", ADMIN, settings.listing),
        ("PUT", "/api/setting", ADMIN, settings.set_many),
        ("GET", "/api/setting/:any", USER, settings.get),
        ("PUT", "/api/setting/:any", ADMIN, settings.set),
    ]


def _databases(databases: Databases, queries: Queries) -> list[tuple[str, str, int, Handler]]:
    return [
        ("GET", "/api/database", USER, databases.listing),
        ("POST", "/api/database", ADMIN, databases.create),
        ("GET", "/api/database/:id", USER, databases.get),
        ("PUT", "/api/database/:id", ADMIN, databases.update),
        ("DELETE", "/api/database/:id", ADMIN, databases.delete),
        ("GET", "/api/database/:id/metadata", USER, databases.metadata),
        ("POST", "/api/database/:id/sync_schema", ADMIN, databases.sync_schema),
        ("POST", "/api/database/:id/rescan_values", ADMIN, databases.rescan),
        ("GET", "/api/database/:id/schemas", USER, databases.schemas),
        ("GET", "/api/database/:id/schema/:any", USER, databases.schema),
        ("GET", "/api/table", USER, databases.all_tables),
        ("GET", "/api/table/:id", USER, databases.table),
        ("GET", "/api/table/:id/query_metadata", USER, databases.table_metadata),
        ("GET", "/api/field/:id", USER, databases.get_field),
        ("POST", "/api/dataset", USER, queries.dataset),
    ]


def _content(
    collections: Collections, cards: Cards, dashboards: Dashboards, pulses: Pulses
) -> list[tuple[str, str, int, Handler]]:
    return [
        ("GET", "/api/collection", USER, collections.listing),
        ("POST", "/api/collection", USER, collections.create),
        ("GET", "/api/collection/tree", USER, collections.tree),
        ("GET", "/api/collection/:ref", USER, collections.get),
        ("PUT", "/api/collection/:id", USER, collections.update),
        ("DELETE", "/api/collection/:id", ADMIN, collections.delete),
        ("GET", "/api/collection/:ref/items", USER, collections.items),
        ("GET", "/api/search", USER, collections.search),
        ("POST", "/api/eid-translation/translate", USER, collections.translate),
        ("GET", "/api/card", USER, cards.listing),
        ("POST", "/api/card", USER, cards.create),
        ("GET", "/api/card/:ref", USER, cards.get),
        ("PUT", "/api/card/:id", USER, cards.update),
        ("DELETE", "/api/card/:id", USER, cards.delete),
        ("GET", "/api/card/:id/dashboards", USER, cards.dashboards),
        ("POST", "/api/card/:ref/query", USER, cards.run),
        ("POST", "/api/card/:ref/query/:any", USER, cards.export),
        ("GET", "/api/dashboard", USER, dashboards.listing),
        ("POST", "/api/dashboard", USER, dashboards.create),
        ("GET", "/api/dashboard/:ref", USER, dashboards.get),
        ("PUT", "/api/dashboard/:id", USER, dashboards.update),
        ("DELETE", "/api/dashboard/:id", USER, dashboards.delete),
        ("POST", "/api/dashboard/:ref/dashcard/:id/card/:id/query", USER, dashboards.run),
        ("GET", "/api/pulse", USER, pulses.listing),
        ("POST", "/api/pulse", USER, pulses.create),
        ("GET", "/api/pulse/form_input", USER, pulses.form_input),
        ("GET", "/api/pulse/:id", USER, pulses.get),
        ("PUT", "/api/pulse/:id", USER, pulses.update),
    ]
