# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A dashboard as Grafana's JSON, through Grafana's own SDK, whose types check what is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    TIMELINE_ROWS,
    WIDTH,
    Column,
    Dashboard,
    Link,
    Mark,
    Panel,
    Query,
    Variable,
)

PROMETHEUS_UID, ALERTMANAGER_UID = "prometheus", "alertmanager"
SOURCE = models.DataSourceRef(type_val="prometheus", uid=PROMETHEUS_UID)
# A window of days, or the chosen time range.
_LONG_WINDOW = re.compile(r"\[([0-9]+d|\$__range):?\]")
_LEGEND_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
# Height of the letters in a stat's names.
_NAME_PIXELS = 14
# A column without a width of its own is at least this wide; Grafana's own minimum is 150.
MIN_COLUMN_PIXELS = 90
# Every dashboard has the first tag and that of an app the second one: menus at the top find them by it.
TAG, APP_TAG = "crowsnest", "app"


def dashboard_json(dashboard: Dashboard, timezone: str) -> str:
    """The JSON file of a dashboard; `timezone` is an IANA name."""
    built = (
        sdk.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags([TAG, dashboard.folder.lower(), *([APP_TAG] if dashboard.app else [])])
        .timezone(timezone)
        .time(dashboard.since, "now")
        .refresh("30s")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([_variable(variable) for variable in dashboard.variables])
        .links([*_menus(dashboard), *(_link(link) for link in dashboard.links)])
    )
    y, number = 0, 1
    for row in dashboard.rows:
        built.with_row(sdk.Row(row.title).id(number).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y, number = y + 1, number + 1
        positions = list(_positions(row.panels, y))
        for panel, position in zip(row.panels, positions, strict=True):
            built.with_panel(_panel(panel).id(number).grid_pos(position))
            number += 1
        y = max((position.y + position.h for position in positions), default=y)
    whole = built.build()
    whole.annotations = models.AnnotationContainer([_Annotation(mark) for mark in dashboard.marks])
    return str(JSONEncoder(sort_keys=True, indent=1).encode(whole)) + "\n"


def _positions(panels: tuple[Panel, ...], y: int) -> Iterator[models.GridPos]:
    """Panels side by side; a new line begins when 24 columns are full."""
    x = line_height = 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, line_height = 0, y + line_height, 0
        yield models.GridPos(h=panel.height, w=panel.width, x=x, y=y)
        x, line_height = x + panel.width, max(line_height, panel.height)


def _menus(dashboard: Dashboard) -> list[sdk.DashboardLink]:
    """All dashboards; on that of an app also the other apps, in place of a variable that cannot change the page."""
    menus = {dashboard.menu: [TAG], **({dashboard.app_menu: [TAG, APP_TAG]} if dashboard.app else {})}
    return [
        sdk.DashboardLink(title).type(models.DashboardLinkType.DASHBOARDS).tags(tags).as_dropdown(True).keep_time(True)
        for title, tags in menus.items()
    ]


def _link(link: Link) -> sdk.DashboardLink:
    """Only links to Grafana's own pages can keep the chosen time range."""
    here = link.url.startswith("/")
    return sdk.DashboardLink(link.title).type(models.DashboardLinkType.LINK).url(link.url).keep_time(here)


class _Annotation(models.AnnotationQuery):
    """A mark, with what the SDK's type lacks: https://grafana.com/docs/grafana/latest/datasources/prometheus/annotations/"""

    def __init__(self, mark: Mark) -> None:
        super().__init__(mark.name, SOURCE, icon_color="blue", built_in=None)
        self.mark = mark

    def to_json(self) -> dict[str, object]:
        query = prometheus.Dataquery().expr(f"({self.mark.expr}) * 1000").ref_id("Anno").datasource(SOURCE).range()
        formats = {"titleFormat": self.mark.title, "textFormat": self.mark.text}
        return {**super().to_json(), "target": query.build(), "useValueForTime": True, **formats}


def _variable(variable: Variable) -> sdk.QueryVariable | sdk.CustomVariable:
    if variable.options:
        fixed = sdk.CustomVariable(variable.name).label(variable.label).values(", ".join(variable.options))
        options = [
            models.VariableOption(selected=index == 0, text=option, value=option)
            for index, option in enumerate(variable.options)
        ]
        return fixed.options(options).current(options[0])
    asked = sdk.QueryVariable(variable.name).label(variable.label).query(variable.query).datasource(SOURCE)
    asked.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    asked.multi(variable.multi).include_all(True).all_value(variable.every)
    return asked.current(models.VariableOption(selected=True, text="All", value="$__all"))


# --- panels -----------------------------------------------------------------------------------------------------------


def _panel(panel: Panel) -> Any:
    """The SDK's builder of a panel: what all kinds share, on top of what its kind needs."""
    built = _KINDS[panel.kind](panel)
    built.title(panel.title).description(panel.description)
    if panel.kind == "text":
        return built
    built.datasource(SOURCE).targets([_target(panel, number, query) for number, query in enumerate(panel.queries)])
    if panel.links:
        built.data_links([_link(link) for link in panel.links])
    if panel.kind == "table":  # settings made here would apply to texts too, so each column has its own
        return built.no_value("-")
    built.unit(panel.unit).no_value(panel.nothing).thresholds(_thresholds(panel)).color_scheme(_color(panel))
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    if panel.minimum is not None:
        built.min(panel.minimum)
    if panel.maximum is not None:
        built.max(panel.maximum)
    return built.mappings(_mappings(panel))


def _target(panel: Panel, number: int, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(SOURCE)
    target.legend_format(query.legend or "__auto")
    if panel.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if panel.kind in ("bars", "stat") and not _has_sparkline(panel) else target.range()


def _has_names(panel: Panel) -> bool:
    return len(panel.queries) > 1 or any(query.legend for query in panel.queries)


def _has_sparkline(panel: Panel) -> bool:
    """Whether a stat queries the past too.

    Not for a state: it is what is now, and what is gone has none. Not over a long time: that is one number, and asking
    for it at each step would read all of that time each time. Not without a name, where it runs through the number.
    """
    long = any(_LONG_WINDOW.search(query.expr) for query in panel.queries)
    return panel.kind == "stat" and panel.sparkline and _has_names(panel) and not panel.values and not long


def _thresholds(panel: Panel) -> sdk.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=panel.base)]
    steps += [models.Threshold(value=threshold.value, color=threshold.color) for threshold in panel.thresholds]
    return sdk.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _color(panel: Panel) -> sdk.FieldColor:
    """By name two series may get the same colour; by thresholds a timeline does not show the colours of its values.

    https://github.com/grafana/grafana/issues/41075
    """
    modes = models.FieldColorModeId
    if panel.kind == "timeline":
        return sdk.FieldColor().mode(modes.FIXED).fixed_color("text")
    return sdk.FieldColor().mode(modes.PALETTE_CLASSIC if panel.kind == "timeseries" else modes.THRESHOLDS)


