# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A small mail relay on loopback that offers no TLS and keeps what it gets: https://www.rfc-editor.org/rfc/rfc5321"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


class Relay(ThreadingTCPServer):
    """`messages` are those that came, `address` is its host:port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.messages: list[EmailMessage] = []
        self.address = f"127.0.0.1:{self.server_address[1]}"


class _Session(StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        self.say("220 relay")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say("354 go on")
                raw = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.messages.append(message_from_bytes(raw, policy=policy.default))
            self.say("221 bye" if verb == b"QUIT" else "250 OK")

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@contextmanager
def relay() -> Iterator[Relay]:
    """A relay that ends with the block."""
    with Relay() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
