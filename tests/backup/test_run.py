# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The order of steps and what a failure means, with steps that write small files instead of dumping a database."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import sentry_stub
from backups import exported, job, manifest, put, settings, stems, utc
from crowsnest_backup import check, drill, local, metrics, remote, run, state
from crowsnest_backup.drill import Drilled, Skipped
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import HeldError, locked
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.progress import Say
from crowsnest_backup.run import Runner
from crowsnest_backup.settings import Database, Job, Keep, Settings
from programs import answering, free_port
from sentry_stub import Stub

NIGHT = utc("2026-11-28 18:00")  # 03:00 in Seoul
DAY = timedelta(days=1)


@dataclass
class World:
    """Steps that write down what they were asked for, in `done`, and fail with the reason in `broken`.

    It is the storage of the remote as well.
    """

    settings: Settings
    now: datetime = NIGHT
    done: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    broken: dict[str, BaseException] = field(default_factory=dict)
    there: list[Manifest] = field(default_factory=list)
    asleep: list[Callable[[], object]] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.done.append(name)
        if name in self.broken:
            raise self.broken[name]

    def runner(self) -> Runner:
        return Runner(self.settings, tell=self.told.append, now=lambda: self.now, sleep=self.sleep)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> World:
        for module, name, step in (
            (run, "sweep", lambda settings, job: None),
            (run, "make", self.make),
            (run, "old_bytes", lambda job: 7),
            (run, "push", lambda url: self.step(f"push {url}")),
            (check, "check", lambda folder, backup: self.step(f"check {backup.stem}")),
            (drill, "choose", lambda backups, drills: backups[-1]),
            (drill, "drill", self.prove),
            (remote, "find", lambda settings, job, name: self),
            (remote, "sync", self.sync),
        ):
            monkeypatch.setattr(module, name, step)
        return self

    def run(self, now: datetime | None = None) -> bool:
        self.now = now or self.now
        return self.runner().everything_due()

    def sleep(self, seconds: float) -> None:
        self.done.append(f"sleep {seconds:g}")
        self.now += timedelta(seconds=seconds)
        for action in self.asleep:
            action()

    def make(self, settings: Settings, job: Job, now: datetime, attempt: int, say: Say) -> Manifest:
        self.step(f"make {job.name} {attempt}")
        made = manifest(now, job.name, environment=settings.environment, attempts=attempt)
        return put(local.folder(settings, job), made)

    def sync(self, store: object, settings: Settings, job: Job, now: datetime, say: Say) -> list[Manifest]:
        self.step(f"sync {job.name}")
        lacking = [each for each in local.backups(settings, job) if each.stem not in {one.stem for one in self.there}]
        self.there += [replace(each, remote={str(job.remote): {}}) for each in lacking]
        for each in lacking:
            replace(each, remote={str(job.remote): {}}).write(local.folder(settings, job))
        return lacking

    def prove(self, settings: Settings, database: Database, backup: Manifest, dump: Path, say: Say) -> Drilled:
        assert dump.read_bytes() == backup.stem.encode()
        self.step(f"drill {backup.app}")
        return Drilled(backup.stem, "17.2", "an image", {"restore": 1.5, "count": 0.5}, backup.counts, True)

    # The remote.

    def listed(self) -> list[Manifest]:
        return self.there

    def delete(self, stem: str) -> None:
        self.step(f"delete {stem}")
        self.there = [each for each in self.there if each.stem != stem]

    def clean(self, now: datetime) -> None:
        self.step("clean")

    def metric(self, name: str, **labels: str) -> float | None:
        """Its value for the job shop; None where it is missing."""
        own = ",".join(f'{key}="{value}"' for key, value in {"app": "shop", "database": "shop", **labels}.items())
        found = exported((self.settings.metrics / metrics.FILE).read_text())
        return found.get(f"{name}{{{own}}}")


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    return lambda *jobs: World(settings(tmp_path, *jobs)).patch(monkeypatch)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(job(drill="never"))


def nights(world: World, count: int) -> list[str]:
    """Runs so many nights; the stems of what was made."""
    start = world.now
    for night in range(count):
        assert world.run(start + night * DAY)
    return stems(world.settings)


