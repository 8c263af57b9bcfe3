"""Many databases are asked at once, and each error is an answer."""

from __future__ import annotations

from collections.abc import Iterator

import postgresql
import psycopg
import pytest

from ansible_collections.crowsnest.core.plugins.modules.postgresql_ask import ask

PASSWORD = "hush-Hush-1"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """That of a server without TLS."""
    with postgresql.started() as (port, sockets):
        with psycopg.connect(host=str(sockets), port=port, dbname="postgres", user="postgres") as session:
            session.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
        yield port


@pytest.mark.parametrize(("mode", "answer"), [("prefer", {"query_result": [{"one": 1}]}), ("require", {})])
def test_tls_is_demanded_where_it_is_required(port: int, mode: str, answer: dict[str, object]) -> None:
    login = {"host": "127.0.0.1", "port": port, "dbname": "postgres", "user": "postgres", "password": PASSWORD}
    said = ask({"name": "shop", **login, "sslmode": mode, "parameters": {}}, "SELECT 1 AS one", 5)
    assert said.items() >= {"item": "shop", **answer}.items()
    assert ("server does not support SSL" in said.get("msg", "")) == (mode == "require")
