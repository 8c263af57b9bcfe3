# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Storage that is away, slow, cut off, closed or odd: the backup stays, the cause is told, the next run sends it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from types import SimpleNamespace

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from certificates import self_signed
from crowsnest_backup import files, remote
from crowsnest_backup.errors import BackupError
from crowsnest_backup.remote import PART
from crowsnest_backup.remote_errors import told
from crowsnest_backup.settings import Remote
from faulty_proxy import Line, line_to
from object_storage import LONG, NOW, SECRET, Place, Storage, placed
from programs import answering, until


@pytest.fixture
def line(place: Place) -> Iterator[Line]:
    with line_to(place.storage.port) as line:
        yield line


@pytest.fixture
def behind(line: Line, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The place at the end of the line, for a client without patience."""
    monkeypatch.setattr(remote, "TRIES", 2)
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 1)
    return place.through(line.port)


def content(place: Place) -> dict[str, str]:
    """{name: SHA-256} of what is on this host."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.folder.iterdir()}


# --- the line ---


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"state": "refused"}, r"The remote offsite cannot be reached|The connection to the remote offsite"),
        ({"state": "silent"}, r"The remote offsite at http://\S+ does not answer in time\."),
        ({"cut_after": PART, "cuts": 1000}, r"The connection to the remote offsite at http://\S+ breaks off\."),
    ],
    ids=["refused", "silent", "cut"],
)
def test_a_fault_keeps_the_backup_and_the_next_run_sends_it(
    fault: dict[str, object], sentence: str, line: Line, behind: Place
) -> None:
    manifest = behind.backup(size=3 * PART)
    before = content(behind)
    vars(line).update(fault)
    with pytest.raises(BackupError, match=f"^({sentence})") as told_of:
        behind.sync()
    assert "stay on this host, and the next run sends what is missing" in told_of.value.advice
    assert SECRET not in str(told_of.value)
    assert content(behind) == before
    vars(line).update(state="whole", cuts=0)
    assert behind.store.listed() == []
    assert behind.sync() == [manifest.stem]
    assert [each.stem for each in behind.store.listed()] == [manifest.stem]


def test_nobody_listens(place: Place) -> None:
    place.backup()
    with pytest.raises(BackupError, match=r"^The remote offsite cannot be reached at http://127\.0\.0\.1:9\. Look"):
        place.through(9).sync()


def test_an_upload_over_a_bad_line_arrives(line: Line, place: Place) -> None:
    manifest = place.backup(size=3 * PART)
    line.cut_after, line.cuts, line.delay = PART // 2, 2, 0.002
    assert place.through(line.port).sync() == [manifest.stem]
    assert line.cuts == 0
    place.store.verify(*place.store.listed())


def test_a_download_is_taken_up_where_it_broke_off(line: Line, place: Place, tmp_path: Path) -> None:
    manifest = place.backup(size=3 * PART)
    place.sync()
    line.cut_after, line.cuts = PART, 3
    path = place.through(line.port).fetch(tmp_path / "fetched")
    assert path.read_bytes() == (place.folder / manifest.file).read_bytes()
    assert line.passed < 4 * PART + 2**20


