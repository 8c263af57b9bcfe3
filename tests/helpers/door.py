# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real Caddy with the configuration that is generated, in front of a service that stands for all others."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

from generated import HOSTVARS
from programs import answering, command, free_port, until
from server_facts import FACTS

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
)

DOMAIN, KIM = "watch.example.com", "A-long-passw0rd-of-kim"
DECLARED = {
    "crowsnest_domain": DOMAIN,
    "crowsnest_certificates": "internal",
    "crowsnest_users": [{"name": "kim"}],
    "crowsnest_apps": [{"name": "shop", "database": {"name": "shop"}, "backup": False}],
}


class Echo(BaseHTTPRequestHandler):
    """Every service: says what reached it; upgrades to whatever is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "method": self.command, "headers": dict(self.headers)}).encode()
        upgrade = self.headers.get("Upgrade")
        self.send_response(101 if upgrade else 200)
        for name, value in ({"Upgrade": upgrade, "Connection": "Upgrade"} if upgrade else {}).items():
            self.send_header(name, value)
        self.send_header("Server", "secret-version")
        self.send_header("Content-Length", str(0 if upgrade else len(body)))
        self.end_headers()
        if not upgrade:
            self.wfile.write(body)

    do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815 - the server's own names

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def seen(self) -> dict[str, Any]:
        """What reached the service."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class Door(NamedTuple):
    """A Caddy that runs; `ca` is the certificate of its authority, None where it speaks plain HTTP."""

    port: int
    ca: Path | None
    domain: str = DOMAIN
    user: str = "kim"

    def ask(self, name: str, path: str = "/", method: str = "GET", login: str = "", **headers: str) -> Answer:
        """An answer of `<name>.<domain>`, or of the domain itself; `login` is the user's password."""
        host = f"{name}.{self.domain}".removeprefix(".")
        with socket.create_connection(("127.0.0.1", self.port), 10) as plain:
            connection = HTTPConnection(name)
            connection.sock = plain
            if self.ca:
                trust = ssl.create_default_context(cafile=str(self.ca))
                connection.sock = trust.wrap_socket(plain, server_hostname=host)
            given = {"Host": host, **headers}
            if login:
                given["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{login}".encode()).decode()
            connection.request(method, path, headers=given)
            answer: HTTPResponse = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode())


@contextmanager
def caddy(folder: Path, service: type[BaseHTTPRequestHandler], **declared: Any) -> Iterator[Door]:
    """Caddy with what is generated; `service` stands for all, and another port for 443."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "proxy_key").write_text("0123456789")
    (secrets / "proxy_password_kim").write_text(KIM)
    hostvars = {**HOSTVARS, "web1": {"preflight_look": {"host": {**FACTS, "memory_mib": 8000}}}}
    plan = filters.plan({**DECLARED, **declared}, "web1", list(hostvars), hostvars, str(folder), str(secrets))
    made = filters.service_directory(plan["context"], "proxy")
    port = free_port()
    with answering(service) as upstream:
        for name, text in {**made["files"], **made["secrets"]}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(CONFIG_IN_CONTAINER, str(folder)).replace(DATA_IN_CONTAINER, str(folder)))
        config = json.loads((folder / "caddy.json").read_text())
        servers = config["apps"]["http"]["servers"]
        servers["inside"]["listen"] = [f"127.0.0.1:{free_port() if 'pages' in servers else port}"]
        if "pages" in servers:
            servers["pages"] |= {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable_redirects": True}}
        text = re.sub(r'"dial": "127.0.0.1:\d+"', f'"dial": "127.0.0.1:{upstream}"', json.dumps(config))
        (folder / "caddy.json").write_text(text)
        log = (folder / "log").open("wb")
        process = Popen([*command("caddy", folder), "run", "--config", f"{folder}/caddy.json"], stdout=log, stderr=log)
        ca = folder / "pki/authorities/local/root.crt" if "pages" in servers else None
        door = Door(port, ca)
        try:
            until(lambda: door.ask("grafana").status, 20)
            yield door
        finally:
            process.terminate()
            process.wait(20)
            log.close()
