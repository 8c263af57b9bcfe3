# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team declares about its business: the app's database, the questions put to it, who gets the answers.

Names of charts are crowsnest's own; `services/metabase/charts.py` turns them into Metabase's.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import Title
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    LOOPBACK,
    Container,
    DatabaseAddress,
    Email,
    Strict,
)

Chart = Literal["line", "bar", "area", "row", "pie", "number", "table"]
AXES: tuple[Chart, ...] = ("line", "bar", "area", "row")
# Groups that Metabase makes itself; it decides who is in them.
_METABASES_GROUPS = ("administrators", "all users")


def _as_list(columns: object) -> object:
    return [columns] if isinstance(columns, str) else columns


# Length of a name in bytes; PostgreSQL cuts off the rest.
_LONGEST_NAME = 63


def _identifier(text: str) -> str:
    """https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS"""
    if not 0 < len(text.encode("utf-8", "replace")) <= _LONGEST_NAME or "\0" in text:
        raise ValueError("a name in PostgreSQL: any text of at most 63 bytes (21 Korean letters)")
    return text


def _database_name(text: str) -> str:
    """Metabase makes a URL of it as it is: make-subname in src/metabase/driver/sql_jdbc/common.clj of Metabase."""
    if re.search(r"[?%+]", text):
        raise ValueError("a name in PostgreSQL without ? % +, which Metabase would misread")
    return text


def _column(text: str) -> str:
    """A name may contain dots itself."""
    if not re.fullmatch(r"[^.\0]+(\.[^.\0]+){2,}", text):
        raise ValueError("schema.table.column, such as public.shop_order.placed_at, without quotes")
    return text


def _group(text: str) -> str:
    if text.lower() in _METABASES_GROUPS:
        raise ValueError("a group of your own; everybody is in All Users, and `admin: true` makes an administrator")
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
DatabaseName = Annotated[Identifier, AfterValidator(_database_name)]
Columns = Annotated[list[Identifier], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]
# What Metabase finds between {{ and }}: variable-tag-regex in src/metabase/lib/native.cljc of Metabase.
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,40}$")]
Column = Annotated[str, AfterValidator(_column)]
Group = Annotated[Title, AfterValidator(_group)]


class Database(Strict):
    """The app's PostgreSQL. It is backed up, Metabase reads it, and an exporter its statistics.

    The run creates the roles for this: `crowsnest_ro` for Metabase, `crowsnest_monitor` for the exporter, and
    `crowsnest_kpi` where the app has `kpis`.
    """

    address: DatabaseAddress = Field(
        "127.0.0.1:5432",
        description="host:port as the server reaches it; a database in a container publishes its port on the host's "
        "loopback.",
    )
    name: DatabaseName = Field(description="Name of the database.")
    container: Container | None = Field(
        None,
        description="Name of its container on the app's host, in whose own programs a backup is made. Default: the one "
        "that publishes the port of `address` on the host's loopback, or none.",
    )
    schemas: list[Identifier] = Field(["public"], min_length=1, description="Schemas that Metabase and KPIs may read.")
    admin_user: Identifier | None = Field(
        None,
        description="A role that may create roles; from PostgreSQL 16 also one that is a superuser or has the admin "
        "option on pg_monitor, for the exporter. Default: the run becomes the system user postgres on the server.",
    )
    admin_password: SecretStr | None = Field(None, description="Password of `admin_user`.")
    ssl: bool = Field(
        False, description="Whether Metabase, the exporters, the backup and the run connect with TLS only."
    )

    @model_validator(mode="after")
    def _admin_as_a_whole(self) -> Database:
        if (self.admin_user is None) != (self.admin_password is None):
            raise ValueError("Set `admin_user` and `admin_password` together, or neither")
        if self.admin_user is None and not LOOPBACK.match(self.address):
            raise ValueError("An `address` that is not the server's loopback needs `admin_user` and `admin_password`")
        return self


