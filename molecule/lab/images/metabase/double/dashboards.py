# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""/api/dashboard: src/metabase/dashboards_rest/api.clj of Metabase."""

from __future__ import annotations

from typing import Any

from double.cards import CLEARABLE, Cards, archiving, usable
from double.collections import resolve
from double.people import now
from double.queries import parameters_of
from double.secrets import entity_id
from double.web import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    MAP,
    NATURAL,
    POSITIVE,
    STRING,
    TEXT,
    Answer,
    ApiError,
    Check,
    Object,
    Request,
    checked,
    some,
)

_WIDTH = Check(lambda value: value in ("fixed", "full"), "enum of fixed, full")
_CREATE = {"parameters": LIST, "description": STRING, "cache_ttl": POSITIVE, "collection_id": POSITIVE}
_CREATE |= {"collection_position": POSITIVE}
_TEXTS = ("description", "caveats", "points_of_interest", "embedding_type")
_UPDATE = {**_CREATE, **dict.fromkeys(_TEXTS, STRING), "name": TEXT, "archived": BOOLEAN, "width": _WIDTH}
_UPDATE |= {"auto_apply_filters": BOOLEAN, "show_in_getting_started": BOOLEAN, "enable_embedding": BOOLEAN}
_UPDATE |= {"embedding_params": MAP, "position": POSITIVE, "dashcards": LIST, "tabs": LIST}
_PLACE = {"id": INTEGER, "size_x": POSITIVE, "size_y": POSITIVE, "row": NATURAL, "col": NATURAL}
_DASHCARD = {"card_id": POSITIVE, "action_id": POSITIVE, "dashboard_tab_id": INTEGER, "parameter_mappings": LIST}
_DASHCARD |= {"visualization_settings": MAP, "inline_parameters": LIST, "series": LIST}
_DASHCARD_SCHEMA = {**_PLACE, **{key: check.maybe() for key, check in _DASHCARD.items()}}


