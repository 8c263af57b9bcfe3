# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A mail server on loopback that keeps what it gets."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from programs import free_port


class Relay:
    """`messages` are those that came, `logins` who logged in, `address` is its host:port."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[EmailMessage] = []
        self.logins: list[tuple[str, str]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, login: Any) -> AuthResult:
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login.decode(), login.password.decode()))
        return AuthResult(success=True)


@contextmanager
def relay(certificate: Path | None = None) -> Iterator[Relay]:
    """A server that ends with the block. With a certificate it demands STARTTLS and a login, else it offers neither."""
    port, context = free_port(), None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = Relay(f"127.0.0.1:{port}")
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=bool(certificate),
        auth_required=bool(certificate),
        authenticator=server.authenticate,
        auth_exclude_mechanism=["LOGIN"],  # it asks for the "User Name", which Alertmanager does not understand
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