class Question(Strict):
    """A question to the app's database, and how the answer is drawn. It replaces the starter question of its name."""

    name: Title = Field(description="Its title; unique within the app.")
    sql: str | None = Field(
        None, min_length=1, description="The SQL. Put `!unsafe` before SQL with a {{tag}}, as Ansible uses braces too."
    )
    file: str | None = Field(
        None, min_length=1, description="Or a file with the SQL, relative to the inventory's folder."
    )
    kpi: str | None = Field(
        None, description="Or the name of one of the app's `kpis`: its SQL, with the column `value` and its labels."
    )
    chart: Chart | None = Field(
        None, description="How it is drawn. Default: like the starter question of this name, from the same columns."
    )
    x: Columns = Field([], description="Column along the axis; a second one splits the bars or lines.")
    y: Columns = Field([], description="Columns with the measured values.")
    currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="Currency of the columns in `y`, such as KRW."
    )
    gaps: Literal["zero", "none"] = Field(
        "zero", description="What a line shows where a row is missing: `zero` suits sums, `none` suits averages."
    )
    filters: dict[Tag, Column] = Field(
        {},
        description="Column behind each {{tag}} of the SQL: {period: public.shop_order.placed_at}. `period` filters "
        "dates, all others filter text.",
    )
    description: str = Field("", description="What exactly is counted, for the reader.")

    @model_validator(mode="after")
    def _one_text(self) -> Question:
        if [self.sql, self.file, self.kpi].count(None) != 2:
            raise ValueError("Set one of `sql`, `file` and `kpi`")
        if self.kpi is not None and self.filters:
            raise ValueError("`filters` needs `sql` or `file`: the SQL of a KPI has no {{tag}}")
        return self

    @model_validator(mode="after")
    def _columns_for_the_chart(self) -> Question:
        if len(self.x) > 2:
            raise ValueError("`x` takes at most two columns")
        if self.currency and not self.y and self.chart is not None:
            raise ValueError("`currency` needs `y`: the columns with sums of money")
        if self.chart is None and (self.x or self.y or self.currency):
            raise ValueError("`x`, `y` and `currency` need `chart`")
        if self.chart in AXES and not (self.x and self.y):
            raise ValueError(f"`chart: {self.chart}` needs `x` and `y`")
        if self.chart == "pie" and (len(self.x), len(self.y)) != (1, 1):
            raise ValueError("`chart: pie` needs one `x` and one `y`")
        if self.chart in ("number", "table") and self.x:
            raise ValueError(f"`chart: {self.chart}` takes no `x`")
        if self.chart == "number" and len(self.y) > 1:
            raise ValueError("`chart: number` takes at most one `y`")
        return self


class Subscription(Strict):
    """Who gets the dashboard regularly, and when. Times are in `crowsnest_timezone`."""

    to: list[Email] = Field([], description="E-mail addresses; needs a receiver of type email.")
    channel: str | None = Field(
        None,
        pattern=r"^[#@][^\s#@]{1,79}$",
        description='Or a Slack channel, "#sales"; needs crowsnest_metabase_slack_token.',
    )
    every: Literal["hour", "day", "week", "month"] = Field("day", description="How often; `month` means its first day.")
    at: int = Field(9, ge=0, le=23, description="The hour.")
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        "monday", description="The day of `every: week`."
    )
    skip_if_empty: bool = Field(False, description="Whether nothing is sent when no question has an answer.")

    @model_validator(mode="after")
    def _one_way_and_time(self) -> Subscription:
        if bool(self.to) == bool(self.channel):
            raise ValueError("Set either `to` or `channel`")
        if self.every == "hour" and "at" in self.model_fields_set:
            raise ValueError("`every: hour` takes no `at`")
        if self.every != "week" and "weekday" in self.model_fields_set:
            raise ValueError("`weekday` needs `every: week`")
        return self

    @property
    def short_weekday(self) -> str | None:
        """`mon` when it comes once a week."""
        return self.weekday[:3] if self.every == "week" else None


class Business(Strict):
    """What Metabase shows of an app that has a `database`."""

    starter: bool = Field(
        True, description="Whether to include the starter questions, which fit the tables of the sample shop."
    )
    questions: list[Question] = Field([], description="The team's own questions, below the starter questions.")
    subscriptions: list[Subscription] = Field([], description="Who gets the dashboard, and when.")


class MetabaseUser(Strict):
    """A person who may log in to Metabase. An account that leaves the list stays: deactivate it in Metabase."""

    email: Email = Field(description="E-mail address, also the name at login.")
    first_name: Title = Field(description="First name.")
    last_name: Title = Field(description="Last name.")
    groups: list[Group] = Field([], description="Groups in addition to All Users; new ones are created.")
    admin: bool = Field(False, description="Whether this person is an administrator of Metabase.")
