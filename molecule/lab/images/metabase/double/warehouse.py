# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Connections to the PostgreSQL databases that are asked: test, tables and fields, and running a query.

src/metabase/driver/postgres.clj and src/metabase/driver/util.clj of Metabase.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

Object = dict[str, Any]
ROW_LIMIT = 2000
# sql-jdbc.sync/database-type->base-type of the PostgreSQL driver, and what stands for the rest.
BASE_TYPES = {
    **dict.fromkeys(("int2", "int4"), "Integer"),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "char", "citext"), "Text"),
    **dict.fromkeys(("float4", "float8"), "Float"),
    **dict.fromkeys(("numeric", "money"), "Decimal"),
    **{"int8": "BigInteger", "bool": "Boolean", "date": "Date", "timestamp": "DateTime", "uuid": "UUID"},
    **{"timestamptz": "DateTimeWithLocalTZ", "time": "Time", "timetz": "TimeWithLocalTZ", "inet": "IPAddress"},
    **{"json": "JSON", "jsonb": "JSON", "xml": "XML"},
}
_HOST_AND_PORT = {
    "message": "Hmm, we couldn't connect to the database. Make sure your Host and Port settings are correct",
    "errors": {"host": "check your host settings", "port": "check your port settings"},
}
_COLUMNS = """
SELECT n.nspname, c.relname, a.attname, t.typname, t.typtype = 'e', a.attnum - 1,
       COALESCE(i.indisprimary, false), obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)
WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
  AND has_any_column_privilege(c.oid, 'SELECT') AND NOT c.relispartition
ORDER BY 1, 2, a.attnum
"""


class QueryError(Exception):
    """A query that failed; the message is what the API shows, `kind` its error_type."""

    def __init__(self, message: str, kind: str = "invalid-query", source: str = "clojure.lang.ExceptionInfo") -> None:
        super().__init__(message)
        self.kind, self.source = kind, source


def base_type(name: str, enum: bool = False) -> str:
    """Metabase's type of a column of PostgreSQL's type `name`."""
    return f"type/{'PostgresEnum' if enum else BASE_TYPES.get(name, '*')}"


def connect(details: Object, zone: str = "") -> psycopg.Connection[Any]:
    """psycopg.Error. Read-only, so that the double cannot change what it looks at."""
    secure = "require" if details.get("ssl") else "prefer"
    named: Object = {key: details.get(key) for key in ("host", "dbname", "user", "password") if details.get(key)}
    more: Object = {"port": int(details.get("port") or 5432), "sslmode": details.get("ssl-mode") or secure}
    options = "-c default_transaction_read_only=on" + (f" -c TimeZone={zone}" if zone else "")
    return psycopg.connect(**named, **more, connect_timeout=10, options=options, application_name="Metabase v0.61.2")


def refusal(details: Object) -> Object | None:
    """What POST /api/database answers when this database cannot be reached; None when it can."""
    try:
        connect(details).close()
    except psycopg.OperationalError as error:
        return _humanized(str(error).strip().splitlines()[-1].rpartition("FATAL:  ")[2], str(error))
    return None


def _humanized(last: str, whole: str) -> Object:
    if "password authentication failed" in whole or "no password supplied" in whole:
        words = {"message": "Looks like your Password is incorrect.", "errors": {"password": "check your password"}}
        return words
    if last.startswith("database ") and last.endswith("does not exist"):
        errors = {"dbname": "check your database name settings"}
        return {"message": "Looks like the Database name is incorrect.", "errors": errors}
    if last.startswith("role ") and last.endswith("does not exist"):
        return {"message": "Looks like your Username is incorrect.", "errors": {"user": "check your username"}}
    return {"message": f"{last.capitalize()}."} if "FATAL" in whole else _HOST_AND_PORT


def columns(details: Object) -> list[tuple[Any, ...]]:
    """(schema, table, column, type, is it an enum, position, primary key, table's comment, column's comment)."""
    with connect(details) as connection:
        return connection.execute(_COLUMNS).fetchall()


def run(details: Object, sql: str, values: Sequence[Any], zone: str, limit: int | None = ROW_LIMIT) -> Object:
    """The `data` of a query's answer. QueryError with PostgreSQL's message."""
    try:
        with connect(details, zone) as connection, connection.cursor() as cursor:
            cursor.execute(sql.encode(), values or None)
            cols = [_column(connection, column) for column in cursor.description or []]
            rows = cursor.fetchmany(limit) if limit else cursor.fetchall()
            cut = len(rows) == limit and cursor.fetchone() is not None
    except psycopg.Error as error:
        raise QueryError(_message(error), source="org.postgresql.util.PSQLException") from None
    if not cols:
        raise QueryError("Select statement did not produce a ResultSet for native query", "driver")
    data: Object = {"rows": [[shown(value, zone) for value in row] for row in rows], "cols": cols}
    return {**data, "rows_truncated": limit} if cut else data


def _column(connection: psycopg.Connection[Any], column: Any) -> Object:
    info = connection.adapters.types.get(column.type_code)
    kind = base_type(info.name if info else "")
    reference = ["field", column.name, {"base-type": kind}]
    names = {"name": column.name, "display_name": column.name, "base_type": kind, "effective_type": kind}
    return {
        **names,
        "semantic_type": None,
        "source": "native",
        "field_ref": reference,
        "database_type": info and info.name,
    }


def _message(error: psycopg.Error) -> str:
    """The text that PostgreSQL's JDBC driver makes of an error."""
    told = error.diag
    if not told.message_primary:
        return str(error).strip()
    parts = {"Detail": told.message_detail, "Hint": told.message_hint, "Position": told.statement_position}
    parts |= {"Where": told.context}
    lines = [f"  {name}: {text}" for name, text in parts.items() if text]
    return "\n".join([f"{told.severity}: {told.message_primary}", *lines])


def shown(value: Any, zone: str) -> Any:
    """A value as JSON: moments in the report time zone, a date as its midnight."""
    if isinstance(value, dt.datetime):
        return moment(value if value.tzinfo is None else value.astimezone(ZoneInfo(zone)), zone)
    if isinstance(value, dt.date):
        return moment(dt.datetime.combine(value, dt.time()), zone)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, bool | int | float | str | dict | list):
        return value
    return (
        value.isoformat() if isinstance(value, dt.time) else str(value) if not isinstance(value, bytes) else value.hex()
    )


def moment(value: dt.datetime, zone: str) -> str:
    """ISO 8601 with the zone's offset, Z for none, as the results of Metabase have it."""
    text = value.replace(tzinfo=value.tzinfo or ZoneInfo(zone)).isoformat()
    return text.replace("+00:00", "Z")
