#!/usr/bin/env python3
"""A laboratory stand-in for Slack's incoming webhooks: it validates as Slack does, stores and shows what arrived.

It is test equipment, not Slack. Python 3.11+, standard library only.

    POST   /services/T…/B…/…           a message (JSON body, or a form with payload=…): 200 "ok", or a refusal word
    GET    /messages?since=&contains=  {"count": n, "messages": [{"id", "received", "time", "webhook", "payload"}]}
    DELETE /messages                   forget all messages
    POST   /heartbeat/<name>           count a heartbeat;  GET /heartbeats → {name: {"count", "last", "last_time"}}
    POST   /fault {"mode": "refuse"|"slow"|"down"|"off", "word": "no_service", "seconds": 5};  GET /fault
    GET    /                           the messages as a page;  GET /health → {"status": "healthy"}

Refusal words and limits are those of Slack's public documentation. Where it gives a word without a status code, the
code is the nearest one of the changelog.
- https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ("Handling errors"): the words
- https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks: the status codes
- https://docs.slack.dev/apis/web-api/rate-limits: one message a second, short bursts, else 429 with Retry-After
- https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message, 3,000 characters a section
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SEOUL = timezone(timedelta(hours=9), "KST")  # fixed since 1988; a bare host may have no time zone data
STATUS = {
    400: ("invalid_payload", "no_text", "too_many_attachments", "invalid_blocks", "user_not_found"),
    403: ("action_prohibited", "invalid_token", "posting_to_general_channel_denied", "team_disabled"),
    404: ("channel_not_found", "no_service", "no_service_id", "no_team", "no_active_hooks"),
    410: ("channel_is_archived",),
    429: ("rate_limited",),
    500: ("rollup_error",),
}
STATUS_OF = {word: status for status, words in STATUS.items() for word in words}
MAX_BODY_BYTES = 1_000_000
MAX_TEXT = 40_000  # characters; a longer text is cut, not refused
BURST = 10  # messages above one a second that the rate limit lets through
FAULT_MODES = ("off", "refuse", "slow", "down")


class RefusedError(Exception):
    """A request that Slack would refuse; the argument is Slack's word, a key of STATUS_OF."""


def check_webhook(path: str, webhooks: list[str]) -> str:
    """Return `T…/B…` of a webhook path. `webhooks` are the valid `T…/B…/token`; none declared: any well-formed one.

    Raises RefusedError: no_service, no_team or invalid_token.
    """
    match = re.fullmatch(r"/services/(T[A-Z0-9]+)/(B[A-Z0-9]+)/([A-Za-z0-9]+)", path)
    if not match:
        raise RefusedError("no_service")
    team, service, token = match.groups()
    known = [tuple(webhook.split("/")) for webhook in webhooks] or [(team, service, token)]
    if all(team != other[0] for other in known):
        raise RefusedError("no_team")
    if all((team, service) != other[:2] for other in known):
        raise RefusedError("no_service")
    if (team, service, token) not in known:
        raise RefusedError("invalid_token")
    return f"{team}/{service}"


