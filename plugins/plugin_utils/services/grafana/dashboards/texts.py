# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The texts of a dashboard, to be said in another language. Nothing else of it changes: no query, no uid, no place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    Color,
    Dashboard,
    Link,
    Panel,
    Row,
)

# Parts of files/words: names of whole dashboards and folders, and what is on a dashboard.
PAGES, PANELS = "pages", "panels"
# (text, part of files/words) → text
Say = Callable[[str, str], str]


def with_texts(dashboard: Dashboard, say: Say) -> Dashboard:
    """The dashboard with each text that people read as `say` says it, but for its folder, which also names files."""
    return replace(
        dashboard,
        title=say(dashboard.title, PAGES),
        description=say(dashboard.description, PAGES),
        rows=tuple(
            Row(say(row.title, PANELS), tuple(_panel(panel, say) for panel in row.panels)) for row in dashboard.rows
        ),
        variables=tuple(replace(variable, label=say(variable.label, PANELS)) for variable in dashboard.variables),
        links=tuple(_link(link, say) for link in dashboard.links),
        menu=say(dashboard.menu, PAGES),
        app_menu=say(dashboard.app_menu, PAGES),
        marks=tuple(
            replace(mark, name=say(mark.name, PANELS), title=say(mark.title, PANELS), text=say(mark.text, PANELS))
            for mark in dashboard.marks
        ),
    )


def _panel(panel: Panel, say: Say) -> Panel:
    return replace(
        panel,
        title=say(panel.title, PANELS),
        description=say(panel.description, PANELS),
        queries=tuple(replace(query, legend=say(query.legend, PANELS)) for query in panel.queries),
        values=_values(panel.values, say),
        columns={
            key: replace(column, title=say(column.title, PANELS), values=_values(column.values, say))
            for key, column in panel.columns.items()
        },
        links=tuple(_link(link, say) for link in panel.links),
        text="\n".join(say(line, PANELS) for line in panel.text.split("\n")),
        empty=say(panel.empty, PANELS),
        nothing=say(panel.nothing, PANELS),
    )


def _values(values: Mapping[float, tuple[str, Color]], say: Say) -> dict[float, tuple[str, Color]]:
    return {number: (say(name, PANELS), color) for number, (name, color) in values.items()}


def _link(link: Link, say: Say) -> Link:
    return replace(link, title=say(link.title, PAGES))
