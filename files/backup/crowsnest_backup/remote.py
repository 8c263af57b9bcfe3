# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Copies of backups in object storage that speaks S3: sent, listed, compared, fetched and deleted there.

A backup is there when its manifest is, which is sent last. Nothing outside `ENVIRONMENT/JOB/` and nothing whose name is
not that of a backup of the job's database is touched. Buckets of Lightsail have no lifecycle rules, so versions, delete
markers and uploads that were broken off are removed by this program.

Importing it takes half a second of CPU and 40 MB of memory, so that is done only where it is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from s3transfer.manager import TransferConfig, TransferManager

from crowsnest_backup import age, local
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import commit, partial, private, private_folder, sweep, write_whole
from crowsnest_backup.manifest import Manifest, parse
from crowsnest_backup.names import ARCHIVE, DUMP, ENCRYPTED, MANIFEST, ROLES, time_of
from crowsnest_backup.progress import Say, silent
from crowsnest_backup.progress import size as human
from crowsnest_backup.remote_errors import AGAIN, told
from crowsnest_backup.settings import Job, Remote, Settings

# Bytes of a part, and how many are sent at once: 60 MB of memory. The client takes larger ones beyond 10,000 parts.
PART, AT_ONCE = 8 * 1024**2, 2
CONNECT_SECONDS, ANSWER_SECONDS, TRIES = 10, 60, 5
BLOCK = 256 * 1024
# An upload that is older has been broken off. What is hidden or was never completed stays longer, so that in a bucket
# with versions a person can take back what was deleted by mistake.
UPLOAD_ENDS, REMAINS_END = timedelta(days=1), timedelta(days=30)
# What a storage is tried with: in one request, and in parts.
_TRIALS = {".trial-1": 1, ".trial-2": PART + 1024}
TRIED_FOR = timedelta(days=7)
# Not allowed, not made: what a storage without versions answers to a question about them.
_NOT_KNOWN = (405, 501)
_OTHER = "Take another one."
_ENDINGS = (DUMP, DUMP + ENCRYPTED, ARCHIVE, ARCHIVE + ENCRYPTED, ROLES + ENCRYPTED, MANIFEST)


@dataclass(frozen=True)
class Way:
    """How a storage is spoken to. `checksums`: each request carries its own, as all of Amazon's do.

    `encrypts`: it is asked to encrypt what it stores, and confirms it.
    """

    checksums: bool = True
    encrypts: bool = True


# The best comes first.
WAYS = [Way(checksums, encrypts) for encrypts in (True, False) for checksums in (True, False)]