def test_a_night(world: World) -> None:
    assert world.run()
    assert world.done == ["make shop 1"]
    assert world.told == ["shop: shop_test_20261128_180000.sql.gz, 25 B, 42 rows, in 2.0 s."]
    assert world.metric("ok") == 1
    assert world.metric("last_success_timestamp_seconds") == NIGHT.timestamp() + 2
    assert world.metric("kept_old_bytes") == 7


def test_the_end_of_the_last_run_stays_known_while_one_is_at_work(world: World) -> None:
    assert world.run()
    world.broken["make shop 1"] = BackupError("No.")
    seen: list[datetime | None] = []
    world.asleep.append(lambda: seen.append(state.ended(world.settings.state)))
    assert world.run(NIGHT + DAY)
    assert seen == [NIGHT]


def test_what_is_done_is_not_due(world: World) -> None:
    world.run()
    world.done.clear()
    assert world.run(NIGHT + timedelta(minutes=15))
    assert world.done == []


def test_backups_of_all_jobs_come_first(make_world: MakeWorld) -> None:
    shop, office = job(remote="offsite"), job("office", database=Database("shop", "127.0.0.1", 5433))
    world = make_world(shop, office)
    assert world.run()
    assert world.done == ["make shop 1", "make office 1", "sync shop", "clean", "drill shop", "drill office"]


def test_a_failed_backup_is_tried_again_after_a_pause(world: World) -> None:
    world.broken["make shop 1"] = BackupError("The container shop-db does not run.", "Start it.")
    assert world.run()
    assert world.done == ["make shop 1", "sleep 300", "make shop 2"]
    assert world.told[0] == "shop: try 1 of 3 failed. The container shop-db does not run. Start it."
    assert world.metric("ok") == 1


def fail(world: World, why: str = "The container shop-db does not run.") -> None:
    world.broken |= {f"make shop {attempt}": BackupError(why) for attempt in (1, 2, 3)}


def test_a_failed_series_is_told_and_rests_an_hour(world: World) -> None:
    fail(world)
    assert not world.run()
    assert world.done == ["make shop 1", "sleep 300", "make shop 2", "sleep 300", "make shop 3"]
    assert world.metric("ok") == 0
    assert world.metric("failed_info", why="The container shop-db does not run.") == 1
    assert world.metric("last_success_timestamp_seconds") is None
    world.done.clear()
    assert world.run(NIGHT + timedelta(minutes=60))
    assert world.done == []
    world.broken.clear()
    assert world.run(NIGHT + timedelta(minutes=75))
    assert world.done == ["make shop 1"]
    assert (world.metric("ok"), world.metric("failed_info", why="The container shop-db does not run.")) == (1, None)


def test_the_lock_is_free_during_a_pause(world: World) -> None:
    """So that a person can restore while a backup fails."""
    world.broken["make shop 1"] = BackupError("No.")
    entered: list[bool] = []

    def enter() -> None:
        with locked(world.settings.state):
            entered.append(True)

    world.asleep.append(enter)
    assert world.run()
    assert entered == [True]


def test_only_one_run_at_a_time(world: World) -> None:
    world.broken["make shop 1"] = BackupError("No.")
    refused: list[str] = []

    def run() -> None:
        try:
            world.runner().everything_due()
        except HeldError as error:
            refused.append(str(error))

    world.asleep.append(run)
    assert world.run()
    assert world.done == ["make shop 1", "sleep 300", "make shop 2"]
    assert "already at work" in refused[0]


def test_a_backup_waits_for_a_restore(world: World) -> None:
    with locked(world.settings.state):
        thread = threading.Thread(target=world.run)
        thread.start()
        thread.join(0.3)
        assert (thread.is_alive(), world.done) == (True, [])
    thread.join(10)
    assert world.done == ["make shop 1"]


