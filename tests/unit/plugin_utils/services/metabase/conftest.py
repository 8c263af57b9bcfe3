# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with the sample shop's tables, and the files beside the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgresql
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import shop_tables
from metabase_sql import TIMEZONE


@pytest.fixture(scope="session")
def shop_server() -> Iterator[str]:
    """URI of the server; its database has the tables, empty."""
    with postgresql.started() as (port, sockets):
        uri = f"postgresql://postgres@/postgres?host={sockets}&port={port}"
        with psycopg.connect(uri, autocommit=True) as connection:
            for statement in shop_tables.statements():
                connection.execute(statement)
        yield uri


@pytest.fixture
def shop(shop_server: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session as Metabase opens it, in the report time zone; what it writes is rolled back."""
    with psycopg.connect(shop_server) as connection:
        connection.execute(f"SET TIME ZONE '{TIMEZONE}'")
        yield connection
        connection.rollback()
