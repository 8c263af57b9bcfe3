# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A web server on loopback that keeps what is posted to it and answers as Slack, Discord, Amazon SNS and others do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Posted(ThreadingHTTPServer):
    """Keeps what is posted."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Keep)
        self.bodies: list[str] = []
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Keep(BaseHTTPRequestHandler):
    server: Posted

    def do_POST(self) -> None:
        self.server.paths.append(self.path)
        self.server.headers.append(self.headers)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, answer = _answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


def _answer(path: str) -> tuple[int, bytes]:
    """As Telegram (https://core.telegram.org/bots/api#making-requests), Slack, a workflow of Teams; else Amazon SNS."""
    if path.endswith("/sendMessage"):
        return 200, json.dumps({"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": -1001}}}).encode()
    if path.startswith("/services/"):
        return 200, b"ok"
    if path.startswith("/workflows/"):
        return 202, b""
    return 200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"


@contextmanager
def posted(port: int = 0) -> Iterator[Posted]:
    """The server; it ends with the block."""
    with Posted(port) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
