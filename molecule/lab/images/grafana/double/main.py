# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The command lines of the real program that the laboratory uses: the server, and the password reset."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from double.api import COOKIE, Answer, ApiError, Grafana, Request
from double.plugins import ask_grafana_com
from double.provisioning import Library, documents_in
from double.settings import VERSION, StartError, load, log
from double.state import State


def main(arguments: Sequence[str]) -> int:
    """Exit status of `grafana server …` or `grafana cli admin reset-admin-password --password-from-stdin`.

    Options are not looked at: /run.sh gives what the variables of the image say as well.
    """
    try:
        if arguments[:1] == ["server"]:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            _serve()
        if list(arguments) == ["cli", "admin", "reset-admin-password", "--password-from-stdin"]:
            return _reset_password()
    except (StartError, OSError, sqlite3.Error) as error:
        print(f"Error: ✗ {error}", file=sys.stderr, flush=True)
        return 1
    print("The contract double of Grafana does not know this command.", file=sys.stderr)
    return 3


def _serve() -> None:
    """Run until stopped. StartError, OSError or sqlite3.Error when Grafana would not start."""
    settings = load(os.environ)
    log("settings", "info", "Starting Grafana", version=VERSION, commit="double")
    state, provisioning = State(settings["paths.data"]), Path(settings["paths.provisioning"])
    state.create(settings["security.admin_user"], settings["security.admin_password"])
    second = float(os.environ.get("GRAFANA_DOUBLE_SECOND", "1"))
    Handler.grafana = Grafana(provisioning, state, Library(provisioning / "dashboards", state, second))
    ask_grafana_com(settings)
    for kind in ("plugins", "alerting"):
        list(documents_in(provisioning / kind, f"provisioning.{kind}", ""))
    try:
        Handler.grafana.provision("datasources")
        Handler.grafana.provision("dashboards")
    except StartError as refused:
        raise StartError(f"invalid service state: Failed, expected: Running, failure: {refused}") from None
    server = ThreadingHTTPServer((settings["server.http_addr"], int(settings["server.http_port"])), Handler)
    server.handle_error = lambda *_: None  # a broken connection is no news
    host, port = server.server_address[:2]
    log("http.server", "info", "HTTP Server Listen", address=f"{host}:{port}", protocol="http")
    server.serve_forever(poll_interval=0.2)


def _reset_password() -> int:
    """pkg/cmd/grafana-cli/commands/reset_password_command.go of Grafana, with its words."""
    print("New Password: ", end="", flush=True)
    password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < 4:
        raise StartError("the new password doesn't meet the password policy criteria")
    state = State(load(os.environ)["paths.data"])
    try:
        if not state.has_admin():
            raise LookupError("user not found")
    except (LookupError, sqlite3.Error) as error:
        raise StartError(f"could not read user from database. Error: {error}") from None
    try:
        state.change_admin_password(password)
    except sqlite3.Error:
        return 0  # Grafana forgets the error at the end of the command
    print("\nAdmin password changed successfully ✔")
    return 0


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the API, writes the answer."""

    grafana: Grafana
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Grafana-contract-double", ""
    timeout = 60

    def _serve(self) -> None:
        route, url = "", urlsplit(self.path)
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = (self.command, self.path, unquote(url.path), parse_qs(url.query), self.headers, body)
            route, found = self.grafana.answer(Request(*asked, self._login()))
        except ApiError as error:
            found = Answer(error.body, error.status)
        except Exception as error:  # noqa: BLE001 - the client gets no traceback
            log("context", "error", "Request failed", path=self.path, error=repr(error))
            found = Answer({"message": "Internal server error", "statusCode": 500}, 500)
        self.grafana.counts[route, self.command, found.status] += 1
        self._send(found)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _login(self) -> str:
        """Who asks, empty when nobody. ApiError for a wrong password in the Authorization header."""
        scheme, _, coded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                login, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
            except ValueError:
                raise ApiError(401, "Invalid Basic Auth Header") from None
            return self.grafana.login(login, password)
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        return self.grafana.sessions.get(cookie.value, "") if cookie else ""

    def _send(self, found: Answer) -> None:
        body, kind = found.body, found.type
        if not isinstance(body, (str, bytes)):
            body, kind = json.dumps(body), "application/json"
        body = body.encode() if isinstance(body, str) else body
        self.send_response(found.status)
        headers = {"Content-Type": kind, "Cache-Control": "no-store", "Content-Length": str(len(body)), **found.headers}
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Grafana logs no successful requests."""
