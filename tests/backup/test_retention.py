# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from backups import BERLIN, SEOUL, manifest, utc
from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.retention import approved, plan
from crowsnest_backup.settings import Keep
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
BACKUPS = st.lists(
    st.builds(
        lambda at, drilled: manifest(
            at.replace(microsecond=0), drilled="2026-01-01T00:00:00+00:00" if drilled else None
        ),
        MOMENTS,
        st.booleans(),
    ),
    max_size=40,
    unique_by=lambda each: each.stem,
)
KEEPS = st.just(Keep(0, 0, 0)) | st.builds(Keep, st.integers(0, 8), st.integers(0, 5), st.integers(0, 7))


def nights(first: str, count: int) -> list[Manifest]:
    """A backup at 03:00 in Seoul in each of so many nights."""
    start = datetime.fromisoformat(first).replace(hour=3, tzinfo=SEOUL).astimezone(UTC)
    return [manifest(start + timedelta(days=day)) for day in range(count)]


@given(BACKUPS, KEEPS, st.data())
def test_the_newest_good_and_the_newest_proven_are_never_deleted(
    backups: list[Manifest], keep: Keep, data: st.DataObject
) -> None:
    corrupt = data.draw(st.sets(st.sampled_from([each.stem for each in backups]))) if backups else set()
    planned = plan(backups, keep, SEOUL, corrupt)
    good = sorted((each for each in backups if each.stem not in corrupt), key=lambda each: each.stem)
    for kept in (good[-1:], [each for each in good if each.drilled][-1:]):
        assert all(each.stem in planned.kept for each in kept)
    assert corrupt <= planned.kept.keys()


@given(BACKUPS, KEEPS)
def test_every_backup_has_one_fate_with_a_reason(backups: list[Manifest], keep: Keep) -> None:
    planned = plan(backups, keep, SEOUL)
    assert planned.kept.keys() | planned.deleted.keys() == {each.stem for each in backups}
    assert not planned.kept.keys() & planned.deleted.keys()
    assert all([*planned.kept.values(), *planned.deleted.values()])


@given(BACKUPS, KEEPS)
def test_no_more_is_kept_than_declared(backups: list[Manifest], keep: Keep) -> None:
    assert len(plan(backups, keep, SEOUL).kept) <= keep.daily + keep.weekly + keep.monthly + 2


@given(BACKUPS, KEEPS)
def test_a_second_pruning_finds_nothing_more_to_delete(backups: list[Manifest], keep: Keep) -> None:
    kept = plan(backups, keep, SEOUL).kept
    assert not plan([each for each in backups if each.stem in kept], keep, SEOUL).deleted


@given(BACKUPS, KEEPS, st.data())
def test_what_comes_to_be_damaged_makes_no_good_one_go(
    backups: list[Manifest], keep: Keep, data: st.DataObject
) -> None:
    corrupt = data.draw(st.sets(st.sampled_from([each.stem for each in backups]))) if backups else set()
    assert plan(backups, keep, SEOUL, corrupt).deleted.keys() <= plan(backups, keep, SEOUL).deleted.keys()


def test_after_two_years_of_nights() -> None:
    kept: list[Manifest] = []
    for each in nights("2024-11-29", 730):
        kept.append(each)
        planned = plan(kept, Keep(7, 4, 6), SEOUL)
        assert len(planned.deleted) <= 3  # a day, a week and a month
        kept = [one for one in kept if one.stem in planned.kept]
    months = ["06-30", "07-31", "08-31", "09-30", "10-31"]
    sundays = ["11-08", "11-15"]
    days = ["11-22", "11-23", "11-24", "11-25", "11-26", "11-27", "11-28"]
    assert [f"{each.start.astimezone(SEOUL):%m-%d}" for each in kept] == [*months, *sundays, *days]


def test_reasons_are_told() -> None:
    backups = nights("2026-11-26", 3)
    planned = plan(backups, Keep(2, 1, 1), SEOUL)
    assert planned.kept[backups[2].stem] == "daily 1 of 2, weekly 1 of 1, monthly 1 of 1, the newest good one"
    assert planned.kept[backups[1].stem] == "daily 2 of 2"
    assert planned.deleted == {backups[0].stem: "not the newest of one of 2 days, 1 weeks or 1 months"}


