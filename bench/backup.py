# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a backup, its upload, a restore and a swap take, beside the plain programs on the same data; without a lab."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyrage
from object_storage import REGION, SECRET, Storage, ministack
from postgresql import started

from bench.host import ROOT, BenchError, say
from bench.table import Figure

# Orders of a shop, of 250 bytes each in a dump.
ROWS = {"100 MB": 545_000, "1 GB": 5_450_000}
CLIENTS = 20
PASSWORD = "bench"  # noqa: S105 - of a server on loopback that lives as long as the bench
MAKE = """
create table customer (id int primary key, name text not null, email text not null unique);
insert into customer select n, initcap(substr(md5(n::text), 1, 7)) || ' ' || initcap(substr(md5((-n)::text), 1, 9)),
  substr(md5(n::text), 1, 12) || '@example.com' from generate_series(1, {rows} / 20 + 1) n;
create table shop_order (
  id bigint generated always as identity primary key, placed timestamptz not null, state text not null,
  customer int not null, amount numeric(10, 2) not null, token uuid not null, items jsonb not null, note text);
insert into shop_order (placed, state, customer, amount, token, items, note)
  select timestamptz '2020-01-01' + n * interval '37 s', (array['paid', 'sent', 'returned', 'open'])[1 + n % 4],
  1 + (random() * ({rows} / 20))::int, (random() * 1000)::numeric(10, 2), gen_random_uuid(),
  jsonb_build_array(jsonb_build_object('article', (random() * 9999)::int, 'count', 1 + n % 5, 'price', n % 997),
  jsonb_build_object('article', (random() * 9999)::int, 'count', 1)),
  case when n % 3 = 0 then 'Please leave the parcel with the neighbour on floor ' || n % 40 end
  from generate_series(1, {rows}) n;
create index on shop_order (placed);
create index on shop_order (customer);
alter table shop_order add foreign key (customer) references customer;
analyze;
"""


@dataclass(frozen=True)
class Used:
    """What a program and all that it started took: seconds, CPU seconds, MiB of the largest of its processes."""

    seconds: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Bench:
    """A server of PostgreSQL on this machine, the folder of its programs, and a place for files."""

    port: int
    programs: str
    place: Path
    storage: Storage

    @property
    def environment(self) -> dict[str, str]:
        """For crowsnest-backup and the programs of PostgreSQL."""
        server = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres", "PGPASSWORD": PASSWORD}
        path = f"{self.programs}:{os.environ['PATH']}"
        return {**os.environ, **server, "PATH": path, "PYTHONPATH": str(ROOT / "files/backup")}

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """A connection to a database."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname=database, autocommit=True
        )

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Runs statements of SQL."""
        with self.connect(database) as connection:
            connection.execute(statement)  # type: ignore[arg-type] # made of constants of this file

    def declare(self, remote: str | None) -> None:
        """Writes the settings of one job, with or without object storage."""
        key = str(pyrage.x25519.Identity.generate().to_public())
        database = {"name": "bench", "host": "127.0.0.1", "port": self.port, "user": "postgres"}
        keep = {"daily": 7, "weekly": 4, "monthly": 6}
        store = {"name": "offsite", "region": REGION, "endpoint_url": self.storage.url, "access_key": "shop"}
        settings = {
            **{name: str(self.place / name) for name in ("directory", "state", "metrics")},
            **{"environment": "bench", "timezone": "UTC", "tries": 1, "pause_seconds": 1},
            "jobs": [{"name": "bench", "at": "03:00", "keep": keep, "database": database, "remote": remote}],
            "remotes": [{**store, "bucket": self.storage.bucket(versions=False), "encrypt_to": [key]}],
        }
        told = {"push_urls": {}, "check_in_urls": {}}
        secrets = {"databases": {"bench": PASSWORD}, "remotes": {"offsite": SECRET}, **told}
        (self.place / "settings.json").write_text(json.dumps(settings))
        (self.place / "secrets.json").write_text(json.dumps(secrets))

    def tool(self, verb: str, *words: str) -> Used:
        """Calls crowsnest-backup as its wrapper on a host does."""
        program = [sys.executable, "-B", "-m", "crowsnest_backup"]
        return self.used(*program, verb, "bench", *words, "--settings", str(self.place))

    def shell(self, script: str) -> Used:
        """Runs plain programs. BenchError when one of them fails."""
        return self.used("bash", "-euo", "pipefail", "-c", script)

    def used(self, *command: str) -> Used:
        """Runs a program. BenchError with its output when it fails."""
        words = [sys.executable, "-S", str(ROOT / "bench/usage.py"), *command]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{shlex.join(command)}: {done.stderr[-500:]}")
        return Used(**json.loads(done.stdout))


