# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A dashboard as Grafana's JSON, through Grafana's own SDK, whose types guard what is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from ansible_collections.crowsnest.core.plugins.plugin_utils.dashboards.panel import (
    WIDTH,
    Dashboard,
    Link,
    Panel,
    Query,
    Variable,
)

PROMETHEUS_UID, ALERTMANAGER_UID = "prometheus", "alertmanager"
SOURCE = models.DataSourceRef(type_val="prometheus", uid=PROMETHEUS_UID)
# A window of days, or the time that is looked at.
_LONG_WINDOW = re.compile(r"\[([0-9]+d|\$__range)\]")
# Every dashboard has this tag, by which the menu on top of each finds them all.
TAG = "crowsnest"


def dashboard_json(dashboard: Dashboard, timezone: str) -> str:
    """The JSON file of a dashboard; `timezone` is an IANA name."""
    built = (
        sdk.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags([TAG, dashboard.folder.lower()])
        .timezone(timezone)
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([_variable(variable) for variable in dashboard.variables])
        .links([_menu(), *(_link(link) for link in dashboard.links)])
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
    return str(JSONEncoder(sort_keys=True, indent=1).encode(built.build())) + "\n"


def _positions(panels: tuple[Panel, ...], y: int) -> Iterator[models.GridPos]:
    """Panels side by side; the next line begins when 24 columns are full."""
    x = line_height = 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, line_height = 0, y + line_height, 0
        yield models.GridPos(h=panel.height, w=panel.width, x=x, y=y)
        x, line_height = x + panel.width, max(line_height, panel.height)


def _menu() -> sdk.DashboardLink:
    link = sdk.DashboardLink("All dashboards").type(models.DashboardLinkType.DASHBOARDS)
    return link.tags([TAG]).as_dropdown(True).keep_time(True)


def _link(link: Link) -> sdk.DashboardLink:
    """Only Grafana's own pages know the time that is looked at."""
    here = link.url.startswith("/")
    return sdk.DashboardLink(link.title).type(models.DashboardLinkType.LINK).url(link.url).keep_time(here)


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
    asked.multi(variable.multi).include_all(True).all_value(".+")
    return asked.current(models.VariableOption(selected=True, text="All", value="$__all"))


# --- panels -----------------------------------------------------------------------------------------------------------


def _panel(panel: Panel) -> Any:
    """The SDK's builder of a panel: what all kinds share, on top of what its kind needs."""
    built = _KINDS[panel.kind](panel)
    built.title(panel.title).description(panel.description)
    if panel.kind == "text":
        return built
    built.datasource(SOURCE).targets([_target(panel, number, query) for number, query in enumerate(panel.queries)])
    built.unit(panel.unit).no_value("-").thresholds(_thresholds(panel)).color_scheme(_color(panel))
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    if panel.minimum is not None:
        built.min(panel.minimum)
    if panel.maximum is not None:
        built.max(panel.maximum)
    if panel.values:
        built.mappings([models.ValueMap(_names(panel))])
    if panel.links:
        built.data_links([_link(link) for link in panel.links])
    return built


def _target(panel: Panel, number: int, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(SOURCE)
    target.legend_format(query.legend or "__auto")
    if panel.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    # A state is what is now: what is gone has none. A stat over a long time has one number; asking for it at each step
    # would read all of that time each time.
    once = panel.kind == "bars" or (panel.kind == "stat" and (panel.values or _LONG_WINDOW.search(query.expr)))
    return target.instant() if once else target.range()


def _thresholds(panel: Panel) -> sdk.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=panel.base)]
    steps += [models.Threshold(value=each.value, color=each.color) for each in panel.thresholds]
    return sdk.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _color(panel: Panel) -> sdk.FieldColor:
    by_series = panel.kind == "timeseries"
    modes = models.FieldColorModeId
    return sdk.FieldColor().mode(modes.PALETTE_CLASSIC_BY_NAME if by_series else modes.THRESHOLDS)


def _names(panel: Panel) -> dict[str, models.ValueMappingResult]:
    return {
        f"{value:g}": models.ValueMappingResult(text=name, color=color, index=index)
        for index, (value, (name, color)) in enumerate(panel.values.items())
    }


def _timeseries(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True).display_mode(common_models.LegendDisplayMode.LIST)
    legend.placement(common_models.LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    built = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common_models.SortOrder.DESCENDING))
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
    several = len(panel.queries) > 1 or any(query.legend for query in panel.queries)
    mode = common_models.BigValueTextMode
    built.text_mode(mode.VALUE_AND_NAME if several else mode.VALUE)
    return built.graph_mode(
        common_models.BigValueGraphMode.NONE if panel.values else common_models.BigValueGraphMode.AREA
    )


def _bars(panel: Panel) -> bargauge.Panel:
    built = bargauge.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return built.orientation(common_models.VizOrientation.HORIZONTAL).display_mode(
        common_models.BarGaugeDisplayMode.BASIC
    )


def _timeline(panel: Panel) -> statetimeline.Panel:
    return statetimeline.Panel().merge_values(True).show_value(common_models.VisibilityMode.NEVER).row_height(0.8)


def _table(panel: Panel) -> table.Panel:
    order = {name: index for index, name in enumerate(panel.columns)}
    keep = {"include": {"names": list(panel.columns)}}
    rename = {"indexByName": order, "renameByName": panel.columns, "excludeByName": {}}
    built = table.Panel().with_transformation(models.DataTransformerConfig(id_val="filterFieldsByName", options=keep))
    if len(panel.queries) > 1:
        built.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        for name, title in panel.columns.items():
            if name.startswith("Value"):
                built.override_by_name(title, _column_looks(panel, name))
    return built.with_transformation(models.DataTransformerConfig(id_val="organize", options=rename))


def _column_looks(panel: Panel, name: str) -> list[models.DynamicConfigValue]:
    """What a column of numbers has instead of the panel's unit, or beside it."""
    looks: dict[str, object] = {"custom.cellOptions": {"type": "color-text"}}
    if name in panel.plain_columns:
        looks = {"unit": "none", "decimals": panel.plain_columns[name]}
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
