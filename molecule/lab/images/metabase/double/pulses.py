# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""/api/pulse, the subscriptions to dashboards: src/metabase/pulse/{api,models}/*.clj of Metabase. Nothing is sent."""

from __future__ import annotations

from typing import Any

from double.dashboards import Dashboards
from double.people import now
from double.secrets import entity_id
from double.settings import Settings
from double.web import BOOLEAN, LIST, POSITIVE, SOME, TEXT, ApiError, Object, Request, checked, crashed, some

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CARD = {"id": POSITIVE, "include_csv": BOOLEAN, "include_xls": BOOLEAN}


class Pulses:
    """Who gets which dashboard, and when."""

    def __init__(self, dashboards: Dashboards, settings: Settings) -> None:
        self.store, self.people, self.settings = dashboards.store, dashboards.cards.people, settings

    def shown(self, row: Object) -> Object:
        cards = []
        for each in row["cards"]:
            card = self.store.get("card", each["id"])
            if card and not card["archived"]:
                keys = ("name", "description", "display", "collection_id")
                more = {"dashboard_id": row["dashboard_id"], "parameter_mappings": None}
                cards.append({**each, **{key: card[key] for key in keys}, **more})
        creator = self.store.get("user", row["creator_id"])
        return {**row, "cards": cards, "creator": self.people.shown(creator) if creator else None, "can_write": True}

    def listing(self, request: Request) -> list[Object]:
        rows = self.store.all("pulse", archived=request.flag("archived"))
        boards = {board["id"] for board in self.store.all("dashboard", archived=False)}
        rows = [row for row in rows if row["dashboard_id"] is None or row["dashboard_id"] in boards]
        if board := request.one("dashboard_id"):
            rows = [row for row in rows if row["dashboard_id"] == int(board)]
        return [self.shown(row) for row in sorted(rows, key=lambda row: row["name"].lower())]

    def get(self, request: Request, number: str) -> Object:
        return self.shown(some(self.store.get("pulse", number)))

    def create(self, request: Request) -> Object:
        maybe = {"skip_if_empty": BOOLEAN, "collection_id": POSITIVE, "collection_position": POSITIVE}
        maybe |= {"dashboard_id": POSITIVE, "parameters": LIST}
        given = request.take(name=TEXT, cards=SOME, channels=SOME, **{key: each.maybe() for key, each in maybe.items()})
        if given.get("dashboard_id"):
            some(self.store.get("dashboard", given["dashboard_id"]))
        fields: dict[str, Any] = {
            "collection_id": None,
            "collection_position": None,
            "dashboard_id": None,
            "archived": False,
        }
        fields |= given | {
            "skip_if_empty": bool(given.get("skip_if_empty")),
            "parameters": given.get("parameters") or [],
        }
        fields |= {"cards": self._cards(given["cards"]), "channels": self._channels(given["channels"], [])}
        moments = {"created_at": now(), "updated_at": now(), "creator_id": request.user["id"], "entity_id": entity_id()}
        return self.shown(self.store.add("pulse", {**fields, **moments}))

    def update(self, request: Request, number: str) -> Object:
        """A key that is missing keeps its value, but for archived and skip_if_empty, which become false."""
        row = some(self.store.get("pulse", number))
        maybe = {"name": TEXT, "cards": SOME, "channels": SOME, "skip_if_empty": BOOLEAN, "collection_id": POSITIVE}
        maybe |= {"archived": BOOLEAN, "parameters": LIST}
        given = request.take(**{key: each.maybe() for key, each in maybe.items()})
        changes = {key: value for key, value in given.items() if value is not None}
        changes |= {key: bool(given.get(key)) for key in ("archived", "skip_if_empty")}
        if "cards" in changes:
            changes["cards"] = self._cards(changes["cards"])
        if "channels" in changes:
            changes["channels"] = self._channels(changes["channels"], row["channels"])
        elif changes["archived"]:
            changes["channels"] = [{**each, "enabled": False} for each in row["channels"]]
        return self.shown(self.store.save("pulse", {**row, **changes, "updated_at": now()}))

    def _cards(self, given: list[Any]) -> list[Object]:
        cards = []
        for each in given:
            card = checked(each, _CARD)
            some(self.store.get("card", card["id"]))
            more = {"format_rows": True, "pivot_results": False, "dashboard_card_id": each.get("dashboard_card_id")}
            cards.append({**card, **more})
        return cards

    def _channels(self, given: list[Any], known: list[Object]) -> list[Object]:
        old = {each["channel_type"]: each for each in known}
        return [self._channel(each, old.get(each.get("channel_type"), {})) for each in given]

    def _channel(self, given: Object, known: Object) -> Object:
        kind, schedule, hour = given.get("channel_type"), given.get("schedule_type"), given.get("schedule_hour")
        day, frame = given.get("schedule_day"), given.get("schedule_frame")
        on_time = schedule == "hourly" or (isinstance(hour, int) and 0 <= hour <= 23)
        fits = {"hourly": True, "daily": True, "weekly": day in _DAYS, "monthly": frame in ("first", "mid", "last")}
        if kind not in ("email", "slack", "http") or not isinstance(given.get("enabled"), bool):
            raise crashed("Assert failed: (channel-type? channel_type)")
        if not fits.get(schedule) or not on_time:
            raise crashed("Assert failed: (valid-schedule? schedule_type schedule_hour schedule_day schedule_frame)")
        details = {key: value for key, value in (given.get("details") or {}).items() if key != "emails"}
        fields = {
            "channel_type": kind,
            "channel_id": given.get("channel_id"),
            "enabled": given["enabled"],
            "details": details,
        }
        fields |= {"schedule_type": schedule, "schedule_hour": None if schedule == "hourly" else hour}
        fields["schedule_day"] = day if schedule in ("weekly", "monthly") else None
        fields["schedule_frame"] = frame if schedule == "monthly" else None
        fields["recipients"] = (
            [self._recipient(each) for each in given.get("recipients") or []] if kind == "email" else []
        )
        number = known.get("id") or self.store.next_id("pulse_channel")
        moments = {"created_at": known.get("created_at") or now(), "updated_at": now()}
        return {"id": number, "entity_id": known.get("entity_id") or entity_id(), **fields, **moments}

    def _recipient(self, given: Object) -> Object:
        if not given.get("id"):
            return {"email": given.get("email")}
        user = self.store.get("user", given["id"])
        if user is None:
            raise ApiError(404, f"User {given['id']} does not exist.")
        if given.get("email") not in (None, user["email"]):
            raise ApiError(403, f"Wrong email address for User {given['id']}.")
        shown = self.people.shown(user)
        return {key: shown[key] for key in ("id", "email", "first_name", "last_name", "common_name")}

    def form_input(self, request: Request) -> Object:
        """Which channels are set up."""
        mail, slack = self.settings.value("email-smtp-host"), self.settings.value("slack-app-token")
        kinds = {"email": ("Email", bool(mail), True), "slack": ("Slack", bool(slack), False)}
        rows = {
            key: {"type": key, "name": name, "configured": on, "allows_recipients": to}
            for key, (name, on, to) in kinds.items()
        }
        return {"channels": rows}