class Store:
    """The place of one job at a remote. Every method raises BackupError with the cause."""

    def __init__(self, remote: Remote, environment: str, job: Job, way: Way = WAYS[0]) -> None:
        self.remote, self.environment, self.way = remote, environment, way
        self.what = local.what(job)
        self.prefix = f"{environment}/{job.name}/"
        with self._asking():
            self._client = _client(remote, way)

    # --- what is there ---

    def listed(self) -> list[Manifest]:
        """The backups there, the oldest first."""
        return [found for stem in self._complete() if (found := self._manifest(stem))]

    def _manifest(self, stem: str) -> Manifest | None:
        """The manifest there; None for one that cannot be read, which makes its backup none."""
        key = f"{self.prefix}{stem}{MANIFEST}"
        text = b"".join(self._blocks(key))
        try:
            found = parse(text, key)
        except BackupError:
            return None
        return found if found.stem == stem and self._is_whole(found) else None

    def _is_whole(self, manifest: Manifest) -> bool:
        """Whether it tells of one copy, in a place where such a copy can be: a file is written by its name."""
        keys = [str(record.get("key")) for record in manifest.remote.values()]
        files = [f"{manifest.stem}{ending}" for ending in (DUMP, ARCHIVE)]
        return manifest.file in files and keys in (
            [f"{self.prefix}{manifest.file}"],
            [f"{self.prefix}{manifest.file}{ENCRYPTED}"],
        )

    def _complete(self) -> list[str]:
        """Stems with a manifest and a file."""
        names = [key.removeprefix(self.prefix) for key in self._keys() if self._stem(key)]
        dumps = {_without_ending(name) for name in names if not name.endswith((MANIFEST, ROLES + ENCRYPTED))}
        return sorted(dumps & {_without_ending(name) for name in names if name.endswith(MANIFEST)})

    def _keys(self) -> list[str]:
        return [each["Key"] for each in self._pages("list_objects_v2", "Contents", self.prefix)]

    def _stem(self, key: str) -> str | None:
        """The stem of a key that is ours; None for any other."""
        stem = _without_ending(key.removeprefix(self.prefix))
        ours = key.startswith(self.prefix) and time_of(stem, self.what, self.environment)
        return stem if ours else None

    def _pages(self, operation: str, field: str, prefix: str) -> list[dict[str, Any]]:
        """All entries below a prefix; a listing comes in pages of 1,000."""
        with self._asking():
            pages = self._client.get_paginator(operation).paginate(Bucket=self.remote.bucket, Prefix=prefix)
            return [entry for page in pages for entry in page.get(field, [])]

    # --- sending ---

    def upload(self, folder: Path, manifest: Manifest, now: datetime, say: Say) -> dict[str, Any]:
        """Sends a backup of this folder, its manifest last; the record of the copy, as the manifest there has it."""
        record = {**self._send(folder / manifest.file, say), "time": now.isoformat()}
        roles = folder / f"{manifest.stem}{ROLES}"
        if self.remote.encrypt_to and roles.is_file():
            record["roles"] = self._send(roles, say)["sha256"]
        copied = replace(manifest, remote={self.remote.name: record})
        with self._asking():
            self._client.put_object(
                Bucket=self.remote.bucket,
                Key=f"{self.prefix}{manifest.stem}{MANIFEST}",
                Body=copied.text().encode(),
                **self._options({}),
            )
        return record

    def _send(self, path: Path, say: Say) -> dict[str, Any]:
        """Sends a file, encrypted where recipients are declared, under its name."""
        if not self.remote.encrypt_to:
            return self._put(path, f"{self.prefix}{path.name}", say)
        secret = partial(path.with_name(path.name + ENCRYPTED))
        _need_room(path.parent, path.stat().st_size)
        say(f"Encrypting {path.name}")
        try:
            age.encrypt(path, secret, self.remote.encrypt_to)
            return self._put(secret, f"{self.prefix}{path.name}{ENCRYPTED}", say)
        finally:
            secret.unlink(missing_ok=True)

    def _put(self, path: Path, key: str, say: Say) -> dict[str, Any]:
        """Sends a file and asks whether it arrived."""
        size, digest = path.stat().st_size, sha256(path)
        told_of = _Progress(key.removeprefix(self.prefix), size, say)
        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_request_concurrency=AT_ONCE)
        with self._asking(), TransferManager(self._client, config) as transfers:
            transfers.upload(str(path), self.remote.bucket, key, self._options({"sha256": digest}), [told_of]).result()
            found = self._client.head_object(Bucket=self.remote.bucket, Key=key)
        if found["ContentLength"] != size or found["Metadata"].get("sha256") != digest:
            raise BackupError(f"The remote {self.remote.name} holds another {key} than was sent.", AGAIN)
        if self.way.encrypts and not found.get("ServerSideEncryption"):
            raise BackupError(f"The remote {self.remote.name} does not confirm that it encrypts what it stores.")
        return {"key": key, "bytes": size, "sha256": digest, "version": found.get("VersionId")}

    def _options(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        encryption = {"ServerSideEncryption": "AES256"} if self.way.encrypts else {}
        checksum = {"ChecksumAlgorithm": "CRC32"} if self.way.checksums else {}
        return {"Metadata": metadata, **encryption, **checksum}

    # --- fetching ---

    def verify(self, stem: str) -> None:
        """Fetches a backup without keeping it, and compares its SHA-256 with what was sent."""
        for key, expected in self._parts(self._asked(stem)).items():
            self._compared(key, expected)

    def fetch(self, stem: str, folder: Path, identity: Path | None = None) -> Path:
        """Puts a backup into a folder, its manifest last; the path of its file, equal to what was dumped.

        `identity`: a file of age that decrypts it. Only under the lock: what is half written there is removed.
        """
        manifest = self._asked(stem)
        record = _record(manifest)
        if record["key"].endswith(ENCRYPTED) and identity is None:
            raise BackupError(f"{stem} at the remote {self.remote.name} is encrypted.", "Give --identity FILE.")
        _need_room(private_folder(folder), record["bytes"] * (2 if identity else 1))
        try:
            written = [self._get(key, folder, sha, identity) for key, sha in self._parts(manifest).items()]
            if sha256(partial(folder / manifest.file)) != manifest.sha256:
                raise BackupError(f"{manifest.file} of the remote {self.remote.name} is not what was dumped.", _OTHER)
            for path in written:
                commit(partial(path), path)
            manifest.write(folder)
        finally:
            sweep(folder)
        return folder / manifest.file

    def _asked(self, stem: str) -> Manifest:
        found = self._manifest(stem) if stem in self._complete() else None
        if found is None:
            raise BackupError(f"There is no backup {stem} at the remote {self.remote.name}.", "List what is there.")
        return found

    def _parts(self, manifest: Manifest) -> dict[str, str]:
        """{key: SHA-256 as it was sent} of a backup's files."""
        record = _record(manifest)
        roles = f"{self.prefix}{manifest.stem}{ROLES}{ENCRYPTED}"
        return {record["key"]: record["sha256"], **({roles: record["roles"]} if record.get("roles") else {})}

    def _get(self, key: str, folder: Path, expected: str, identity: Path | None) -> Path:
        """Writes an object, decrypted where it was encrypted, to the partial file of the path that is returned."""
        arrived = folder / key.removeprefix(self.prefix)
        with private(partial(arrived)) as file:
            self._compared(key, expected, file.write)
        path = arrived.with_name(arrived.name.removesuffix(ENCRYPTED))
        if identity and path != arrived:
            age.decrypt(partial(arrived), partial(path), identity)
        return path

    def _compared(self, key: str, expected: str, write: Callable[[bytes], object] = len) -> None:
        """Reads an object. Raises BackupError if it is not what was sent."""
        digest = hashlib.sha256()
        for block in self._blocks(key):
            digest.update(block)
            write(block)
        if digest.hexdigest() != expected:
            message = f"{key} at the remote {self.remote.name} is damaged: it is not what was sent."
            raise BackupError(message, f"{_OTHER} Delete the damaged one, and the next run sends it again.")

    def _blocks(self, key: str) -> Iterator[bytes]:
        """An object's bytes. A connection that breaks off is taken up where it was, a few times."""
        done, tries = 0, 0
        with self._asking():
            while True:
                try:
                    found = self._client.get_object(Bucket=self.remote.bucket, Key=key, Range=f"bytes={done}-")
                    for block in found["Body"].iter_chunks(BLOCK):
                        done += len(block)
                        yield block
                    return
                except (HTTPClientError, IncompleteReadError):
                    tries += 1
                    if tries == TRIES:
                        raise

    # --- deleting ---

    def delete(self, stem: str) -> None:
        """Removes a backup with all its versions and delete markers, the manifest first."""
        if not time_of(stem, self.what, self.environment):
            raise BackupError(f"{stem} is no backup of {self.prefix.strip('/')}.")
        found = [each for each in self._versions() if self._stem(each["Key"]) == stem]
        for version in sorted(found, key=lambda each: not each["Key"].endswith(MANIFEST)):
            self._delete(version)

    def clean(self, now: datetime) -> list[str]:
        """Removes uploads that were broken off, and what is left of backups that are none; the keys of it."""
        uploads = [
            upload
            for upload in self._pages("list_multipart_uploads", "Uploads", self.prefix)
            if self._stem(upload["Key"]) and upload["Initiated"] < now - UPLOAD_ENDS
        ]
        for upload in uploads:
            with self._asking():
                self._client.abort_multipart_upload(
                    Bucket=self.remote.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        complete = self._complete()
        remains = [
            version
            for version in self._versions()
            if (stem := self._stem(version["Key"]))
            and stem not in complete
            and version["LastModified"] < now - REMAINS_END
        ]
        for version in remains:
            self._delete(version)
        return [each["Key"] for each in (*uploads, *remains)]

    def _versions(self) -> list[dict[str, Any]]:
        """Every version and every delete marker of the job; plain objects where a storage knows no versions."""
        with self._asking():
            pages = self._client.get_paginator("list_object_versions")
            try:
                found = list(pages.paginate(Bucket=self.remote.bucket, Prefix=self.prefix))
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in _NOT_KNOWN:
                    raise
                return self._pages("list_objects_v2", "Contents", self.prefix)
        return [entry for page in found for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, [])]

    def _delete(self, version: Mapping[str, Any]) -> None:
        which = {name: version[name] for name in ("Key", "VersionId") if name in version}
        with self._asking():
            self._client.delete_object(Bucket=self.remote.bucket, **which)

    # --- what the storage can do ---

    def rehearse(self, folder: Path) -> None:
        """Sends two small objects, fetches and deletes them. Raises BackupError where they come back changed."""
        for name, size in _TRIALS.items():
            path, key = folder / name, f"{self.prefix}{name}"
            path.write_bytes(os.urandom(size))
            try:
                self._compared(key, self._put(path, key, silent)["sha256"])
            finally:
                self._forget(key)

    def _forget(self, key: str) -> None:
        """Removes an object of a rehearsal; where that is forbidden it stays until the next one."""
        with suppress(BackupError):
            for version in self._versions():
                if version["Key"] == key:
                    self._delete(version)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turns errors of the client into sentences."""
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:
            raise told(error, self.remote) from None


def _client(remote: Remote, way: Way) -> Any:
    """The client of S3."""
    # A storage that is not Amazon's is asked for a checksum only where it must be, and rarely has a name per bucket.
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        request_checksum_calculation="when_supported" if way.checksums else "when_required",
        # Ours is compared instead.
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if remote.endpoint_url else "auto"},
    )
    return _session().client(
        "s3",
        aws_access_key_id=remote.access_key,
        aws_secret_access_key=remote.secret_key if remote.access_key else None,
        region_name=remote.region,
        endpoint_url=remote.endpoint_url,
        config=config,
    )


@cache
def _session() -> Any:
    """What every client shares: of its own, each would take 12 MB for Amazon's description of S3."""
    return boto3.session.Session()


def find(settings: Settings, job: Job, way: Way = WAYS[0]) -> Store:
    """Where the copies of a job are. Raises BackupError if none is declared."""
    if job.remote is None:
        raise BackupError(f"No remote is declared for the backup of {job.name}.")
    return Store(settings.remotes[job.remote], settings.environment, job, way)


def sync(settings: Settings, job: Job, now: datetime, say: Say) -> list[Manifest]:
    """Sends what the remote lacks, the newest first; the backups that were sent. Raises BackupError.

    Which those are is found by comparing manifests. Each local manifest then tells of its copy.
    """
    store = find(settings, job, _way(settings, job, now, say))
    folder = local.folder(settings, job)
    there = {manifest.stem: manifest for manifest in store.listed()}
    sent, faults = [], []
    for manifest in reversed(local.backups(settings, job)):
        copy = there.get(manifest.stem)
        if copy and copy.sha256 != manifest.sha256:
            faults.append(f"The remote {store.remote.name} has another backup named {manifest.stem}.")
        elif copy:
            _note(folder, manifest, store, _record(copy))
        elif sha256(folder / manifest.file) != manifest.sha256:
            faults.append(f"{manifest.file} is damaged on this host, so it was not sent.")
        else:
            _note(folder, manifest, store, store.upload(folder, manifest, now, say))
            sent.append(manifest)
    if faults:
        raise BackupError(" ".join(faults), "Move the damaged one away; give each host an environment of its own.")
    return sent


def _record(manifest: Manifest) -> Mapping[str, Any]:
    """Of the copy, from a remote's manifest; the remote may have had another name when it was sent."""
    (record,) = manifest.remote.values()
    return record


def _note(folder: Path, manifest: Manifest, store: Store, record: Mapping[str, Any]) -> None:
    """Writes down where the copy of a backup is."""
    if manifest.remote.get(store.remote.name) != record:
        replace(manifest, remote={**manifest.remote, store.remote.name: record}).write(folder)


def _way(settings: Settings, job: Job, now: datetime, say: Say) -> Way:
    """How the remote of a job is spoken to. A storage that is not Amazon's is tried, once a week."""
    store = find(settings, job)
    if not store.remote.endpoint_url:
        return store.way
    place = {"endpoint_url": store.remote.endpoint_url, "bucket": store.remote.bucket}
    path = settings.state / "remotes" / f"{store.remote.name}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["place"] == place and abs(now - datetime.fromisoformat(known["tried"])) < TRIED_FOR:
            return Way(**known["way"])
    say(f"Trying what the remote {store.remote.name} can do")
    way = _tried(settings, job)
    private_folder(path.parent)
    write_whole(path, json.dumps({"place": place, "tried": now.isoformat(), "way": asdict(way)}).encode())
    return way


def _tried(settings: Settings, job: Job) -> Way:
    """The first way that works. Raises BackupError of the best one if none does, or what is stored is not encrypted."""
    find(settings, job).listed()  # whether it can be reached at all
    faults = []
    for way in WAYS:
        store = find(settings, job, way)
        try:
            with tempfile.TemporaryDirectory() as folder:
                store.rehearse(Path(folder))
        except BackupError as error:
            faults.append(error)
            continue
        if way.encrypts or store.remote.encrypt_to:
            return way
        advice = "Declare `encrypt_to` for it, so that backups are encrypted before they are sent."
        raise BackupError(f"The remote {store.remote.name} does not encrypt what it stores.", advice)
    raise faults[0]


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _without_ending(name: str) -> str:
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), "")


def _need_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BackupError(f"{folder} has {human(free)} of disk left, and {human(size)} are needed.", "Make room there.")


class _Progress:
    """Tells each twentieth of an upload; the client calls it with each number of bytes that it sent."""

    def __init__(self, name: str, size: int, say: Say) -> None:
        self.name, self.size, self.say, self.sent = name, size, say, 0

    def on_progress(self, *, bytes_transferred: int, **_rest: object) -> None:
        before, self.sent = self.sent, self.sent + bytes_transferred
        if self.sent * 20 // self.size != before * 20 // self.size:
            self.say(f"Sending {self.name}: {self.sent * 100 // self.size} %")
