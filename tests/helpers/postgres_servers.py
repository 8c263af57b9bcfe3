# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Two real servers as the backup meets them: the distribution's on this host, and PostgreSQL 17 in a container."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from crowsnest_backup import postgres, scratch
from crowsnest_backup.errors import BackupError
from crowsnest_backup.settings import Database
from lab import shell, tools
from programs import free_port, until

MakeDatabase = Callable[..., Database]
PASSWORD = r"pa:\@%*s' s"
QUICK = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=60", "shared_buffers=32MB")


@contextmanager
def on_this_host() -> Iterator[Database]:
    """The distribution's server as the system user postgres, with its socket where Debian puts it.

    Over TCP its administrator needs PASSWORD.
    """
    programs = installed()
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        data, port, sockets = Path(place, "data"), free_port(), Path(postgres.SOCKETS)
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        if not sockets.is_dir():
            sockets.mkdir()
            shutil.chown(sockets, "postgres", "postgres")
        as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]

        def call(program: str, *words: str) -> None:
            command = [*as_postgres, str(programs / program), "-D", str(data), *words]
            subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)

        Path(place, "password").write_text(PASSWORD)
        authentication = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={place}/password")
        call("initdb", "--no-sync", *authentication, "--encoding=UTF8", "--locale=C.UTF-8")
        options = " ".join(["-h 127.0.0.1", f"-p {port}", f"-k {sockets}", *(f"-c {each}" for each in QUICK)])
        call("pg_ctl", "-w", "-o", options, "-l", str(data / "log"), "start")
        try:
            yield Database("postgres", "127.0.0.1", port)
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")


def installed() -> Path:
    """Folder of the newest server programs; Debian's package is installed when there is none.

    The user for drills is made as well: here and there at once, by two processes that test, either would fail.
    """
    with Path("/run/lock/crowsnest-test").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch.make_user()
        if not list(postgres.PROGRAMS.glob("*/bin/initdb")):
            shell.install(["postgresql"], "PostgreSQL")
    return max(postgres.PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])).parent


@contextmanager
def in_a_container(published: bool = True) -> Iterator[Database]:
    """PostgreSQL 17 in a container whose administrator is `shop`; its port is on this host's loopback."""
    name, port = f"crowsnest-test-{uuid.uuid4().hex[:8]}", free_port()
    variables = {"POSTGRES_USER": "shop", "POSTGRES_DB": "shop", "POSTGRES_PASSWORD": PASSWORD}
    passed = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
    ports = ["--publish", f"127.0.0.1:{port}:5432"] if published else []
    image = tools.service_image("metabase_database")
    settings = [word for each in QUICK for word in ("-c", each)]
    subprocess.run(
        ["docker", "run", "--detach", "--name", name, *ports, *passed, image, "postgres", *settings],
        check=True,
        capture_output=True,
    )
    try:
        database = Database("shop", "127.0.0.1", port, container=name)
        until(lambda: ready(database), 60)
        yield database
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True)


def connected(database: Database, name: str) -> psycopg.Connection[Any]:
    """A connection of the administrator to a database of a server; psql takes ten times as long to be started."""
    user = "shop" if database.container else "postgres"
    return psycopg.connect(
        host=database.host, port=database.port, user=user, password=PASSWORD, dbname=name, autocommit=True
    )


def ready(database: Database) -> bool:
    """The official image starts its server twice; the second one listens on TCP as well."""
    try:
        server = postgres.find(database)
        server.run("psql", "--host=127.0.0.1", "--command=select 1", database=database.name)
    except BackupError:
        return False
    return True
