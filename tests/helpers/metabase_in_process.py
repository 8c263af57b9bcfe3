# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract double of Metabase inside the process of the tests: quick to empty, and breakable on the way to it.

Everything that is answered comes from the double. What is here loses a request or an answer, or refuses a request.
"""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import metabase_double
import psycopg
from metabase_double import Postgres

sys.path.insert(0, str(metabase_double.IMAGE))

from double import main, settings, store
from double.api import Metabase as Api
from double.config import Environment
from double.databases import Databases
from double.secrets import Cipher
from double.web import Request

__all__ = ["Databases", "Double", "Faults", "Shop", "running"]

Row = dict[str, Any]
Shop = Callable[..., None]  # runs SQL statements in the database that is asked
# What changes nothing: reading, logins, questions that are run.
_QUIET = re.compile(r"GET |\w+ /api/session|POST /api/card/\d+/query")


@dataclass
class Faults:
    """What goes wrong on the way. A place is "METHOD /path", with N for a number and without the query.

    `dies_at` is a place at which every connection breaks. `lost` {n: "request" or "answer"} breaks it at the n-th
    write, before the double sees that or after it has done it. `refused` is {place: (status, JSON)}. The first
    `starting` requests meet a double that has not started yet.
    """

    dies_at: str = ""
    lost: dict[int, str] = field(default_factory=dict)
    refused: dict[str, tuple[int, Any]] = field(default_factory=dict)
    starting: int = 0


class Double:
    """A running double, and the hands of an administrator in it, which leave no trace in `requests`."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.store = store.Store(arguments, Cipher())
        self._cleaner = psycopg.connect(**arguments, autocommit=True)
        self._server = _Server(self)
        self._others, self.kept = {*threading.enumerate()}, ""
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.fresh()

    def fresh(self) -> None:
        """As never used, without faults."""
        for thread in {*threading.enumerate()} - self._others:
            thread.join(5)  # a connection that ends, or a synchronisation
        self._tables("DELETE FROM {}")
        self.requests: list[str] = []
        self.mend()
        self.restart()

    def keep(self, note: str) -> None:
        """Remember the state and a note about it."""
        self._tables("DROP TABLE IF EXISTS kept_{0}", "CREATE TABLE kept_{0} AS TABLE {0}")
        self.kept = note

    def back_to_kept(self) -> str:
        """The state and the note that were kept last."""
        self._tables("DELETE FROM {0}", "INSERT INTO {0} SELECT * FROM kept_{0}")
        self.restart()
        return self.kept

    def _tables(self, *statements: str) -> None:
        for table in ("double_object", "double_counter", "setting"):
            self._cleaner.execute(";".join(statements).format(table))

    def mend(self) -> None:
        """Without faults."""
        self.faults = Faults()

    def restart(self, **environment: str) -> None:
        """With these variables of its container."""
        self.api = Api(self.store, Environment(environment))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._cleaner.close()

    # --- what was asked ---

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not _QUIET.match(request)]

    def lets_through(self, handler: _Breakable) -> bool:
        """Whether the double sees the request; the handler is prepared for what happens to the answer."""
        asked = f"{handler.command} {handler.path}"
        self.requests.append(asked)
        place = re.sub(r"\d+", "N", asked.partition("?")[0])
        if place in self.faults.refused:
            return handler.refuse(*self.faults.refused[place])
        lost = "" if _QUIET.match(asked) else self.faults.lost.get(len(self.writes), "")
        if place == self.faults.dies_at or lost == "request":
            return handler.hang_up()
        if lost == "answer":
            handler.swallow()
        handler.metabase = None if self.faults.starting else self.api
        self.faults.starting -= 1 if self.faults.starting else 0
        return True

    # --- what people do ---

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the double answers an administrator, or anybody before there is one. Raises its ApiError."""
        parts, raw = urlsplit(path), b"" if body is None else json.dumps(body).encode()
        people = [user for user in self.store.all("user") if user["type"] == "personal" and user["is_superuser"]]
        user = people[0] if people else None
        request = Request(method, f"/api/{parts.path}", parse_qs(parts.query), Message(), raw, user)
        return self.api.answer(request).body

    def edit(self, kind: str, which: str, /, **fields: Any) -> Any:
        """Change fields of the object whose name begins so."""
        return self.ask("PUT", f"{kind}/{self.one(kind, which)['id']}", fields)

    def delete(self, kind: str, name: str) -> Any:
        return self.ask("DELETE", f"{kind}/{self.one(kind, name)['id']}")

    def one(self, kind: str, name: str) -> Row:
        """As it is stored; a user by the address."""
        rows = [
            row
            for row in self.store.all(kind.replace("-", "_"))
            if str(row.get("name") or row.get("email")).startswith(name)
        ]
        (found,) = rows
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, double: Double) -> None:
        super().__init__(("127.0.0.1", 0), _Breakable)
        self.double = double
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A connection that breaks is no news."""


class _Breakable(main.Handler):
    server: _Server
    progress = 0.5

    def parse_request(self) -> bool:
        return super().parse_request() and self.server.double.lets_through(self)

    def refuse(self, status: int, content: Any) -> bool:
        body = json.dumps(content).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return False

    def hang_up(self) -> bool:
        self.close_connection = True
        return False

    def swallow(self) -> None:
        self.wfile, self.close_connection = io.BytesIO(), True


@contextmanager
def running(postgres: Postgres) -> Iterator[Double]:
    """A double with an application database of its own on this server; its log is not printed."""
    for module in (main, settings, store):
        module.log = lambda *_: None
    variables = metabase_double.environment(postgres, metabase_double.database(postgres), 0)
    double = Double(Environment(variables).application_database())
    try:
        yield double
    finally:
        double.close()
