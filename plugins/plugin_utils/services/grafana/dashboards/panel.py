# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of a dashboard, as plain values: a panel is one short function that returns a `Panel`.

`build.py` turns these values into Grafana's JSON; `expectations` of the verification reads the same queries. So each
panel says itself why it may be empty, and what a person does when it looks wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "bars", "timeline", "text"]
Color = Literal["green", "yellow", "orange", "red", "blue", "text"]

# Units as Grafana names them: https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
PERCENT, SHARE, SECONDS, BYTES, BYTES_RATE, PER_SECOND, OPERATIONS, COUNT, DAYS, SINCE = (
    "percent",  # 0 to 100
    "percentunit",  # 0 to 1
    "s",
    "bytes",  # powers of two
    "binBps",
    "reqps",
    "ops",  # each second, of what are no requests of users
    "short",
    "suffix:days",  # Grafana's own unit of days turns 90 of them into weeks, and 365 into a year
    "dateTimeFromNow",  # of milliseconds since 1970: "5 minutes ago"; only for a column of numbers, a text becomes NaN
)
# The smallest window that holds two samples, whatever the scrape interval and the zoom: Grafana fills it in.
RATE = "$__rate_interval"
# The range chosen in the time picker.
RANGE = "$__range"
# Grafana's grid is 24 wide; a row of height 8 is about a third of a laptop's screen.
WIDTH, HEIGHT = 24, 8
THIRD = WIDTH // 3
# A timeline shows this many rows at once and has buttons for the others; with this height they do not overlap.
TIMELINE_ROWS, TIMELINE_HEIGHT = 10, 10


@dataclass(frozen=True)
class Query:
    """PromQL and the name of its series; `{{host}}` in the legend is the label `host`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Threshold:
    """From `value` upwards the panel has this colour."""

    value: float
    color: Color


@dataclass(frozen=True)
class Link:
    """A link to another page: a URL or a path in Grafana such as `/d/host`; `${__field.labels.host}` is filled in."""

    title: str
    url: str


@dataclass(frozen=True)
class Column:
    """A column of a table; with `width` 0 it takes the space that the others leave.

    `unit` and `decimals` say how its numbers are written. They belong to the column, since on a whole table they would
    be applied to texts too. `coloured`: by the thresholds of its panel. `values` names numbers, as in a panel.
    Widths are pixels.
    """

    title: str
    width: int = 0
    unit: str = ""
    decimals: int | None = None
    coloured: bool = False
    values: dict[float, tuple[str, Color]] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One panel.

    `description` says what it shows and what to do when it looks wrong. `empty` names the reason for which it may have
    no data while all is well; without one, no data is a fault. `needs` are series of the dashboard's app without which
    it is left out. `base` is the colour below all thresholds.
    Columns of a table: `columns` names labels, in this order, and `Value` is the number; other labels are left out.
    A table of several queries has one row per set of labels and the columns `Value #A`, `Value #B`, ….
    `values` names numbers, such as {0: ("down", "red")}, `nothing` a missing one. `sparkline`: a stat of named numbers
    also shows their past.
    """

    title: str
    description: str
    kind: Kind
    queries: tuple[Query, ...] = ()
    unit: str = COUNT
    width: int = 6
    height: int = HEIGHT
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    base: Color = "blue"
    thresholds: tuple[Threshold, ...] = ()
    values: dict[float, tuple[str, Color]] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    stacked: bool = False
    sparkline: bool = True
    text: str = ""
    empty: str = ""
    nothing: str = "none"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A titled row of panels; they flow from left to right, 24 columns wide."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard: from `query` (PromQL's label_values) or from fixed `options`.

    `every`: the pattern of "All"; `.*` also takes series without the label.
    """

    name: str
    label: str
    query: str = ""
    options: tuple[str, ...] = ()
    multi: bool = False
    every: str = ".+"


@dataclass(frozen=True)
class Mark:
    """A moment that all charts of a dashboard mark. The value of `expr` is the moment, Unix time in seconds.

    `title` and `text` of a series: `{{host}}` is its label `host`.
    """

    name: str
    expr: str
    title: str
    text: str = ""


@dataclass(frozen=True)
class Dashboard:
    """A whole dashboard; `uid` makes its address `/d/<uid>` and never changes. `app`: the app it belongs to, if any.

    `since`: the time that it shows at first, up to now, in Grafana's words. `menu` and `app_menu`: the lists of all
    dashboards, and of those of apps.
    """

    uid: str
    title: str
    folder: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    links: tuple[Link, ...] = ()
    app: str = ""
    since: str = "now-6h"
    marks: tuple[Mark, ...] = ()
    menu: str = "All dashboards"
    app_menu: str = "Application"


# --- shared looks and links: the same colour, unit and way everywhere ------------------------------------------------

FOLDERS = (FOLDER_OVERVIEW, FOLDER_BUSINESS, FOLDER_DEVELOPMENT, FOLDER_OPERATIONS) = (
    *("Overview", "Business", "Development", "Operations"),
)

UP: dict[float, tuple[str, Color]] = {0: ("down", "red"), 1: ("up", "green")}
RUNNING: dict[float, tuple[str, Color]] = {0: ("stopped", "red"), 1: ("running", "green")}
OK: dict[float, tuple[str, Color]] = {0: ("failed", "red"), 1: ("ok", "green")}
# States of an Uptime Kuma monitor.
MONITOR_STATES: dict[float, tuple[str, Color]] = {
    0: ("down", "red"),
    1: ("up", "green"),
    2: ("pending", "yellow"),
    3: ("maintenance", "blue"),
}
# A count of which even 1 is bad.
ANY = (Threshold(1, "red"),)


def any_is_bad(title: str, description: str, queries: tuple[Query, ...], width: int = 6, empty: str = "") -> Panel:
    """A count of which even 1 is bad."""
    return Panel(
        title, description, "stat", queries, width=width, decimals=0, base="green", thresholds=ANY, empty=empty
    )


def percent_bars(
    title: str,
    description: str,
    queries: tuple[Query, ...],
    thresholds: tuple[Threshold, ...],
    width: int = 6,
    links: tuple[Link, ...] = (),
) -> Panel:
    """How full something is, 0 to 100 percent."""
    return Panel(
        title,
        description,
        "bars",
        queries,
        unit=PERCENT,
        width=width,
        decimals=0,
        minimum=0,
        maximum=100,
        base="green",
        thresholds=thresholds,
        links=links,
    )


# Links of a series or of a table's row keep the chosen time range.
KEEP_TIME = "${__url_time_range}"
TO_OVERVIEW = Link("Overview", "/d/overview")
TO_BUSINESS = Link("Business", "/d/business")
TO_STACK = Link("Monitoring stack", "/d/stack")
TO_BACKUPS = Link("Backups", "/d/backups")
TO_PROBES = Link("Probes", "/d/probes")
TO_POSTGRESQL = Link("PostgreSQL", "/d/postgresql")
TO_REDIS = Link("Redis", "/d/redis")
TO_UPTIME = Link("Uptime", "/d/uptime")
TO_JOBS = Link("Queue and jobs", "/d/batch-jobs")
TO_CONTAINERS = Link("Containers", "/d/containers")
TO_ALERTS = Link("Alert history", "/d/alerts")
APP_OF_SERIES = Link("Dashboard of ${__field.labels.app}", f"/d/app-${{__field.labels.app}}?{KEEP_TIME}")
HOST_OF_SERIES = Link("Host ${__field.labels.host}", f"/d/host?var-host=${{__field.labels.host}}&{KEEP_TIME}")
HOST_OF_ROW = Link("Its host", f"/d/host?var-host=${{__data.fields.host}}&{KEEP_TIME}")
PROBES_OF_SERIES = Link("Probes of ${__field.labels.app}", f"/d/probes?var-app=${{__field.labels.app}}&{KEEP_TIME}")
UPTIME_OF_SERIES = Link("Uptime of all apps", f"/d/uptime?{KEEP_TIME}")


def deploy_mark(expr: str) -> Mark:
    """When images changed; the series of `expr` have the labels `part` and `image`."""
    return Mark("Deploys", expr, "Deployed: image of {{part}} changed", "{{image}}")


def host_link(host: str) -> Link:
    """A link to one host's dashboard."""
    return Link(f"Host {host}", f"/d/host?var-host={host}")


