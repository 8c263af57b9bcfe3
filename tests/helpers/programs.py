"""The programs that crowsnest configures, started on loopback: from PATH, else out of the images of the laboratory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Names of a program: upstream's, which the images have, and Debian's.
NAMES = {
    "prometheus": ("prometheus",),
    "blackbox_exporter": ("blackbox_exporter", "prometheus-blackbox-exporter"),
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def lab_image(name: str) -> str:
    sys.path.insert(0, str(REPOSITORY / "molecule"))
    from lab import tools

    return tools.image(name)


def command(program: str, folder: Path) -> list[str]:
    """What starts the program so that it sees `folder` and this machine's loopback."""
    found = next((path for name in NAMES[program] if (path := shutil.which(name))), None)
    if found:
        return [found]
    options = ["--network", "host", "--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{folder}:{folder}"]
    return ["docker", "run", "--rm", *options, "--entrypoint", program, lab_image(program)]


@contextmanager
def running(program: str, folder: Path, *words: str) -> Iterator[str]:
    """The URL of a program of the Prometheus world that has started; it ends with the block."""
    port = free_port()
    words = (*words, f"--web.listen-address=127.0.0.1:{port}")
    with (folder / f"{program}.log").open("w+") as log:
        process = subprocess.Popen([*command(program, folder), *words], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/-/healthy", process, Path(log.name))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - loopback
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer: {log.read_text()}")


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The loopback port of a web server with this handler; what clients break off is not printed."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *about: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
