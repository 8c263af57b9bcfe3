"""The catcher's second door: TLS, as slack.com has it, at once or behind a proxy's CONNECT."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECONDS = 30


class TlsServer(ThreadingHTTPServer):
    """Serves TLS with the handler and the state of another server."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        certificate: Path,
        key: Path,
        state: Any,
        handler: type[BaseHTTPRequestHandler],
    ) -> None:
        self.state, self.context = state, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection; a client that breaks off, or trusts another certificate, is no fault here."""
        request.settimeout(SECONDS)
        with suppress(OSError):
            if request.recv(1, socket.MSG_PEEK) == b"C" and not accept_connect(request):
                return
            with self.context.wrap_socket(request, server_side=True) as secured:
                self.RequestHandlerClass(secured, client_address, self.state)


def accept_connect(request: socket.socket) -> bool:
    """Answer a CONNECT as a proxy does that leads to slack.com only. True: TLS follows."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < 8192:
        byte = request.recv(1)  # not one more: TLS may follow at once
        if not byte:
            return False
        head += byte
    accepted = bool(re.match(rb"CONNECT slack\.com:443 HTTP/1\.[01]\r\n", head))
    request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n" if accepted else b"HTTP/1.1 403 Forbidden\r\n\r\n")
    return accepted
