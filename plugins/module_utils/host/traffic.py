# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How much apps were asked, and how often they failed, as Prometheus has recorded it. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Traffic
from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus, ServiceError

# {figure: what it is, for one second}. All profiles of frameworks record these series. A step of five minutes takes
# each increase of five minutes once; where less of the past is kept, the mean is over that.
_PER_SECOND = {
    "requests": 'avg_over_time(sum by (app) (app:requests:rate5m{{app=~"{apps}"}})[7d:5m])',
    "errors": 'avg_over_time(sum by (app) (app:errors:increase5m{{app=~"{apps}"}})[30d:5m]) / 300',
}


def traffic(prometheus: Prometheus, apps: Sequence[str]) -> dict[str, Traffic]:
    """{app: its figures} of those that Prometheus knows; {} when it does not answer."""
    if not apps:
        return {}
    try:
        samples = prometheus.query(query(apps))
    except ServiceError:
        return {}
    found = {(sample.labels["app"], sample.labels["figure"]): sample.value for sample in samples}
    return {
        app: {"requests": found[app, "requests"], "errors": found[app, "errors"]}
        for app in apps
        if {(app, figure) for figure in _PER_SECOND} <= set(found)
    }


def query(apps: Sequence[str]) -> str:
    """One query for all figures, which the label `figure` names."""
    return " or ".join(
        f'label_replace({expr.format(apps="|".join(apps))}, "figure", "{figure}", "", "")'
        for figure, expr in _PER_SECOND.items()
    )
