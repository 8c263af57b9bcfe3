# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_jobs import NOW
from crowsnest_backup.check import check
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest

TEXT = b"".join(b"%d\n" % number for number in range(200_000))
FILE = gzip.compress(TEXT, mtime=0)


def manifest_of(packed: bytes, text: bytes) -> Manifest:
    return Manifest(
        stem="shop_test_20261128_030000",
        file="shop_test_20261128_030000.sql.gz",
        app="shop",
        what="shop",
        environment="test",
        started=NOW.isoformat(),
        finished=NOW.isoformat(),
        server={},
        counts={},
        sql_bytes=len(text),
        bytes=len(packed),
        sha256=hashlib.sha256(packed).hexdigest(),
        attempts=1,
        checked=NOW.isoformat(),
    )


MANIFEST = manifest_of(FILE, TEXT)


def test_a_file_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST.file).write_bytes(FILE)
    check(tmp_path, MANIFEST)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file[:-1], "ends in the middle"),
        (lambda file: file[:1000], "ends in the middle"),
        (lambda file: b"", "ends in the middle"),
        (lambda file: file + b"\0" * 100_000, "holds something behind its end"),
        (lambda file: file + b"\0", "holds something behind its end"),
        (lambda file: file + file, "holds something behind its end"),
        (lambda file: file[:-9] + bytes([file[-9] ^ 1]) + file[-8:], "cannot be unpacked|another one"),
        (lambda file: b"\0" * len(file), "cannot be unpacked"),
        (lambda file: gzip.compress(TEXT, 1, mtime=0), "is not the file that was written"),
        (lambda file: gzip.compress(b"other", mtime=0), "is not the file that was written"),
    ],
)
def test_what_is_wrong_with_a_file(damage: Callable[[bytes], bytes], told: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST.file).write_bytes(damage(FILE))
    with pytest.raises(BackupError, match=rf"^{MANIFEST.file} .*({told}).*take another backup\.$"):
        check(tmp_path, MANIFEST)


def test_any_one_byte_counts(tmp_path: Path) -> None:
    for at in range(0, len(FILE), len(FILE) // 50):
        (tmp_path / MANIFEST.file).write_bytes(FILE[:at] + bytes([FILE[at] ^ 0x10]) + FILE[at + 1 :])
        with pytest.raises(BackupError):
            check(tmp_path, MANIFEST)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is not there"):
        check(tmp_path, MANIFEST)


def test_a_small_file_of_much_text_takes_little_memory(tmp_path: Path) -> None:
    text = b"\0" * 100_000_000
    packed = gzip.compress(text, mtime=0)
    manifest = manifest_of(packed, text)
    (tmp_path / manifest.file).write_bytes(packed)
    tracemalloc.start()
    check(tmp_path, manifest)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
