# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of the business that the app's database gives: the SQL, how often it is asked, when the answer alerts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import (
    CustomAlert,
    CustomMetric,
    Description,
    Unit,
    labels_of_its_own,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import Title
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    Duration,
    Strict,
    duration_seconds,
)

# A value of what is asked at most every quarter of an hour outlives two failures; one of a rarer question half an hour.
_PATIENCE_SECONDS = 1800
# What is asked more often than a few minutes is missed only then: a short restart of the database is no alert.
_LEAST_PATIENCE_SECONDS = 600
# Labels that the exporter sets, that its rows carry, or that the alerts have.
_TAKEN = {"answered", "database", "kpi", "query", "value"}


def _every(text: str) -> str:
    """A question that failed at the exporter's start is asked again only when it is due: none stays away for a day."""
    if not 30 <= duration_seconds(text) <= 3600:
        raise ValueError("a duration from 30s to 1h, such as 5m")
    return text


Every = Annotated[Duration, AfterValidator(_every)]
# A column of the answer; PostgreSQL makes names without quotes small.
Column = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,59}$")]


class Kpi(Strict):
    """A figure of the business: SQL put to the app's database becomes a series, a panel, and an alert if declared.

    The answer has a column `value`, and one for each label. A row without a value (NULL) makes no series.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = Field(
        description="Such as revenue_today, of which the series is kpi_revenue_today."
    )
    title: Title | None = Field(
        None, description="What it is called on its panel and in the weekly message. Default: its name, Revenue today."
    )
    sql: str | None = Field(
        None, min_length=1, description="The SQL, such as SELECT COUNT(*) AS value FROM shop_order. It may only read."
    )
    file: str | None = Field(
        None, min_length=1, description="Or a file with the SQL, relative to the inventory's folder."
    )
    labels: list[Column] = Field(
        [],
        description="Further columns, by which it is shown and judged, such as [region]: each region by itself. More "
        "than 200 rows, or two with the same labels, are no answer.",
    )
    every: Every = Field("5m", description="How often it is asked, from 30s to 1h. It may take 5 seconds.")
    description: Description = Field(
        description="What it counts and what to do when it looks wrong; for people, on the panel and in the alert."
    )
    unit: Unit = Field("count", description="count, seconds, bytes, ratio (of 1), percent, or another such as KRW.")
    alert: CustomAlert | None = Field(None, description="When it alerts. Default: never.")

    @model_validator(mode="after")
    def _one_text(self) -> Kpi:
        if (self.sql is None) == (self.file is None):
            raise ValueError("Set either `sql` or `file`")
        return self

    @model_validator(mode="after")
    def _labels_of_its_own(self) -> Kpi:
        labels_of_its_own(self.labels, _TAKEN)
        return self

    @property
    def shown_title(self) -> str:
        """Its title, else `revenue_today` → "Revenue today"."""
        return self.title or self.name.replace("_", " ").capitalize()

    @property
    def every_seconds(self) -> int:
        """Seconds from one question to the next."""
        return duration_seconds(self.every)

    @property
    def valid_seconds(self) -> int:
        """How long an answer counts: three times `every`, but at most half an hour longer than `every`."""
        return self.every_seconds + min(2 * self.every_seconds, _PATIENCE_SECONDS)

    @property
    def patience_seconds(self) -> int:
        """How long it may be without an answer; then it is unreadable. As `app_kpi:patience:seconds` in Prometheus."""
        return max(self.valid_seconds, _LEAST_PATIENCE_SECONDS)

    @property
    def metric(self) -> CustomMetric:
        """The series it makes."""
        named = {key: getattr(self, key) for key in ("labels", "description", "unit", "alert")}
        return CustomMetric(name=f"kpi_{self.name}", **named)