class Dashboards:
    """A dashboard's cards and tabs are stored with it."""

    def __init__(self, cards: Cards) -> None:
        self.cards, self.store, self.collections = cards, cards.store, cards.collections

    def shown(self, row: Object) -> Object:
        """With its cards, but for those whose question is in the trash."""
        people, creator = self.cards.people, self.store.get("user", row["creator_id"])
        dashcards = [self._dashcard(row, each) for each in row["dashcards"]]
        place = self.store.get("collection", row["collection_id"]) if row["collection_id"] else None
        more: Object = {"creator": people.shown(creator) if creator else None, "collection": place, "can_write": True}
        more |= {"param_fields": {}, "can_restore": row["archived"], "moderation_reviews": []}
        return {**row, **more, "dashcards": [each for each in dashcards if each is not None]}

    def _dashcard(self, row: Object, each: Object) -> Object | None:
        card = self.store.get("card", each["card_id"]) if each["card_id"] else None
        if each["card_id"] and (card is None or card["archived"]):
            return None
        return {**each, "dashboard_id": row["id"], "card": self.cards.shown(card) if card else None}

    def listing(self, request: Request) -> list[Object]:
        rows = self.store.all("dashboard", archived=request.one("f") == "archived")
        if request.one("f") == "mine":
            rows = [row for row in rows if row["creator_id"] == request.user["id"]]
        shown = [self.shown(row) for row in rows]
        return [{key: row[key] for key in row if key not in ("dashcards", "tabs")} for row in shown]

    def get(self, request: Request, reference: str) -> Object:
        return self.collections.in_trash(self.shown(resolve(self.store, "dashboard", reference)))

    def create(self, request: Request) -> Object:
        """An entity_id is not among the known keys: it is dropped."""
        given = request.take(name=TEXT, **{key: check.maybe() for key, check in _CREATE.items()})
        self.collections.check("report_dashboard", given.get("collection_id"))
        fields: dict[str, Any] = dict.fromkeys((*_TEXTS, *CLEARABLE, "position", "public_uuid", "embedding_params"))
        fields |= {"width": "fixed", "auto_apply_filters": True, "archived": False, "archived_directly": False}
        fields |= {"enable_embedding": False, "show_in_getting_started": False, "dashcards": [], "tabs": []}
        fields |= {**given, "parameters": _parameters(given.get("parameters") or []), "entity_id": entity_id()}
        fields.pop("dashboard_id")
        moments = {"created_at": now(), "updated_at": now(), "creator_id": request.user["id"]}
        return self.shown(self.store.add("dashboard", {**fields, **moments}))

    def update(self, request: Request, number: str) -> Object:
        row = some(self.store.get("dashboard", number))
        given = request.take(**{key: check.maybe() for key, check in _UPDATE.items()})
        self.collections.check("report_dashboard", given.get("collection_id"))
        clearable = (*CLEARABLE, "position", "embedding_type")
        changes = {key: value for key, value in given.items() if value is not None or key in clearable}
        if "parameters" in changes:
            _parameters(changes["parameters"])
        if "dashcards" in changes:
            tabs, numbers = self._tabs(row, changes.get("tabs") or [])
            changes |= {"tabs": tabs, "dashcards": self._dashcards(row, changes["dashcards"], tabs, numbers)}
        else:
            changes.pop("tabs", None)
        row = self.store.save("dashboard", {**row, **changes, **archiving(row, given), "updated_at": now()})
        if "parameters" in changes:
            self._end_broken_subscriptions(row)
        return self.shown(row)

    def _tabs(self, row: Object, given: list[Any]) -> tuple[list[Object], dict[int, int]]:
        """(tabs in their new order, {temporary id: id})."""
        known = {tab["id"]: tab for tab in row["tabs"]}
        tabs, numbers = [], {}
        for position, each in enumerate(given):
            tab = checked(each, {"id": INTEGER, "name": TEXT})
            number = tab["id"] if tab["id"] in known else self.store.next_id("dashboard_tab")
            numbers[tab["id"]] = number
            mark = known.get(number, {}).get("entity_id") or entity_id()
            tabs.append(
                {"id": number, "dashboard_id": row["id"], "name": tab["name"], "position": position, "entity_id": mark}
            )
        return tabs, numbers

    def _dashcards(self, row: Object, given: list[Any], tabs: list[Object], numbers: dict[int, int]) -> list[Object]:
        """The given list replaces the cards; an id that is not there makes a new one."""
        known, found = {each["id"]: each for each in row["dashcards"]}, []
        dashcards = [checked(each, _DASHCARD_SCHEMA) for each in given]
        if len({each["id"] for each in dashcards}) < len(dashcards):
            raise ApiError(400, {"errors": {"dashcards": "value must be seq of maps in which ids are unique"}})
        for each in dashcards:
            tab = numbers.get(each.get("dashboard_tab_id"), each.get("dashboard_tab_id"))
            each["dashboard_tab_id"] = tabs[0]["id"] if tab is None and len(tabs) == 1 else tab
            if tabs and each["dashboard_tab_id"] is None:
                raise ApiError(400, "This dashboard has tab, makes sure every card has a tab")
            found.append(self._placed(row, each, known.get(each["id"])))
        listed = {each["id"] for each in found}
        hidden = [each for each in row["dashcards"] if each["id"] not in listed and self._dashcard(row, each) is None]
        return [*found, *hidden]

    def _placed(self, row: Object, given: Object, known: Object | None) -> Object:
        if given.get("card_id") and given["card_id"] != (known or {}).get("card_id"):
            card = usable(self.store.get("card", given["card_id"]))
            if card["dashboard_id"] not in (None, row["id"]):
                raise ApiError(400, "Invalid Request.")
        given = {key: value for key, value in given.items() if value is not None}
        if known:
            return {**known, **given, "updated_at": now()}
        fresh: Object = {"card_id": None, "action_id": None, "visualization_settings": {}, "parameter_mappings": []}
        fresh |= {"inline_parameters": [], "series": [], "dashboard_tab_id": None, "entity_id": entity_id()}
        return {**fresh, **given, "id": self.store.next_id("dashcard"), "created_at": now(), "updated_at": now()}

    def _end_broken_subscriptions(self, row: Object) -> None:
        """A subscription that uses a filter which is gone is archived."""
        known = {each["id"] for each in row["parameters"]}
        for pulse in self.store.all("pulse", dashboard_id=row["id"], archived=False):
            if any(each.get("id") not in known for each in pulse["parameters"]):
                self.store.save("pulse", {**pulse, "archived": True})

    def delete(self, request: Request, number: str) -> None:
        row = some(self.store.get("dashboard", number))
        for pulse in self.store.all("pulse", dashboard_id=row["id"]):
            self.store.delete("pulse", pulse["id"])
        self.store.delete("dashboard", row["id"])

    def run(self, request: Request, board: str, dashcard: str, card: str) -> Answer:
        """One card with the values of the dashboard's filters."""
        row = resolve(self.store, "dashboard", board)
        found = next((each for each in row["dashcards"] if each["id"] == int(dashcard)), None)
        question = some(self.store.get("card", card))
        if some(found)["card_id"] != question["id"]:
            some(None)
        given = request.take(parameters=LIST.maybe(), dashboard_load_id=ANY.maybe()).get("parameters") or []
        parameters = parameters_of(row, some(found), question["id"], given)
        return Answer(self.cards.queries.answer(question["dataset_query"], parameters, "dashboard"), 202)


def _parameters(given: list[Any]) -> list[Object]:
    """ApiError 400 unless each has an id and a type."""
    for each in given:
        checked(each, {"id": TEXT, "type": TEXT})
    return given