def parse_payload(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the message of a JSON body, or of a form's field `payload`. Raises RefusedError: invalid_payload."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            body = parse_qs(body.decode(), strict_parsing=True)["payload"][0].encode()
        elif kind != "application/json":
            raise RefusedError("invalid_payload")
        payload = json.loads(body)
    except (ValueError, KeyError) as error:
        raise RefusedError("invalid_payload") from error
    if not isinstance(payload, dict):
        raise RefusedError("invalid_payload")
    return payload


def check_payload(payload: dict[str, Any], channels: list[str]) -> dict[str, Any]:
    """Return the message, over-long text cut. `channels` are those that exist (none: any). Raises RefusedError."""
    text, attachments, blocks = (payload.get(key) for key in ("text", "attachments", "blocks"))
    lists = [parts for parts in (attachments, blocks) if parts is not None]
    if text is not None and not isinstance(text, str):
        raise RefusedError("invalid_payload")
    if not all(isinstance(parts, list) and all(isinstance(part, dict) for part in parts) for parts in lists):
        raise RefusedError("invalid_payload")
    if not (text or attachments or blocks):
        raise RefusedError("no_text")
    if len(attachments or []) > 100:
        raise RefusedError("too_many_attachments")
    if len(blocks or []) > 50 or not all(valid_block(block) for block in blocks or []):
        raise RefusedError("invalid_blocks")
    channel = str(payload.get("channel") or "").lstrip("#")
    if channels and channel and channel not in channels:
        raise RefusedError("channel_not_found")
    return payload if text is None else {**payload, "text": text[:MAX_TEXT]}


def valid_block(block: dict[str, Any]) -> bool:
    """Tell whether a block has a type and, for a section, text or fields within 3,000 characters."""
    if block.get("type") != "section":
        return isinstance(block.get("type"), str)
    texts = [text for text in [block.get("text"), *(block.get("fields") or [])] if text is not None]
    return bool(texts) and all(isinstance(text, dict) and 0 < len(str(text.get("text", ""))) <= 3000 for text in texts)


def strings(value: Any) -> Iterator[str]:
    """Yield what a person reads of nested JSON, in order: every string but those of type, color and block_id."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            if key not in ("type", "color", "block_id"):
                yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def stamp(moment: float) -> str:
    """A Unix time as ISO 8601 in Seoul."""
    return datetime.fromtimestamp(moment, SEOUL).isoformat(timespec="milliseconds")


class MessageStore:
    """The last `limit` messages, as JSON lines in `folder`/messages.jsonl, kept over restarts. Safe for threads."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._path, self._lock, self._lines = folder / "messages.jsonl", threading.Lock(), 0
        folder.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        complete = [json.loads(line) for line in lines if line.endswith("}}")]  # a crash can cut the last line
        self._messages: deque[dict[str, Any]] = deque(complete, maxlen=limit)
        self._rewrite()

    def add(self, webhook: str, payload: dict[str, Any]) -> None:
        """Append one message with its time of arrival; the file is rewritten when it holds twice the limit."""
        with self._lock:
            now = time.time()
            number = self._messages[-1]["id"] + 1 if self._messages else 1
            record = {"id": number, "received": now, "time": stamp(now), "webhook": webhook, "payload": payload}
            self._messages.append(record)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            self._lines += 1
            if self._lines >= 2 * (self._messages.maxlen or 1):
                self._rewrite()

    def find(self, since: float = 0.0, contains: str = "") -> list[dict[str, Any]]:
        """Messages that arrived after `since` (Unix time) and have `contains` in their strings, oldest first."""
        with self._lock:
            recent = [message for message in self._messages if message["received"] > since]
        return [message for message in recent if contains in "\n".join(strings(message["payload"]))]

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()
            self._rewrite()

    def _rewrite(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(message) + "\n" for message in self._messages), encoding="utf-8")
        temporary.replace(self._path)
        self._lines = len(self._messages)


class Catcher(ThreadingHTTPServer):
    """The server's state: settings, messages, heartbeats, the fault in force and the rate limit's bucket."""

    daemon_threads = True

    def __init__(self, settings: argparse.Namespace) -> None:
        self.settings = settings
        self.store = MessageStore(settings.store, settings.keep)
        self.heartbeats: dict[str, dict[str, Any]] = {}
        self.fault: dict[str, Any] = {"mode": "off"}
        self._bucket, self._filled, self._lock = float(BURST), time.monotonic(), threading.Lock()
        host, _, port = settings.listen.rpartition(":")
        super().__init__((host, int(port)), Handler)

    def take_slot(self) -> None:
        """Count one message against one a second with a burst of BURST. Raises RefusedError: rate_limited."""
        with self._lock:
            now = time.monotonic()
            self._bucket, self._filled = min(BURST, self._bucket + now - self._filled), now
            if self._bucket < 1:
                raise RefusedError("rate_limited")
            self._bucket -= 1

    def beat(self, name: str) -> None:
        """Count one heartbeat of `name`."""
        with self._lock:
            now, count = time.time(), self.heartbeats.get(name, {"count": 0})["count"] + 1
            self.heartbeats[name] = {"count": count, "last": now, "last_time": stamp(now)}

    def set_fault(self, fault: Any) -> None:
        """Put a fault in force. Raises ValueError that says what is allowed."""
        if not isinstance(fault, dict) or fault.get("mode") not in FAULT_MODES:
            raise ValueError(f"mode: one of {', '.join(FAULT_MODES)}")
        if fault.get("word", "action_prohibited") not in STATUS_OF:
            raise ValueError(f"word: one of {', '.join(STATUS_OF)}")
        if not 0 <= float(fault.get("seconds", 5)) <= 600:
            raise ValueError("seconds: 0 to 600")
        self.fault = fault