def _mappings(panel: Panel) -> list[models.ValueMapping]:
    """Names of values. A timeline would draw missing values if they had a name."""
    named: list[models.ValueMapping] = [models.ValueMap(_names(panel.values))] if panel.values else []
    return [*named, _nothing(panel)] if panel.kind in ("stat", "bars") else named


def _nothing(panel: Panel) -> models.SpecialValueMap:
    """Otherwise a missing value has the colour below all thresholds, which may be red."""
    shown = models.ValueMappingResult(text=panel.nothing, color="text", index=99)
    return models.SpecialValueMap(models.DashboardSpecialValueMapOptions(models.SpecialValueMatch.NULL_AND_NAN, shown))


def _names(values: Mapping[float, tuple[str, str]]) -> dict[str, models.ValueMappingResult]:
    return {
        f"{value:g}": models.ValueMappingResult(text=name, color=color, index=index)
        for index, (value, (name, color)) in enumerate(values.items())
    }


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).display_mode(common_models.LegendDisplayMode.LIST)
    return legend.placement(common_models.LegendPlacement.BOTTOM)


def _timeseries(panel: Panel) -> timeseries.Panel:
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    built = timeseries.Panel().legend(_legend()).tooltip(tooltip.sort(common_models.SortOrder.DESCENDING))
    built.line_width(1).fill_opacity(40 if panel.stacked else 10).span_nulls(False)
    if panel.stacked:
        built.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if panel.thresholds:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        built.thresholds_style(style)
    return built


