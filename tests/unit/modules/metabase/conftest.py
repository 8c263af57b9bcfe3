"""A Metabase (the contract double, in this process) with a shop's PostgreSQL, both fresh in each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import metabase_double
import metabase_in_process
import pytest
from clock import Clock
from metabase_double import Postgres
from metabase_in_process import Double, Shop
from metabase_module import DB_PASSWORD, Runner

ORDERS = "CREATE TABLE orders (created_at timestamptz, city text, extra text, total numeric)"


def _open(postgres: Postgres, database: str) -> None:
    """The tables of a shop's app, and a role that may read them."""
    postgres.run(
        database,
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
        "GRANT USAGE ON SCHEMA public TO crowsnest_ro",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO crowsnest_ro",
        ORDERS,
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with contextmanager(metabase_double.made)() as server:
        server.run("postgres", "CREATE ROLE crowsnest_ro LOGIN")
        server.run("postgres", f"ALTER ROLE crowsnest_ro PASSWORD '{DB_PASSWORD}'")
        _open(server, "shop")
        yield server


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Shop]:
    """Runs SQL in the shop's database as its owner; the database and the role are as before afterwards."""
    yield lambda *statements: postgres.run("shop", *statements)
    postgres.run("postgres", f"ALTER ROLE crowsnest_ro PASSWORD '{DB_PASSWORD}'", "DROP DATABASE IF EXISTS old")
    _open(postgres, "shop")


@pytest.fixture(scope="session")
def double(postgres: Postgres) -> Iterator[Double]:
    with metabase_in_process.running(postgres) as double:
        yield double


@pytest.fixture
def metabase(double: Double) -> Double:
    double.fresh()
    return double


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def run(metabase: Double, postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(metabase.url, postgres.port, tmp_path, capsys)


@pytest.fixture
def ready(metabase: Double, run: Runner) -> Double:
    """After a first run, which is done once."""
    if not metabase.kept:
        assert run()["changes"] == run.first
        metabase.keep(run.file.read_text())
    run.file.touch(0o600)
    run.file.write_text(metabase.back_to_kept())
    metabase.requests.clear()
    return metabase
