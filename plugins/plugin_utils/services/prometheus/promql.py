# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""PromQL about apps that rules, dashboards and verify share."""

from __future__ import annotations

# Labels that everything of one app has in common, over all its instances.
APP_LABELS = "app, host, environment"


def selector(series: str, *matchers: str) -> str:
    """PromQL: series that apps export; empty matchers are left out."""
    chosen = ", ".join(['job="app"', *filter(None, matchers)])
    return f"{series}{{{chosen}}}"


def number(value: float) -> str:
    """A number as PromQL and people read it, all its digits kept: 0.5, 1234567."""
    return f"{value:.15g}"


def up(app: str = "") -> str:
    """PromQL: whether the metrics of each instance can be read, of the app of this name or of all."""
    return selector("up", f'app="{app}"' if app else "")


def increase(series: str, window: str, app: str = "") -> str:
    """PromQL: how many events a counter of apps counted within `window`, its first one included.

    A labelled counter does not exist before its first event, so increase() misses that one. Where the app already
    answered before the window and the series was not there yet, its whole value is new. `app`: the only one that has
    the series.
    """
    new = f"{series} unless {series} offset {window} and on (app, instance) ({up(app)} offset {window} == 1)"
    return f"({new} or increase({series}[{window}]))"
