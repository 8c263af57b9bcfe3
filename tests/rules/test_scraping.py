"""What Prometheus makes of the pages of apps, by the job that crowsnest writes; and that AppDown explains it."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import socket
import ssl
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from contexts import context_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from programs import answering, free_port, running

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import (
    APP_SAMPLE_LIMIT,
    prometheus_config,
)

RUNBOOK = Path(__file__).resolve().parents[2] / "docs/runbooks/AppDown.md"
METRICS = b"# TYPE orders_total counter\norders_total 1\n"
TEXT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
Handler = type[BaseHTTPRequestHandler]


def page(status: int = 200, body: bytes = METRICS, **headers: str) -> Handler:
    """An app that always answers the same; `Content_Type=…` is a header."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    return Page


def raw(act: Callable[[socket.socket], object]) -> Handler:
    """An app that does this with the connection once it was asked."""

    class Raw(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            self.connection.recv(1000)
            act(self.connection)

    return Raw


def broken_off(connection: socket.socket) -> None:
    """Ends a connection without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def behind_tls(certificate: Path) -> Handler:
    """An app that speaks TLS, with this file of key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Tls(page()):  # type: ignore[misc]
        def setup(self) -> None:
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

    return Tls


def certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody trusts."""
    key, name, now = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([]),
        datetime.datetime.now(datetime.UTC),
    )
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*encodings) + made.public_bytes(serialization.Encoding.PEM))
    return path


HTML = b"<!doctype html><html><title>Sign in</title></html>"
# What an app answers, and a part of what Prometheus says of it: nothing, as it can be read.
READ: dict[str, Handler] = {
    "no Content-Type": page(),
    "an empty one": page(Content_Type=""),
    **{
        kind: page(Content_Type=kind)
        for kind in (
            "text/html; charset=utf-8",
            "application/json",
            "application/octet-stream",
            "a/b/c;;;",
            "text/plain",
            "text/plain; version=9.9.9",
        )
    },
    "a sample twice": page(body=b"orders 1\norders 2\n", **TEXT),
    "an old sample": page(body=b"orders 1 1000\n", **TEXT),
    "a sample of the future": page(body=b"orders 1 9900000000000\n", **TEXT),
    "no samples": page(body=b"", **TEXT),
}
UNREAD: dict[str, tuple[Handler, str]] = {
    "too slow": (raw(lambda _: time.sleep(4)), "context deadline exceeded"),
    "hangs up": (raw(lambda it: it.close()), "EOF"),
    "breaks off": (raw(broken_off), "connection reset by peer"),
    "another protocol": (raw(lambda it: it.sendall(b"-ERR unknown command\r\n")), "malformed HTTP"),
    "TLS": (raw(lambda it: it.sendall(b"\x15\x03\x01\x00\x02\x02\x46")), "malformed HTTP"),
    **{
        str(status): (page(status, b"no"), f"HTTP status {status}")
        for status in (204, 400, 401, 403, 404, 405, 429, 500, 502, 503, 504)
    },
    "redirects to itself": (page(302, b"", Location="/metrics"), "stopped after 10 redirects"),
    "redirects to nowhere": (page(301, b""), "HTTP status 301"),
    "a page for people": (page(body=HTML, Content_Type="text/html"), 'got "<"'),
    "JSON": (page(body=b'{"orders": 1}', Content_Type="application/json"), "parsing"),
    "words": (page(body=b"hello world", Content_Type="text/plain"), "parsing"),
    "cut off": (page(body=b'orders{city="Seo', **TEXT), "parsing"),
    "OpenMetrics without an end": (page(Content_Type="application/openmetrics-text"), "data does not end with # EOF"),
    "compressed, it says": (page(Content_Encoding="gzip", **TEXT), "gzip: invalid header"),
    "too many series": (
        page(body=b"".join(b'orders{id="%d"} 1\n' % number for number in range(APP_SAMPLE_LIMIT + 1)), **TEXT),
        "sample limit exceeded",
    ),
}


def app_job(targets: list[str]) -> dict[str, Any]:
    """prometheus.yml of an app with these targets, without everything else that runs on a server."""
    declared = {"scrape_interval": "2s", "apps": [{"name": "shop", "metrics": targets}]}
    config = prometheus_config(context_of(declared))
    jobs = [job for job in config["scrape_configs"] if job["job_name"] == "app"]
    return {"global": config["global"], "scrape_configs": jobs}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """What Prometheus says of an app by its name here, once it is of this kind; empty for an app that is up."""
    folder = tmp_path_factory.mktemp("prometheus")
    tls = behind_tls(certificate(folder / "shop.pem"))
    with ExitStack() as stack:
        ports = {name: stack.enter_context(answering(it)) for name, it in READ.items()}
        ports |= {name: stack.enter_context(answering(it)) for name, (it, _) in UNREAD.items()}
        ports["over https"] = stack.enter_context(answering(tls))
        for name, port in (("redirects to https", ports["over https"]), ("redirects to no TLS", ports["text/plain"])):
            ports[name] = stack.enter_context(answering(page(301, b"", Location=f"https://127.0.0.1:{port}/metrics")))
        addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        addresses |= {"stopped": f"127.0.0.1:{free_port()}", "unknown host": "shop-web-1.invalid:8000"}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(app_job(list(addresses.values()))))
        words = "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data"
        url = stack.enter_context(running("prometheus", folder, *words))

        def ask(name: str, part: str) -> str:
            error = "nothing yet"
            for _ in range(120):
                with urllib.request.urlopen(f"{url}/api/v1/targets?scrapePool=app", timeout=30) as answer:  # noqa: S310 - loopback
                    targets = json.load(answer)["data"]["activeTargets"]
                for target in (it for it in targets if it["labels"]["instance"] == addresses[name]):
                    error = target["lastError"] if target["health"] != "unknown" else error
                if error == part or (part and part in error):
                    break
                time.sleep(0.5)
            return str(error)

        yield ask


@pytest.mark.parametrize("name", READ)
def test_a_page_is_read_whatever_it_calls_itself(said: Callable[[str, str], str], name: str) -> None:
    assert said(name, "") == ""


WORDS = {
    **{name: words for name, (_, words) in UNREAD.items()},
    "stopped": "connection refused",
    "unknown host": "dial tcp: lookup",
    "redirects to https": "tls: failed to verify certificate",
    "redirects to no TLS": "tls: first record does not look like a TLS handshake",
}


def explained() -> list[str]:
    """What the first column of the table in the runbook quotes."""
    rows = re.findall(r"(?m)^\| (`.+?) \|", RUNBOOK.read_text())
    return [words for row in rows for words in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("name", WORDS)
def test_the_runbook_explains_what_prometheus_says(said: Callable[[str, str], str], name: str) -> None:
    error = said(name, WORDS[name])
    assert WORDS[name] in error
    assert [words for words in explained() if words in error], error


def test_the_runbook_explains_nothing_that_prometheus_does_not_say() -> None:
    assert [words for words in explained() if not any(words in said or said in words for said in WORDS.values())] == []
