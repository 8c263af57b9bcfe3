# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which faults of an app explain others: the one place that knows what an app depends on."""

from __future__ import annotations

from collections.abc import Mapping

# {cause: the alerts that tell it}; each level is explained by those before it. A deploy has no alert. `whole` stands
# for the causes of the app that another one is part of; their alerts are about that app.
LEVELS: tuple[Mapping[str, tuple[str, ...]], ...] = (
    {"host": ("HostDown",)},
    {
        "database": ("PostgresDown", "PostgresConnectionsHigh"),
        "redis": ("RedisDown",),
        "certificate": ("CertificateExpired",),
    },
    {"deploy": (), "whole": ()},
    {"app": ("AppDown",), "worker": ("CeleryWorkerMissing",)},
    {"component": ("ProbeComponentFailed",)},
    {"probe": ("ProbeFailed",)},
)
CAUSES: Mapping[str, tuple[str, ...]] = {cause: alerts for level in LEVELS for cause, alerts in level.items()}
_CAUSE_OF = {alert: cause for cause, alerts in CAUSES.items() for alert in alerts}
_LEVEL_OF = {name: number for number, level in enumerate(LEVELS) for alerts in level.values() for name in alerts}


def level_of(alert: str) -> int:
    """Its level; one that tells an effect only is below them all."""
    return _LEVEL_OF.get(alert, len(LEVELS))


def cause_of(alert: str) -> str:
    """The cause that it tells, empty for an effect."""
    return _CAUSE_OF.get(alert, "")
