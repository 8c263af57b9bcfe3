# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Encryption with age (age-encryption.org/v1): this host holds public keys only, so it cannot read what it sends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyrage

from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import private


def encrypt(source: Path, target: Path, recipients: Sequence[str]) -> None:
    """Writes `target`, which whoever has the identity of one of the recipients (`age1…`) can read.

    Raises BackupError for a recipient that is none, and OSError.
    """
    keys = [_recipient(text) for text in recipients]
    with source.open("rb") as plain, private(target) as secret:
        pyrage.encrypt_io(plain, secret, keys)


def decrypt(source: Path, target: Path, identity: Path) -> None:
    """Writes `target`, the plain text of `source`, by the keys in the file `identity`. Raises BackupError, OSError."""
    keys = _identities(identity)
    with source.open("rb") as secret, private(target) as plain:
        try:
            pyrage.decrypt_io(secret, plain, keys)
        except (pyrage.DecryptError, OSError) as error:  # OSError also for content that is damaged
            message = f"{source.name.strip('.')} cannot be decrypted with {identity}: {error}."
            raise BackupError(message, "Take the identity of one of the recipients in `encrypt_to`.") from None


def _recipient(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BackupError(f"{text} in `encrypt_to` is no recipient of age.", "One begins with age1.") from None


@cache  # a backup may have two files, and standard input can be read once
def _identities(path: Path) -> list[pyrage.x25519.Identity]:
    """The keys of a file as age-keygen writes it: one a line, and comments."""
    advice = "It is the file that age-keygen wrote, with a line AGE-SECRET-KEY-1…"
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        found = []
    if not found:
        raise BackupError(f"{path} is no readable identity of age.", advice)
    return found
