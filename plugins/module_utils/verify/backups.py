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
_NOT_YET = "there is no backup of it yet; cron makes the first one within a quarter of an hour"


def backup_checks(
    wanted: Sequence[Backup], ages: Sequence[Sample], failures: Sequence[Sample], proofs: Sequence[Sample]
) -> list[Check]:
    """A line for each backup; `ages` and `proofs` are seconds since the last success, by the labels app and host."""
    if not wanted:
        return [Check(PASS, "backups", "none: no app has a `database`, and the stack's own backup is switched off")]
    age, proof = _by_backup(ages), _by_backup(proofs)
    why = {_key(sample.labels): sample.labels.get("why", "") for sample in failures}
    lines = []
    for backup in wanted:
        key = backup["app"], backup["host"]
        told = _last_good(age[key], proof.get(key), backup["drill"]) if key in age else ""
        lines.append(_failed(*key, why.get(key, _NOT_YET), told) if key in why or not told else _good(key[0], told))
    return lines


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("app", ""), labels.get("host", "")


def _by_backup(samples: Sequence[Sample]) -> dict[tuple[str, str], float]:
    return {_key(sample.labels): sample.value for sample in samples}


def _last_good(age: float, proof: float | None, drill: bool) -> str:
    proven = "not proven yet" if proof is None else f"proven {duration(proof)} ago"
    return f"last good {duration(age)} ago" + (f", {proven}" if drill else "")


def _good(app: str, told: str) -> Check:
    return Check(PASS, "backups", f"{app}: {told}", kind="backups are there", name=f"{app} ({told})")


def _failed(app: str, host: str, why: str, told: str) -> Check:
    """`told`: the last good one that there is all the same; empty when there is none."""
    detail = f"{app} is not backed up: {why}" + (f" ({told})" if told else "")
    advice = f"On {host}: `sudo crowsnest-backup backup {app}` makes one now, or says why not."
    return Check(WARN, "backups", detail, advice, kind="are not backed up", name=f"{app} ({why})")