def test_a_download_that_never_ends_leaves_nothing(line: Line, behind: Place, tmp_path: Path) -> None:
    behind.backup(size=3 * PART)
    behind.sync()
    line.cut_after, line.cuts = PART, 1000
    with pytest.raises(BackupError, match=r"^The connection to the remote offsite at http://\S+ breaks off\."):
        behind.fetch(tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_disk_without_room(ministack_server: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = placed(ministack_server, tmp_path, encrypted=True)
    place.backup()
    place.sync()
    place.backup(days_ago=1)
    before = content(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=999))
    with pytest.raises(BackupError, match=r"^\S+/shop needs 1\.0 kB more, and 999 B may be used there\. Make room"):
        place.sync()
    with pytest.raises(BackupError, match=r"^\S+/fetched needs 2\.\d kB more, and 999 B may be used there\. Make room"):
        place.fetch(tmp_path / "fetched")
    assert content(place) == before
    assert not (tmp_path / "fetched").exists()


# --- what it refuses ---


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret_key": "wrong"}, r"The remote offsite does not accept the secret key\. Correct"),
        ({"access_key": "wrong"}, r"The remote offsite refuses ListObjectsV2 \(XAdminUserNotFound\): No user exists"),
        ({"bucket": "no-such-bucket"}, r"The remote offsite has no bucket no-such-bucket\. Make it"),
        ({"bucket": "a bucket"}, r"The declaration of the remote offsite is no address of a bucket: a bucket at"),
        ({"endpoint_url": "nonsense"}, r"The declaration of the remote offsite is no address of a bucket: \S+ at non"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_declaration_that_is_wrong(
    changes: dict[str, str], sentence: str, versitygw_server: Storage, tmp_path: Path
) -> None:
    place = placed(versitygw_server, tmp_path, encrypted=True)
    place.backup()
    with pytest.raises(BackupError, match=f"^{sentence}") as refused:
        replace(place, remote=replace(place.remote, **changes)).sync()
    assert SECRET not in str(refused.value)


def test_a_bucket_that_is_not_there(ministack_server: Storage, tmp_path: Path) -> None:
    place = placed(ministack_server, tmp_path, encrypted=False, bucket="no-such-bucket")
    place.backup()
    with pytest.raises(BackupError, match=r"^The remote offsite has no bucket no-such-bucket\."):
        place.sync()


def test_a_clock_that_is_wrong(versitygw_server: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = placed(versitygw_server, tmp_path, encrypted=True)
    place.backup()
    late = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=3)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: late)
    with pytest.raises(BackupError, match=r"^The clock of this host is not the one of the remote offsite\. Set the"):
        place.sync()


def test_a_region_that_is_wrong() -> None:
    answer = {
        "Error": {"Code": "PermanentRedirect"},
        "ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "r2"}},
    }
    found = told(ClientError(answer, "HeadObject"), Remote("offsite", "b", "r1"))  # type: ignore[arg-type]
    assert str(found) == "The bucket b of the remote offsite is in region r2, not r1. Correct `region`."


@pytest.mark.parametrize(
    ("operation", "code", "sentence"),
    [
        ("PutObject", "AccessDenied", "forbids it (Told): the key may not PutObject in b. Allow s3:PutObject there."),
        ("ListObjectsV2", "403", "forbids it (Told): the key may not ListObjectsV2 in b. Allow s3:ListBucket there."),
        ("UploadPart", "SlowDown", "is in trouble (SlowDown). Backups stay on this host"),
        ("PutObject", "BadDigest", "received other bytes than were sent (BadDigest). Backups stay on this host"),
        ("PutObject", "InvalidAccessKeyId", "does not accept the access key. Correct `access_key` and `secret_key`."),
        ("PutObject", "ExpiredToken", "no longer accepts the token of this host's role."),
        ("PutObject", "Odd", "refuses PutObject (Odd): Told. Backups stay on this host"),
    ],
)
def test_what_is_told_of_an_answer(operation: str, code: str, sentence: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "Told."}, "ResponseMetadata": {}}, operation)  # type: ignore[typeddict-item]
    found = str(told(error, Remote("offsite", "b", "eu-central-1", secret_key=SECRET)))
    assert found.startswith(f"The remote offsite {sentence}")
    assert SECRET not in found


# --- checksums that a storage takes for content, or refuses ---


def odd(storage: Storage, refuses: bool) -> type[BaseHTTPRequestHandler]:
    """A storage that refuses a request with checksums, or stores them with the content as it got them."""

    class Odd(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            checksums = ("x-amz-checksum", "x-amz-sdk", "x-amz-trailer", "content-encoding", "x-amz-decoded")
            odd = [name for name in self.headers if name.lower().startswith(checksums)]
            if odd and refuses:
                self.send_error(400)
                return
            headers = {name: value for name, value in self.headers.items() if name not in [*odd, "Expect"]}
            asked = HTTPConnection("127.0.0.1", storage.port)
            asked.request(self.command, self.path, body, headers)
            found = asked.getresponse()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.read())

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *about: object) -> None:
            pass

    return Odd


