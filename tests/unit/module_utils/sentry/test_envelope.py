# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The event that `sentry-test` sends, and each answer that a server may give; one that hangs or is not there."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import Dsn, parse
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.envelope import Answer, explained, send

KEY = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
DSN = parse(f"https://{KEY}@sentry.io/7")


class Server:
    """Answers each request in the same way, and keeps what it got."""

    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_words: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def dsn(self) -> Dsn:
        return parse(f"http://{KEY}@127.0.0.1:{self.http.server_port}/sub/7")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(*request.param)
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.mark.parametrize("server", [(200, {}, '{"id":"a"}')], indirect=True)
def test_the_event_says_that_it_is_a_test(server: Server) -> None:
    outcome = send(server.dsn, "shop", "staging", NOW)
    assert outcome.taken
    assert outcome.text == "127.0.0.1 (project 7) took the event."
    ((path, headers, content),) = server.got
    assert path == "/sub/api/7/envelope/"
    assert f"sentry_key={KEY}" in headers["X-Sentry-Auth"]
    header, item, event = map(json.loads, content.splitlines())
    assert header["event_id"] == event["event_id"] == outcome.event
    assert "dsn" not in header
    assert item == {"type": "event"}
    assert (event["level"], event["environment"], event["tags"]) == ("info", "staging", {"test": "true", "app": "shop"})


LIMITED = (200, {"X-Sentry-Rate-Limits": "60:error:organization:error_usage_exceeded"}, "{}")
FULL = (429, {"Retry-After": "30"}, "")


@pytest.mark.parametrize("server", [LIMITED, FULL], indirect=True)
def test_a_full_project_is_no_success(server: Server) -> None:
    outcome = send(server.dsn, "shop", "staging", NOW)
    assert not outcome.taken
    assert "takes no errors now: for " in outcome.text


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, "{}", "60:transaction;span:organization"), "sentry.io (project 7) took the event."),
        (
            Answer(200, "{}", "60:error;default:key:quota"),
            "answered 200, but takes no errors now: for 60 s (key, quota).",
        ),
        (Answer(200, "{}", "9:session, 60::project"), "takes no errors now: for 60 s (project)."),
        (Answer(200, "{}", "nonsense,,x:y"), "took the event."),
        (Answer(429, "", "2700::organization:usage"), "takes no errors now: for 2700 s (organization, usage). A quota"),
        (Answer(429, "", "60:session:key", "15"), "takes no errors now: for 15 s. A quota"),
        (Answer(429, ""), "takes no errors now: for 60 s. A quota"),
        (
            Answer(403, '{"detail":"event submission rejected with_reason: ProjectId"}'),
            "refuses the key: event submission rejected with_reason: ProjectId. Take the DSN anew",
        ),
        (Answer(401, '{"detail":"no","causes":["a","b"]}'), "refuses the key: no a b. Take the DSN anew"),
        (
            Answer(403, f'{{"detail":"key incorrect: http://{KEY}@sentry.io/7"}}'),
            "key incorrect: http://KEY@sentry.io/7.",
        ),
        (Answer(404, "<h1>Not\nFound</h1>"), "knows no such project: <h1>Not Found</h1>. Is it a server of Sentry"),
        (Answer(413, ""), "sentry.io (project 7) answered 413: no words."),
        (Answer(400, '["a list"]'), 'answered 400: ["a list"].'),
        (Answer(503, "x" * 500), "answered 503: " + "x" * 200 + "."),
        (Answer(0, "timed out"), "sentry.io (project 7) does not answer: timed out. Can this host reach it"),
    ],
)
def test_what_an_answer_means(answer: Answer, told: str) -> None:
    assert told in explained(DSN, answer)
    assert KEY not in explained(DSN, answer)


def test_a_server_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = parse(f"http://{KEY}@127.0.0.1:{silent.getsockname()[1]}/7")
        outcome = send(dsn, "shop", "staging", NOW, timeout_seconds=0.3)
    assert not outcome.taken
    assert "does not answer: timed out." in outcome.text


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    outcome = send(parse(f"http://{KEY}@127.0.0.1:{port}/7"), "shop", "staging", NOW)
    assert "does not answer: [Errno 111] Connection refused." in outcome.text
