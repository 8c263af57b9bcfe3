# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Copies of backups at servers that speak S3."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from crowsnest_backup import local
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.remote import PART
from object_storage import JOB, NOW, Place, Storage, placed

FOREIGN = [
    "production/shop/notes.txt",
    "production/shop/shop_staging_20200101_000000.sql.gz",
    "production/shop/other_production_20200101_000000.sql.gz",
    "production/shop/other_production_20200101_000000.json",
    "production/shop/deeper/shop_production_20200101_000000.json",
    "production/shop2/shop_production_20200101_000000.sql.gz",
    "staging/shop/shop_staging_20200101_000000.json",
    "unrelated",
]


@pytest.fixture
def foreign(place: Place) -> Place:
    for key in FOREIGN:
        place.put(key)
    return place


def of(place: Place, manifest: Manifest) -> Manifest:
    """The manifest as it is on this host now."""
    (found,) = [each for each in local.backups(place.settings, JOB) if each.stem == manifest.stem]
    return found


# --- sending ---


def test_what_the_remote_lacks_is_sent_the_newest_first(place: Place) -> None:
    old, new = place.backup(days_ago=1), place.backup()
    assert place.sync() == [new.stem, old.stem]
    assert place.sync() == []
    assert [each.stem for each in place.store.listed()] == [old.stem, new.stem]


def test_both_manifests_tell_of_the_copy(place: Place) -> None:
    manifest = place.backup(size=2 * PART + 1)
    place.sync()
    (there,) = place.store.listed()
    record = of(place, manifest).remote["offsite"]
    assert there.remote == {"offsite": record}
    assert replace(there, remote={}) == manifest
    head = place.storage.client.head_object(Bucket=place.bucket, Key=record["key"])
    assert (head["ContentLength"], head["VersionId"]) == (record["bytes"], record["version"])
    assert record["time"] == NOW.isoformat()


def test_what_was_lost_there_is_sent_again(place: Place) -> None:
    manifest = place.backup()
    place.sync()
    place.store.delete(manifest.stem)
    assert place.sync() == [manifest.stem]


@pytest.mark.parametrize("ending", [".json", ".sql.gz"])
def test_half_a_backup_there_is_none(ending: str, place: Place) -> None:
    manifest = place.backup()
    place.sync()
    key = next(key for key in place.objects() if f"{manifest.stem}{ending}" in key)  # .json sorts before .json.age
    place.storage.client.delete_object(Bucket=place.bucket, Key=key)
    assert place.store.listed() == []
    assert place.sync() == [manifest.stem]


def test_an_unreadable_manifest_there_is_none(place: Place) -> None:
    manifest = place.backup()
    place.sync()
    place.put(f"production/shop/{manifest.stem}.json", b"{}")
    assert place.store.listed() == []
    assert place.sync() == [manifest.stem]


def test_a_manifest_that_lost_its_record_finds_its_copy(place: Place) -> None:
    manifest = place.backup()
    place.sync()
    record = of(place, manifest).remote
    manifest.write(place.folder)
    assert place.sync() == []
    assert of(place, manifest).remote == record


def test_a_damaged_file_is_not_sent_and_holds_nothing_up(place: Place) -> None:
    old, damaged = place.backup(days_ago=1), place.backup()
    (place.folder / damaged.file).write_bytes(b"x" * damaged.bytes)
    with pytest.raises(BackupError, match=rf"^{damaged.file} is damaged on this host, so it was not sent\."):
        place.sync()
    assert [each.stem for each in place.store.listed()] == [old.stem]


def test_another_hosts_backup_is_never_replaced(place: Place) -> None:
    manifest = place.backup()
    place.sync()
    before = place.store.listed()
    other = os.urandom(manifest.bytes)
    (place.folder / manifest.file).write_bytes(other)
    replace(manifest, sha256="another").write(place.folder)
    with pytest.raises(BackupError, match=rf"^The remote offsite has another backup named {manifest.stem}\."):
        place.sync()
    assert place.store.listed() == before


def test_all_is_encrypted_by_the_storage(ministack_server: Storage, tmp_path: Path) -> None:
    place = placed(ministack_server, tmp_path, encrypted=False)
    place.backup()
    place.sync()
    client = place.storage.client
    heads = [client.head_object(Bucket=place.bucket, Key=key) for key in place.objects()]
    assert [head["ServerSideEncryption"] for head in heads] == ["AES256"] * 2


def test_storage_that_does_not_encrypt_gets_nothing_in_plain_text(versitygw_server: Storage, tmp_path: Path) -> None:
    place = placed(versitygw_server, tmp_path, encrypted=False)
    place.backup()
    with pytest.raises(
        BackupError, match=r"^The remote offsite does not encrypt what it stores\. Declare `encrypt_to`"
    ):
        place.sync()
    assert place.versions() == []


