# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Backups": whether each database can be got back, and what its backups cost."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import BackupJob, backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import (
    backup_age,
    backup_run_age,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    COUNT,
    FOLDER_OPERATIONS,
    OK,
    SECONDS,
    SINCE,
    TO_OVERVIEW,
    WIDTH,
    Column,
    Dashboard,
    Panel,
    Query,
    Row,
    any_is_bad,
    runbook_link,
)

_NOT_YET = "No backup has been made yet."
_NO_RUN = "The program that makes backups has not run yet."
_NO_DRILL = "No drill has been done yet."
# {series of a reason: what is wrong then}
_REASONS = {
    "failed": "not backed up",
    "corrupt": "damaged file",
    "drill_failed": "drill failed",
    "drill_skipped": "drill skipped",
    "remote_failed": "not copied",
    "prune_failed": "not pruned",
}


def backups(context: Context) -> list[Dashboard]:
    """The dashboard; none where nothing is backed up."""
    jobs = backup_jobs(context.declaration, context.server)
    if not jobs:
        return []
    rows = (Row("Now", (_failed(), _age(), _runs(), _last(jobs), _wrong())), *_over_time(jobs))
    return [
        Dashboard(
            uid="backups",
            title="Backups",
            folder=FOLDER_OPERATIONS,
            description="Can each database be got back, from how long ago, and when was that proven?",
            rows=rows,
            links=(TO_OVERVIEW, runbook_link(context.declaration.runbook_url)),
            since="now-30d",
        )
    ]


def _over_time(jobs: list[BackupJob]) -> list[Row]:
    rows = [Row("Size and time", (_size(), _duration())), Row("Kept", (_kept(), _kept_bytes(), _old_databases()))]
    if any(job.remote for job in jobs):
        rows.append(Row("Copies", (_copied(), _missing())))
    if any(job.drill != "never" for job in jobs):
        rows.append(Row("Drills", (_drills(), _drill_duration())))
    return [*rows, Row("Disk", (_room(),))]


# --- now --------------------------------------------------------------------------------------------------------------


def _failed() -> Panel:
    return any_is_bad(
        "Backups failed",
        "How many backups failed at their last try. Not 0: the table What is wrong below says why; alert BackupFailed "
        "has the runbook.",
        (Query("count(crowsnest_backup_ok == 0) or 0 * count(crowsnest_backup_ok)"),),
        width=4,
        empty=_NO_RUN,
    )


def _age() -> Panel:
    return Panel(
        "Age of the last good backup",
        "What would be lost if the database were lost now. Yellow: the last night was missed; sudo crowsnest-backup "
        "status on its host, then sudo crowsnest-backup backup APP; alert BackupLate has the runbook.",
        "stat",
        (Query("max by (app) (backup:age:seconds)", "{{app}}"),),
        unit=SECONDS,
        base="green",
        thresholds=backup_age(),
        sparkline=False,
        width=12,
        empty=_NOT_YET,
    )


def _runs() -> Panel:
    return Panel(
        "Since the last run",
        "When cron's last run ended, on each host; it starts one every 15 minutes. Long: a backup or a drill takes "
        "hours, or cron does not run, systemctl status cron; alert BackupNotRunning has the runbook.",
        "stat",
        (Query("time() - crowsnest_backup_run_timestamp_seconds", "{{host}}"),),
        unit=SECONDS,
        base="green",
        thresholds=backup_run_age(),
        sparkline=False,
        width=8,
        empty=_NO_RUN,
    )


def _last(jobs: list[BackupJob]) -> Panel:
    """One row per job; what no job has is no column."""
    asked = [
        ("Last good", SINCE, "1000 * crowsnest_backup_last_success_timestamp_seconds"),
        ("Size", BYTES, "crowsnest_backup_size_bytes"),
        ("Took", SECONDS, "crowsnest_backup_duration_seconds"),
        ("Rows", COUNT, "crowsnest_backup_rows"),
        ("Kept on the host", "none", 'crowsnest_backup_kept{place="local"}'),
    ]
    if any(job.remote for job in jobs):
        asked.append(("Kept in the remote", "none", 'crowsnest_backup_kept{place!="local"}'))
    if any(job.drill != "never" for job in jobs):
        asked.append(("Proven by a drill", SINCE, "1000 * crowsnest_backup_drill_last_success_timestamp_seconds"))
    return Panel(
        "Last good backup",
        "The newest good backup of each database. To get it back: sudo crowsnest-backup restore APP on its host, which "
        "asks before it replaces anything. Proven too long ago: alert BackupDrillOverdue has the runbook.",
        "table",
        tuple(Query(f"max by (app, database, host) ({expr})") for _, _, expr in asked),
        width=WIDTH,
        columns={
            "app": Column("App"),
            "database": Column("Database"),
            "host": Column("Host"),
            **{
                f"Value #{letter}": Column(title, unit=unit)
                for letter, (title, unit, _) in zip("ABCDEFG", asked, strict=False)
            },
        },
        empty=_NOT_YET,
    )


