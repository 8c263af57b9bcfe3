# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is sent of a dashboard and of a subscription to it, and what people made there. Pure. Python 3.9.

PUT /api/dashboard/:id takes the cards, tabs and filters as a whole: what is not sent is removed, a negative id is new
(src/metabase/dashboards_rest/api.clj: UpdatedDashboardCard, UpdatedDashboardTab).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import Rows, parameter_id
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import SECTIONS, WIDGETS

Row = Mapping[str, Any]
_DASHCARD: tuple[str, ...] = ("id", "card_id", "action_id", "row", "col", "size_x", "size_y", "dashboard_tab_id")
_DASHCARD += ("parameter_mappings", "visualization_settings", "inline_parameters")


def foreign_cards(row: Row, questions: Mapping[Any, str]) -> Rows:
    """What people put on a dashboard: texts, headings, questions of their own."""
    return [card for card in row.get("dashcards") or [] if card.get("card_id") not in questions]


def foreign_filters(key: str, row: Row, questions: Mapping[Any, str]) -> Rows:
    """The filters that people made for these; a declared one that they use as well is still ours."""
    mappings = [mapping for card in foreign_cards(row, questions) for mapping in card.get("parameter_mappings") or []]
    used = {mapping["parameter_id"] for mapping in mappings}
    used |= {inline for card in row.get("dashcards") or [] for inline in card.get("inline_parameters") or []}
    parameters: Rows = row.get("parameters") or []
    return [found for found in parameters if found["id"] in used and found["id"] != _id_of(key, found)]


def _id_of(key: str, parameter: Row) -> str:
    """The number that our filter of the same name has."""
    return parameter_id(key, parameter.get("slug", ""))


def parameter_bodies(key: str, filters: Iterable[Row], live: Row, ours: Iterable[Any]) -> Rows:
    """The declared filters, then those that people made for cards of their own."""
    sections = {WIDGETS[kind]: section for kind, section in SECTIONS.items()}
    declared = [
        {
            **{name: value for name, value in parameter.items() if value is not None},
            "sectionId": sections[parameter["type"]],
        }
        for parameter in filters
    ]
    known = {parameter["id"] for parameter in declared}
    foreign = foreign_filters(key, live, dict.fromkeys(ours, ""))
    return declared + [parameter for parameter in foreign if parameter["id"] not in known]


def _kept(dashcard: Row) -> dict[str, Any]:
    return {
        **{name: dashcard[name] for name in _DASHCARD if name in dashcard},
        "series": [{"id": card["id"]} for card in dashcard.get("series") or []],
    }


def dashcard_bodies(cards: Iterable[Row], live: Row, questions: Mapping[str, Any]) -> Rows:
    """Declared cards, each in the place of one of the same question if there is one; and the cards of people.

    A question that could not be made (not in `questions`, {key: number}) has no card.
    """
    ours = set(questions.values())
    free = [dict(card) for card in live.get("dashcards") or [] if card.get("card_id") in ours]
    tabs = live.get("tabs") or []
    sent = []
    for new, card in enumerate((card for card in cards if card["question"] in questions), start=1):
        number = questions[card["question"]]
        there = next((card for card in free if card["card_id"] == number), None)
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
    return sent + [_kept(card) for card in foreign_cards(live, dict.fromkeys(ours, ""))]


def tab_bodies(live: Row) -> Rows:
    """The tabs that people made."""
    return [{"id": tab["id"], "name": tab["name"]} for tab in live.get("tabs") or []]


def pulse_cards(live: Row) -> Rows:
    """The questions of a dashboard, as a subscription to it names them."""
    return [
        {"id": card["card_id"], "include_csv": False, "include_xls": False, "dashboard_card_id": card["id"]}
        for card in live.get("dashcards") or []
        if card.get("card_id")
    ]


def channel_body(fields: Row, there: Rows) -> dict[str, Any]:
    """The one channel, in the place of one of its type; others are removed (src/metabase/pulse/models/pulse.clj)."""
    kind = "slack" if fields["channel"] else "email"
    same = [channel["id"] for channel in there if channel.get("channel_type") == kind and channel.get("id")]
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
