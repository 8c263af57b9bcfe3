# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether what is declared is backed up: the last good backup, its age, when one was proven.

Pure: answers of Prometheus go in, checks come out. The alerts decide what is too old (alerts.py). Python 3.9, standard
library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.http import Sample
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import PASS, WARN, Check, duration
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Backup

# Where the queries below find what this file reads: {name of the query: PromQL}.
BACKUP_QUESTIONS = {
    "backup ages": "backup:age:seconds",
    "backup failures": "crowsnest_backup_failed_info",
    "backup proofs": "time() - crowsnest_backup_drill_last_success_timestamp_seconds",
}


def backup_checks(
    wanted: Sequence[Backup], ages: Sequence[Sample], failures: Sequence[Sample], proofs: Sequence[Sample]
) -> list[Check]:
    """A line for each backup; `ages` and `proofs` are seconds since the last success, by the labels app and host."""
    if not wanted:
        return [Check(PASS, "backups", "none: no app has a `database`, and the stack's own backup is switched off")]
    age, proof = _by_backup(ages), _by_backup(proofs)
    why = {_key(sample.labels): sample.labels.get("why", "") for sample in failures}
    return [_line(backup, age, proof, why) for backup in wanted]


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("app", ""), labels.get("host", "")


def _by_backup(samples: Sequence[Sample]) -> dict[tuple[str, str], float]:
    return {_key(sample.labels): sample.value for sample in samples}


def _line(
    backup: Backup,
    age: Mapping[tuple[str, str], float],
    proof: Mapping[tuple[str, str], float],
    why: Mapping[tuple[str, str], str],
) -> Check:
    app, key = backup["app"], (backup["app"], backup["host"])
    if key in age:
        proven = f"proven {duration(proof[key])} ago" if key in proof else "not proven yet"
        told = f"{duration(age[key])} ago" + (f", {proven}" if backup["drill"] else "")
        return Check(PASS, "backups", f"{app}: {told}", kind="backups are there", name=f"{app} ({told})")
    reason = why.get(key, "there is no backup of it yet; cron makes the first one within a quarter of an hour")
    advice = f"On {backup['host']}: `sudo crowsnest-backup backup {app}` makes one now, or says why not."
    kind, name = "are not backed up", f"{app} ({reason})"
    return Check(WARN, "backups", f"{app} is not backed up: {reason}", advice, kind=kind, name=name)