def test_password_hashes_leave_this_host_only_encrypted(encrypted: Place) -> None:
    manifest = encrypted.backup()
    encrypted.sync()
    assert encrypted.objects() == [
        f"production/shop/{manifest.stem}{ending}" for ending in (".json", ".json.age", ".roles.sql.age", ".sql.gz.age")
    ]
    plain = replace(encrypted, remote=replace(encrypted.remote, encrypt_to=(), bucket=encrypted.storage.bucket()))
    plain = replace(plain, bucket=plain.remote.bucket)
    plain.sync()
    assert plain.objects() == [f"production/shop/{manifest.stem}{ending}" for ending in (".json", ".sql.gz")]


def test_settings_and_the_comment_leave_this_host_only_encrypted(encrypted: Place, tmp_path: Path) -> None:
    secret = "of-the-app-0123"
    server = {"major": 17, "settings": [f"alter database … set app.jwt_secret to '{secret}'"], "comment": secret}
    manifest = replace(encrypted.backup(), server=server)
    manifest.write(encrypted.folder)
    encrypted.sync()
    client, sent = encrypted.storage.client, encrypted.objects()
    texts = [client.get_object(Bucket=encrypted.bucket, Key=key)["Body"].read() for key in sent]
    assert not [key for key, text in zip(sent, texts, strict=True) if secret.encode() in text]
    (listed,) = encrypted.store.listed()
    assert listed.server == {"major": 17}
    fetched = encrypted.store.fetch(listed, tmp_path / "fetched", encrypted.identity)
    assert replace(fetched, remote={}) == manifest
    encrypted.put(f"production/shop/{manifest.stem}.json.age")
    with pytest.raises(BackupError, match=r"\.json\.age at the remote offsite is damaged"):
        encrypted.store.verify(listed)


def test_nothing_is_left_on_this_host_but_the_backup(place: Place) -> None:
    manifest = place.backup()
    place.sync()
    endings = (".json", ".roles.sql", ".sql.gz")
    assert sorted(path.name for path in place.folder.iterdir()) == [f"{manifest.stem}{end}" for end in endings]


def test_progress_is_told(place: Place) -> None:
    manifest = place.backup(size=PART + 1)
    place.sync()
    sent = [line for line in place.told if line.startswith(f"sending {manifest.file}")]
    assert len(sent) > 10
    assert sent[-1].endswith(": 100 %")


# --- fetching ---


def test_what_is_fetched_is_what_was_dumped(place: Place, tmp_path: Path) -> None:
    manifest = place.backup(size=PART + 1)
    place.sync()
    path = place.fetch(tmp_path / "fetched")
    assert path.read_bytes() == (place.folder / manifest.file).read_bytes()
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    names = sorted(each.name.removeprefix(manifest.stem) for each in path.parent.iterdir())
    assert names == [*([".json", ".roles.sql"] if place.remote.encrypt_to else []), ".sql.gz"]
    assert replace(of(place, manifest), remote={}) == manifest


def test_a_remote_that_has_another_name_now(place: Place, tmp_path: Path) -> None:
    manifest = place.backup()
    place.sync()
    renamed = replace(place, remote=replace(place.remote, name="archive"))
    renamed.store.verify(*renamed.store.listed())
    assert renamed.fetch(tmp_path / "fetched").name == manifest.file
    assert renamed.sync() == []
    assert of(place, manifest).remote.keys() == {"offsite", "archive"}


