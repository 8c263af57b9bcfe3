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
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import ProgressCallbackInvoker
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from s3transfer.manager import TransferConfig, TransferManager

from crowsnest_backup import age, local
from crowsnest_backup.check import BLOCK
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import partial, private, private_folder, require_room
from crowsnest_backup.manifest import Manifest, parse
from crowsnest_backup.names import ARCHIVE, DUMP, ENCRYPTED, MANIFEST, ROLES, time_of
from crowsnest_backup.progress import Say
from crowsnest_backup.remote_errors import AGAIN, told
from crowsnest_backup.settings import Job, Remote, Settings

# Bytes of a part, and how many are sent at once: 60 MB of memory. The client takes larger ones beyond 10,000 parts.
PART, AT_ONCE = 8 * 1024**2, 2
CONNECT_SECONDS, ANSWER_SECONDS, TRIES = 10, 60, 5
# An upload that is older has been broken off. What is hidden or was never completed stays longer, so that in a bucket
# with versions a person can take back what was deleted by mistake.
UPLOAD_ENDS, REMAINS_END = timedelta(days=1), timedelta(days=30)
# Not understood, not allowed, not made: what a storage answers to a question that it does not know.
_NOT_KNOWN = (400, 405, 501)
_FILES = (DUMP, DUMP + ENCRYPTED, ARCHIVE, ARCHIVE + ENCRYPTED)
_ENDINGS = (*_FILES, ROLES + ENCRYPTED, MANIFEST + ENCRYPTED, MANIFEST)
# What is sent only encrypted: the SHA-256 of it in the record of a copy, and how it ends.
_SECRETS = {"roles": ROLES, "manifest": MANIFEST}
# Of `Manifest.server`: what people wrote, such as a key of the app in ALTER DATABASE … SET.
_WRITTEN = ("settings", "comment")


