# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of an app's own, such as those of its business: what they count, and when they alert."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import Severity
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Duration, Strict

# https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels; colons are for recorded series.
MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")]
CustomRow = Literal["server", "business", "database", "errors"]
# Labels that crowsnest gives to every series, and those of rules.
_TAKEN = {"app", "host", "environment", "instance", "job", "le", "severity", "metric", "alertname"}


Description = Annotated[str, Field(pattern=r"^[^\s{}][^\n{}]{0,199}$")]
Unit = Annotated[str, Field(pattern=r"^[^\s{}:][^\n{}:]{0,11}$")]


def labels_of_its_own(labels: Sequence[str], more_taken: Collection[str] = ()) -> None:
    """Raises ValueError for a label that is listed twice, or that crowsnest, Prometheus or `more_taken` has."""
    if len(set(labels)) < len(labels):
        raise ValueError("List each name in `labels` once")
    if taken := [name for name in labels if name in _TAKEN or name in more_taken or name.startswith("__")]:
        raise ValueError(f"`labels` may not have {', '.join(taken)}: crowsnest or Prometheus sets it")


class CustomAlert(Strict):
    """When a metric alerts.

    A counter is compared by its increase within 5 minutes, a histogram by its p95 over 5 minutes: 95 of 100 values are
    below it.
    """

    above: float | None = Field(None, description="It fires while a value is greater than this.")
    below: float | None = Field(None, description="It fires while a value is less than this.")
    wait: Duration = Field("5m", alias="for", description="How long it must be so before it fires.")
    severity: Severity = Field("medium", description="Severity of the alert.")

    @model_validator(mode="after")
    def _one_bound(self) -> CustomAlert:
        if (self.above is None) == (self.below is None):
            raise ValueError("Set `above` or `below`")
        return self


class CustomMetric(Strict):
    """A metric that only this app has: it gets a panel on the app's dashboard, and an alert if one is declared."""

    name: MetricName = Field(
        description="As it is exported: of a counter with its ending, such as shop_refunds_total, of a histogram "
        "without _bucket."
    )
    type: Literal["gauge", "counter", "histogram"] = Field("gauge", description="What kind of metric it is.")
    labels: list[MetricName] = Field(
        [],
        description="Labels by which it is shown and judged, such as [region]: each region by itself. Values of others "
        "are put together.",
    )
    description: Description = Field(
        description="What it counts and what to do when it looks wrong; for people, on the panel and in the alert."
    )
    unit: Unit = Field("count", description="count, seconds, bytes, ratio (of 1), percent, or another such as KRW.")
    alert: CustomAlert | None = Field(None, description="When it alerts. Default: never.")
    row: CustomRow = Field("business", description="The row of the app's dashboard in which its panel is.")

    @model_validator(mode="after")
    def _labels_of_its_own(self) -> CustomMetric:
        labels_of_its_own(self.labels)
        return self

    @model_validator(mode="after")
    def _exported_name(self) -> CustomMetric:
        if self.type == "histogram" and self.name.endswith(("_bucket", "_count", "_sum")):
            raise ValueError("The name of a histogram is without _bucket, _count and _sum")
        return self

    @property
    def lowest_counts(self) -> bool:
        """Whether it alerts on low values, so that of several instances the lowest one counts."""
        return self.alert is not None and self.alert.below is not None

    @property
    def exported(self) -> str:
        """A series that exists as soon as the app exports the metric."""
        return f"{self.name}_count" if self.type == "histogram" else self.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Series whose absence shows that the app does not export the metric; its panel needs them.

        None of a counter or histogram with labels: client libraries export those only after a first event.
        """
        return () if self.labels and self.type != "gauge" else (self.exported,)
