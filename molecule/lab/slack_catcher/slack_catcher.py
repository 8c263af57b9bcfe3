#!/usr/bin/env python3
"""A laboratory stand-in for Slack: it validates as Slack does, stores and shows what arrived.

It is test equipment, not Slack. Python 3.11+, standard library only.

    POST   /services/T…/B…/…           an incoming webhook (JSON, or a form with payload=…): 200 "ok", or a refusal word
    POST   /api/<method>               chat.postMessage, chat.update, chat.delete, auth.test: {"ok": true, …}, or
                                       {"ok": false, "error": word}; see slack_api.py
    GET    /messages?since=&contains=  {"count": n, "messages": [{"id", "ts", "received", "time", "channel", "payload",
                                       "edits": [{"received", "time", "payload"}]}]}: a message is one record; payload
                                       is what it says now, edits[].payload what it said after each edit, and
                                       "posted", which an edited one has, what it said first. Besides: "webhook", or
                                       "bot" where it came by /api
    DELETE /messages                   forget all messages
    DELETE /messages/<ts>              as when a person deletes one in Slack
    POST   /heartbeat/<name>           count a heartbeat;  GET /heartbeats → {name: {"count", "last", "last_time"}}
    POST   /fault {"mode": "refuse"|"slow"|"down"|"off", "word": "no_service", "seconds": 5};  GET /fault
                                       a word that only webhooks or only /api know: the other refuses with its default
    GET    /                           the messages as a page;  GET /health → {"status": "healthy"}

With --tls-listen the same is served as https://slack.com, also behind `CONNECT slack.com:443`. Limits:
- https://docs.slack.dev/apis/web-api/rate-limits: one message a second, short bursts, else 429 with Retry-After
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from collections.abc import Container
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import slack_api
from message_page import render_page
from message_store import MessageStore, stamp
from slack_rules import STATUS_OF, RefusedError, check_payload, check_webhook, parse_payload
from slack_tls import TlsServer

MAX_BODY_BYTES = 1_000_000
BURST = 10  # messages above one a second that the rate limit lets through
FAULT_MODES = ("off", "refuse", "slow", "down")


class Catcher(ThreadingHTTPServer):
    """The server's state: settings, messages, heartbeats, the fault in force and the rate limit's bucket."""

    daemon_threads = True

    def __init__(self, settings: argparse.Namespace) -> None:
        self.settings = settings
        self.store = MessageStore(settings.store, settings.keep)
        self.workspace = slack_api.Workspace(self.store, settings.token, settings.channel)
        self.heartbeats: dict[str, dict[str, Any]] = {}
        self.fault: dict[str, Any] = {"mode": "off"}
        self._bucket, self._filled, self._lock = float(BURST), time.monotonic(), threading.Lock()
        super().__init__(address(settings.listen), Handler)
        self.tls: TlsServer | None = None
        if settings.tls_listen:
            place = address(settings.tls_listen)
            self.tls = TlsServer(place, settings.certificate, settings.key, self, KeptHandler)
            threading.Thread(target=self.tls.serve_forever, args=(0.05,), daemon=True).start()

    def server_close(self) -> None:
        if self.tls:
            self.tls.shutdown()
            self.tls.server_close()
        super().server_close()

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
        words = sorted({*STATUS_OF, *slack_api.WORDS})
        if fault.get("word", "no_text") not in words:
            raise ValueError(f"word: one of {', '.join(words)}")
        if not 0 <= float(fault.get("seconds", 5)) <= 600:
            raise ValueError("seconds: 0 to 600")
        self.fault = fault


class Handler(BaseHTTPRequestHandler):
    """One request. Only /services/ and /api/ obey faults and limits, so that a test can always read and switch."""

    server: Catcher
    server_version = "slack-catcher"
    timeout = 30

    def do_GET(self) -> None:
        url, server = urlsplit(self.path), self.server
        if url.path.startswith("/api/"):
            return self._call(url.path, b"")
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
        path, store = urlsplit(self.path).path, self.server.store
        try:
            if path == "/messages":
                store.clear()
            elif match := re.fullmatch(r"/messages/(\d+\.\d+)", path):
                store.remove(match[1])
            else:
                raise KeyError(path)
        except KeyError:
            return self._json({"error": "not found"}, 404)
        return self._json({"count": len(store.find())})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES + 1))
        if path == "/fault":
            return self._set_fault(body)
        if match := re.fullmatch(r"/heartbeat/([\w.-]{1,64})", path):
            self.server.beat(match[1])
            return self._send(200, "ok")
        if len(body) > MAX_BODY_BYTES:
            self.close_connection = True  # the rest of it is not a request
        return self._call(path, body) if path.startswith("/api/") else self._catch(path, body)

    def _catch(self, path: str, body: bytes) -> None:
        """Answer a webhook as Slack would, or as the fault in force says."""
        if self._is_down():
            return None
        try:
            self._refuse("action_prohibited", STATUS_OF)
            self._store(path, body)
        except RefusedError as refusal:
            word = str(refusal)
            return self._send(STATUS_OF[word], word, headers={"Retry-After": "1"} if word == "rate_limited" else {})
        return self._send(200, "ok")

    def _call(self, path: str, body: bytes) -> None:
        """Answer a call of the Web API as Slack would, or as the fault in force says."""
        if self._is_down():
            return None
        authorization, kind = (self.headers.get(name, "") for name in ("Authorization", "Content-Type"))
        try:
            self._refuse("fatal_error", slack_api.WORDS)
            method = path.removeprefix("/api/")
            if self.server.settings.rate_limit and method == "chat.postMessage":
                self.server.take_slot()
            answer = {"ok": True, **slack_api.call(self.server.workspace, method, authorization, kind, body)}
        except RefusedError as refusal:
            answer = {"ok": False, "error": str(refusal).replace("rate_limited", "ratelimited")}
        limited = answer.get("error") == "ratelimited"
        self._json(answer, 429 if limited else 200, {"Retry-After": "1"} if limited else {})

    def _is_down(self) -> bool:
        """Tell whether the connection closes without an answer; wait where the answer is to be slow."""
        fault = self.server.fault
        if fault["mode"] == "slow":
            time.sleep(float(fault.get("seconds", 5)))
        self.close_connection |= fault["mode"] == "down"
        return bool(fault["mode"] == "down")

    def _refuse(self, default: str, words: Container[str]) -> None:
        """Raise RefusedError where the fault says so: its word if that is among `words`, else `default`."""
        fault = self.server.fault
        if fault["mode"] == "refuse":
            word = fault.get("word", default)
            raise RefusedError(word if word in words else default)

    def _store(self, path: str, body: bytes) -> None:
        """Validate one message of a webhook and keep it. Raises RefusedError."""
        settings = self.server.settings
        webhook = check_webhook(path, settings.webhook)
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError("invalid_payload")
        message = check_payload(parse_payload(self.headers.get("Content-Type", ""), body), settings.channel)
        if settings.rate_limit:
            self.server.take_slot()
        channel = slack_api.channel_id(str(message.get("channel") or "general"))
        self.server.store.add(message, webhook=webhook, channel=channel)

    def _set_fault(self, body: bytes) -> None:
        try:
            self.server.set_fault(json.loads(body))
        except (ValueError, TypeError) as error:
            return self._json({"error": str(error)}, 400)
        return self._json(self.server.fault)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value, ensure_ascii=False), "application/json; charset=utf-8", headers)

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


class KeptHandler(Handler):
    """Requests on a connection that stays open, as with Slack."""

    protocol_version = "HTTP/1.1"


def address(text: str) -> tuple[str, int]:
    """HOST:PORT in its parts."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; every setting has a working default."""
    parser = argparse.ArgumentParser(description="Catch Slack messages in the laboratory (this is not Slack).")
    parser.add_argument("--listen", default="127.0.0.1:8065", metavar="HOST:PORT")
    parser.add_argument("--tls-listen", metavar="HOST:PORT", help="serve TLS here too; with --certificate and --key")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="of slack.com")
    parser.add_argument("--key", type=Path, metavar="FILE", help="of the certificate")
    parser.add_argument("--store", type=Path, default=Path(), metavar="FOLDER", help="messages survive restarts here")
    parser.add_argument("--keep", type=int, default=1000, metavar="N", help="how many messages are kept")
    parser.add_argument("--webhook", action="append", default=[], metavar="T…/B…/TOKEN", help="valid ones; none: any")
    parser.add_argument("--token", action="append", default=[], metavar="xoxb-…", help="valid ones; none: any bot's")
    parser.add_argument("--channel", action="append", default=[], metavar="NAME", help="existing channels; none: any")
    parser.add_argument("--rate-limit", action="store_true", help="answer 429 above one message a second")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    Catcher(parse_arguments()).serve_forever()