def backup(_lab: object, runs: int) -> list[Figure]:
    """All of it, for a small and a large database."""
    figures = []
    for size, rows in ROWS.items():
        with _bench() as bench:
            say(f"making {size} of data")
            bench.sql("create database bench")
            bench.sql(MAKE.format(rows=rows), "bench")
            found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
            for index in range(runs):
                measured = _run(bench)
                for what, value in measured.items():
                    found[what].append(value)
                told = ", ".join(f"{name} {value:.2f} {unit}" for (name, unit), value in measured.items())
                say(f"{size} {index + 1}, load {os.getloadavg()[0]:.1f}: {told}")
            figures += [Figure(f"{name}, {size}", unit, values) for (name, unit), values in found.items()]
    return figures


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as place, started() as (port, sockets), ministack() as storage:
        (Path(place) / "metrics").mkdir()
        with psycopg.connect(host=str(sockets), port=port, user="postgres", dbname="postgres") as connection:
            connection.execute(f"alter role postgres password '{PASSWORD}'")
            (programs,) = connection.execute("select setting from pg_config where name = 'BINDIR'").fetchone() or ("",)
        yield Bench(port, programs, Path(place), storage)


def _run(bench: Bench) -> Mapping[tuple[str, str], float]:
    """{(name, unit): value} of one backup and what is done with it."""
    bench.declare(remote=None)
    made = bench.tool("backup")
    dump = max(bench.place.glob("directory/**/*.sql.gz"))
    plain = bench.shell(f"pg_dump bench | gzip -6 >{bench.place}/plain.gz")
    tested = bench.shell(f"gzip -t {bench.place}/plain.gz")
    restored = bench.tool("restore", "--as", "restored")
    bare = bench.shell(f"createdb bare && zcat {dump} | psql -1qX -v ON_ERROR_STOP=1 -f - bare")
    bench.sql("drop database bare")
    outage = _outage(bench)
    bench.declare(remote="offsite")
    sent = bench.tool("sync")
    return {
        ("Backup: CPU", "s"): made.cpu,
        ("pg_dump | gzip -6: CPU", "s"): plain.cpu,
        ("gzip -t of that: CPU", "s"): tested.cpu,
        ("Backup: CPU as a part of pg_dump | gzip -6", ""): made.cpu / plain.cpu,
        ("Backup: CPU as a part of pg_dump | gzip -6 and gzip -t", ""): made.cpu / (plain.cpu + tested.cpu),
        ("Backup: memory", "MiB"): made.memory,
        ("Upload: memory", "MiB"): sent.memory,
        ("Restore", "s"): restored.seconds,
        ("createdb and zcat | psql -1", "s"): bare.seconds,
        ("Restore: time as a part of that", ""): restored.seconds / bare.seconds,
        (f"Swap: longest time without an answer of {CLIENTS} clients", "s"): outage,
    }


def _outage(bench: Bench) -> float:
    """Puts the restored database in the place of the live one, while clients ask it and connect again at once."""
    over, gaps = threading.Event(), [0.0] * CLIENTS
    threads = [threading.Thread(target=_client, args=(bench, over, gaps, index)) for index in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        bench.tool("swap", "restored", "--yes")
        time.sleep(1)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    with bench.connect("postgres") as connection:
        (kept,) = connection.execute("select datname from pg_database where datname like 'bench_before%'").fetchone()
    bench.sql(f'drop database "{kept}"')
    return max(gaps)


def _client(bench: Bench, over: threading.Event, gaps: list[float], index: int) -> None:
    """Notes the longest time between two answers, in seconds."""
    last = float("inf")
    while not over.is_set():
        try:
            with bench.connect("bench") as connection:
                while not over.is_set():
                    connection.execute("select id from customer limit 1")
                    gaps[index] = max(gaps[index], time.monotonic() - last)
                    last = time.monotonic()
                    time.sleep(0.05)
        except psycopg.Error:
            continue
