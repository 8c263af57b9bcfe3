# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Hashes of passwords as Caddy compares them: https://caddyserver.com/docs/json/apps/http/servers/routes/handle/authentication/providers/http_basic/"""

from __future__ import annotations

import base64
import hmac
from functools import cache

import bcrypt

# 2^10 rounds, about 0.1 s. Each wrong password costs the server as much: on the burstable processors of small hosts a
# higher cost would be the denial of service that it is meant to prevent.
COST = 10
_LONGEST_BYTES = 72  # bcrypt knows no more of a password
# bcrypt's own alphabet of base 64: https://www.usenix.org/legacy/events/usenix99/provos/provos.pdf
_BCRYPT = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


@cache
def hashed(user: str, password: str, key: str) -> str:
    """The hash of a password; always the same one, as its salt comes from a secret key and not from chance."""
    digest = hmac.digest(key.encode(), f"{user}\0{password}".encode(), "sha256")[:16]
    salt = base64.b64encode(digest).decode().rstrip("=").translate(_BCRYPT)
    return bcrypt.hashpw(password.encode()[:_LONGEST_BYTES], f"$2b${COST}${salt}".encode()).decode()
