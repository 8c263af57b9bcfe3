# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pyrage
import pytest
from crowsnest_backup import age
from crowsnest_backup.errors import BackupError

PLAIN = os.urandom(200_000)
ONE, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()


def written(folder: Path, *identities: pyrage.x25519.Identity) -> Path:
    """As age-keygen does it."""
    path = folder / "identity"
    path.write_text("".join(f"# public key: {each.to_public()}\n{each}\n\n" for each in identities))
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "plain").write_bytes(PLAIN)
    age.encrypt(tmp_path / "plain", tmp_path / "plain.age", [str(ONE.to_public()), str(OTHER.to_public())])
    return tmp_path / "plain.age"


@pytest.mark.parametrize("own", [ONE, OTHER])
def test_each_recipient_reads_it(own: pyrage.x25519.Identity, secret: Path, tmp_path: Path) -> None:
    stranger = pyrage.x25519.Identity.generate()
    age.decrypt(secret, tmp_path / "again", written(tmp_path, stranger, own))
    assert (tmp_path / "again").read_bytes() == PLAIN
    assert (tmp_path / "again").stat().st_mode & 0o777 == 0o600
    assert secret.stat().st_mode & 0o777 == 0o600


def test_nobody_else_does(secret: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"plain.age cannot be decrypted .*: No matching keys found"):
        age.decrypt(secret, tmp_path / "again", written(tmp_path, pyrage.x25519.Identity.generate()))


def test_a_part_of_it_is_refused(secret: Path, tmp_path: Path) -> None:
    secret.write_bytes(secret.read_bytes()[:100_000])
    with pytest.raises(BackupError, match=r"plain.age cannot be decrypted"):
        age.decrypt(secret, tmp_path / "again", written(tmp_path, ONE))


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"AGE-SECRET-KEY-1QQ\n", b"\xff\xfe"])
def test_a_file_that_is_no_identity(content: bytes, secret: Path, tmp_path: Path) -> None:
    (tmp_path / "identity").write_bytes(content)
    with pytest.raises(BackupError, match=r"identity is no readable identity of age\. It is the file that age-keygen"):
        age.decrypt(secret, tmp_path / "again", tmp_path / "identity")


def test_a_text_that_is_no_recipient(secret: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"^age1x in `encrypt_to` is no recipient of age"):
        age.encrypt(secret, tmp_path / "again", ["age1x"])
