"""Makes `metabase_content`, the helper beside this file, importable, and starts what the tests share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import metabase_content
import metabase_double as helper
from metabase_content import Content
from metabase_double import Metabase, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of its own with a database for the shop, or the one of METABASE_TEST_DATABASE."""
    url = os.environ.get("METABASE_TEST_DATABASE")
    yield from helper.given(url) if url else helper.made()


@pytest.fixture(scope="session")
def metabase(postgres: Postgres) -> Iterator[Metabase]:
    """A Metabase that is set up: METABASE_URL's, else the double."""
    if url := os.environ.get("METABASE_URL"):
        yield helper.set_up(Metabase(url.rstrip("/"), os.environ["METABASE_EMAIL"], os.environ["METABASE_PASSWORD"]))
    else:
        with helper.running(postgres, "contract") as double:
            yield helper.set_up(double)


@pytest.fixture(scope="module")
def content(metabase: Metabase, postgres: Postgres) -> Iterator[Content]:
    with metabase_content.made(metabase, postgres) as content:
        yield content
