"""Real HTTP servers on loopback, and modules run as Ansible runs them, in-process."""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

# (method, path, body) → (status, text)
Answer = Callable[[str, str, bytes], tuple[int, str]]


class Server(ThreadingHTTPServer):
    """Answers as `answer` says and keeps what was asked as (method, path, body), and logins as `user:password`."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[tuple[str, str, bytes]] = []
        self.logins: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """A caller that waited no longer is no error."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        scheme, _, login = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            self.server.logins.append(b64decode(login).decode())
        status, text = self.server.answer(self.command, self.path, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET  # noqa: N815 - the name http.server asks for

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    """Start a server; it ends with the test."""
    with ExitStack() as stack:

        def start(answer: Answer) -> Server:
            server = stack.enter_context(Server(answer))
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start


@pytest.fixture
def hold() -> Iterator[Answer]:
    """An answer that does not come before the test is over."""
    over = Event()

    def wait(*_: Any) -> tuple[int, str]:
        over.wait(30)
        return 500, ""

    yield wait
    over.set()


@pytest.fixture
def closed_url() -> str:
    """An address at which nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def no_http_url() -> Iterator[str]:
    """An address at which a program listens that speaks no HTTP."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        Thread(target=greet, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run a module's main() with parameters as in a task, plus check=True; returns its result."""

    def run(module: ModuleType, check: bool = False, **params: Any) -> dict[str, Any]:
        monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})
        with patch_module_args({**params, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run
