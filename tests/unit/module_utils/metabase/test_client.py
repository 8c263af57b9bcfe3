# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP with Metabase, against a real server on the loopback; and the file on the host."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.metabase import client as metabase_client
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import (
    LostError,
    Metabase,
    MetabaseError,
    NotThereError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile


class Server(ThreadingHTTPServer):
    """Answers what `answers` holds for a path; `cut` connections end without an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, str]] = {}
        self.connections, self.cut, self.seen = 0, 0, [("", "", {})][:0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((f"{self.command} {self.path}", body.decode(), dict(self.headers)))
        if self.server.cut:
            self.server.cut -= 1
            self.close_connection = True
            return
        status, text = self.server.answers.get(self.path, (200, "{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_all_requests_go_through_one_connection_and_through_no_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    metabase = Metabase(server.url + "/")
    metabase.headers = {"x-api-key": "mb_x"}
    for _ in range(3):
        metabase.get("/api/card")
    metabase.call("PUT", "/api/card/1", {"name": "Größe"})
    assert (server.connections, metabase.requests) == (1, 4)
    path, body, headers = server.seen[-1]
    assert (path, json.loads(body)) == ("PUT /api/card/1", {"name": "Größe"})
    assert headers["x-api-key"] == "mb_x" and headers["Content-Type"] == "application/json"


def test_a_kept_connection_that_was_closed_is_opened_again_to_read(server: Server) -> None:
    metabase = Metabase(server.url)
    metabase.get("/")
    server.cut = 1
    assert metabase.get("/") == {}
    assert server.connections == 2


def test_what_writes_is_never_sent_twice(server: Server) -> None:
    metabase = Metabase(server.url)
    metabase.get("/")
    metabase.last = "create question Orders"
    server.cut = 1
    with pytest.raises(
        LostError, match=r"was lost after: create question Orders .*What was done is kept; run it again"
    ):
        metabase.call("POST", "/api/card", {})
    assert [path for path, _, _ in server.seen].count("POST /api/card") == 1


def test_a_write_after_a_pause_takes_a_new_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metabase_client, "IDLE_SECONDS", -1)
    metabase = Metabase(server.url)
    metabase.get("/")
    metabase.call("POST", "/api/card", {})
    assert server.connections == 2


REFUSALS: dict[str, tuple[int, str, str]] = {
    "plain text": (403, "You don't have permissions to do that.", "HTTP 403: You don't have permissions to do that."),
    "nothing": (500, "", "HTTP 500: null"),
    "a message": (400, '{"message": "Not so", "stacktrace": ["x"]}', "HTTP 400: Not so"),
    "errors of fields": (
        400,
        '{"errors": {"name": "value must be a non-blank string."}, "specific-errors": {"password": ["SECRET"]}}',
        "HTTP 400: name: value must be a non-blank string.",
    ),
    "both": (400, '{"message": "A", "errors": {"b": "B", "c": {"d": "D"}}}', 'HTTP 400: A; b: B; c: {"d": "D"}'),
    "a page": (502, "<html>\n  Bad\n Gateway</html>", "HTTP 502: <html> Bad Gateway</html>"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_in_metabase_s_own_words(server: Server, case: str) -> None:
    status, text, expected = REFUSALS[case]
    server.answers["/api/card"] = (status, text)
    with pytest.raises(RefusedError) as refused:
        Metabase(server.url).call("POST", "/api/card", {})
    assert (refused.value.status, str(refused.value)) == (status, expected)


@pytest.mark.parametrize(
    "status, text, state",
    [
        (200, '{"status": "ok"}', ""),
        (200, '{"status": "fine"}', 'HTTP 200: {"status": "fine"}'),
        (503, '{"status": "initializing", "progress": 0.3}', 'HTTP 503: {"status": "initializing", "progress": 0.3}'),
        (404, "no such page", "HTTP 404: no such page"),
    ],
)
def test_states(server: Server, status: int, text: str, state: str) -> None:
    server.answers["/api/health"] = (status, text)
    assert Metabase(server.url).state() == state


def test_nothing_listens() -> None:
    with pytest.raises(NotThereError, match=r"not ready after 0 seconds, its last state: no answer \(.*refused"):
        Metabase("http://127.0.0.1:9").wait_until_ready(0)


def test_something_else_answers(server: Server) -> None:
    with pytest.raises(MetabaseError, match="is not Metabase"):
        Metabase(server.url).properties()


def test_lists_wherever_they_are(server: Server) -> None:
    server.answers = {"/a": (200, "[1]"), "/b": (200, '{"data": [2], "total": 1}'), "/c": (200, '{"x": 1}')}
    metabase = Metabase(server.url)
    assert (metabase.rows("/a"), metabase.rows("/b")) == ([1], [2])
    with pytest.raises(MetabaseError, match="answers /c with no list"):
        metabase.rows("/c")


# --- the file on the host ---


def test_the_file_is_written_at_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.json"
    KeyFile(str(path), keep=True).set(key="mb_x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key.json"]
    again = KeyFile(str(path), keep=True)
    again.note("databases", "Shop", again.digest("p"))
    assert KeyFile(str(path), keep=True).content["databases"] == {"Shop": again.digest("p")}
    assert KeyFile(str(path), keep=True).key == "mb_x"


def test_in_check_mode_nothing_is_written(tmp_path: Path) -> None:
    KeyFile(str(tmp_path / "key.json"), keep=False).set(key="x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"databases": 5, "key": 7, "objects": null, "failing": "x"}', "\x00"])
def test_a_broken_file_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    record = KeyFile(str(path), keep=True)
    assert (record.key, record.content["databases"], record.content["failing"]) == ("", {}, [])
    assert record.digest("a") != record.digest("b")


def test_digests_differ_from_file_to_file(tmp_path: Path) -> None:
    one, other = (KeyFile(str(tmp_path / name), keep=True) for name in "ab")
    assert one.digest("p") != other.digest("p")


def test_a_file_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MetabaseError, match=r"API key cannot be (read|written)"):
        KeyFile(str(tmp_path / "file" / "key.json"), keep=True).save()
