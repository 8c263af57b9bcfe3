"""The door with the real Caddy: who comes in, what goes on to the services, and what is closed to everybody."""

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

import pytest
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
GUARDED, OPEN = ("prometheus", "alerts"), ("grafana", "uptime", "metabase")


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
    socket: Path

    def ask(self, name: str, path: str = "/", method: str = "GET", login: str = "", **headers: str) -> Answer:
        """An answer of `<name>.DOMAIN`."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as plain:
            connection = HTTPConnection(name)
            connection.sock = plain
            if self.ca:
                trust = ssl.create_default_context(cafile=str(self.ca))
                connection.sock = trust.wrap_socket(plain, server_hostname=f"{name}.{DOMAIN}".removeprefix("."))
            given = {"Host": f"{name}.{DOMAIN}".removeprefix("."), **headers}
            if login:
                given["Authorization"] = "Basic " + base64.b64encode(f"kim:{login}".encode()).decode()
            connection.request(method, path, headers=given)
            answer: HTTPResponse = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode())


@contextmanager
def caddy(folder: Path, **declared: Any) -> Iterator[Door]:
    """Caddy with what is generated; every service is Echo, and 443 another port."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "proxy_key").write_text("0123456789")
    (secrets / "proxy_password_kim").write_text(KIM)
    hostvars = {**HOSTVARS, "web1": {"preflight_look": {"host": {**FACTS, "memory_mib": 8000}}}}
    plan = filters.plan({**DECLARED, **declared}, "web1", list(hostvars), hostvars, str(folder), str(secrets))
    made = filters.service_directory(plan["context"], "proxy")
    port = free_port()
    with answering(Echo) as service:
        for name, text in {**made["files"], **made["secrets"]}.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace(CONFIG_IN_CONTAINER, str(folder)).replace(DATA_IN_CONTAINER, str(folder)))
        config = json.loads((folder / "caddy.json").read_text())
        servers = config["apps"]["http"]["servers"]
        servers["inside"]["listen"] = [f"127.0.0.1:{free_port() if 'pages' in servers else port}"]
        if "pages" in servers:
            servers["pages"] |= {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable_redirects": True}}
        text = re.sub(r'"dial": "127.0.0.1:\d+"', f'"dial": "127.0.0.1:{service}"', json.dumps(config))
        (folder / "caddy.json").write_text(text)
        log = (folder / "log").open("wb")
        process = Popen([*command("caddy", folder), "run", "--config", f"{folder}/caddy.json"], stdout=log, stderr=log)
        ca = folder / "pki/authorities/local/root.crt" if "pages" in servers else None
        door = Door(port, ca, folder / "admin.sock")
        try:
            until(lambda: door.ask("grafana").status, 20)
            yield door
        finally:
            process.terminate()
            process.wait(20)
            log.close()


@pytest.fixture(scope="module", params=["own", "behind"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with caddy(tmp_path_factory.mktemp("door"), crowsnest_proxy=request.param) as found:
        yield found


@pytest.mark.parametrize("name", GUARDED)
def test_who_has_no_login_of_its_own_asks_for_one(door: Door, name: str) -> None:
    assert [door.ask(name, login=given).status for given in ("", "wrong", KIM)] == [401, 401, 200]
    assert door.ask(name, login=KIM).seen["path"] == "/"


@pytest.mark.parametrize("name", OPEN)
def test_who_has_one_is_asked_itself_and_is_not_told_of_ours(door: Door, name: str) -> None:
    seen = door.ask(name, "/x?y=1", login=KIM).seen
    assert (seen["path"], seen["headers"].get("Authorization")) == ("/x?y=1", None)


def test_our_password_is_not_handed_on(door: Door) -> None:
    assert "Authorization" not in door.ask("prometheus", login=KIM).seen["headers"]


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("path", ["/-/quit", "/-/reload", "/metrics", "/debug/pprof/", "/api/v1/admin/tsdb/snapshot"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_no_page_needs_is_closed_to_everybody(door: Door, name: str, path: str, method: str) -> None:
    assert door.ask(name, path, method, KIM).status == 403


def test_nothing_but_silences_can_be_changed(door: Door) -> None:
    assert door.ask("alerts", "/api/v2/silences", "POST", KIM).status == 200
    assert door.ask("alerts", "/api/v2/silence/1-2", "DELETE", KIM).status == 200
    assert door.ask("alerts", "/api/v2/alerts", "POST", KIM).status == 403
    assert door.ask("alerts", "/api/v2/silences", "POST").status == 401
    assert [door.ask("alerts", f"/-/{each}", login=KIM).status for each in ("healthy", "ready")] == [200, 200]


def test_the_public_status_page_shows_that_alone(door: Door) -> None:
    home = door.ask("status")
    assert (home.status, home.headers["Location"]) == (302, "/status/status")
    shown = ("/status/status", "/api/status-page/heartbeat/status", "/assets/index.js", "/icon.svg")
    assert [door.ask("status", path).status for path in shown] == [200] * len(shown)
    hidden = ("/dashboard", "/socket.io/?transport=polling", "/metrics", "/api/push/x", "/setup", "/status/../metrics")
    assert [door.ask("status", path).status for path in hidden] == [404] * len(hidden)


def test_a_web_socket_reaches_uptime_kuma(door: Door) -> None:
    assert door.ask("uptime", "/socket.io/", Connection="Upgrade", Upgrade="websocket").status == 101


def test_every_answer_has_headers_that_protect_and_names_no_program(door: Door) -> None:
    for answer in (door.ask("grafana"), door.ask("prometheus"), door.ask("status")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "Server" not in answer.headers
        assert ("Strict-Transport-Security" in answer.headers) == (door.ca is not None)


@pytest.mark.parametrize("name", ["other", ""])
def test_a_name_that_is_no_page_shows_nothing(door: Door, name: str) -> None:
    if door.ca is None:
        assert door.ask(name).text == ""
    else:
        with pytest.raises(ssl.SSLError):
            door.ask(name)
