# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A line to a server on loopback that a test can cut, delay and block."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

BLOCK = 64 * 1024


@dataclass
class Line:
    """`port` is this end of it. The rest can be changed at any time.

    `state`: whole; refused, each connection is reset at once; silent, nothing is passed on.
    `cut_after`: bytes in either direction after which a connection is reset, `cuts`: how often that happens.
    `delay`: seconds that each block takes. `passed`: bytes of all connections.
    """

    port: int
    target: int
    state: Literal["whole", "refused", "silent"] = "whole"
    cut_after: int = 0
    cuts: int = 0
    delay: float = 0
    passed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self.state == "refused":
                _reset(near)
            else:
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self.target))
        counted = [0]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(source, sink, counted), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, counted: list[int]) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK):
                while self.state == "silent":
                    time.sleep(0.05)
                time.sleep(self.delay)
                counted[0] += len(block)
                self.passed += len(block)
                if self._is_cut(counted[0]):
                    _reset(source)
                    _reset(sink)
                    return
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)

    def _is_cut(self, count: int) -> bool:
        with self.lock:
            if not self.cuts or count < self.cut_after:
                return False
            self.cuts -= 1
            return True


def _reset(connection: socket.socket) -> None:
    """Ends it as a broken line does, not as a program that is done."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to this port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener.getsockname()[1], port)
        threading.Thread(target=line.serve, args=(listener,), daemon=True).start()
        yield line
        listener.shutdown(socket.SHUT_RDWR)
