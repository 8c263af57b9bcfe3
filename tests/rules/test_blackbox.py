"""What crowsnest generates for an app with a login of its own, asked by the real blackbox exporter."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from programs import answering, command, running
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import (
    blackbox_config,
    blackbox_secrets,
)

LOGIN = {"username": "kim", "password": 'p$ w"%#비밀'}
BASIC = "Basic " + base64.b64encode(f"{LOGIN['username']}:{LOGIN['password']}".encode()).decode()
SITE = {"url": "http://127.0.0.1/"}
HEALTHY = b'{"services": {"database": {"status": "healthy"}}}'


class Shop(BaseHTTPRequestHandler):
    """Paths that want something: /login, /token, /bearer, /host; /moved leads to /."""

    def do_GET(self) -> None:
        """One answer."""
        seen = self.headers
        well = {
            "/login": seen["Authorization"] == BASIC,
            "/bearer": seen["Authorization"] == "Bearer abc.def",
            "/token": (seen["X-Token"], seen["X-Second"]) == ("hush", "and 2"),
            "/host": seen["Host"] == "shop.example.com",
            "/moved": False,
        }.get(self.path, True)
        self.send_response(302 if self.path == "/moved" else 200 if well else 401)
        if self.path == "/moved":
            self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write(HEALTHY)

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@contextmanager
def with_tls(port: int, certificate: Path) -> Iterator[int]:
    """The port of a server that takes TLS off and hands on to another port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Secured(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as client:
                    self.hand_on(client)
            except OSError:
                pass  # a client that does not trust the certificate

        def hand_on(self, client: ssl.SSLSocket) -> None:
            with socket.create_connection(("127.0.0.1", port)) as inner:
                inner.sendall(client.recv(65536))
                while data := inner.recv(65536):
                    client.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Secured) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """{scheme: port} of the shop."""
    pem = tmp_path_factory.mktemp("tls") / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop", "-days", "2"]
    subprocess.run([*words, "-keyout", str(pem), "-out", str(pem) + ".crt"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    with answering(Shop) as http, with_tls(http, pem) as https:
        yield {"http": http, "https": https}


def write(folder: Path, app: dict[str, Any]) -> None:
    """The files of blackbox exporter for this app, as they lie in its container."""
    typed = App.model_validate({"name": "shop", **app})
    texts = {"blackbox.yml": yaml_text(blackbox_config([typed])), **blackbox_secrets([typed])}
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/etc/crowsnest/current", str(folder)))


def success(exporter: str, module: str, target: str) -> str:
    """`probe_success` of this target."""
    words = urllib.parse.urlencode({"module": module, "target": target})
    with urllib.request.urlopen(f"{exporter}/probe?{words}", timeout=20) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()
    return next(line.split()[1] for line in text.splitlines() if line.startswith("probe_success "))


# What an app declares, its module, scheme and path: whether the probe succeeds.
CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({}, "http", "http", "/login", "0"),
    (LOGIN, "shop/http", "http", "/login", "1"),
    ({**LOGIN, "password": "wrong"}, "shop/http", "http", "/login", "0"),
    ({"headers": {"X-Token": "hush", "x-second": "and 2"}}, "shop/http", "http", "/token", "1"),
    ({"headers": {"X-Token": "hush"}}, "shop/http", "http", "/token", "0"),
    ({"headers": {"authorization": "Bearer abc.def"}}, "shop/http", "http", "/bearer", "1"),
    ({"headers": {"Host": "shop.example.com"}}, "shop/http", "http", "/host", "1"),
    ({}, "http", "http", "/host", "0"),
    ({}, "http", "https", "/", "0"),
    ({"verify_tls": False}, "shop/http", "https", "/", "1"),
    ({"accepted_status": ["401"]}, "shop/http", "http", "/login", "1"),
    ({"accepted_status": ["401"]}, "shop/http", "http", "/", "0"),
    ({"accepted_status": ["300-399"]}, "shop/http", "http", "/moved", "1"),
    ({"accepted_status": ["200-299", "404"]}, "shop/http", "http", "/moved", "1"),
    ({"accepted_status": ["302"]}, "shop/http", "http", "/", "0"),
    (LOGIN, "shop/component_database", "http", "/login", "1"),
    ({**LOGIN, "password": "wrong"}, "shop/component_database", "http", "/login", "0"),
]


@pytest.mark.parametrize(("app", "module", "scheme", "path", "expected"), CASES, ids=str)
def test_the_exporter_asks_an_app_as_it_is_declared(
    tmp_path: Path, ports: dict[str, int], app: dict[str, Any], module: str, scheme: str, path: str, expected: str
) -> None:
    write(tmp_path, {**app, **SITE, "health": {"detailed": "/", "components": ["database"]}})
    with running("blackbox_exporter", tmp_path, f"--config.file={tmp_path}/blackbox.yml") as exporter:
        assert success(exporter, module, f"{scheme}://127.0.0.1:{ports[scheme]}{path}") == expected


HEADERS = [
    *("Authorization", "Host", "User-Agent", "Cookie", "Accept", "Accept-Language", "Origin", "Referer", "X-Token"),
    *("Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Keep-Alive"),
    *("Proxy-Authenticate", "Proxy-Authorization", "Www-Authenticate", "X-Forwarded-For", "CF-Access-Client-Secret"),
    *("X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version", "X-Prometheus-Scrape-Timeout-Seconds"),
    *("X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Other", "x_token", "X.Token"),
]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_the_exporter_does_not_take_is_refused_beforehand(tmp_path: Path, name: str) -> None:
    try:
        write(tmp_path, {**SITE, "headers": {name: "Bearer x"}})
    except ValidationError:
        file = {"files": ["/x"]}
        config = {"modules": {"a": {"prober": "http", "http": {"http_headers": {name: file}}}}}
        (tmp_path / "blackbox.yml").write_text(yaml_text(config))
        refused = True
    else:
        refused = False
    start = [*command("blackbox_exporter", tmp_path), f"--config.file={tmp_path}/blackbox.yml", "--config.check"]
    done = subprocess.run(start, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == refused, done.stderr


def test_a_new_password_counts_without_a_restart(tmp_path: Path, ports: dict[str, int]) -> None:
    target = f"http://127.0.0.1:{ports['http']}/login"
    write(tmp_path, {**SITE, **LOGIN, "password": "old"})
    with running("blackbox_exporter", tmp_path, f"--config.file={tmp_path}/blackbox.yml") as exporter:
        assert success(exporter, "shop/http", target) == "0"
        write(tmp_path, {**SITE, **LOGIN})
        assert success(exporter, "shop/http", target) == "1"