def _stat(panel: Panel) -> stat.Panel:
    built = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    built.color_mode(
        common_models.BigValueColorMode.BACKGROUND if panel.values else common_models.BigValueColorMode.VALUE
    )
    mode, graph = common_models.BigValueTextMode, common_models.BigValueGraphMode
    built.text_mode(mode.VALUE_AND_NAME if _has_names(panel) else mode.VALUE)
    if _has_names(panel):  # Grafana shrinks the names of many values until nobody can read them
        built.text(common.VizTextDisplayOptions().title_size(_NAME_PIXELS))
    return built.graph_mode(graph.AREA if _has_sparkline(panel) else graph.NONE)


def _bars(panel: Panel) -> bargauge.Panel:
    """Grafana names a single bar only if its name is set, and lets it fill the panel unless a height is set."""
    built = bargauge.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    built.orientation(common_models.VizOrientation.HORIZONTAL).display_mode(common_models.BarGaugeDisplayMode.BASIC)
    built.sizing(common_models.BarGaugeSizing.MANUAL).min_viz_height(16).max_viz_height(32)
    built.name_placement(common_models.BarGaugeNamePlacement.LEFT)
    return built.display_name(_LEGEND_LABEL.sub(r"${__field.labels.\1}", panel.queries[0].legend))


def _timeline(panel: Panel) -> statetimeline.Panel:
    built = statetimeline.Panel().merge_values(True).show_value(common_models.VisibilityMode.NEVER).row_height(0.8)
    return built.legend(_legend()).per_page(TIMELINE_ROWS)


def _table(panel: Panel) -> table.Panel:
    order = {name: index for index, name in enumerate(panel.columns)}
    titles = {name: column.title for name, column in panel.columns.items()}
    keep = {"include": {"names": list(panel.columns)}}
    rename = {"indexByName": order, "renameByName": titles, "excludeByName": {}}
    built = table.Panel().min_width(MIN_COLUMN_PIXELS)
    built.with_transformation(models.DataTransformerConfig(id_val="filterFieldsByName", options=keep))
    if len(panel.queries) > 1:
        built.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    for column in panel.columns.values():
        if looks := _column_looks(panel, column):
            built.override_by_name(column.title, looks)
    return built.with_transformation(models.DataTransformerConfig(id_val="organize", options=rename))


def _column_looks(panel: Panel, column: Column) -> list[models.DynamicConfigValue]:
    looks: dict[str, object] = {}
    if column.width:
        looks["custom.width"] = column.width
    if column.unit:
        looks["unit"] = column.unit
    if column.decimals is not None:
        looks["decimals"] = column.decimals
    if column.coloured:
        looks["custom.cellOptions"] = {"type": "color-text"}
        looks |= {
            "color": {"mode": "thresholds"},
            "thresholds": _thresholds(panel).build(),
            "mappings": [_nothing(panel)],
        }
    if column.values:
        looks["custom.cellOptions"] = {"type": "color-text"}
        looks["mappings"] = [models.ValueMap(_names(column.values))]
    return [models.DynamicConfigValue(id_val=key, value=value) for key, value in looks.items()]


def _text(panel: Panel) -> text.Panel:
    return text.Panel().mode(TextMode.MARKDOWN).content(panel.text)


_KINDS: dict[str, Callable[[Panel], Any]] = {
    "timeseries": _timeseries,
    "stat": _stat,
    "bars": _bars,
    "timeline": _timeline,
    "table": _table,
    "text": _text,
}
