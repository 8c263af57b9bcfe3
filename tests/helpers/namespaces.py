# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Machines that are only network namespaces of this one, with the real kernel between them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from lab import shell

_LISTENING = """
import socket, sys, threading
def serve(server):
    while True:
        server.accept()[0].close()
for port in sys.argv[1:]:
    server = socket.create_server(("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=200)
    threading.Thread(target=serve, args=(server,)).start()
print("ready", flush=True)
"""


class Place(NamedTuple):
    """A network namespace: a machine of its own, as far as the network goes."""

    name: str

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.name, *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def do(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def reaches(self, address: str, port: int, source: str = "") -> bool:
        bound = f", source_address=({source!r}, 0)" if source else ""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 1{bound})"
        return self.run("python3", "-c", code).returncode == 0


@contextmanager
def made(name: str) -> Iterator[Place]:
    """A namespace for as long as it is used; skips the test without root."""
    if os.geteuid() != 0:
        pytest.skip("namespaces are made by root only")
    if missing := [package for package, program in (("nftables", "nft"), ("iproute2", "ip")) if not _program(program)]:
        shell.install(missing, "Network namespaces")
    place = Place(f"{name}{os.getpid()}")
    _ip("netns", "add", place.name)
    try:
        place.do("ip", "link", "set", "lo", "up")
        yield place
    finally:
        _ip("netns", "del", place.name)


@contextmanager
def listening(place: Place, *ports: int) -> Iterator[None]:
    """Something takes connections at these ports, of both kinds, and closes them."""
    words = ["ip", "netns", "exec", place.name, "python3", "-c", _LISTENING, *map(str, ports)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline()
            yield
        finally:
            process.terminate()


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _ip(*words: str) -> None:
    subprocess.run([_program("ip") or "ip", *words], check=True, capture_output=True)


def link(inner: Place, address: str, outer: Place, gateway: str, device: str) -> None:
    """A cable between two: `out` in the inner one, `device` in the outer one, whose address is the way to it."""
    _ip("link", "add", "out", "netns", inner.name, "type", "veth", "peer", "name", device, "netns", outer.name)
    inner.do("ip", "addr", "add", address, "dev", "out")
    outer.do("ip", "addr", "add", gateway, "dev", device)
    for place, name in ((inner, "out"), (outer, device)):
        place.do("ip", "link", "set", name, "up")
