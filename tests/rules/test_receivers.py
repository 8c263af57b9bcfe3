"""What a real Alertmanager sends to Telegram, Teams and ntfy, which answer as they do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from generated import alertmanager, write
from posted import posted
from programs import until

ALERT = {
    "labels": {"alertname": "QueueTooLong", "severity": "critical", "queue": "<b>[x](https://evil.example) *1*"},
    "annotations": {"summary": "주문 대기열", "description": "12 건\n더", "value": "12"},
}


def test_telegram_teams_and_ntfy_get_what_each_of_them_can_show(tmp_path: Path) -> None:
    with posted() as telegram, posted() as teams, posted() as ntfy:
        receivers = [
            {"type": "telegram", "bot_token": "1:hush", "chat_id": -1001},
            {"type": "teams", "webhook_url": f"{teams.url}/workflows/1?sig=x"},
            {"type": "ntfy", "url": f"{ntfy.url}/alerts", "token": "tk_hush"},
        ]
        config = write(tmp_path, {"receivers": receivers, "language": "ko"}) / "alertmanager.yml"
        config.write_text(f"global: {{telegram_api_url: {telegram.url}}}\n" + _quick(config.read_text()))
        assert "hush" not in config.read_text()
        with alertmanager(tmp_path) as running:
            running.post([ALERT])
            until(lambda: telegram.bodies and teams.bodies and ntfy.bodies, 60)
            running.post([{**ALERT, "endsAt": "2026-11-28T00:00:00Z"}])
            until(lambda: len(telegram.bodies) == len(teams.bodies) == len(ntfy.bodies) == 2, 60)
    assert telegram.paths[0] == "/bot1:hush/sendMessage"
    message = json.loads(telegram.bodies[0])
    assert message["chat_id"] == "-1001" and not message.get("parse_mode")
    lines = message["text"].splitlines()
    assert lines[:4] == [
        "🔴 [심각] 주문 대기열",
        "12 건",
        "더",
        "대상: queue=<b>[x](https://evil.example) *1*",
    ]
    assert json.loads(telegram.bodies[1])["text"].startswith("✅ [해소] 주문 대기열\n")

    blocks = json.loads(teams.bodies[0])["attachments"][0]["content"]["body"]
    title, text = (block["text"] for block in blocks)
    assert title == lines[0] and all(block["wrap"] for block in blocks)
    # A line of its own needs an empty one before it, and nothing of an alert becomes a link.
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    assert paragraphs[:3] == ["12 건", "더", "대상: queue=<b>[x] (https://evil.example) *1*"]
    assert not any("\n" in part for part in paragraphs)
    assert re.search(r"\[알림 일시 중지\]\(http\S+\)", paragraphs[-1])

    assert ntfy.headers[0]["Authorization"] == "Bearer tk_hush"
    asked = [parse_qs(urlsplit(path).query) for path in ntfy.paths]
    assert [query["priority"] for query in asked] == [["5"], ["2"]]
    assert urlsplit(ntfy.paths[0]).path == "/alerts" and asked[0]["title"] == ["{{.title}}"]
    payload = json.loads(ntfy.bodies[0])
    assert f"{payload['title']}\n{payload['message']}".strip() == message["text"].strip()


def _quick(config: str) -> str:
    return re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", config).replace(
        "global:\n  resolve_timeout: 5m\n", ""
    )
