# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages on loopback, and what stands in for Google there: a gtag.js and a place that catches what it reports.

Google's own gtag.js is not run, as tests reach nobody outside. This one does what is documented of its queue: it takes
`consent` and `config` in order and reports a page view for each `config`, with the page's address as `dl` and the
consent as `gcs`: G1, then 1 or 0 for ad_storage and for analytics_storage, or `-` where nothing was said before. With
`wait_for_update` an update that comes later counts as well.
https://developers.google.com/tag-platform/security/guides/consent
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

GTAG = """
addEventListener("load", () => {
  const consent = {};
  const views = [];
  for (const [command, ...words] of dataLayer) {
    if (command === "consent") Object.assign(consent, words[1]);
    if (command === "config") views.push([words[0], "wait_for_update" in consent ? consent : { ...consent }]);
  }
  for (const [tid, { ad_storage, analytics_storage }] of views) {
    const bits = [ad_storage, analytics_storage].map((state) => ({ granted: "1", denied: "0" })[state] ?? "-");
    const hit = new URLSearchParams({ v: 2, tid, en: "page_view", gcs: `G1${bits.join("")}`, dl: location.href });
    fetch(`https://region1.google-analytics.com/g/collect?${hit}`, { method: "POST", mode: "no-cors" });
  }
});
"""


class Web(ThreadingHTTPServer):
    """Serves `pages` ({path: (headers, HTML)}) and Google's hosts; keeps the fields of each report in `hits`."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[Mapping[str, str], str]] = {}
        self.hits: list[dict[str, str]] = []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_port}"

    @property
    def chromium_flags(self) -> list[str]:
        """Flags with which a browser takes this server for Google."""
        hosts = ("*.googletagmanager.com", "*.google-analytics.com", "*.analytics.google.com")
        rules = ", ".join(f"MAP {host} 127.0.0.1:{self.server_port}" for host in hosts)
        return [f"--host-resolver-rules={rules}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--ignore-certificate-errors"]

    def handle_error(self, *_: Any) -> None:
        """A browser that closes a connection is no error."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Web

    def do_GET(self) -> None:
        host, address = self.headers["Host"].partition(":")[0], urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if host.endswith("google-analytics.com") and address.path == "/g/collect":
            self.server.hits.append(dict(parse_qsl(address.query)))
            self.reply(204, {}, "")
        elif host.endswith("googletagmanager.com") and address.path == "/gtag/js":
            self.reply(200, {"Content-Type": "text/javascript"}, GTAG)
        elif address.path in self.server.pages:
            headers, text = self.server.pages[address.path]
            self.reply(200, {"Content-Type": "text/html; charset=utf-8", **headers}, text)
        else:
            self.reply(404, {}, "")

    do_POST = do_GET  # noqa: N815 - the name http.server asks for

    def reply(self, status: int, headers: Mapping[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Web]:
    """A server that ends with the block."""
    with Web(certificate) as web:
        Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield web
        web.shutdown()