def test_keeping_none_of_any_kind_keeps_the_last_good() -> None:
    backups = nights("2026-11-26", 3)
    assert plan(backups, Keep(0, 0, 0), SEOUL).kept == {backups[2].stem: "the newest good one"}


def test_failed_nights_make_nothing_too_old() -> None:
    long_ago = nights("2020-01-01", 7)
    assert not plan(long_ago, Keep(7, 0, 0), SEOUL).deleted


@pytest.mark.parametrize(
    ("moment", "day"), [("2026-03-28 22:30", "2026-03-28"), ("2026-03-28 23:30", "2026-03-29")], ids=["before", "after"]
)
def test_a_day_ends_at_midnight_of_the_declared_zone(moment: str, day: str) -> None:
    of_that_day = [manifest(utc("2026-03-28 12:00")), manifest(utc("2026-03-28 13:00"))]
    deleted = plan([*of_that_day, manifest(utc(moment))], Keep(2, 0, 0), BERLIN).deleted
    assert bool(deleted) == (day == "2026-03-28")


def test_what_this_host_keeps_stays_on_the_remote() -> None:
    backups = nights("2026-11-26", 3)
    planned = plan(backups, Keep(1, 0, 0), SEOUL, elsewhere=[backups[0].stem])
    assert planned.kept[backups[0].stem] == "kept on this host"
    assert list(planned.deleted) == [backups[1].stem]


NOW = utc("2026-11-29 00:00")


def test_nothing_is_deleted_while_the_clock_is_behind() -> None:
    backups = nights("2026-11-26", 3)
    planned = plan(backups, Keep(2, 0, 0), SEOUL)
    with pytest.raises(BackupError, match=r"dated after this host's clock \(2026-11-01 00:00 UTC\)"):
        approved("shop", backups, planned, utc("2026-11-01 00:00"), agreed=True)
    assert approved("shop", backups, planned, NOW) == [backups[0].stem]


def test_more_than_half_needs_a_yes() -> None:
    backups = nights("2026-11-26", 4)
    half, more = plan(backups, Keep(2, 0, 0), SEOUL), plan(backups, Keep(1, 0, 0), SEOUL)
    assert len(approved("shop", backups, half, NOW)) == 2
    with pytest.raises(BackupError, match=r"3 of 4 backups of shop on this host would be deleted, more than half. See"):
        approved("shop", backups, more, NOW)
    assert len(approved("shop", backups, more, NOW, agreed=True)) == 3


def test_after_a_failed_night_a_deletion_needs_a_yes() -> None:
    backups = nights("2026-11-26", 3)
    assert approved("shop", backups, plan(backups, Keep(3, 0, 0), SEOUL), NOW, "no server") == []
    planned = plan(backups, Keep(2, 0, 0), SEOUL)
    with pytest.raises(BackupError, match="Nothing of shop is deleted while its newest backup failed: no server"):
        approved("shop", backups, planned, NOW, "no server")
    assert len(approved("shop", backups, planned, NOW, "no server", agreed=True)) == 1


@given(BACKUPS, KEEPS, MOMENTS, st.sampled_from(["", "no server"]), st.booleans())
def test_what_is_deleted_at_any_time(
    backups: list[Manifest], keep: Keep, now: datetime, failed: str, agreed: bool
) -> None:
    planned = plan(backups, keep, SEOUL)
    try:
        going = approved("shop", backups, planned, now, failed, agreed)
    except BackupError as refused:
        assert refused.advice
        return
    assert going == list(planned.deleted)
    assert not going or max(each.start for each in backups) <= now
    if going and not agreed:
        assert not failed
        assert 2 * len(going) <= len(backups)


def test_a_backup_of_an_empty_database_does_not_replace_the_one_of_the_night() -> None:
    """The host was lost on that day; cron makes one of what a new host has."""
    nights = [manifest(utc("2026-11-28 18:00") - timedelta(days=back)) for back in range(5)]
    found = plan([*reversed(nights), manifest(utc("2026-11-29 05:00"), counts={})], Keep(7, 4, 6), SEOUL)
    assert found.deleted == {}
    assert found.kept[nights[0].stem] == "the first of its day"