def test_a_failed_job_keeps_no_other_from_its_backup(make_world: MakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world(job(drill="never"), job("office", drill="never"))
    world.broken |= {f"make shop {attempt}": KeyError("a mistake") for attempt in (1, 2, 3)}
    assert not world.run()
    assert world.done[-1] == "make office 1"
    assert "KeyError: 'a mistake'" in capsys.readouterr().err
    assert world.metric("failed_info", why="A mistake of this program: KeyError. Its trace is in the log.") == 1


@pytest.mark.parametrize("missing", ["metrics", "state"])
def test_what_cannot_be_remembered_undoes_no_backup(missing: str, world: World) -> None:
    world.run()
    path = getattr(world.settings, missing)
    blocked = path / ("jobs" if missing == "state" else ".crowsnest_backup.prom.partial")
    if missing == "state":
        blocked.rename(path / "elsewhere")
        blocked.write_text("no folder")
    else:
        blocked.mkdir()
    world.now += DAY
    assert world.runner().series(world.settings.jobs["shop"])
    assert world.done == ["make shop 1", "make shop 1"]
    assert "File exists" in world.told[-1] or "Is a directory" in world.told[-1]


def test_the_file_for_node_exporter_is_never_half_written(world: World) -> None:
    world.run()
    path = world.settings.metrics / metrics.FILE
    with path.open() as reading:
        world.run(NIGHT + DAY)
        old, new = reading.read(), path.read_text()
    assert exported(old)["run_timestamp_seconds{}"] == NIGHT.timestamp()
    assert exported(new)["run_timestamp_seconds{}"] == (NIGHT + DAY).timestamp()


def test_two_at_once_may_write_the_file_for_node_exporter(world: World) -> None:
    """A backup by hand, and cron's run."""
    with ThreadPoolExecutor(4) as at_once:
        for written in [at_once.submit(world.runner().export) for _ in range(200)]:
            written.result()


# --- what is kept ---


def test_old_backups_go_after_a_good_one(make_world: MakeWorld) -> None:
    world = make_world(job(keep=Keep(2, 0, 0), drill="never"))
    assert nights(world, 5) == ["shop_test_20261201_180000", "shop_test_20261202_180000"]
    left = sorted(path.name for path in local.folder(world.settings, world.settings.jobs["shop"]).iterdir())
    assert len(left) == 4, left
    assert world.metric("prune_ok") == 1


def test_failed_nights_delete_nothing(make_world: MakeWorld) -> None:
    world = make_world(job(keep=Keep(3, 0, 0), drill="never"))
    made = nights(world, 3)
    fail(world)
    for night in range(3, 40):
        assert not world.run(NIGHT + night * DAY)
    assert stems(world.settings) == made


def test_unknown_files_and_other_databases_stay(world: World) -> None:
    shop = world.settings.jobs["shop"]
    folder = local.folder(world.settings, shop)
    renamed = put(
        folder, manifest(NIGHT, what="old", stem="old_test_20200101_000000", file="old_test_20200101_000000.sql.gz")
    )
    lost = folder / "shop_test_20200101_000000.sql.gz"
    lost.write_text("without a manifest")
    world.settings.jobs["shop"] = replace(shop, keep=Keep(1, 0, 0))  # type: ignore[index]
    nights(world, 3)
    assert lost.exists() and (folder / renamed.file).exists()
    assert len(stems(world.settings)) == 1


def test_a_failed_pruning_hides_no_backup(world: World) -> None:
    nights(world, 1)
    put(local.folder(world.settings, world.settings.jobs["shop"]), manifest(NIGHT + 400 * DAY))
    assert world.run(NIGHT + DAY)
    assert (world.metric("ok"), world.metric("prune_ok")) == (1, 0)
    assert "is dated after this host's clock" in world.told[-1]


def test_a_clock_that_went_back_deletes_nothing_and_backs_up_once(make_world: MakeWorld) -> None:
    world = make_world(job(keep=Keep(1, 0, 0), drill="never"))
    nights(world, 1)
    back = NIGHT - 300 * DAY
    for quarter in range(3):
        assert world.run(back + timedelta(minutes=15 * quarter))
    assert len(stems(world.settings)) == 2


def test_more_than_half_goes_only_with_a_yes(world: World) -> None:
    nights(world, 4)
    shop = replace(world.settings.jobs["shop"], keep=Keep(1, 0, 0))
    with pytest.raises(BackupError, match="3 of 4 backups of shop on this host would be deleted"):
        world.runner().prune(shop)
    assert world.metric("prune_ok") == 0
    world.runner().prune(shop, agreed=True)
    assert len(stems(world.settings)) == 1
    assert world.metric("prune_ok") == 1


@pytest.mark.parametrize("step", range(6))
def test_a_pruning_that_is_killed_leaves_whole_backups_and_is_done_again(
    step: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = nights(world, 4)
    shop = replace(world.settings.jobs["shop"], keep=Keep(2, 0, 0))
    folder = local.folder(world.settings, shop)
    note = folder / f"{made[0]}.sql.gz.note"
    for path in (note, *(folder / f"{stem}.roles.sql" for stem in made)):
        path.write_text("of this backup")
    process = os.fork()
    if process == 0:
        steps = iter(range(step + 1))
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, killing(getattr(Path, name), steps))
        world.runner().prune(shop)
        os._exit(0)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert stems(world.settings)[-2:] == made[2:]
    for backup in local.backups(world.settings, shop):
        assert (folder / f"{backup.stem}.roles.sql").exists()
        assert (folder / backup.file).read_text() == backup.stem
    world.runner().prune(shop)
    ours = [f"{stem}{ending}" for stem in made[2:] for ending in (".json", ".roles.sql", ".sql.gz")]
    assert sorted(path.name for path in folder.iterdir()) == [note.name, *ours]


def killing(call: Callable[..., Any], steps: Iterator[int]) -> Callable[..., Any]:
    """The same call, which ends this process in place of the last of the steps."""

    def step(*about: Any, **more: Any) -> Any:
        next(steps)
        if next(copy(steps), None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*about, **more)

    return step


# --- the remote ---


@pytest.fixture
def remote_world(make_world: MakeWorld) -> World:
    return make_world(job(keep=Keep(2, 0, 0), remote="offsite", drill="never"))


def test_the_remote_gets_what_it_lacks_after_a_bad_night(remote_world: World) -> None:
    world = remote_world
    world.broken["sync shop"] = BackupError("The remote does not answer.")
    assert world.run()
    assert (world.metric("ok"), world.metric("remote_ok", remote="offsite")) == (1, 0)
    assert world.metric("remote_failed_info", remote="offsite", why="The remote does not answer.") == 1
    assert world.metric("remote_missing", remote="offsite") == 1
    world.broken.clear()
    world.done.clear()
    world.run(NIGHT + timedelta(minutes=45))
    assert world.done == []
    world.run(NIGHT + timedelta(minutes=60))
    assert world.done == ["sync shop", "clean"]
    assert (world.metric("remote_ok", remote="offsite"), world.metric("remote_missing", remote="offsite")) == (1, 0)
    assert world.metric("kept", place="offsite") == 1
    assert world.metric("kept_bytes", place="offsite") == 25


def test_a_new_host_in_the_place_of_a_lost_one_does_not_begin_with_empty_data(remote_world: World) -> None:
    remote_world.there = [manifest(NIGHT - DAY, remote={"offsite": {}})]
    assert not remote_world.run()
    assert remote_world.done == []
    (told,) = remote_world.told
    assert "restore first: crowsnest-backup restore shop --from offsite" in told
    assert remote_world.metric("ok") == 0
    # Once there is one here, as after a restore, the nights go on.
    put(local.folder(remote_world.settings, remote_world.settings.jobs["shop"]), remote_world.there[0])
    assert remote_world.run(NIGHT + timedelta(hours=2))
    assert "make shop 1" in remote_world.done


def test_a_remote_that_does_not_answer_keeps_nobody_from_a_first_backup(
    remote_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> list[Manifest]:
        raise BackupError("It does not answer.")

    monkeypatch.setattr(remote_world, "listed", down)
    assert remote_world.run()
    assert "make shop 1" in remote_world.done


def test_the_remote_is_pruned_as_well(remote_world: World) -> None:
    nights(remote_world, 4)
    assert [each.stem for each in remote_world.there] == stems(remote_world.settings)
    assert [word for word in remote_world.done if word.startswith("delete")] == [
        "delete shop_test_20261128_180000",
        "delete shop_test_20261129_180000",
    ]


def test_after_a_failed_night_nothing_goes_on_the_remote(remote_world: World) -> None:
    world = remote_world
    nights(world, 2)
    world.there.append(manifest(NIGHT - 9 * DAY))
    fail(world)
    assert not world.run(NIGHT + 2 * DAY)
    shop = world.settings.jobs["shop"]
    world.runner().send(shop)
    assert len(world.there) == 3
    world.runner().send(shop, agreed=True)
    assert [each.stem for each in world.there] == stems(world.settings)


def test_what_is_proven_here_is_not_sent_again_and_again(remote_world: World) -> None:
    first = nights(remote_world, 1)[0]
    folder = local.folder(remote_world.settings, remote_world.settings.jobs["shop"])
    proven = replace(local.backups(remote_world.settings, remote_world.settings.jobs["shop"])[0], drilled="2026-11-28")
    proven.write(folder)
    remote_world.now += DAY
    nights(remote_world, 5)
    assert first in [each.stem for each in remote_world.there]
    assert f"delete {first}" not in remote_world.done


# --- drills and checks ---


@pytest.fixture
def drilled_world(make_world: MakeWorld) -> World:
    return make_world(job(drill="weekly"))


def test_a_drill_each_week(drilled_world: World) -> None:
    nights(drilled_world, 15)
    assert drilled_world.done.count("drill shop") == 3
    proven = [each.stem for each in local.backups(drilled_world.settings, job()) if each.drilled]
    assert proven[-1] == "shop_test_20261212_180000"
    assert drilled_world.metric("drill_ok") == 1
    assert drilled_world.metric("drill_seconds") == 2


def test_a_failed_drill_is_told_and_made_again_the_next_night(drilled_world: World) -> None:
    drilled_world.broken["drill shop"] = BackupError("The restored database is not the dumped one.")
    assert drilled_world.run()
    assert (drilled_world.metric("ok"), drilled_world.metric("drill_ok")) == (1, 0)
    why = "The restored database is not the dumped one."
    assert drilled_world.metric("drill_failed_info", why=why) == 1
    drilled_world.run(NIGHT + timedelta(hours=5))
    assert drilled_world.done.count("drill shop") == 1
    drilled_world.broken.clear()
    drilled_world.run(NIGHT + DAY)
    assert drilled_world.done.count("drill shop") == 2
    assert drilled_world.metric("drill_ok") == 1


def test_a_drill_that_was_put_off_is_tried_an_hour_later_and_is_no_failure(drilled_world: World) -> None:
    drilled_world.broken["drill shop"] = Skipped("Only 90 MiB of memory are available.")
    drilled_world.run()
    assert drilled_world.metric("drill_ok") is None
    assert drilled_world.metric("drill_skipped_info", why="Only 90 MiB of memory are available.") == 1
    drilled_world.run(NIGHT + timedelta(minutes=45))
    assert drilled_world.done.count("drill shop") == 1
    drilled_world.broken.clear()
    drilled_world.run(NIGHT + timedelta(hours=1))
    assert drilled_world.metric("drill_ok") == 1
    assert drilled_world.metric("drill_skipped_info", why="Only 90 MiB of memory are available.") is None


@pytest.mark.parametrize("step", ["drill shop", "sync shop"])
def test_what_a_person_interrupts_was_no_success(step: str, make_world: MakeWorld) -> None:
    world = make_world(job(remote="offsite"))
    world.broken[step] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.run()
    world.runner().export()
    assert world.metric("ok") == 1
    assert world.metric("drill_last_success_timestamp_seconds") is None
    if step == "sync shop":
        assert world.metric("remote_last_success_timestamp_seconds", remote="offsite") is None


def test_files_that_stay_are_read_back_each_week(world: World) -> None:
    """All others go on the seventh day: of the first weeks stays the Sunday, of November the 30th, by Seoul's days."""
    nights(world, 16)
    read = [word for word in world.done if word.startswith("check")]
    days = ("1128", "1129", "1128", "1205", "1129")
    assert read == [f"check shop_test_2026{day}_180000" for day in days]


def test_a_damaged_file_is_told_stands_for_no_day_and_is_not_drilled(world: World) -> None:
    made = nights(world, 3)
    world.broken[f"check {made[2]}"] = BackupError(f"{made[2]}.sql.gz is cut off.")
    shop = world.settings.jobs["shop"]

    def check() -> dict[str, str]:
        return world.runner().check(shop, local.backups(world.settings, shop))

    assert check() == {made[2]: f"{made[2]}.sql.gz is cut off."}
    assert world.told[-1] == f"shop: {made[2]}.sql.gz is cut off."
    assert world.metric("corrupt") == 1
    assert world.metric("corrupt_info", file=f"{made[2]}.sql.gz", why=f"{made[2]}.sql.gz is cut off.") == 1
    planned = world.runner().planned(replace(shop, keep=Keep(0, 0, 0)))
    assert planned.kept.keys() == {made[1], made[2]}
    assert world.runner().drill(shop)[0].stem == made[1]
    world.broken.clear()
    assert check() == {}
    assert world.metric("corrupt") == 0


def test_a_damaged_file_that_was_removed_is_no_longer_told(world: World) -> None:
    made = nights(world, 2)
    shop = world.settings.jobs["shop"]
    world.broken[f"check {made[0]}"] = BackupError("It is cut off.")
    world.runner().check(shop, local.backups(world.settings, shop))
    local.delete(local.folder(world.settings, shop), made[:1])
    world.runner().export()
    assert world.metric("corrupt") == 0


# --- the push monitor ---


def test_each_success_is_pushed_once_when_the_monitor_answers(make_world: MakeWorld) -> None:
    world = make_world(job(drill="never", push_url="http://kuma/token"))
    fail(world)
    world.run()
    assert not [word for word in world.done if word.startswith("push")]
    world.broken = {"push http://kuma/token": BackupError("It did not answer.")}
    assert world.run(NIGHT + DAY)
    assert world.done[-1] == "push http://kuma/token"
    assert world.told[-1] == "shop: It did not answer."
    assert world.metric("ok") == 1
    world.broken = {}
    for minutes in (15, 30):
        world.run(NIGHT + DAY + timedelta(minutes=minutes))
    assert world.done.count("push http://kuma/token") == 2


@pytest.fixture
def sentry() -> Iterator[Stub]:
    """A server with the project that check-ins name."""
    with sentry_stub.running() as stub:
        stub.add_team("crowsnest")
        stub.add_project("shop", "crowsnest")
        yield stub


def checking_in(sentry: Stub) -> Job:
    start = f"{sentry.url}/api/{sentry.projects[0]['id']}/cron/shop_backup/{sentry.keys[0]['public']}/"
    urls = {status: f"{start}?environment=production&status={status}" for status in ("ok", "error")}
    return job(drill="never", check_in_urls=urls)


def test_sentry_is_told_how_each_series_ended(make_world: MakeWorld, sentry: Stub) -> None:
    world = make_world(checking_in(sentry))
    fail(world)
    assert not world.run()
    assert sentry.check_ins == [("shop_backup", "error", "production")]
    world.broken = {"make shop 1": BackupError("It is busy.")}
    assert world.run(NIGHT + DAY)
    assert sentry.check_ins[1:] == [("shop_backup", "ok", "production")]  # the second try
    assert world.run(NIGHT + DAY + timedelta(minutes=15))
    assert len(sentry.check_ins) == 2


@pytest.mark.parametrize("fault", ["hang", "no such key", "gone"])
def test_a_sentry_that_does_not_take_it_fails_no_backup(
    make_world: MakeWorld, sentry: Stub, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(run, "PUSH_SECONDS", 0.3)
    sentry.envelope = fault
    key, shop = sentry.keys[0]["public"], checking_in(sentry)
    if fault == "no such key":
        sentry.keys.clear()
    if fault == "gone":
        shop = replace(shop, check_in_urls={"ok": f"http://127.0.0.1:{free_port()}/{key}"})
    world = make_world(shop)
    assert world.run()
    assert world.metric("ok") == 1
    (told,) = [line for line in world.told if "Sentry did not take the check-in that says ok: " in line]
    assert key not in told


def test_a_push_is_a_get_and_its_failure_does_not_tell_the_token() -> None:
    asked: list[str] = []

    class Kuma(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "good" in self.path else 404)
            self.end_headers()

        def log_message(self, *about: object) -> None:
            pass

    with answering(Kuma) as port:
        run.push(f"http://127.0.0.1:{port}/api/push/good-token")
        assert asked == ["/api/push/good-token"]
        with pytest.raises(BackupError) as refused:
            run.push(f"http://127.0.0.1:{port}/api/push/token")
    for url in (f"http://127.0.0.1:{port}/api/push/token", "nonsense-token"):
        with pytest.raises(BackupError) as silent:
            run.push(url)
        assert "token" not in f"{refused.value}{silent.value}"