def chosen(to: Link, **variables: str) -> Link:
    """The same link with these variables chosen at the top of the dashboard, such as host="web1"."""
    return Link(to.title, f"{to.url}?{'&'.join(f'var-{name}={value}' for name, value in variables.items())}")


def runbook_link(runbook_url: str) -> Link:
    """A link to the folder of runbooks; `runbook_url` as declared."""
    return Link("Runbooks", runbook_url)


def with_data(dashboard: Dashboard, not_exported: Collection[str]) -> Dashboard:
    """The dashboard without panels that need a series that its app does not export, and rows that had no others."""
    lacking = set(not_exported)
    rows = (
        Row(row.title, tuple(panel for panel in row.panels if not set(panel.needs) & lacking)) for row in dashboard.rows
    )
    return replace(dashboard, rows=tuple(row for row in rows if row.panels))


@dataclass(frozen=True)
class PanelQuery:
    """One query of a panel with its variables filled in, ready for Prometheus."""

    dashboard: str
    panel: str
    expr: str
    empty: str
    app: str


def queries(dashboard: Dashboard, window: str) -> list[PanelQuery]:
    """All queries of a dashboard for everything its variables allow; `window` becomes Grafana's rate interval."""
    return [
        PanelQuery(
            dashboard.uid, panel.title, _filled(query.expr, dashboard.variables, window), panel.empty, dashboard.app
        )
        for row in dashboard.rows
        for panel in row.panels
        for query in panel.queries
    ]


def _filled(expr: str, variables: Sequence[Variable], window: str) -> str:
    """PromQL without Grafana's variables; a variable from a query matches everything."""
    for variable in variables:
        value = variable.options[0] if variable.options else variable.every
        expr = expr.replace(f"${{{variable.name}}}", value).replace(f"${variable.name}", value)
    return expr.replace(RATE, window).replace(RANGE, "1h")
