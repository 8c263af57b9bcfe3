# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How many events the apps send Sentry in a month, from what Prometheus has measured of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Traffic
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import Sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

_MONTH_SECONDS = 30 * 24 * 3600


class Events(NamedTuple):
    """Of an app in a month: requests that are traced, of the share that `sentry` declares, and answers with a 5xx
    status.
    """

    app: App
    sentry: Sentry
    traces: int
    errors: int


def events(declared: Declaration, traffic: Mapping[str, Traffic]) -> Iterator[Events]:
    """Of the apps that report to Sentry and of which there are figures."""
    for app in declared.apps:
        if app.sentry and (measured := traffic.get(app.name)):
            traced = measured["requests"] * app.sentry.traces_sample_rate
            yield Events(app, app.sentry, round(traced * _MONTH_SECONDS), round(measured["errors"] * _MONTH_SECONDS))
