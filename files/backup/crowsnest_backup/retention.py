# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which backups are kept, and why: a pure function of what there is, what is declared, and the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from crowsnest_backup.errors import BackupError
from crowsnest_backup.manifest import Manifest
from crowsnest_backup.settings import Keep

# {kind: what backups of the same day, week or month have in common}, by local time.
_PERIODS: Mapping[str, Callable[[datetime], object]] = {
    "daily": lambda at: at.date(),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
}


@dataclass(frozen=True)
class Plan:
    """What happens to each backup: {stem: reason}, the newest first."""

    kept: Mapping[str, str]
    deleted: Mapping[str, str]


def plan(
    backups: Sequence[Manifest],
    keep: Keep,
    zone: ZoneInfo,
    corrupt: Collection[str] = (),
    elsewhere: Collection[str] = (),
) -> Plan:
    """What is kept of the backups of one database in one place.

    Days, ISO weeks and months count only where there is a backup in them, so nothing is too old after a failed
    night. `corrupt`: stems of those that failed their check; they stand for no day, and are left for a person.
    `elsewhere`: stems of those that another place keeps, and would send here again.
    """
    newest_first = sorted(backups, key=lambda backup: backup.stem, reverse=True)
    good = [backup for backup in newest_first if backup.stem not in corrupt]
    reasons: dict[str, list[str]] = {backup.stem: [] for backup in newest_first}
    for kind, period in _PERIODS.items():
        count = getattr(keep, kind)
        for place, stem in enumerate(_newest_of_each(good, zone, period)[:count], start=1):
            reasons[stem].append(f"{kind} {place} of {count}")
    # On a day when data was lost, or a new host was still empty, the newest is not the one that is needed.
    for stem in _newest_of_each(good[::-1], zone, _PERIODS["daily"])[::-1][: keep.daily]:
        if not reasons[stem]:
            reasons[stem].append("the first of its day")
    for stem in [backup.stem for backup in good][:1]:
        reasons[stem].append("the newest good one")
    for stem in [backup.stem for backup in good if backup.drilled][:1]:
        reasons[stem].append("the newest that was restored in a drill")
    for stem in reasons:
        if stem in corrupt:
            reasons[stem].append("damaged: look at it, then delete it yourself")
        if stem in elsewhere:
            reasons[stem].append("kept on this host")
    kept = {stem: ", ".join(why) for stem, why in reasons.items() if why}
    beyond = f"not the newest of one of {keep.daily} days, {keep.weekly} weeks or {keep.monthly} months"
    return Plan(kept, {stem: beyond for stem in reasons if stem not in kept})


def _newest_of_each(
    newest_first: Sequence[Manifest], zone: ZoneInfo, period: Callable[[datetime], object]
) -> list[str]:
    """Stems of the newest backup in each period, the newest period first."""
    first: dict[object, str] = {}
    for backup in newest_first:
        first.setdefault(period(backup.start.astimezone(zone)), backup.stem)
    return list(first.values())


def approved(
    name: str,
    backups: Sequence[Manifest],
    planned: Plan,
    now: datetime,
    failed: str = "",
    agreed: bool = False,
    place: str = "on this host",
) -> list[str]:
    """Stems that may be deleted now. Raises BackupError: none, and why.

    A backup that is dated after the clock of this host: no age can be trusted. And unless a person has `agreed`: the
    last backup `failed`, for this reason, or more than half would go.
    """
    if later := [backup for backup in backups if backup.start > now]:
        raise BackupError(
            f"The backup {later[-1].file} is dated after this host's clock ({now:%Y-%m-%d %H:%M} UTC), "
            f"so nothing of {name} is deleted.",
            "Set the clock right; if it is right, move that file and its .json elsewhere.",
        )
    deleted = list(planned.deleted)
    advice = f"See what would go: crowsnest-backup prune {name} --dry-run. Do it: crowsnest-backup prune {name} --yes."
    if deleted and failed and not agreed:
        raise BackupError(f"Nothing of {name} is deleted while its newest backup failed: {failed}", advice)
    if 2 * len(deleted) > len(backups) and not agreed:
        raise BackupError(
            f"{len(deleted)} of {len(backups)} backups of {name} {place} would be deleted, more than half.", advice
        )
    return deleted
