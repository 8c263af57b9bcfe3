# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is sent of a dashboard and of a subscription to it. Pure. Python 3.9.

PUT /api/dashboard/:id takes the cards, tabs and filters as a whole: what is not sent is removed, a negative id is new
(src/metabase/dashboards_rest/api.clj: UpdatedDashboardCard, UpdatedDashboardTab).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.people import foreign_cards, foreign_filters
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import SECTIONS, WIDGETS

Rows = list[dict[str, Any]]
Given = Mapping[str, Any]
_DASHCARD: tuple[str, ...] = ("id", "card_id", "action_id", "row", "col", "size_x", "size_y", "dashboard_tab_id")
_DASHCARD += ("parameter_mappings", "visualization_settings", "inline_parameters")


def parameter_bodies(key: str, filters: Iterable[Given], live: Given, ours: Iterable[Any]) -> Rows:
    """The declared filters, then those that people made for cards of their own."""
    sections = {WIDGETS[kind]: section for kind, section in SECTIONS.items()}
    declared = [
        {**{name: value for name, value in each.items() if value is not None}, "sectionId": sections[each["type"]]}
        for each in filters
    ]
    known = {each["id"] for each in declared}
    return declared + [it for it in foreign_filters(key, live, dict.fromkeys(ours, "")) if it["id"] not in known]


def _kept(dashcard: Given) -> dict[str, Any]:
    return {
        **{name: dashcard[name] for name in _DASHCARD if name in dashcard},
        "series": [{"id": each["id"]} for each in dashcard.get("series") or []],
    }


def dashcard_bodies(cards: Iterable[Given], live: Given, questions: Mapping[str, Any]) -> Rows:
    """Declared cards, each in the place of one of the same question if there is one; and the cards of people.

    A question that could not be made (not in `questions`, {key: number}) has no card.
    """
    ours = set(questions.values())
    free = [dict(each) for each in live.get("dashcards") or [] if each.get("card_id") in ours]
    tabs = live.get("tabs") or []
    sent = []
    for new, card in enumerate((card for card in cards if card["question"] in questions), start=1):
        number = questions[card["question"]]
        there = next((each for each in free if each["card_id"] == number), None)
        if there:
            free.remove(there)
        body = _kept(there) if there else {"id": -new, "card_id": number, "visualization_settings": {}, "series": []}
        if not there and tabs:
            body["dashboard_tab_id"] = tabs[0]["id"]
        body.update(row=card["row"], col=card["col"], size_x=card["width"], size_y=card["height"])
        body["parameter_mappings"] = [
            {"parameter_id": parameter, "card_id": number, "target": ["dimension", ["template-tag", tag]]}
            for parameter, tag in card["filters"]
        ]
        sent.append(body)
    return sent + [_kept(each) for each in foreign_cards(live, dict.fromkeys(ours, ""))]


def tab_bodies(live: Given) -> Rows:
    """The tabs that people made."""
    return [{"id": each["id"], "name": each["name"]} for each in live.get("tabs") or []]


def pulse_cards(live: Given) -> Rows:
    """The questions of a dashboard, as a subscription to it names them."""
    return [
        {"id": each["card_id"], "include_csv": False, "include_xls": False, "dashboard_card_id": each["id"]}
        for each in live.get("dashcards") or []
        if each.get("card_id")
    ]


def channel_body(fields: Given, there: Rows) -> dict[str, Any]:
    """The one channel, in the place of one of its type; others are removed (src/metabase/pulse/models/pulse.clj)."""
    kind = "slack" if fields["channel"] else "email"
    same = [each["id"] for each in there if each.get("channel_type") == kind and each.get("id")]
    return {
        **({"id": same[0]} if same else {}),
        "channel_type": kind,
        "enabled": True,
        "recipients": [{"email": email} for email in fields["emails"]],
        "details": {"channel": fields["channel"]} if fields["channel"] else {},
        "schedule_type": fields["every"],
        "schedule_hour": fields["at"],
        "schedule_day": fields["weekday"],
        "schedule_frame": fields["frame"],
    }
