# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Real servers for the tests of files/backup: one of each kind for all tests, a database of its own for each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from crowsnest_backup import postgres
from crowsnest_backup.settings import Database
from object_storage import encrypted, ministack_server, place, storage, versitygw_server  # noqa: F401
from postgres_servers import MakeDatabase, connected, in_a_container, on_this_host


@pytest.fixture(scope="session")
def host_server() -> Iterator[Database]:
    with on_this_host() as database:
        yield database


@pytest.fixture(scope="session")
def container_server() -> Iterator[Database]:
    with in_a_container() as database:
        yield database


@pytest.fixture(params=["host", "container"])
def server(request: pytest.FixtureRequest) -> Database:
    """Each test that takes it runs twice: PostgreSQL on the host and in a container."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def make_database(server: Database) -> Iterator[MakeDatabase]:
    """A function that makes a database with these statements on the server; it is removed after the test."""
    made: list[str] = []

    def make(*statements: str, name: str = "") -> Database:
        own = name or f"shop_{uuid.uuid4().hex[:8]}"
        with connected(server, "postgres") as connection:
            connection.execute(f"create database {postgres.identifier(own)}")
        made.append(own)
        with connected(server, own) as connection:
            for statement in statements:
                connection.execute(statement)
        return replace(server, name=own)

    yield make
    with connected(server, "postgres") as connection:
        for own in made:
            connection.execute(f"drop database if exists {postgres.identifier(own)} with (force)")
