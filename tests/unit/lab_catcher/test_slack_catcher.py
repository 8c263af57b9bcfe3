"""The Slack catcher over real HTTP: it takes what Slack takes, refuses what Slack refuses, and remembers."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_com import serve

HOOK = "/services/T0LAB/B0LAB/abcDEF123"
# The form Alertmanager's slack_configs post (notify/slack in its source): one attachment, fields, colour by name.
ALERTMANAGER = {
    "channel": "#alerts",
    "username": "crowsnest",
    "attachments": [
        {
            "title": "[FIRING:1] AppDown",
            "title_link": "http://127.0.0.1:9093/#/alerts",
            "text": "shop is down & out",
            "fallback": "AppDown",
            "fields": [{"title": "Value", "value": "0 of 1 up", "short": True}],
            "footer": "since 09:00",
            "color": "danger",
            "mrkdwn_in": ["fallback", "pretext", "text"],
        }
    ],
}

Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start catchers on free ports; stopped at the end. Each call returns the port."""
    with ExitStack() as running:
        yield lambda *arguments: running.enter_context(serve(tmp_path, *arguments)).server_port


def call(port: int, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": kind})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def messages(port: int, query: str = "") -> list[dict[str, Any]]:
    return list(json.loads(call(port, "GET", f"/messages{query}")[1])["messages"])


def test_alertmanager_message_is_kept_with_its_time(start: Start) -> None:
    port = start()
    before = time.time()
    assert call(port, "POST", HOOK, ALERTMANAGER) == (200, "ok")
    [message] = messages(port)
    assert message["payload"] == ALERTMANAGER
    assert before <= message["received"] <= time.time()
    assert message["time"].endswith("+09:00")
    assert message["webhook"] == "T0LAB/B0LAB"


def test_form_with_payload_field_is_taken(start: Start) -> None:
    port = start()
    form = urlencode({"payload": json.dumps({"text": "안녕"})})
    assert call(port, "POST", HOOK, form, "application/x-www-form-urlencoded") == (200, "ok")
    assert messages(port)[0]["payload"] == {"text": "안녕"}


@pytest.mark.parametrize(
    ("path", "body", "kind", "expected"),
    [
        (HOOK, "{not json", "application/json", (400, "invalid_payload")),
        (HOOK, [1], "application/json", (400, "invalid_payload")),
        (HOOK, {"text": 1}, "application/json", (400, "invalid_payload")),
        (HOOK, {"attachments": "x"}, "application/json", (400, "invalid_payload")),
        (HOOK, {"text": "x"}, "text/plain", (400, "invalid_payload")),
        (HOOK, "x=1", "application/x-www-form-urlencoded", (400, "invalid_payload")),
        (HOOK, "", "application/json", (400, "invalid_payload")),
        (HOOK, {}, "application/json", (400, "no_text")),
        (HOOK, {"text": ""}, "application/json", (400, "no_text")),
        (HOOK, {"attachments": [{"text": "x"}] * 101}, "application/json", (400, "too_many_attachments")),
        (HOOK, {"blocks": [{"type": "divider"}] * 51}, "application/json", (400, "invalid_blocks")),
        (
            HOOK,
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
            "application/json",
            (400, "invalid_blocks"),
        ),
        (HOOK, {"text": "x", "channel": "#nowhere"}, "application/json", (404, "channel_not_found")),
        ("/services/T0LAB/B0LAB/wrong", {"text": "x"}, "application/json", (403, "invalid_token")),
        ("/services/T0LAB/B0OTHER/abcDEF123", {"text": "x"}, "application/json", (404, "no_service")),
        ("/services/T0OTHER/B0LAB/abcDEF123", {"text": "x"}, "application/json", (404, "no_team")),
        ("/elsewhere", {"text": "x"}, "application/json", (404, "no_service")),
    ],
)
def test_refusals_are_slacks(start: Start, path: str, body: Any, kind: str, expected: tuple[int, str]) -> None:
    port = start("--webhook", "T0LAB/B0LAB/abcDEF123", "--channel", "alerts")
    assert call(port, "POST", path, body, kind) == expected
    assert messages(port) == []


def test_long_text_is_cut(start: Start) -> None:
    port = start()
    call(port, "POST", HOOK, {"text": "x" * 50_000})
    assert len(messages(port)[0]["payload"]["text"]) == 40_000


def test_rate_limit_lets_a_burst_through_then_asks_to_wait(start: Start) -> None:
    port = start("--rate-limit")
    answers = [call(port, "POST", HOOK, {"text": str(n)})[0] for n in range(15)]
    assert answers[:10] == [200] * 10
    assert answers[-1] == 429
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", HOOK, '{"text": "x"}', {"Content-Type": "application/json"})
    assert connection.getresponse().headers["Retry-After"] == "1"


def test_messages_are_found_by_time_and_words(start: Start) -> None:
    port = start()
    for text in ("AppDown on shop", "DiskFull", "AppDown on blog"):
        call(port, "POST", HOOK, {"attachments": [{"title": text}]})
    first = messages(port)[0]
    assert [m["id"] for m in messages(port, "?contains=AppDown")] == [1, 3]
    assert [m["id"] for m in messages(port, f"?since={first['received']}&contains=AppDown")] == [3]
    assert call(port, "GET", "/messages?since=today")[0] == 400
    assert call(port, "DELETE", "/messages")[0] == 200
    assert messages(port) == []


def test_messages_survive_a_restart_and_stay_bounded(start: Start, tmp_path: Path) -> None:
    port = start("--keep", "3")
    for number in range(8):
        call(port, "POST", HOOK, {"text": str(number)})
    with (tmp_path / "messages.jsonl").open("a") as file:
        file.write('{"id": 9, "recei')  # cut by a crash
    again = start("--keep", "3")
    assert [m["payload"]["text"] for m in messages(again)] == ["5", "6", "7"]
    call(again, "POST", HOOK, {"text": "8"})
    assert messages(again)[-1]["id"] == 9
    assert len((tmp_path / "messages.jsonl").read_text().splitlines()) <= 6


def test_faults(start: Start) -> None:
    port = start()
    assert call(port, "POST", "/fault", {"mode": "refuse", "word": "channel_is_archived"})[0] == 200
    assert call(port, "POST", HOOK, {"text": "x"}) == (410, "channel_is_archived")
    call(port, "POST", "/fault", {"mode": "slow", "seconds": 0.3})
    began = time.monotonic()
    assert call(port, "POST", HOOK, {"text": "late"}) == (200, "ok")
    assert time.monotonic() - began >= 0.3
    call(port, "POST", "/fault", {"mode": "down"})
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        call(port, "POST", HOOK, {"text": "x"})
    assert call(port, "GET", "/health") == (200, '{"status": "healthy"}')
    call(port, "POST", "/fault", {"mode": "off"})
    assert call(port, "POST", HOOK, {"text": "back"}) == (200, "ok")
    assert [m["payload"]["text"] for m in messages(port)] == ["late", "back"]


@pytest.mark.parametrize(
    "fault", [{"mode": "boom"}, {"mode": "refuse", "word": "x"}, {"mode": "slow", "seconds": -1}, []]
)
def test_wrong_fault_is_refused_with_what_is_allowed(start: Start, fault: Any) -> None:
    port = start()
    status, text = call(port, "POST", "/fault", fault)
    assert status == 400
    assert any(name in json.loads(text)["error"] for name in ("mode: one of", "word: one of", "seconds: 0 to 600"))
    assert json.loads(call(port, "GET", "/fault")[1]) == {"mode": "off"}


def test_heartbeats_are_counted(start: Start) -> None:
    port = start()
    for _ in range(2):
        assert call(port, "POST", "/heartbeat/alerting-path", {"status": "firing"}) == (200, "ok")
    beats = json.loads(call(port, "GET", "/heartbeats")[1])
    assert beats["alerting-path"]["count"] == 2
    assert time.time() - beats["alerting-path"]["last"] < 5
    assert messages(port) == []


def test_page_shows_messages_and_says_what_it_is(start: Start) -> None:
    port = start()
    call(port, "POST", HOOK, ALERTMANAGER)
    call(port, "POST", HOOK, {"text": "<script>alert(1)</script> *bold* <https://example.com/a|runbook>"})
    call(port, "POST", HOOK, {"text": "escaped: &lt;https://evil.example|ok&gt; &amp;lt;"})
    status, page = call(port, "GET", "/")
    assert status == 200
    assert "This is a catcher, not Slack." in page
    assert '<a href="http://127.0.0.1:9093/#/alerts">[FIRING:1] AppDown</a>' in page
    assert "border-color:#a30200" in page
    assert "shop is down &amp; out" in page
    assert "<script>alert" not in page
    assert "escaped: &lt;https://evil.example|ok&gt; &amp;lt;" in page
    assert '<b>bold</b> <a href="https://example.com/a">runbook</a>' in page


def test_slacks_own_client_is_served(start: Start) -> None:
    webhook = pytest.importorskip("slack_sdk.webhook")
    port = start("--webhook", "T0LAB/B0LAB/abcDEF123")
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}
    answer = webhook.WebhookClient(f"http://127.0.0.1:{port}{HOOK}").send(text="hi", blocks=[block])
    assert (answer.status_code, answer.body) == (200, "ok")
    assert messages(port, "?contains=hello")[0]["payload"]["text"] == "hi"
    refused = webhook.WebhookClient(f"http://127.0.0.1:{port}{HOOK}x").send(text="hi")
    assert (refused.status_code, refused.body) == (403, "invalid_token")
