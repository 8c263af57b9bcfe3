# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Encryption of database details with MB_ENCRYPTION_SECRET_KEY, and hashes of passwords, sessions and API keys.

Metabase uses AES (src/metabase/util/encryption.clj) and bcrypt; the standard library has neither, so this encrypts with
a stream made by HMAC-SHA512 and hashes with PBKDF2. The rules around them are Metabase's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from double.config import StartError


class WrongKeyError(Exception):
    """Encrypted with another key, or not encrypted at all."""


@dataclass(frozen=True)
class Cipher:
    """Encrypts when there is a key, else passes texts through."""

    key: bytes = b""

    @staticmethod
    def of(secret: str) -> Cipher:
        """StartError when the key is too short."""
        if not secret:
            return Cipher()
        if len(secret) < 16:
            raise StartError("Assert failed: MB_ENCRYPTION_SECRET_KEY must be at least 16 characters.")
        return Cipher(hashlib.pbkdf2_hmac("sha512", secret.encode(), b"", 100_000, 64))

    def encrypt(self, text: str) -> str:
        if not self.key:
            return text
        nonce = secrets.token_bytes(16)
        body = nonce + self._stream(nonce, text.encode())
        return base64.b64encode(body + self._tag(body)).decode()

    def decrypt(self, text: str) -> str:
        """WrongKeyError unless it was encrypted with this key."""
        if not self.key:
            return text
        try:
            raw = base64.b64decode(text, validate=True)
        except ValueError:
            raise WrongKeyError from None
        body, tag = raw[:-32], raw[-32:]
        if not hmac.compare_digest(self._tag(body), tag):
            raise WrongKeyError
        return self._stream(body[:16], body[16:]).decode()

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self.key[32:], body, "sha256")

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        blocks = range(len(data) // 64 + 1)
        stream = b"".join(hmac.digest(self.key[:32], nonce + block.to_bytes(8, "big"), "sha512") for block in blocks)
        return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def hashed(secret: str) -> str:
    """Salted and slow: for passwords and API keys."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{hashlib.pbkdf2_hmac('sha256', secret.encode(), salt, 20_000).hex()}"


def matches(secret: str, stored: str) -> bool:
    """Whether `stored` was made of this secret."""
    salt, _, digest = stored.partition(":")
    found = hashlib.pbkdf2_hmac("sha256", secret.encode(), bytes.fromhex(salt), 20_000).hex()
    return hmac.compare_digest(found, digest)


def fingerprint(token: str) -> str:
    """Fast: for long random tokens."""
    return hashlib.sha512(token.encode()).hexdigest()


def entity_id() -> str:
    """A new NanoID."""
    return secrets.token_urlsafe(16)[:21]
