# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts the double: the web server first, which says that it initializes, then everything else; and HTTP."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from double.api import Metabase
from double.config import VERSION, Environment, StartError, log
from double.people import COOKIE
from double.secrets import Cipher
from double.store import Store
from double.web import Answer, ApiError, Request, crashed

# What a JVM that was sent SIGTERM ends with.
TERMINATED = 143


def main() -> int:
    """Exit status. METABASE_DOUBLE_START_SECONDS is how long the start takes at least; Metabase needs a minute.

    Half of it passes before the application database is looked for, as Java has to start as well.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(TERMINATED))
    environment = Environment(os.environ)
    log("INFO", "metabase.util", f"Maximum memory available to JVM: {environment.heap()}")
    log("INFO", "core.core", f"Starting Metabase version v{VERSION} (contract double) ...")
    try:
        arguments = environment.application_database()
        cipher = Cipher.of(environment.get("MB_ENCRYPTION_SECRET_KEY"))
        state = "ENABLED" if cipher.key else "DISABLED"
        log("INFO", "util.encryption", f"Saved credentials encryption is {state} for this Metabase instance.")
        _listen(environment)
        _initialize(arguments, cipher, environment)
    except (StartError, OSError, ValueError, psycopg.Error) as error:
        log("ERROR", "core.core", f"Metabase Initialization FAILED: {error}")
        return 1
    log("INFO", "core.core", f"Metabase Initialization COMPLETE in {time.process_time():.1f} s")
    while True:
        signal.pause()  # the handler of SIGTERM runs in this thread


def _listen(environment: Environment) -> None:
    place = (environment.get("MB_JETTY_HOST", "0.0.0.0"), int(environment.get("MB_JETTY_PORT", "3000")))
    server = ThreadingHTTPServer(place, Handler)
    server.daemon_threads, server.request_queue_size = True, 64
    server.handle_error = lambda *_: None  # a broken connection is no news
    host, port = server.server_address[:2]
    log("INFO", "server.instance", f"Launching Embedded Jetty Webserver with config: {{:port {port}, :host {host}}}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()


def _initialize(arguments: dict[str, object], cipher: Cipher, environment: Environment) -> None:
    """StartError without an application database."""
    rest = float(environment.get("METABASE_DOUBLE_START_SECONDS", "10"))
    Handler.progress = 0.1
    time.sleep(rest / 2)
    store = Store(arguments, cipher)
    Handler.progress = 0.4
    metabase = Metabase(store, environment)
    for progress in (0.5, 0.8):
        Handler.progress = progress
        time.sleep(rest / 4)
    Handler.metabase = metabase


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the API, writes the answer."""

    metabase: Metabase | None = None
    progress = 0.0
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Metabase-contract-double", ""
    timeout = 60
    disable_nagle_algorithm = True  # else each answer on a connection that is kept waits 40 ms

    def _serve(self) -> None:
        url = urlsplit(self.path)
        begin = time.monotonic()
        try:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            method = "GET" if self.command == "HEAD" else self.command
            request = Request(method, unquote(url.path), parse_qs(url.query), self.headers, raw)
            found = self._answer(request)
        except ApiError as error:
            to = {"Location": error.body} if error.status == 302 else {}
            found = Answer("" if to else error.body, error.status, headers=to)
        except Exception as error:  # noqa: BLE001 - the client gets no traceback
            log("ERROR", "middleware.log", f"{self.command} {url.path} 500: {error!r}")
            found = Answer(crashed(str(error)).body, 500)
        if url.path.startswith("/api/") and url.path != "/api/health":
            spent = (time.monotonic() - begin) * 1000
            log("DEBUG", "middleware.log", f"{self.command} {url.path} {found.status} {spent:.1f} ms")
        self._send(found)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _answer(self, request: Request) -> Answer:
        metabase = self.metabase
        if request.path == "/api/health":
            return self._health(metabase)
        if metabase is None:
            raise ApiError(503, {"status": "initializing", "progress": self.progress})
        metabase.people.identify(request, self._cookie())
        if request.method == "GET" or "/query" in request.path or request.path == "/api/dataset":
            return metabase.answer(request)
        with metabase.store.lock:  # one change at a time, queries beside each other
            return metabase.answer(request)

    def _health(self, metabase: Metabase | None) -> Answer:
        """src/metabase/server/routes.clj of Metabase."""
        if metabase is None:
            return Answer({"status": "initializing", "progress": self.progress}, 503)
        if metabase.store.alive():
            return Answer({"status": "ok"})
        return Answer({"status": "Unable to get app-db connection"}, 503)

    def _cookie(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    def _send(self, found: Answer) -> None:
        body, kind, status = found.body, found.type, found.status
        if body is None:
            body, status = b"", 204 if status == 200 else status
        if not isinstance(body, (str, bytes)):
            body, kind = json.dumps(body), "application/json;charset=utf-8"
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        length = {} if status == 204 else {"Content-Length": str(len(body))}
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **length, **found.headers}
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """The log has its own lines."""


if __name__ == "__main__":
    sys.exit(main())
