# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What people change in the pages of Metabase and Uptime Kuma: objects of ours, and some of their own."""

from __future__ import annotations

import json
from typing import Any

from lab.metabase_client import Metabase
from uptime_kuma_api import MonitorType, NotificationType, UptimeKumaApi


def change_questions(metabase: Metabase) -> tuple[dict[str, dict[str, Any]], int]:
    """({name: question} of before, a question of one's own), after an afternoon of somebody in Metabase."""
    ours, board = metabase.cards(), metabase.dashboard()
    own = metabase.post(
        "card",
        name="My question",
        display="table",
        visualization_settings={},
        collection_id=ours["Revenue per day"]["collection_id"],
        dataset_query={**ours["Orders today"]["dataset_query"]},
    )
    metabase.put(f"card/{ours['Revenue per day']['id']}", name="Renamed by hand")
    metabase.put(f"card/{ours['Top products']['id']}", archived=True)
    changed = json.dumps(ours["Sales by region"]["dataset_query"]).replace("SELECT", "SELECT /* mine */", 1)
    metabase.put(f"card/{ours['Sales by region']['id']}", dataset_query=json.loads(changed))
    place = {"id": -1, "card_id": own["id"], "row": 90, "col": 0, "size_x": 12, "size_y": 4, "parameter_mappings": []}
    metabase.put(f"dashboard/{board['id']}", dashcards=[*board["dashcards"], place])
    return ours, own["id"]


def change_monitors(kuma: UptimeKumaApi) -> tuple[dict[str, int], dict[str, Any]]:
    """({name: id} of before, a monitor of one's own), after an afternoon of somebody in Uptime Kuma."""
    ours = {monitor["name"]: monitor["id"] for monitor in kuma.get_monitors()}
    tag = kuma.add_tag(name="of mine", color="#ff0000")
    mine = kuma.add_monitor(type=MonitorType.HTTP, name="of mine", url="http://127.0.0.1:8000/", interval=120)
    kuma.add_monitor_tag(tag["id"], mine["monitorID"], "x")
    hook = {"webhookURL": "http://127.0.0.1:8065/services/T/B/x", "webhookContentType": "json"}
    kuma.add_notification(name="of mine", type=NotificationType.WEBHOOK, **hook)
    kuma.add_status_page("by-hand", "Of mine")
    kuma.edit_monitor(ours["shop: website"], name="Web!", interval=300, headers='{"X-A": "b"}')
    kuma.delete_monitor(ours["shop: health"])
    kuma.pause_monitor(ours["shop: celery"])
    return ours, kuma.get_monitor(mine["monitorID"])


def remove_own(metabase: Metabase, question: int, kuma: UptimeKumaApi, monitor: int) -> None:
    """Remove what these two functions made."""
    metabase.put(f"card/{question}", archived=True)
    kuma.delete_monitor(monitor)
    kuma.delete_status_page("by-hand")
    for found in kuma.get_notifications():
        if found["name"] == "of mine":
            kuma.delete_notification(found["id"])
    for found in kuma.get_tags():
        if found["name"] == "of mine":
            kuma.delete_tag(found["id"])
