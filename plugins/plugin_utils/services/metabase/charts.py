# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""crowsnest's charts in Metabase's terms: `display` and `visualization_settings` of a question. Pure.

Keys name columns of the answer, see frontend/src/metabase/visualizations in https://github.com/metabase/metabase:
lib/settings/column.ts (column_settings), lib/settings/series.ts, visualizations/Scalar, visualizations/PieChart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import AXES, Question

# Currencies without a smaller unit in daily use, ISO 4217.
_WHOLE = ("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND")


def display(question: Question) -> str:
    """Metabase calls a single number a scalar."""
    return "scalar" if question.chart == "number" else str(question.chart)


def visualization_settings(question: Question, titles: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Which column goes where, its title, and the currency of sums. `titles` are those not made of a column's name."""
    columns = {
        json.dumps(["name", column], separators=(",", ":"), ensure_ascii=False): _column(column, question, titles)
        for column in dict.fromkeys([*question.x, *question.y, *titles])
    }
    return {**_places(question), **({"column_settings": columns} if columns else {})}


def _places(question: Question) -> dict[str, Any]:
    if question.chart in AXES:
        places: dict[str, Any] = {"graph.dimensions": question.x, "graph.metrics": question.y}
        if question.chart != "line" and len(question.x) > 1:
            places["stackable.stack_type"] = "stacked"
        elif question.chart in ("line", "area"):
            # Metabase's own default joins the days before and after, as if something had been sold.
            places["series_settings"] = {column: {"line.missing": question.gaps} for column in question.y}
        return places
    if question.chart == "pie":
        return {"pie.dimension": question.x[0], "pie.metric": question.y[0]}
    if question.chart == "number" and question.y:
        return {"scalar.field": question.y[0]}
    return {}


def _column(column: str, question: Question, titles: Mapping[str, str]) -> dict[str, Any]:
    spaced = column.replace("_", " ")
    title = {"column_title": titles.get(column, spaced[:1].upper() + spaced[1:])}
    if question.currency is None or column not in question.y:
        return title
    style = {"number_style": "currency", "currency": question.currency, "currency_style": "symbol"}
    decimals = {"decimals": 0} if question.currency in _WHOLE else {}
    return {**title, **style, "currency_in_header": False, **decimals}
