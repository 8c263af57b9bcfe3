# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import IO

import pytest
from crowsnest_backup.archive import pack, unpack
from crowsnest_backup.errors import BackupError


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """An archive with a folder, a large file and some bytes."""
    folder = tmp_path / "upload"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "한글 '\".png").write_bytes(b"logo")
    (folder / "link").symlink_to("/etc/shadow")
    (tmp_path / "large.db").write_bytes(bytes(range(256)) * 40_000)
    parts = {
        "uptime_kuma/upload": folder,
        "grafana/grafana.db": tmp_path / "large.db",
        "not/there": tmp_path / "nothing",
    }
    text, file = pack(tmp_path / "one.tar.gz", parts)
    content = (tmp_path / "one.tar.gz").read_bytes()
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    plain = gzip.decompress(content)
    assert (text.bytes, text.sha256) == (len(plain), hashlib.sha256(plain).hexdigest())
    return tmp_path / "one.tar.gz"


def test_what_went_in_comes_out(written: Path, tmp_path: Path) -> None:
    unpack(written, tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in tmp_path.glob("out/**/*.*")}
    assert found == {
        "uptime_kuma/upload/deep/한글 '\".png": b"logo",
        "grafana/grafana.db": (tmp_path / "large.db").read_bytes(),
    }


def test_a_person_opens_it_with_tar(written: Path, tmp_path: Path) -> None:
    (tmp_path / "by-hand").mkdir()
    subprocess.run(["tar", "-xzf", written, "-C", tmp_path / "by-hand"], check=True)
    assert (tmp_path / "by-hand/grafana/grafana.db").read_bytes() == (tmp_path / "large.db").read_bytes()
    assert (tmp_path / "by-hand/grafana/grafana.db").stat().st_mode & 0o777 == 0o600
    assert written.stat().st_mode & 0o777 == 0o600


def test_a_part_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "password").write_text("of root")
    (tmp_path / "upload").symlink_to(tmp_path / "secrets")
    with pytest.raises(BackupError, match="uptime_kuma/upload is a link"):
        pack(tmp_path / "one.tar.gz", {"uptime_kuma/upload": tmp_path / "upload"})


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its service makes it one while the first file is read, so that the second would come from elsewhere."""
    folder, secrets, add = tmp_path / "upload" / "deep", tmp_path / "secrets", tarfile.TarFile.addfile
    for path, content in ((folder, "a logo"), (secrets, "of root")):
        path.mkdir(parents=True)
        for name in ("1", "2"):
            (path / name).write_text(content)

    def swap(tar: tarfile.TarFile, member: tarfile.TarInfo, file: IO[bytes]) -> None:
        if not folder.is_symlink():
            folder.rename(tmp_path / "upload" / "moved")
            folder.symlink_to(secrets)
        add(tar, member, file)

    monkeypatch.setattr(tarfile.TarFile, "addfile", swap)
    pack(tmp_path / "one.tar.gz", {"upload": tmp_path / "upload"})
    unpack(tmp_path / "one.tar.gz", tmp_path / "out")
    assert [path.read_text() for path in sorted((tmp_path / "out").glob("**/[12]"))] == ["a logo", "a logo"]


@pytest.mark.parametrize("end", [5, 300, -1])
def test_a_file_that_was_cut_is_refused(end: int, written: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tar.gz").write_bytes(written.read_bytes()[:end])
    with pytest.raises(BackupError, match=r"cut\.tar\.gz is damaged"):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "out")


def hostile(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "member",
    [
        hostile("../outside"),
        hostile("a/../../outside"),
        hostile("/tmp/outside"),
        hostile("."),
        hostile("link", tarfile.SYMTYPE),
        hostile("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: member.name,
)
def test_a_name_that_leads_outside_is_refused(member: tarfile.TarInfo, tmp_path: Path) -> None:
    path = tmp_path / "in" / "hostile.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO())
    with pytest.raises(BackupError, match="which no backup does"):
        unpack(path, path.parent / "out")
    assert [each for each in tmp_path.rglob("*") if each.name == "outside"] == []
