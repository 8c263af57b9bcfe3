# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is remembered of each job beside its backups. What was backed up is told by the manifests alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

from crowsnest_backup.files import private_folder, write_whole

# When cron's run last ended. Its lock is another file: a lock is written anew while it is held.
_ENDED = "ended"


@dataclass(frozen=True)
class Tried:
    """Something that is done again and again: when it was last tried and last went well, and why it failed since.

    `failed` is empty when the last try went well, or when there was none. `skipped`: why it was put off, not failed.
    """

    attempted: datetime | None = None
    succeeded: datetime | None = None
    failed: str = ""
    skipped: str = ""

    def after(self, now: datetime, failed: str = "", skipped: str = "") -> Tried:
        """The same after one more try, which ended so."""
        succeeded = self.succeeded if failed or skipped else now
        return Tried(now, succeeded, failed or (self.failed if skipped else ""), skipped)


@dataclass(frozen=True)
class State:
    """Of one job. `declared`: when it was first seen. `backup`: the last series of tries. `pruned`: on this host.

    `remote`: the one that `sent` (upload and pruning there), `remote_kept` (backups) and `remote_bytes` are about.
    `corrupt`: {stem: why} of files that failed when they were read back. `drill`: the last one, `drills`: how many went
    well, `drill_seconds`: how long the last took. `old_bytes`: size of the databases that swaps kept. `reported`: stem
    of the newest backup that the push monitor knows. `restored`: a person put a backup in place since the last backup.
    """

    declared: datetime
    backup: Tried = field(default_factory=Tried)
    pruned: Tried = field(default_factory=Tried)
    remote: str = ""
    sent: Tried = field(default_factory=Tried)
    remote_kept: int = 0
    remote_bytes: int = 0
    corrupt: Mapping[str, str] = field(default_factory=dict)
    drill: Tried = field(default_factory=Tried)
    drills: int = 0
    drill_seconds: float = 0
    old_bytes: int = 0
    reported: str = ""
    restored: bool = False

    def about(self, remote: str | None) -> State:
        """The same, with nothing known of any remote but this."""
        if (remote or "") == self.remote:
            return self
        return replace(self, remote=remote or "", sent=Tried(), remote_kept=0, remote_bytes=0)


def read(folder: Path, name: str, now: datetime) -> State:
    """The state of a job; that of a new one where there is none, or none that can be read."""
    try:
        found = json.loads(_path(folder, name).read_bytes())
        known = {each.name: found[each.name] for each in fields(State) if each.name in found}
        tried = {key: _tried(**found[key]) for key in ("backup", "pruned", "sent", "drill")}
        return State(**{**known, **tried, "declared": datetime.fromisoformat(found["declared"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return State(declared=now)


def _tried(attempted: str | None, succeeded: str | None, failed: str, skipped: str) -> Tried:
    tried, went_well = (datetime.fromisoformat(text) if text else None for text in (attempted, succeeded))
    return Tried(tried, went_well, failed, skipped)


def write(folder: Path, name: str, state: State) -> None:
    """Remembers it, by one rename. Raises OSError."""
    private_folder(_path(folder, name).parent)
    text = json.dumps(asdict(state), default=datetime.isoformat, indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(_path(folder, name), text.encode())


def _path(folder: Path, name: str) -> Path:
    return folder / "jobs" / f"{name}.json"


def ended(folder: Path) -> datetime | None:
    """When cron's run last ended; None where it never did."""
    try:
        return datetime.fromisoformat((folder / _ENDED).read_text())
    except (OSError, ValueError):
        return None


def write_end(folder: Path, now: datetime) -> None:
    """Remembers that cron's run ended. Raises OSError."""
    write_whole(folder / _ENDED, now.isoformat().encode())