class Handler(BaseHTTPRequestHandler):
    """One request. Only /services/ obeys faults and limits, so that a test can always read and switch."""

    server: Catcher
    server_version = "slack-catcher"
    timeout = 30

    def do_GET(self) -> None:
        url, server = urlsplit(self.path), self.server
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        try:
            found = server.store.find(float(query.get("since", 0)), query.get("contains", ""))
        except ValueError:
            return self._json({"error": "since: a Unix time in seconds, such as 1767225600.5"}, 400)
        if url.path == "/":
            return self._send(200, render_page(found, server.heartbeats, server.fault), "text/html; charset=utf-8")
        answers = {
            "/messages": {"count": len(found), "messages": found},
            "/heartbeats": server.heartbeats,
            "/fault": server.fault,
            "/health": {"status": "healthy"},
        }
        return self._json(answers[url.path]) if url.path in answers else self._json({"error": "not found"}, 404)

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path != "/messages":
            return self._json({"error": "not found"}, 404)
        self.server.store.clear()
        return self._json({"count": 0})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES + 1))
        if path == "/fault":
            return self._set_fault(body)
        if match := re.fullmatch(r"/heartbeat/([\w.-]{1,64})", path):
            self.server.beat(match[1])
            return self._send(200, "ok")
        return self._catch(path, body)

    def _catch(self, path: str, body: bytes) -> None:
        """Answer a posted message as Slack would, or as the fault in force says."""
        fault = self.server.fault
        if fault["mode"] == "down":
            self.close_connection = True
            return None  # the connection closes without an answer
        if fault["mode"] == "slow":
            time.sleep(float(fault.get("seconds", 5)))
        try:
            if fault["mode"] == "refuse":
                raise RefusedError(fault.get("word", "action_prohibited"))
            self._store(path, body)
        except RefusedError as refusal:
            word = str(refusal)
            return self._send(STATUS_OF[word], word, headers={"Retry-After": "1"} if word == "rate_limited" else {})
        return self._send(200, "ok")

    def _store(self, path: str, body: bytes) -> None:
        """Validate one message and keep it. Raises RefusedError."""
        settings = self.server.settings
        webhook = check_webhook(path, settings.webhook)
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError("invalid_payload")
        message = check_payload(parse_payload(self.headers.get("Content-Type", ""), body), settings.channel)
        if settings.rate_limit:
            self.server.take_slot()
        self.server.store.add(webhook, message)

    def _set_fault(self, body: bytes) -> None:
        try:
            self.server.set_fault(json.loads(body))
        except (ValueError, TypeError) as error:
            return self._json({"error": str(error)}, 400)
        return self._json(self.server.fault)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value, ensure_ascii=False), "application/json")

    def _send(self, status: int, text: str, kind: str = "text/html", headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log posts only, and without the webhook's token: polls and pages would drown them."""
        if self.command == "POST":
            sys.stderr.write(re.sub(r"(/services/\w+/\w+/)\w+", r"\1…", format % args) + "\n")


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Slack catcher</title><style>
body{margin:0;font:15px/1.46 Lato,"Noto Sans CJK KR","Noto Sans",sans-serif;color:#1d1c1d;display:flex;min-height:100vh}
nav{background:#3f0e40;color:#cfc3cf;width:230px;padding:16px;box-sizing:border-box;flex:none} nav b{color:#fff}
nav code{display:block;color:#fff;margin:2px 0 8px;background:none} main{flex:1;min-width:0}
a{color:#1264a3;text-decoration:none} article{display:flex;gap:10px;padding:10px 20px;border-bottom:1px solid #f3f3f3}
.notice{background:#fff4d6;border-bottom:1px solid #e8c46a;padding:8px 20px;font-size:13px}
.icon{width:36px;height:36px;border-radius:6px;background:#e6522c;color:#fff;display:grid;place-items:center;flex:none}
.app{background:#e8e8e8;font-size:10px;padding:1px 4px;border-radius:3px;color:#616061}
time,.channel,.footer{color:#616061;font-size:12px}
dt{font-weight:700;font-size:13px} dd{margin:0} .wide{grid-column:1/3}
.attachment{border-left:4px solid #ddd;padding:2px 0 2px 12px;margin:6px 0;max-width:760px;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:1fr 1fr;gap:6px 16px;margin:6px 0}
main code{background:#f6f6f6;padding:1px 3px;color:#c01343}
</style>"""
COLORS = {"good": "#2eb886", "warning": "#daa038", "danger": "#a30200"}


def mrkdwn(text: Any) -> str:
    """Turn Slack's text (bold, code, <url|label>, line breaks) into safe HTML. What is escaped in it is no markup."""
    safe = html.escape(str(text or ""))
    safe = re.sub(r"&lt;(https?://[^|\s]+?)\|(.+?)&gt;", r'<a href="\1">\2</a>', safe)
    safe = re.sub(r"&lt;(https?://[^|\s]+?)&gt;", r'<a href="\1">\1</a>', safe)
    safe = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", safe)
    safe = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", safe).replace("\n", "<br>")
    return re.sub("&amp;(amp|lt|gt);", r"&\1;", safe)


def render_attachment(part: dict[str, Any]) -> str:
    """One attachment: pretext, colour bar, title with link, text, fields, actions, footer."""
    color = COLORS.get(str(part.get("color")), str(part.get("color") or "#ddd"))
    title = f"<{part['title_link']}|{part.get('title')}>" if part.get("title_link") else part.get("title")
    fields = "".join(
        f"<div{'' if field.get('short') else ' class=wide'}><dt>{mrkdwn(field.get('title'))}</dt>"
        f"<dd>{mrkdwn(field.get('value'))}</dd></div>"
        for field in part.get("fields") or []
    )
    actions = " · ".join(mrkdwn(f"<{action.get('url')}|{action.get('text')}>") for action in part.get("actions") or [])
    return (
        f'<div>{mrkdwn(part.get("pretext"))}</div><div class="attachment" style="border-color:{html.escape(color)}">'
        f"<b>{mrkdwn(title)}</b><div>{mrkdwn(part.get('text'))}</div><dl>{fields}</dl><div>{actions}</div>"
        f'<div class="footer">{mrkdwn(part.get("footer"))}</div></div>'
    )


def render_message(message: dict[str, Any]) -> str:
    """One message as Slack shows it: who, when, where, text, blocks, attachments."""
    payload = message["payload"]
    who, channel = str(payload.get("username") or "incoming-webhook"), payload.get("channel") or message["webhook"]
    blocks = "".join(f"<p>{mrkdwn(' '.join(strings(block)))}</p>" for block in payload.get("blocks") or [])
    return (
        f'<article><div class="icon">{html.escape(who[:1].upper())}</div><div><b>{html.escape(who)}</b> '
        f'<span class="app">APP</span> <time>{message["time"][:19].replace("T", " ")}</time> '
        f'<span class="channel">{html.escape(str(channel))}</span><div>{mrkdwn(payload.get("text"))}</div>'
        f"{blocks}{''.join(map(render_attachment, payload.get('attachments') or []))}</div></article>"
    )


def render_page(messages: list[dict[str, Any]], heartbeats: dict[str, Any], fault: dict[str, Any]) -> str:
    """The page at /: newest message first; it reloads itself every 5 s."""
    beats = "".join(
        f"{name}<code>{beat['count']}, {beat['last_time'][11:19]}</code>" for name, beat in heartbeats.items()
    )
    shown = "".join(map(render_message, reversed(messages))) or "<article>No message has arrived yet.</article>"
    return (
        f"{PAGE}<nav><b>crowsnest laboratory</b><p>Messages<code>{len(messages)}</code>"
        f"Fault<code>{html.escape(json.dumps(fault))}</code></p><b>Heartbeats</b><p>{beats or 'none yet'}</p></nav>"
        '<main><div class="notice"><b>This is a catcher, not Slack.</b> It shows what would have been posted. '
        f'Times are Asia/Seoul. <a href="/messages">As JSON</a></div>{shown}</main></html>'
    )


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; every setting has a working default."""
    parser = argparse.ArgumentParser(description="Catch Slack messages in the laboratory (this is not Slack).")
    parser.add_argument("--listen", default="127.0.0.1:8065", metavar="HOST:PORT")
    parser.add_argument("--store", type=Path, default=Path(), metavar="FOLDER", help="messages survive restarts here")
    parser.add_argument("--keep", type=int, default=1000, metavar="N", help="how many messages are kept")
    parser.add_argument("--webhook", action="append", default=[], metavar="T…/B…/TOKEN", help="valid ones; none: any")
    parser.add_argument("--channel", action="append", default=[], metavar="NAME", help="existing channels; none: any")
    parser.add_argument("--rate-limit", action="store_true", help="answer 429 above one message a second")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    Catcher(parse_arguments()).serve_forever()
