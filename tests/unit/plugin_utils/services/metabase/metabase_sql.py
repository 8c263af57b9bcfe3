# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Metabase makes of a question's SQL and its filters, as far as ours use them.

An optional part [[…]] stays when its filter has a value. A filter of a column becomes conditions on the full name
"schema"."table"."column": https://github.com/metabase/metabase/blob/master/src/metabase/driver/sql/parameters/substitution.clj
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

# The report time zone of these tests.
TIMEZONE = "Asia/Seoul"
# A first and last day, or texts of which one must be there.
Value = tuple[date, date] | list[str]


def expanded(sql: str, columns: Mapping[str, str], values: Mapping[str, Value]) -> str:
    """The SQL that is run. `columns` is {tag: schema.table.column}, `values` {tag: value}."""

    def condition(tag: str) -> str:
        return _condition(".".join(f'"{part}"' for part in columns[tag].split(".")), values[tag])

    def optional(found: re.Match[str]) -> str:
        tags = re.findall(r"\{\{(\w+)\}\}", found[1])
        return re.sub(r"\{\{(\w+)\}\}", lambda tag: condition(tag[1]), found[1]) if set(tags) <= set(values) else ""

    return re.sub(r"\[\[(.*?)\]\]", optional, sql, flags=re.DOTALL)


def _condition(column: str, value: Value) -> str:
    if isinstance(value, tuple):
        first, after = value[0], value[1] + timedelta(days=1)
        start, end = (f"timestamp with time zone '{day} 00:00:00 {TIMEZONE}'" for day in (first, after))
        return f"{column} >= {start} AND {column} < {end}"
    return "(" + " OR ".join(f"{column} = '{text}'" for text in value) + ")"