class Store:
    """The place of one job at a remote. Every method raises BackupError with the cause."""

    def __init__(self, remote: Remote, environment: str, job: Job) -> None:
        self.remote, self.environment = remote, environment
        self.what = local.what(job)
        self.prefix = f"{environment}/{job.name}/"
        # Amazon always encrypts what it stores. Others are asked to where we do not, and must say that they do.
        asked = not (remote.endpoint_url and remote.encrypt_to)
        self._encryption = {"ServerSideEncryption": "AES256"} if asked else {}
        with self._asking():
            self._client = _client(remote)

    # --- what is there ---

    def listed(self) -> list[Manifest]:
        """The backups there, the oldest first."""
        return [found for stem in self._complete() if (found := self._manifest(stem))]

    def _complete(self) -> list[str]:
        """Stems with a manifest and a file."""
        endings: dict[str, set[str]] = {}
        for each in self._pages("list_objects_v2", "Contents"):
            if stem := self._stem(each["Key"]):
                endings.setdefault(stem, set()).add(each["Key"].removeprefix(self.prefix + stem))
        return sorted(stem for stem, found in endings.items() if MANIFEST in found and found.intersection(_FILES))

    def _stem(self, key: str) -> str | None:
        """The stem of a key that is ours; None for any other."""
        name = key.removeprefix(self.prefix)
        stem = next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), "")
        return stem if key.startswith(self.prefix) and time_of(stem, self.what, self.environment) else None

    def _manifest(self, stem: str) -> Manifest | None:
        """The manifest there, if it is one of a copy in a place where such a copy can be: a name becomes a path."""
        key = f"{self.prefix}{stem}{MANIFEST}"
        text = b"".join(self._blocks(key))
        try:
            found = parse(text, key)
        except BackupError:
            return None
        keys = [str(record.get("key")) for record in found.remote.values()]
        files = [f"{stem}{ending}" for ending in (DUMP, ARCHIVE)]
        right = ([self.prefix + found.file], [self.prefix + found.file + ENCRYPTED])
        return found if found.stem == stem and found.file in files and keys in right else None

    def _pages(self, operation: str, *fields: str, prefix: str = "") -> list[dict[str, Any]]:
        """All entries below a prefix, this job's if none is given; a listing comes in pages of 1,000."""
        with self._asking():
            pages = self._client.get_paginator(operation)
            found = list(pages.paginate(Bucket=self.remote.bucket, Prefix=prefix or self.prefix))
        return [entry for page in found for field in fields for entry in page.get(field, [])]

    # --- sending ---

    def confirm_encryption(self) -> None:
        """Stores nothing under a name of its own, and raises BackupError unless the answer is that it is encrypted."""
        if not self._encryption or not self.remote.endpoint_url:
            return
        place, answer = {"Bucket": self.remote.bucket, "Key": f"{self.prefix}.empty"}, {}
        with self._asking():
            try:
                answer = self._client.put_object(**place, **self._encryption)
            except ClientError as error:
                if not _is_unknown(error):
                    raise
            with suppress(ClientError):  # where it is forbidden, the empty object stays
                self._client.delete_object(**place, **{key: answer[key] for key in ("VersionId",) if key in answer})
        if not answer.get("ServerSideEncryption"):
            advice = "Declare `encrypt_to` for it, so that backups are encrypted before they are sent."
            raise BackupError(f"The remote {self.remote.name} does not encrypt what it stores.", advice)

    def upload(self, folder: Path, manifest: Manifest, now: datetime, say: Say) -> dict[str, Any]:
        """Sends a backup of this folder, its manifest last; the record of the copy, as the manifest there has it.

        Where recipients are declared that is a manifest without secrets, and the whole one is sent encrypted.
        """
        record = {**self._send(folder / manifest.file, say), "time": now.isoformat()}
        server = manifest.server
        if self.remote.encrypt_to:
            for name, ending in _SECRETS.items():
                if (path := folder / f"{manifest.stem}{ending}").is_file():
                    record[name] = self._send(path, say)["sha256"]
            server = {name: value for name, value in server.items() if name not in _WRITTEN}
        text = replace(manifest, server=server, remote={self.remote.name: record}).text().encode()
        key = f"{self.prefix}{manifest.stem}{MANIFEST}"
        with self._asking():
            self._client.put_object(Bucket=self.remote.bucket, Key=key, Body=text, **self._encryption)
        return record

    def _send(self, path: Path, say: Say) -> dict[str, Any]:
        """Sends a file, encrypted where recipients are declared, under its name."""
        if not self.remote.encrypt_to:
            return self._put(path, f"{self.prefix}{path.name}", say)
        secret = partial(path.with_name(path.name + ENCRYPTED))
        require_room(path.parent, path.stat().st_size)
        say(f"encrypting {path.name}")
        try:
            age.encrypt(path, secret, self.remote.encrypt_to)
            return self._put(secret, f"{self.prefix}{path.name}{ENCRYPTED}", say)
        finally:
            secret.unlink(missing_ok=True)

    def _put(self, path: Path, key: str, say: Say) -> dict[str, Any]:
        """Sends a file and asks whether it arrived."""
        size, digest = path.stat().st_size, sha256(path)
        told_of = _progress(key.removeprefix(self.prefix), size, say)
        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_request_concurrency=AT_ONCE)
        options = {"Metadata": {"sha256": digest}, **self._encryption}
        with self._asking(), TransferManager(self._client, config) as transfers:
            transfers.upload(str(path), self.remote.bucket, key, options, [told_of]).result()
            found = self._client.head_object(Bucket=self.remote.bucket, Key=key)
        if found["ContentLength"] != size or found["Metadata"].get("sha256") != digest:
            raise BackupError(f"The remote {self.remote.name} holds another {key} than was sent.", AGAIN)
        return {"key": key, "bytes": size, "sha256": digest, "version": found.get("VersionId")}

    # --- fetching ---

    def verify(self, manifest: Manifest) -> None:
        """Reads the copy of one that is listed, and compares its SHA-256 with what was sent."""
        for key, expected in self._parts(manifest).items():
            self._compared(key, expected)

    def fetch(self, manifest: Manifest, folder: Path, identity: Path | None = None) -> Manifest:
        """Puts the files of one that is listed into a folder, as they were dumped; its whole manifest.

        `identity`: a file of age that decrypts it. The folder is for this alone: it goes with all in it on a failure.
        """
        record = _record(manifest)
        if record["key"].endswith(ENCRYPTED) and identity is None:
            raise BackupError(
                f"{manifest.stem} at the remote {self.remote.name} is encrypted.", "Give --identity FILE."
            )
        try:
            require_room(private_folder(folder), record["bytes"] * (2 if identity else 1))
            for key, expected in self._parts(manifest).items():
                self._get(key, folder, expected, identity)
            if sha256(folder / manifest.file) != manifest.sha256:
                message = f"{manifest.file} of the remote {self.remote.name} is not what was dumped."
                raise BackupError(message, "Take another one.")
            whole = folder / f"{manifest.stem}{MANIFEST}"
            if whole.is_file():  # only that of it: nothing else was compared with what is listed
                return replace(manifest, server=parse(whole.read_bytes(), whole.name).server)
        except BaseException:
            shutil.rmtree(folder)
            raise
        return manifest

    def _parts(self, manifest: Manifest) -> dict[str, str]:
        """{key: SHA-256 as it was sent} of a backup's files."""
        record = _record(manifest)
        start = f"{self.prefix}{manifest.stem}"
        secrets = {f"{start}{ending}{ENCRYPTED}": record.get(name) for name, ending in _SECRETS.items()}
        return {record["key"]: record["sha256"], **{key: sent for key, sent in secrets.items() if sent}}

    def _get(self, key: str, folder: Path, expected: str, identity: Path | None) -> None:
        """Writes an object under its name, decrypted where it was encrypted."""
        path = folder / key.removeprefix(self.prefix)
        with private(path) as file:
            self._compared(key, expected, file.write)
        if identity and path.name.endswith(ENCRYPTED):
            age.decrypt(path, path.with_suffix(""), identity)
            path.unlink()

    def _compared(self, key: str, expected: str, write: Callable[[bytes], object] = len) -> None:
        """Reads an object. Raises BackupError if it is not what was sent."""
        digest = hashlib.sha256()
        for block in self._blocks(key):
            digest.update(block)
            write(block)
        if digest.hexdigest() != expected:
            message = f"{key} at the remote {self.remote.name} is damaged: it is not what was sent."
            raise BackupError(message, "Delete it there, and the next run sends it again if this host still has it.")

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
        found = [each for each in self._versions(f"{self.prefix}{stem}.") if self._stem(each["Key"]) == stem]
        for version in sorted(found, key=lambda each: not each["Key"].endswith(MANIFEST)):
            self._delete(version)

    def clean(self, now: datetime) -> list[str]:
        """Removes uploads that were broken off, and what is left of backups that are none; the keys of it."""
        uploads = [
            upload
            for upload in self._pages("list_multipart_uploads", "Uploads")
            if self._stem(upload["Key"]) and upload["Initiated"] < now - UPLOAD_ENDS
        ]
        for each in uploads:
            with self._asking():
                self._client.abort_multipart_upload(
                    Bucket=self.remote.bucket, Key=each["Key"], UploadId=each["UploadId"]
                )
        complete = {None, *self._complete()}
        remains = [
            version
            for version in self._versions()
            if self._stem(version["Key"]) not in complete and version["LastModified"] < now - REMAINS_END
        ]
        for version in remains:
            self._delete(version)
        return [each["Key"] for each in (*uploads, *remains)]

    def _versions(self, prefix: str = "") -> list[dict[str, Any]]:
        """Every version and delete marker below a prefix; plain objects where a storage knows no versions."""
        try:
            return self._pages("list_object_versions", "Versions", "DeleteMarkers", prefix=prefix)
        except BackupError as error:
            if isinstance(error.__cause__, ClientError) and _is_unknown(error.__cause__):
                return self._pages("list_objects_v2", "Contents", prefix=prefix)
            raise

    def _delete(self, version: Mapping[str, Any]) -> None:
        which = {name: version[name] for name in ("Key", "VersionId") if name in version}
        with self._asking():
            self._client.delete_object(Bucket=self.remote.bucket, **which)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turns errors of the client into sentences."""
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:
            raise told(error, self.remote) from error


def _is_unknown(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] in _NOT_KNOWN


def _client(remote: Remote) -> Any:
    """The client of S3.

    Amazon gets and keeps a CRC-32 of each part. Storage that is not Amazon's may refuse such checksums, or take the
    form in which they are sent for content; it gets the SHA-256 that is part of each request's signature.
    """
    amazon = remote.endpoint_url is None
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        request_checksum_calculation="when_supported" if amazon else "when_required",
        response_checksum_validation="when_required",  # ours is compared instead
        s3={"addressing_style": "auto" if amazon else "path"},
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


def find(settings: Settings, job: Job, name: str) -> Store:
    """Where the copies of a job are at this remote. Raises BackupError if there is none of this name."""
    if name not in settings.remotes:
        names = ", ".join(settings.remotes) or "none"
        raise BackupError(f"There is no remote {name}.", f"There are: {names}.")
    return Store(settings.remotes[name], settings.environment, job)


def sync(store: Store, settings: Settings, job: Job, now: datetime, say: Say) -> list[Manifest]:
    """Sends what the remote lacks, the newest first; the backups that were sent. Raises BackupError.

    Which those are is found by comparing manifests. Each local manifest then tells of its copy.
    """
    folder = local.folder(settings, job)
    there = {manifest.stem: manifest for manifest in store.listed()}
    sent: list[Manifest] = []
    faults = []
    for manifest in reversed(local.backups(settings, job)):
        copy = there.get(manifest.stem)
        if copy and copy.sha256 != manifest.sha256:
            faults.append(f"The remote {store.remote.name} has another backup named {manifest.stem}.")
        elif copy:
            _note(folder, manifest, store, _record(copy))
        elif sha256(folder / manifest.file) != manifest.sha256:
            faults.append(f"{manifest.file} is damaged on this host, so it was not sent.")
        else:
            if not sent:
                store.confirm_encryption()
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


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _progress(name: str, size: int, say: Say) -> ProgressCallbackInvoker:
    """Tells each twentieth of an upload; the client calls it with each number of bytes that it sent."""
    sent = 0

    def count(more: int) -> None:
        nonlocal sent
        before, sent = sent, sent + more
        if sent * 20 // size != before * 20 // size:
            say(f"sending {name}: {sent * 100 // size} %")

    return ProgressCallbackInvoker(count)
