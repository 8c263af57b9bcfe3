# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where panels change colour: where alerts begin, by the numbers in files/rules and an app's thresholds."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import Thresholds
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Threshold

# Most certificates are renewed this long before they expire.
RENEWED_DAYS = 30
# Colours of an availability, 0 to 1; it is red below.
NINES = (Threshold(0.99, "yellow"), Threshold(0.999, "green"))


def full(alert: str, severity: str) -> tuple[Threshold, ...]:
    """Colours of a percentage of something limited, such as memory: red where the alert begins, yellow ten below."""
    limit = threshold(alert, severity)
    return Threshold(limit - 10, "yellow"), Threshold(limit, "red")


def disk_full() -> tuple[Threshold, ...]:
    """Colours of a disk: one for each severity of its alert."""
    return (
        Threshold(threshold("HostDiskFilling", "medium"), "yellow"),
        Threshold(threshold("HostDiskFilling", "critical"), "red"),
    )


def certificate_left(alert: str) -> tuple[Threshold, ...]:
    """Colours of days until a certificate expires; below them, where the alert begins, it is red."""
    return Threshold(threshold(alert, "medium"), "yellow"), Threshold(RENEWED_DAYS, "green")


def backup_age() -> tuple[Threshold, ...]:
    """Colours of the age of a backup in seconds: one for each severity of its alert."""
    return (
        Threshold(threshold("BackupLate", "high") * 3600, "yellow"),
        Threshold(threshold("BackupLate", "critical") * 3600, "red"),
    )


def backup_run_age() -> tuple[Threshold, ...]:
    """Colours of the time since cron's last run in seconds: red where the alert begins."""
    return (Threshold(threshold("BackupNotRunning", "high") * 3600, "red"),)


def too_many_errors(limits: Thresholds) -> tuple[Threshold, ...]:
    """Colours of a share of errors, 0 to 1: red where the app's alert begins, yellow at a fifth of it."""
    return Threshold(limits.error_ratio / 5, "yellow"), Threshold(limits.error_ratio, "red")


def too_slow(limits: Thresholds) -> tuple[Threshold, ...]:
    """Colours of a response time: where the app's alerts begin."""
    return Threshold(limits.latency_p95_medium_seconds, "yellow"), Threshold(limits.latency_p95_high_seconds, "red")
