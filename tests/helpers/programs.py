# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The programs that crowsnest configures, started on loopback: from PATH, else out of the images of the laboratory."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from typing import Any

from lab import tools

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache/programs"
# Debian's name of a program, where it is another one than upstream's, which the images have.
DEBIANS = {
    "alertmanager": "prometheus-alertmanager",
    "blackbox_exporter": "prometheus-blackbox-exporter",
    "postgres_exporter": "prometheus-postgres-exporter",
    "pushgateway": "prometheus-pushgateway",
    "redis_exporter": "prometheus-redis-exporter",
}
# Where a program says that it has started, where it is not /-/ready.
STARTED = {"blackbox_exporter": "-/healthy", "postgres_exporter": "", "redis_exporter": "health"}
# What needs nothing but its own file, and is called very often.
ALONE = ("amtool", "promtool")
Tool = Callable[..., subprocess.CompletedProcess[str]]


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return int(taken.getsockname()[1])


def command(program: str, folder: Path, **environment: str) -> list[str]:
    """What calls the program so that it can write below `folder` and sees this machine's loopback."""
    return _found(program) or _contained(program, folder, "--network", "host", *_variables(environment))


def tool(program: str) -> Tool:
    """A function that runs promtool or amtool in a folder, which it may only read, without a network."""

    def run(folder: Path, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        called = _found(program) or _contained(program, folder, "--network", "none", "--interactive", rights="ro")
        return subprocess.run(
            [*called, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False, input=stdin or ""
        )

    return run


@contextmanager
def running(program: str, folder: Path, *words: str, port: int = 0, **environment: str) -> Iterator[str]:
    """The URL of a program of the Prometheus world that has started; it ends with the block."""
    address = f"127.0.0.1:{port or free_port()}"
    called = [*command(program, folder, **environment), *words, f"--web.listen-address={address}"]
    log, started = folder / f"{program}.log", STARTED.get(program, "-/ready")
    with log.open("wb") as output:
        process = subprocess.Popen(called, cwd=folder, env=os.environ | environment, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        urllib.request.urlopen(f"http://{address}/{started}", timeout=5).close()
        return True

    try:
        until(answers, 60)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def until(answer: Callable[[], Any], seconds: float) -> Any:
    """The first answer that is true. Connections that are refused are no answer."""
    end, found = time.monotonic() + seconds, None
    while not found and time.monotonic() < end:
        with suppress(OSError):
            found = answer()
        if not found:
            time.sleep(0.05)
    assert found, f"not so within {seconds:g} s"
    return found


@cache
def _found(program: str) -> list[str]:
    """From PATH, else as a copy out of its image where that runs here as it is: it starts in a tenth of the time."""
    path = shutil.which(program) or shutil.which(DEBIANS.get(program, program))
    path = path or (_copied(program) if program in ALONE else None)
    return [path] if path else []


def _copied(program: str) -> str | None:
    image = _image(program)
    path = CACHE / re.sub(r"\W", "-", image) / program
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not path.exists():
            created = ["docker", "create", "--entrypoint", program, image]
            container = subprocess.run(created, check=True, capture_output=True, text=True).stdout.strip()
            try:
                copied = ["docker", "cp", "--follow-link", f"{container}:/bin/{program}", str(path)]
                subprocess.run(copied, check=True, capture_output=True)
            finally:
                subprocess.run(["docker", "rm", container], check=True, capture_output=True)
    return str(path) if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0 else None


def _variables(environment: dict[str, str]) -> list[str]:
    return [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]


def _contained(program: str, folder: Path, *options: str, rights: str = "rw") -> list[str]:
    own = [
        "--user",
        f"{os.getuid()}:{os.getgid()}",
        "--volume",
        f"{folder}:{folder}:{rights}",
        "--workdir",
        str(folder),
    ]
    return ["docker", "run", "--rm", *own, *options, "--entrypoint", program, _image(program)]


_image = cache(tools.image)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler], tls: SSLContext | None = None) -> Iterator[int]:
    """The loopback port of a web server with this handler; what clients break off is not printed."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *about: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