@pytest.mark.parametrize("refuses", [True, False], ids=["refuses", "stores"])
def test_a_storage_without_checksums_gets_none(
    refuses: bool, ministack_server: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS, where the client would send them behind the content."""
    certificate = self_signed(tmp_path)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    place = placed(ministack_server, tmp_path, encrypted=False)
    small, large = place.backup(days_ago=1), place.backup(size=PART + 1)
    with answering(odd(ministack_server, refuses), context) as port:
        place = replace(place, remote=replace(place.remote, endpoint_url=f"https://127.0.0.1:{port}"))
        assert place.sync() == [large.stem, small.stem]
        place.fetch(tmp_path / "fetched", large.stem)
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with answering(odd(ministack_server, refuses), context) as port:
        place = replace(place, remote=replace(place.remote, endpoint_url=f"https://127.0.0.1:{port}"))
        with pytest.raises(BackupError, match=r"offers no connection that this host trusts\. Correct `endpoint_url`"):
            place.sync()


# --- SIGKILL and memory ---

PROGRAM = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from crowsnest_backup import remote, settings
found = settings.read(Path(sys.argv[1]))
job = found.job("shop")
store, now = remote.find(found, job, job.remote), datetime.now(timezone.utc)
"""
UPLOAD = """
assert len(remote.sync(store, found, job, now, lambda fragment: None)) == 1
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
# Ends itself in place of the deletion with this number.
DELETE = """
import os, signal
delete, left = remote.Store._delete, iter(range(int(sys.argv[3])))
def killing(self, version):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    delete(self, version)
remote.Store._delete = killing
store.delete(sys.argv[2])
"""


@contextmanager
def process(program: str, place: Place, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own with the settings of this place."""
    place.write_settings(place.root)
    command = [sys.executable, "-c", PROGRAM + program, str(place.root), *words]
    environment = os.environ | {"PYTHONPATH": str(Path(remote.__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as own:
        yield own


def test_sigkill_while_sending(line: Line, place: Place) -> None:
    manifest = place.backup(size=5 * PART)
    before, line.delay = content(place), 0.005
    with process(UPLOAD, place.through(line.port)) as sending:
        until(lambda: line.passed > 2 * PART, 60)
        assert SECRET not in Path(f"/proc/{sending.pid}/cmdline").read_text()
        sending.kill()
    assert place.store.listed() == []
    files.sweep(place.folder)
    assert content(place) == before
    assert place.sync() == [manifest.stem]
    place.store.verify(*place.store.listed())
    half = place.storage.client.list_multipart_uploads(Bucket=place.bucket)["Uploads"]
    assert place.store.clean(NOW + timedelta(hours=25)) == [each["Key"] for each in half] != []
    assert "Uploads" not in place.storage.client.list_multipart_uploads(Bucket=place.bucket)
    place.store.verify(*place.store.listed())


@pytest.mark.parametrize("deleted", [0, 1])
def test_sigkill_while_deleting(deleted: int, place: Place) -> None:
    gone, kept = place.backup(days_ago=1), place.backup()
    place.sync()
    with process(DELETE, place, gone.stem, str(deleted)) as deleting:
        assert deleting.wait(60) == -signal.SIGKILL
    listed = [each.stem for each in place.store.listed()]
    assert listed == ([kept.stem] if deleted else [gone.stem, kept.stem])
    place.store.delete(gone.stem)
    assert [key for key in place.versions() if gone.stem in key] == []
    place.store.verify(*place.store.listed())


@pytest.mark.parametrize("encrypted", [False, True])
def test_an_upload_needs_little_memory(encrypted: bool, ministack_server: Storage, tmp_path: Path) -> None:
    place = placed(ministack_server, tmp_path, encrypted)
    place.backup(size=1_000_000_000 if LONG else 50_000_000)
    with process(UPLOAD, place) as sending:
        told_of, errors = sending.communicate(timeout=600)
    assert sending.returncode == 0, errors
    assert int(told_of) < 96 * 1024
    assert SECRET not in told_of + errors
