# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees while something is done: on a terminal also what is being done now, and for how long."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

# Tells what is being done, in one short fragment such as `Dumping shop: 120 MB`.
Say = Callable[[str], None]
_CLEAR = "\r\x1b[K"


def silent(_fragment: str) -> None:
    """Tells nothing."""


class Progress:
    """Tells on standard error, for the time of a `with` block.

    On a terminal, what is being done is one line with the time since the start, written anew each second.
    """

    def __init__(self) -> None:
        self._stream, self._terminal = sys.stderr, sys.stderr.isatty()
        self._begun, self._doing = time.monotonic(), ""
        self._over, self._asking = threading.Event(), False
        self._ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        if self._terminal:
            self._ticking.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self._terminal:
            self._ticking.join()
            self._write(_CLEAR)

    def say(self, fragment: str) -> None:
        """What is being done now; in a log it would only be noise."""
        self._doing = fragment
        if self._terminal:
            self._show()

    def tell(self, line: str) -> None:
        """A line that stays."""
        self._write(f"{_CLEAR * self._terminal}{line}\n")

    def ask(self, question: str) -> bool:
        """Whether a person answers `yes`; without a terminal nobody does."""
        if not (self._terminal and sys.stdin.isatty()):
            return False
        self._asking = True
        self._write(f"{_CLEAR}{question} [yes/no] ")
        answer = sys.stdin.readline().strip()
        self._asking, self._doing = False, ""
        return answer == "yes"

    def _tick(self) -> None:
        while not self._over.wait(1):
            if not self._asking:
                self._show()

    def _show(self) -> None:
        line = f"[{timedelta(seconds=int(time.monotonic() - self._begun))}] {self._doing}"
        self._write(_CLEAR + line[: shutil.get_terminal_size().columns - 1])

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal is gone, and the work goes on
            self._stream.write(text)
            self._stream.flush()


def size(count: float) -> str:
    """`1.2 MB`: bytes for a person."""
    if count < 1000:
        return f"{count:.0f} B"
    power, unit = next((each for each in ((10**9, "GB"), (10**6, "MB")) if count >= each[0]), (10**3, "kB"))
    return f"{count / power:.1f} {unit}"


def span(seconds: float) -> str:
    """`3.2 s`, `65 s`, `5 min`, `7 h`, `3 days`: a duration for a person, from two of a unit on."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    length, unit = next((each for each in ((86400, "days"), (3600, "h")) if seconds >= 2 * each[0]), (60, "min"))
    return f"{seconds / length:.0f} {unit}"
