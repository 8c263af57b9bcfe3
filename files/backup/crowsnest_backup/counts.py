# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How many rows each table has, of exactly the tables whose rows pg_dump writes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crowsnest_backup.postgres import Session

# Ordinary tables, leaves of partitioned ones among them; not temporary, not an extension's own, except those that
# the extension lists as its configuration, of which pg_dump writes the rows that match a condition.
_TABLES = r"""
select c.oid::regclass::text as written, n.nspname as schema, c.relname as name, coalesce(x.condition, '') as condition
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
  select e.extcondition[i] as condition
  from pg_extension e, generate_subscripts(e.extconfig, 1) i
  where e.extconfig[i] = c.oid
) x on true
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  and (x.condition is not null or not exists (
    select from pg_depend d
    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
      and d.refclassid = 'pg_extension'::regclass
  ))
order by 2, 3
"""


def key(schema: str, table: str) -> str:
    """`public.shop_order`: the name of a table in a manifest. A part with a dot or a quote in it is quoted."""
    return ".".join(
        '"' + part.replace('"', '""') + '"' if re.search('[."]', part) else part for part in (schema, table)
    )


def counted(session: Session) -> dict[str, int]:
    """{key: rows} of all tables, in the transaction of the session. Raises BackupError where rows cannot be read."""
    return {
        key(table["schema"], table["name"]): int(
            session.value(f"select count(*) as rows from only {table['written']} {table['condition']}")
        )
        for table in session.rows(_TABLES)
    }


def differing(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """What differs, as `public.shop_order: 40 rows instead of 41`, for a person; empty when all is equal."""
    return [
        f"{name}: {_rows(found.get(name))} instead of {_rows(wanted.get(name))}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]


def _rows(count: int | None) -> str:
    return "no table" if count is None else f"{count} row{'s' * (count != 1)}"
