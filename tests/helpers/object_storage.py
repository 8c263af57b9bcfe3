# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Two servers that speak S3, and a job with backups to send there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pyrage
import pytest
from crowsnest_backup import remote
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.names import stem
from crowsnest_backup.remote import Store
from crowsnest_backup.settings import Database, Job, Keep, Remote, Settings
from programs import free_port, until

VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
LONG = bool(os.environ.get("CROWSNEST_TEST_LONG"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crowsnest"
REGION, SECRET = "eu-central-1", "c29tZS1zZWNyZXQ/+=%20"
NOW = datetime.now(UTC).replace(microsecond=0)
JOB = Job("shop", "03:00", Keep(7, 4, 6), Database("shop", "127.0.0.1", 5432), remote="offsite")
IDENTITY = pyrage.x25519.Identity.generate()


@dataclass(frozen=True)
class Storage:
    """A server. `encrypts`: it says that it encrypts what it stores."""

    name: str
    port: int
    encrypts: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def client(self) -> Any:
        keys = {"aws_access_key_id": "shop", "aws_secret_access_key": SECRET}
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, **keys)

    def bucket(self, versions: bool = True, locked_days: int = 0) -> str:
        name, client = f"backups-{uuid.uuid4().hex[:8]}", self.client
        client.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=bool(locked_days),
        )
        if versions:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if locked_days:
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": locked_days}}
            client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        return name


@contextmanager
def ministack(services: str = "s3") -> Iterator[Storage]:
    port = free_port()
    own = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": services, "IOT_MTLS_ENABLED": "0"}
    with _running([sys.executable, "-m", "ministack"], port, own):
        yield Storage("ministack", port, encrypts=True)


@contextmanager
def versitygw() -> Iterator[Storage]:
    """It checks signatures, keys and clocks, which ministack does not."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data, versions = Path(folder, "data"), Path(folder, "versions")
        data.mkdir()
        versions.mkdir()
        words = ["--quiet", "--region", REGION, "--port", f"127.0.0.1:{port}"]
        command = [str(built()), *words, "posix", "--versioning-dir", str(versions), str(data)]
        with _running(command, port, {"ROOT_ACCESS_KEY": "shop", "ROOT_SECRET_KEY": SECRET}):
            yield Storage("versitygw", port, encrypts=False)


def built() -> Path:
    """The program versitygw; Go builds it once for all checkouts of a user."""
    path = CACHE / VERSITYGW.rpartition("@")[2] / "versitygw"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            if not LONG or shutil.which("go") is None:
                pytest.skip("versitygw is not built yet: --long builds it where Go is")
            subprocess.run(["go", "install", VERSITYGW], env=os.environ | {"GOBIN": str(path.parent)}, check=True)
    return path


@contextmanager
def _running(command: list[str], port: int, own: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=os.environ | own, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        assert process.poll() is None, command
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        return True

    try:
        until(answers, 60)
        yield
    finally:
        process.kill()
        process.wait()


@dataclass
class Place:
    """A job that is backed up on this machine and sent to a bucket of its own."""

    storage: Storage
    bucket: str
    root: Path
    remote: Remote
    told: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        folders = {name: self.root / name for name in ("directory", "state", "metrics")}
        return Settings(
            environment="production",
            timezone=ZoneInfo("Asia/Seoul"),
            jobs={JOB.name: JOB},
            remotes={self.remote.name: self.remote},
            **folders,
        )

    @property
    def folder(self) -> Path:
        return self.root / "directory" / "production" / "shop"

    @property
    def identity(self) -> Path:
        return self.root / "identity"

    @property
    def store(self) -> Store:
        return remote.find(self.settings, JOB, self.remote.name)

    def sync(self) -> list[str]:
        return [each.stem for each in remote.sync(self.store, self.settings, JOB, NOW, self.told.append)]

    def fetch(self, folder: Path, stem: str = "") -> Path:
        """The file that a restore fetches."""
        (chosen,) = [each for each in self.store.listed() if stem in ("", each.stem)]
        return folder / self.store.fetch(chosen, folder, self.identity).file

    def write_settings(self, folder: Path) -> None:
        """As the program reads them."""
        plain = {name: str(getattr(self.settings, name)) for name in ("timezone", "directory", "state", "metrics")}
        own = ("push_url", "check_in_urls", "database")
        job = {name: value for name, value in asdict(JOB).items() if name not in own}
        own = {name: value for name, value in asdict(self.remote).items() if name != "secret_key"}
        database = {name: value for name, value in asdict(JOB.database).items() if name != "password"}
        numbers = {"environment": "production", "tries": 3, "pause_seconds": 1}
        told = {**plain, **numbers, "jobs": [{**job, "database": database}], "remotes": [own]}
        secrets = {"databases": {}, "remotes": {self.remote.name: SECRET}, "push_urls": {}, "check_in_urls": {}}
        (folder / "settings.json").write_text(json.dumps(told))
        (folder / "secrets.json").write_text(json.dumps(secrets))

    def backup(self, days_ago: int = 0, size: int = 1000) -> Manifest:
        """What a dump leaves behind."""
        begun = NOW - timedelta(days=days_ago)
        name, content = stem("shop", "production", begun), os.urandom(size)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.sql.gz").write_bytes(content)
        (self.folder / f"{name}.roles.sql").write_text("create role shop password 'md5…';")
        manifest = Manifest(
            stem=name,
            file=f"{name}.sql.gz",
            app="shop",
            what="shop",
            environment="production",
            started=begun.isoformat(),
            finished=begun.isoformat(),
            server={"major": 17},
            counts={"public.shop_order": 3},
            sql_bytes=2 * size,
            bytes=size,
            sha256=hashlib.sha256(content).hexdigest(),
            attempts=1,
            checked=begun.isoformat(),
        )
        manifest.write(self.folder)
        return manifest

    def put(self, key: str, content: bytes = b"x") -> None:
        self.storage.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def objects(self) -> list[str]:
        """Everything in the bucket."""
        pages = self.storage.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def versions(self) -> list[str]:
        """Keys of every version and delete marker in the bucket."""
        pages = self.storage.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        return [
            entry["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, [])
        ]

    def through(self, port: int) -> Place:
        """The same by another way."""
        return replace(self, remote=replace(self.remote, endpoint_url=f"http://127.0.0.1:{port}"))


def placed(storage: Storage, root: Path, encrypted: bool, bucket: str = "") -> Place:
    (root / "identity").write_text(f"# created: today\n{IDENTITY}\n")
    own = Remote(
        name="offsite",
        bucket=bucket or storage.bucket(),
        region=REGION,
        endpoint_url=storage.url,
        access_key="shop",
        secret_key=SECRET,
        encrypt_to=(str(IDENTITY.to_public()),) if encrypted else (),
    )
    return Place(storage, own.bucket, root, own)


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Storage]:
    with ministack() as storage:
        yield storage


@pytest.fixture(scope="session")
def versitygw_server() -> Iterator[Storage]:
    with versitygw() as storage:
        yield storage


@pytest.fixture(params=["ministack", "versitygw"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each test that takes it runs twice."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def place(storage: Storage, tmp_path: Path) -> Place:
    """In a bucket with versions. Where the storage does not encrypt, we do."""
    return placed(storage, tmp_path, encrypted=not storage.encrypts)


@pytest.fixture
def encrypted(ministack_server: Storage, tmp_path: Path) -> Place:
    return placed(ministack_server, tmp_path, encrypted=True)
