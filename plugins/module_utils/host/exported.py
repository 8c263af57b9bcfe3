# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which declared series apps export, as Prometheus has recorded them. Python 3.9, standard library."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus, ServiceError

# An app that was down for a night still exports what it did the day before.
WITHIN_SECONDS = 24 * 60 * 60
# So long within that time must each of its pages have been read before a series counts as missing.
READ_MINUTES = 10


def exported(prometheus: Prometheus, declared: Mapping[str, Sequence[str]]) -> dict[str, dict[str, bool]]:
    """{app: {declared series: whether it was there within a day}}, without those of which nobody can tell.

    {} when Prometheus does not answer. Two requests, as reading a day of samples would take seconds on a large host.
    """
    if not any(declared.values()):
        return {}
    now = time.time()
    try:
        found = prometheus.series(selector(declared), now - WITHIN_SECONDS, now)
        read = {sample.labels["app"] for sample in prometheus.query(long_read(declared))}
    except ServiceError:
        return {}
    there = {(labels["app"], labels["__name__"]) for labels in found}
    return {
        app: {name: (app, name) in there for name in names if app in read or (app, name) in there}
        for app, names in declared.items()
    }


def selector(declared: Mapping[str, Sequence[str]]) -> str:
    """PromQL of all series with one of the declared names, of any app."""
    return f'{{job="app", __name__=~"{_any(name for names in declared.values() for name in names)}"}}'


def long_read(apps: Iterable[str]) -> str:
    """PromQL: one series for each of these apps whose pages have been read long enough."""
    minutes = f'sum_over_time(up{{job="app", app=~"{_any(apps)}"}}[{WITHIN_SECONDS}s:1m])'
    return f"min by (app) ({minutes}) >= {READ_MINUTES}"


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(set(names)))