def _wrong() -> Panel:
    told = (
        f'label_replace(crowsnest_backup_{reason}_info, "what", "{what}", "", "")' for reason, what in _REASONS.items()
    )
    return Panel(
        "What is wrong",
        "The program's own words about what failed, and about drills that it skipped. Do what they say on the host, "
        "then try again: sudo crowsnest-backup run.",
        "table",
        (Query(" or ".join(told)),),
        width=WIDTH,
        height=6,
        columns={
            "app": Column("App", 150),
            "host": Column("Host", 150),
            "what": Column("What", 150),
            "remote": Column("Remote", 150),
            "why": Column("Why"),
        },
        empty="Nothing failed, and no drill was skipped.",
    )


# --- size and time ----------------------------------------------------------------------------------------------------


def _size() -> Panel:
    return Panel(
        "Size",
        "Size of the newest backup, compressed. A sudden fall: was data deleted on purpose? A climb: see how long the "
        "disk lasts below; alert BackupShrunk has the runbook.",
        "timeseries",
        (Query("max by (app) (crowsnest_backup_size_bytes)", "{{app}}"),),
        unit=BYTES,
        minimum=0,
        width=12,
        empty=_NOT_YET,
    )


def _duration() -> Panel:
    return Panel(
        "Duration",
        "How long the newest backup took. A climb without a larger size: the host is busy at that hour, see its "
        "dashboard; choose another `at` in the declaration.",
        "timeseries",
        (Query("max by (app) (crowsnest_backup_duration_seconds)", "{{app}}"),),
        unit=SECONDS,
        minimum=0,
        width=12,
        empty=_NOT_YET,
    )


# --- kept -------------------------------------------------------------------------------------------------------------


def _kept() -> Panel:
    return Panel(
        "Backups kept",
        "How many backups there are, on the host (local) and in each remote. More and more: sudo crowsnest-backup "
        "prune APP --dry-run says of each why it stays; alert BackupNotPruned has the runbook.",
        "timeseries",
        (Query("max by (app, place) (crowsnest_backup_kept)", "{{app}} {{place}}"),),
        minimum=0,
        decimals=0,
        width=8,
        empty=_NOT_YET,
    )


def _kept_bytes() -> Panel:
    return Panel(
        "Space of kept backups",
        "What all backups take, on the host (local) and in each remote. Too much: lower `keep` in the declaration; "
        "sudo crowsnest-backup prune APP --dry-run says of each why it stays.",
        "timeseries",
        (Query("max by (app, place) (crowsnest_backup_kept_bytes)", "{{app}} {{place}}"),),
        unit=BYTES,
        minimum=0,
        width=8,
        empty=_NOT_YET,
    )


def _old_databases() -> Panel:
    return Panel(
        "Databases kept by restores",
        "What the databases take that a restore has replaced and kept. When the restored one has proven itself, drop "
        "the old one (sudo crowsnest-backup status names it).",
        "timeseries",
        (Query("max by (app) (crowsnest_backup_kept_old_bytes)", "{{app}}"),),
        unit=BYTES,
        minimum=0,
        width=8,
        empty="No restore has replaced a database.",
    )


# --- copies -----------------------------------------------------------------------------------------------------------


def _copied() -> Panel:
    return Panel(
        "Copied",
        "Whether the last copying to each remote succeeded. Failed: What is wrong says why; sudo crowsnest-backup sync "
        "APP tries again; alert BackupNotUploaded has the runbook.",
        "stat",
        (Query("min by (app, remote) (crowsnest_backup_remote_ok)", "{{app}} {{remote}}"),),
        values=OK,
        width=12,
        empty=_NOT_YET,
    )


def _missing() -> Panel:
    return Panel(
        "Backups without a copy",
        "How many backups a remote lacks. Not 0 for long: they are lost together with the host; sudo crowsnest-backup "
        "sync APP sends them; alert BackupNotUploaded has the runbook.",
        "timeseries",
        (Query("max by (app, remote) (crowsnest_backup_remote_missing)", "{{app}} {{remote}}"),),
        minimum=0,
        decimals=0,
        width=12,
        empty=_NOT_YET,
    )


# --- drills -----------------------------------------------------------------------------------------------------------


def _drills() -> Panel:
    return Panel(
        "Last drill",
        "Whether the last backup that was restored into a scratch database held what it should. Failed: What is wrong "
        "says what differs; alert BackupDrillFailed has the runbook.",
        "stat",
        (Query("min by (app) (crowsnest_backup_drill_ok)", "{{app}}"),),
        values=OK,
        width=12,
        empty=_NO_DRILL,
    )


def _drill_duration() -> Panel:
    return Panel(
        "Duration of drills",
        "How long the last drill took, which is about as long as a restore takes. Too long for your promise to "
        "users: compare with CPU and disk on the host's dashboard; a larger bundle restores faster.",
        "timeseries",
        (Query("max by (app) (crowsnest_backup_drill_seconds)", "{{app}}"),),
        unit=SECONDS,
        minimum=0,
        width=12,
        empty=_NO_DRILL,
    )


# --- disk -------------------------------------------------------------------------------------------------------------


def _room() -> Panel:
    return Panel(
        "Room for backups",
        "What is left on the disk of the backups, and what two nights of them take. When the lines meet, alert "
        "BackupDiskFull fires; its runbook says what may be removed.",
        "timeseries",
        (
            Query("backup:disk_avail:bytes and backup:night:bytes", "left on {{host}}"),
            Query("2 * backup:night:bytes", "two nights on {{host}}"),
        ),
        unit=BYTES,
        minimum=0,
        width=WIDTH,
        empty=_NOT_YET,
    )
