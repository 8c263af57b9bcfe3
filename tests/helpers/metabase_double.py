"""Starts a PostgreSQL and the contract double of Metabase, each as its own process on a free port of the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import postgresql
import psycopg
import requests

IMAGE = Path(__file__).resolve().parents[2] / "molecule/lab/images/metabase"
KEY = "a-key-of-enough-characters"
PASSWORD = "made-up-password-1"
ZONE = "Europe/Berlin"
TABLE = "crowsnest_contract_orders"
ORDERS = f"""
DROP TABLE IF EXISTS {TABLE};
CREATE TABLE {TABLE}
  (id serial PRIMARY KEY, placed_at timestamptz NOT NULL, day date, status text, total numeric(9, 2));
INSERT INTO {TABLE} (placed_at, day, status, total) VALUES
  ('2026-10-31T22:30:00Z', '2026-10-31', 'paid', 10.50), ('2026-10-31T23:30:00Z', '2026-11-01', 'paid', 20),
  ('2026-11-15T12:00:00Z', '2026-11-15', 'open', 30.25), ('2026-11-30T23:30:00Z', '2026-12-01', 'gone', 40),
  (now() - interval '10 days', NULL, 'recent', 1000);
"""  # noqa: S608 - the name is ours


@dataclass(frozen=True)
class Postgres:
    """Where it is, and the database that questions are asked of."""

    host: str
    port: int
    dbname: str = "shop"
    user: str = "reader"
    password: str = PASSWORD

    def details(self, **different: Any) -> dict[str, Any]:
        """As POST /api/database takes them."""
        mine = {"host": self.host, "port": self.port, "dbname": self.dbname, "user": self.user}
        return {**mine, "password": self.password, "ssl": False, **different}

    def run(self, dbname: str, *statements: str) -> list[Any]:
        """As the superuser of the server that the tests made."""
        with psycopg.connect(
            host=self.host, port=self.port, dbname=dbname, user="postgres", password=PASSWORD, autocommit=True
        ) as connection:
            done = [connection.execute(statement) for statement in statements]
            return done[-1].fetchall() if done[-1].description else []


def given(url: str) -> Iterator[Postgres]:
    """The database of this URL, with the tests' table while they run."""
    parts = urlsplit(url)
    mine = Postgres(
        parts.hostname or "",
        parts.port or 5432,
        parts.path[1:],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ORDERS)
        yield mine
        connection.execute(f"DROP TABLE {TABLE}")


def made() -> Iterator[Postgres]:
    """A server with the database `shop`, and the role `reader` that may only read."""
    with postgresql.started() as (port, sockets):
        with psycopg.connect(host=str(sockets), port=port, user="postgres", autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
            connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE shop")
        mine = Postgres("127.0.0.1", port)
        mine.run(
            "shop", ORDERS, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "CREATE TABLE hidden (id int)"
        )
        yield mine


@dataclass
class Metabase:
    """A running Metabase, and how to log in to it."""

    url: str
    email: str = "admin@example.com"
    password: str = PASSWORD
    token: str = ""
    output: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One call of the API, as the administrator unless the headers say who."""
        mine = {"X-Metabase-Session": self.token} if self.token and not headers else {}
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        return requests.request(method, f"{self.url}/api/{path}", json=body, headers=mine | given, timeout=30)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a call that must succeed."""
        answer = self.ask(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.done("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.done("POST", path, body or {})

    def put(self, path: str, body: Any) -> Any:
        return self.done("PUT", path, body)

    def log(self) -> str:
        return "".join(self.output)

    def waits_until_healthy(self, seconds: float = 20) -> list[tuple[int, str]]:
        """The different (status, state) seen until it is ready."""
        end = time.monotonic() + seconds
        seen: list[tuple[int, str]] = []
        while True:
            assert time.monotonic() < end, f"{seen}\n{self.log()}"
            try:
                answer = requests.get(f"{self.url}/api/health", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.02)
                continue
            state = (answer.status_code, answer.json()["status"])
            seen += [state] if state not in seen else []
            if answer.status_code == 200:
                return seen
            time.sleep(0.02)


def set_up(metabase: Metabase) -> Metabase:
    """Log in; set up before that when nobody did."""
    metabase.waits_until_healthy(300)
    token = metabase.get("session/properties")["setup-token"]
    if token:
        person = {"first_name": "Ada", "last_name": "Admin", "email": metabase.email, "password": metabase.password}
        metabase.post("setup", {"token": token, "user": person, "prefs": {"site_name": "Shop", "site_locale": "en"}})
    metabase.token = metabase.post("session", {"username": metabase.email, "password": metabase.password})["id"]
    return metabase


def environment(postgres: Postgres, database: str, port: int, **more: str) -> dict[str, str]:
    """What the container's definition sets."""
    mine = {"MB_DB_TYPE": "postgres", "MB_DB_HOST": postgres.host, "MB_DB_PORT": str(postgres.port)}
    mine |= {"MB_DB_DBNAME": database, "MB_DB_USER": "postgres", "MB_DB_PASS": PASSWORD}
    mine |= {"MB_JETTY_HOST": "127.0.0.1", "MB_JETTY_PORT": str(port), "MB_ENCRYPTION_SECRET_KEY": KEY}
    mine |= {"MB_SITE_URL": "http://metabase.example.com", "MB_REPORT_TIMEZONE": ZONE, "JAVA_OPTS": "-Xmx300m"}
    charts = os.environ.get("METABASE_DOUBLE_CHARTS")
    mine |= {"METABASE_DOUBLE_CHARTS": charts} if charts else {}
    mine |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "METABASE_DOUBLE_START_SECONDS": "0.2"}
    mine |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return {key: value for key, value in {**mine, **more}.items() if value}


def database(postgres: Postgres) -> str:
    """A new, empty application database."""
    name = f"metabase_{uuid.uuid4().hex[:8]}"
    postgres.run("postgres", f"CREATE DATABASE {name}")
    return name


def refused(variables: dict[str, str]) -> str:
    """Everything a start prints that must end by itself with status 1."""
    command = [str(IMAGE / "run_metabase.sh")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def started(variables: dict[str, str]) -> Iterator[Metabase]:
    """A double that may still be starting; SIGTERM ends it within a second, as a JVM."""
    command = [str(IMAGE / "run_metabase.sh")]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    double = Metabase(f"http://127.0.0.1:{variables['MB_JETTY_PORT']}", process=process)
    output = process.stdout
    assert output
    reader = threading.Thread(target=lambda: double.output.extend(output), daemon=True)
    reader.start()
    try:
        yield double
    finally:
        process.terminate()
        try:
            code = process.wait(timeout=1)
        finally:
            process.kill()
            reader.join(timeout=3)
            output.close()
    assert code == 143


@contextmanager
def running(postgres: Postgres, name: str, **more: str) -> Iterator[Metabase]:
    """A double with an application database of its own, unless `name` is one that is there."""
    known = name.startswith("metabase_")
    variables = environment(postgres, name if known else database(postgres), postgresql.free_port(), **more)
    with started(variables) as double:
        double.waits_until_healthy()
        yield double