def test_an_encrypted_backup_needs_the_identity(encrypted: Place, tmp_path: Path) -> None:
    manifest = encrypted.backup()
    encrypted.sync()
    with pytest.raises(BackupError, match=rf"^{manifest.stem} at the remote offsite is encrypted\. Give --identity"):
        encrypted.store.fetch(*encrypted.store.listed(), tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_what_was_changed_there_is_found(place: Place, tmp_path: Path) -> None:
    manifest = place.backup()
    place.sync()
    record = of(place, manifest).remote["offsite"]
    (listed,) = place.store.listed()
    place.store.verify(listed)
    place.put(record["key"], b"x" * record["bytes"])
    with pytest.raises(BackupError, match=rf"^{record['key']} at the remote offsite is damaged"):
        place.store.verify(listed)
    with pytest.raises(BackupError, match=rf"^{record['key']} at the remote offsite is damaged"):
        place.fetch(tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_another_backup_under_its_name_is_found(place: Place, tmp_path: Path) -> None:
    """The copy and what the manifest says of it were replaced together; the SHA-256 of the dump was not."""
    manifest, other = place.backup(days_ago=1), place.backup()
    place.sync()
    client, own, its = place.storage.client, of(place, manifest).remote["offsite"], of(place, other).remote["offsite"]
    client.copy_object(Bucket=place.bucket, Key=own["key"], CopySource={"Bucket": place.bucket, "Key": its["key"]})
    forged = replace(manifest, remote={"offsite": {**own, "sha256": its["sha256"]}})
    place.put(f"production/shop/{manifest.stem}.json", forged.text().encode())
    with pytest.raises(BackupError, match=rf"^{manifest.file} of the remote offsite is not what was dumped\."):
        place.fetch(tmp_path / "fetched", manifest.stem)
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("field", ["file", "key"])
def test_a_manifest_there_cannot_name_another_path(field: str, place: Place) -> None:
    manifest = place.backup()
    place.sync()
    record = of(place, manifest).remote["offsite"]
    forged = {
        "file": replace(manifest, file="../../evil.sql.gz", remote={"offsite": record}),
        "key": replace(manifest, remote={"offsite": {**record, "key": "production/shop/../../evil"}}),
    }
    place.put(f"production/shop/{manifest.stem}.json", forged[field].text().encode())
    assert place.store.listed() == []


# --- deleting ---


def test_a_backup_is_deleted_with_all_its_versions(foreign: Place) -> None:
    gone, kept = foreign.backup(days_ago=1), foreign.backup()
    foreign.sync()
    foreign.storage.client.delete_object(Bucket=foreign.bucket, Key=f"production/shop/{gone.stem}.json")
    foreign.sync()
    assert foreign.versions().count(f"production/shop/{gone.stem}.json") == 3
    foreign.store.delete(gone.stem)
    assert not [key for key in foreign.versions() if gone.stem in key]
    assert [each.stem for each in foreign.store.listed()] == [kept.stem]
    assert set(FOREIGN) < set(foreign.objects())


def test_without_versions(storage: Storage, tmp_path: Path) -> None:
    place = placed(storage, tmp_path, not storage.encrypts, bucket=storage.bucket(versions=False))
    manifest = place.backup()
    place.sync()
    place.store.delete(manifest.stem)
    assert place.objects() == place.versions() == []


@pytest.mark.parametrize("stem", ["", "shop", "notes.txt", "other_production_20200101_000000"])
def test_what_is_no_backup_of_the_job_cannot_be_deleted(stem: str, foreign: Place) -> None:
    with pytest.raises(BackupError, match=r"is no backup of production/shop\.$"):
        foreign.store.delete(stem)
    assert set(foreign.objects()) == set(FOREIGN)


def test_more_keys_than_fit_into_one_answer(place: Place) -> None:
    """All of them sort before those of the backup, and each has two versions."""
    keys = [f"production/shop/aaa-{number:04}" for number in range(1005)]
    manifest = place.backup()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(place.put, keys))
    place.sync()
    assert [each.stem for each in place.store.listed()] == [manifest.stem]
    place.store.delete(manifest.stem)
    assert sorted(set(place.versions())) == keys


def test_what_is_locked_stays_and_is_told(storage: Storage, tmp_path: Path) -> None:
    place = placed(storage, tmp_path, not storage.encrypts, bucket=storage.bucket(locked_days=40))
    manifest = place.backup()
    place.sync()
    with pytest.raises(
        BackupError, match=r"^The remote offsite keeps what is to be deleted longer .*object lock\)\. Lock "
    ):
        place.store.delete(manifest.stem)
    assert [each.stem for each in place.store.listed()] == [manifest.stem]


def test_uploads_that_were_broken_off_end_after_a_day(foreign: Place) -> None:
    client, name = foreign.storage.client, foreign.backup().stem
    ours = [f"production/shop/{name}.sql.gz{end}" for end in ("", ".age")]
    theirs = ["production/shop/notes.txt", f"production/shop2/{name}.sql.gz"]
    for key in (*ours, *theirs):
        client.create_multipart_upload(Bucket=foreign.bucket, Key=key)
    assert foreign.store.clean(NOW + timedelta(hours=23)) == []
    assert foreign.store.clean(NOW + timedelta(hours=25)) == ours
    left = client.list_multipart_uploads(Bucket=foreign.bucket)["Uploads"]
    assert sorted(each["Key"] for each in left) == theirs


def test_what_is_left_of_deleted_backups_ends_after_a_month(foreign: Place) -> None:
    gone, kept = foreign.backup(days_ago=1), foreign.backup()
    foreign.sync()
    for key in [key for key in foreign.objects() if gone.stem in key]:
        foreign.storage.client.delete_object(Bucket=foreign.bucket, Key=key)
    assert foreign.store.clean(NOW + timedelta(days=29)) == []
    assert any(gone.stem in key for key in foreign.versions())
    foreign.store.clean(NOW + timedelta(days=31))
    assert not [key for key in foreign.versions() if gone.stem in key]
    assert [each.stem for each in foreign.store.listed()] == [kept.stem]
    assert set(FOREIGN) < set(foreign.objects())
