# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A server for a drill: the live one's own programs or image, no network, little memory, and no trace afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crowsnest_backup import postgres
from crowsnest_backup.errors import BackupError
from crowsnest_backup.files import private_folder
from crowsnest_backup.postgres import APPLICATION, OURS, Server, docker, reason

# Bytes that the server may use: all of it in a container, each of its processes on a host.
MEMORY = 384 << 20
# Seconds until a new server must answer, on a processor that has other work.
START_SECONDS = 120
# Not safe for data that matters, which this is not: nothing is synced, little is logged, nothing runs by itself.
# The locks are for a dump that is restored in one transaction, which holds one on each table and index it makes.
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "shared_buffers": "32MB",
    "maintenance_work_mem": "48MB",
    "max_connections": "10",
    "max_locks_per_transaction": "2048",
    "max_worker_processes": "0",
    "autovacuum": "off",
    "jit": "off",
    "dynamic_shared_memory_type": "mmap",
}
# Without a network, nothing in shared memory of the host, the first to go when memory ends, behind all other work.
_ON_HOST = (
    *("unshare", "--net", "--ipc", "choom", "-n", "1000", "--", "nice", "-n", "19", "ionice", "-c", "3"),
    *("prlimit", f"--data={MEMORY}"),
)
_IN_CONTAINER = (
    *("--network", "none", "--memory", str(MEMORY), "--memory-swap", str(MEMORY), "--cpus", "0.5"),
    *("--cpu-shares", "102", "--pids-limit", "100", "--oom-score-adj", "1000"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--no-healthcheck"),
)
# Seconds until a container must be gone that an earlier drill left.
_SWEEP_SECONDS = 60
# A container that nobody removed ends by itself.
_LONGEST_SECONDS = 86400
_LABEL = f"{APPLICATION}-drill"
# The system user of a server on a host. It owns nothing else: a dump holds functions of whoever owned the database,
# and a restore calls them, as when it checks a constraint; they must not get at the live server's files and socket.
USER = "crowsnest-drill"


@dataclass(frozen=True)
class Source:
    """What a server for a drill runs from: an image, or else the server programs in a folder of this host."""

    major: int
    image: str = ""
    folder: str = ""

    def __str__(self) -> str:
        return f"the image {self.image}" if self.image else f"the programs in {self.folder}"


def source(live: Server) -> Source:
    """What the live server runs from: it has the same extensions and locales. Raises BackupError when there is none."""
    if live.container:
        inspected = docker("inspect", "--type", "container", "--format", "{{.Image}}", live.container)
        return Source(live.major, image=inspected.strip())
    for folder in (live.folder, str(postgres.PROGRAMS / str(live.major) / "bin")):
        if Path(folder, "initdb").exists():
            return Source(live.major, folder=folder)
    if live.image:
        return Source(live.major, image=live.image)
    raise BackupError(
        f"This host has no server programs of PostgreSQL {live.major}.",
        f"Install the package postgresql-{live.major}, or Docker with the image postgres:{live.major}.",
    )


@contextmanager
def cluster(state: Path, of: Source, libraries: Sequence[str] = ()) -> Iterator[Server]:
    """A running server without databases of its own, for the time of the block; its administrator is `postgres`.

    `libraries` are preloaded. Only under the lock, as `sweep` begins it. Raises BackupError when it does not start.
    """
    sweep(state)
    try:
        server, data, limits = _contained(state, of) if of.image else _hosted(state, of)
        options = ("--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
        server.run("initdb", *options, f"--pgdata={data}")
        settings = {
            **_SETTINGS,
            "unix_socket_directories": server.variables["PGHOST"],
            "shared_preload_libraries": ",".join(libraries),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with tempfile.TemporaryFile() as log:
            command = [*limits, *server.command("postgres", "-D", data, *words)]
            process = subprocess.Popen(
                command, env=server.environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                _wait(server, process, log)
                yield server
            finally:
                sweep(state)
                process.wait()
    finally:
        sweep(state)


def sweep(state: Path) -> None:
    """Removes every trace of a drill, also of one that was killed. Only under the lock. Raises BackupError, OSError."""
    folder = state / "drill"
    if folder.exists():
        while left := _processes(folder):
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)
        shutil.rmtree(folder)
    if shutil.which("docker"):
        end = time.monotonic() + _SWEEP_SECONDS
        while containers := docker("ps", "--all", "--quiet", "--filter", f"label={_LABEL}={state}").split():
            if time.monotonic() > end:
                raise BackupError(f"Docker does not remove the container {containers[0]} of an earlier drill.")
            # One that Docker is still making is listed before it can be removed.
            docker("rm", "--force", "--volumes", *containers)


def _processes(folder: Path) -> list[int]:
    """Processes that work in this folder, as those of PostgreSQL do in its data directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def _variables(sockets: str) -> dict[str, str]:
    return {"PGHOST": sockets, "PGPORT": _SETTINGS["port"], "PGUSER": "postgres", **OURS}


def _contained(state: Path, of: Source) -> tuple[Server, str, Sequence[str]]:
    """In a container without the image's own start, which may run scripts; its data is in the container's own layer."""
    container = docker(
        *("run", "--detach", "--name", f"{_LABEL}-{os.getpid()}", "--label", f"{_LABEL}={state}", *_IN_CONTAINER),
        *("--user", "postgres", "--entrypoint", "sleep", of.image, str(_LONGEST_SECONDS)),
    ).strip()
    return Server("container", _variables("/tmp"), container=container, major=of.major), "/tmp/drill", ()  # noqa: S108


def _hosted(state: Path, of: Source) -> tuple[Server, str, Sequence[str]]:
    """As a system user of its own, which may pass through the state's folder to its own, and see nothing else in it."""
    make_user()
    folder = private_folder(state / "drill")
    shutil.chown(folder, USER, USER)
    state.chmod(state.stat().st_mode | 0o001)
    server = Server("host", _variables(str(folder)), folder=of.folder, user=USER, major=of.major)
    return server, str(folder / "data"), _ON_HOST


def make_user() -> None:
    """Makes the system user where it is not there yet. Raises BackupError."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run([*command, USER], capture_output=True, text=True, check=False)
        if made.returncode:
            raise BackupError(f"The user {USER} cannot be made: {' '.join(made.stderr.split())}.") from None


def _wait(server: Server, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Returns when it answers. Raises BackupError with its last words when it ends instead, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            server.run("pg_isready")
        except BackupError:
            time.sleep(0.1)
        else:
            return
    log.seek(0)
    raise BackupError(f"The server for the drill did not start: {reason(log.read().decode(errors='replace'))}.")
