# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of the stack's services comes back out of an archive of `stack`.

All that can fail is done before a service is stopped. What was there is kept beside it, under a name with the time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from crowsnest_backup import blocks, local, silences, sqlite, swap
from crowsnest_backup.archive import unpack
from crowsnest_backup.check import check
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import RESERVE, require_room, write_whole
from crowsnest_backup.manifest import Manifest, manifests
from crowsnest_backup.names import PARTIAL
from crowsnest_backup.placing import replace_folder
from crowsnest_backup.postgres import docker, find
from crowsnest_backup.progress import Say
from crowsnest_backup.restore import drop
from crowsnest_backup.restore import restore as restore_database
from crowsnest_backup.settings import STACK, Database, Job, Settings, Stack
from crowsnest_backup.stack import (
    BLOCKS,
    METABASE,
    SECRETS,
    SILENCES,
    declared,
    metabase_job,
    name_in_archive,
)

# How long the services may take to stop or start, in seconds; each gets a minute of compose.
COMPOSE_SECONDS = 600
# A file with the services that a restore has stopped, as long as it has.
_STOPPED = "stopped.json"


def restore(settings: Settings, manifest: Manifest, archive: Path, now: datetime, say: Say) -> list[str]:
    """Puts everything of the archive in place that this host has a service for; sentences about it for people.

    Raises BackupError.
    """
    stack, job = declared(settings), settings.job(STACK)
    check(archive.parent, manifest)
    folder = local.folder(settings, job)
    require_room(folder, 2 * manifest.sql_bytes, RESERVE)  # unpacked, and in its place where that is on the same disk
    try:
        with tempfile.TemporaryDirectory(prefix=".", suffix=PARTIAL, dir=folder) as place:
            work = Path(place)
            say("unpacking")
            unpack(archive, work)
            for _, _, target in _found(stack, work):
                _refuse(target)
            lost = silences.lacking(_archived_silences(work), silences.read(stack.alertmanager), now)
            loaded = _load_metabase(settings, job, stack, work, say)
            services = _services(stack, work)
            with _stopped(settings, services, say):
                told = _place(stack, work, now)
                if stack.metabase and loaded:
                    told.append(_swap_metabase(stack.metabase, loaded, now, say))
            for silence in lost:
                silences.post(stack.alertmanager, silence)
            return [*told, f"Silences that are in force again: {len(lost)}.", *_left(services, work, archive)]
    except OSError as error:
        raise BackupError(f"The state of the stack cannot be restored: {error}.") from None


def _services(stack: Stack, work: Path) -> list[str]:
    """Compose services whose state is in the archive and that are declared on this host."""
    known = [*stack.sqlite, *(name.partition("/")[0] for name in stack.folders)]
    known += [name for name, place in ((METABASE, stack.metabase), (BLOCKS, stack.blocks)) if place]
    return [name for name in dict.fromkeys(known) if (work / name).is_dir()]


def _found(stack: Stack, work: Path) -> Iterator[tuple[str, Path, Path]]:
    """(service, database in the archive, where it belongs)."""
    for service, path in stack.sqlite.items():
        copy = work / name_in_archive(service, path)
        if copy.is_file():
            yield service, copy, Path(path)


def _refuse(target: Path) -> None:
    """Raises BackupError where a service could not use a database at this place."""
    sqlite.refuse_other_engine(target)
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}.", "Run `./crowsnest site` first.")


def _archived_silences(work: Path) -> list[silences.Silence]:
    return list(json.loads((work / SILENCES).read_text(encoding="utf-8")))


def _load_metabase(settings: Settings, job: Job, stack: Stack, work: Path, say: Say) -> str | None:
    """The name of a new database with what is archived, beside the live one; None where there is nothing to do."""
    archived = manifests(work / METABASE)
    if not (stack.metabase and archived):
        return None
    dumped, new = archived[-1], f"{stack.metabase.name}_{swap.RESTORED}"
    drop(find(stack.metabase), new)  # of a restore that was killed
    restore_database(settings, metabase_job(job, stack), dumped, work / METABASE / dumped.file, new, False, say)
    return new


@contextmanager
def _stopped(settings: Settings, services: Sequence[str], say: Say) -> Iterator[None]:
    """They do not run in the block, and do after it, however it ends: after a kill with the next run of cron."""
    if not services:  # compose would take none for all
        yield
        return
    write_whole(settings.state / _STOPPED, json.dumps(services).encode())
    try:
        say(f"stopping {', '.join(services)}")
        _compose(settings, "stop", services)
        yield
    finally:
        start_again(settings, say)


def start_again(settings: Settings, say: Say) -> None:
    """Starts the services that a restore has stopped, if it was killed as well. Only under the lock.

    Raises BackupError, OSError.
    """
    remembered = settings.state / _STOPPED
    if remembered.exists():
        services = json.loads(remembered.read_bytes())
        say(f"starting {', '.join(services)}")
        _compose(settings, "start", services)
        remembered.unlink()


def _compose(settings: Settings, verb: str, services: Sequence[str]) -> None:
    docker("compose", "-f", declared(settings).compose_file, verb, *services, seconds=COMPOSE_SECONDS)


def _place(stack: Stack, work: Path, now: datetime) -> list[str]:
    """Databases of SQLite, folders and blocks, while their services do not run."""
    ending, told = f".before_{now:%Y%m%d_%H%M%S}", []
    for service, copy, target in _found(stack, work):
        kept = sqlite.place(copy, target, ending)
        told.append(f"{service} has its database back{f'; the one before is {kept}' if kept else ''}.")
    for name, path in stack.folders.items():
        if (work / name).is_dir():
            replace_folder(work / name, Path(path), Path(f"{path}{ending}"))
            told.append(f"{name} is back.")
    if stack.blocks and (work / BLOCKS).is_dir():
        placed = blocks.place(work / BLOCKS, Path(stack.blocks))
        told.append(f"Blocks of metrics that Prometheus has again: {placed}.")
    return told


def _swap_metabase(live: Database, new: str, now: datetime, say: Say) -> str:
    kept = swap.swap(find(live), live.name, new, now, say)
    return f"metabase has its database back{f'; the one before is called {kept}' if kept else ''}."


def _left(services: Sequence[str], work: Path, archive: Path) -> list[str]:
    """What a person can do with the rest, and what is left to do."""
    told = [
        f"{path.name} does not run here: its part is left in the archive."
        for path in sorted(work.iterdir())
        if path.is_dir() and path.name not in {*services, Path(SILENCES).parent.name}
    ]
    if (work / SECRETS).is_file():
        command = f"tar -xzOf {archive.name} {SECRETS} | age -d -i KEY_FILE | tar -xzvf -"
        told.append(f"The secrets in it are left alone; whoever has the key unpacks them: {command}")
    return [*told, "Now run `./crowsnest site`: services get their new keys for each other."]
