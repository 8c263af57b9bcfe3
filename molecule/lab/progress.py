# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees: the steps with their time, and one sentence per mistake."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
# Back to the first column, and nothing after it.
CLEAR = "\r\033[K"


class LabError(Exception):
    """A problem that a person can solve; the text says what is wrong and what to do."""


def is_terminal() -> bool:
    """Whether a person sees the output as it comes."""
    return sys.stdout.isatty()


class Screen:
    """The steps in progress. A terminal shows them in one line with their time, rewritten every second.

    Elsewhere a step prints a line when it begins, so that no log is silent for minutes, and one when it ends.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self.pause = pause
        self.running: list[tuple[str, float]] = []  # (text, when it began)
        self.lock = threading.Lock()

    def begin(self, text: str) -> tuple[str, float]:
        """Show that a step begins; `end` takes what it returns."""
        begun = text, time.monotonic()
        with self.lock:
            self.running.append(begun)
            first = len(self.running) == 1
            if not is_terminal():
                print(f"{text} ...", flush=True)
            elif first:
                threading.Thread(target=self._tick, daemon=True).start()
        return begun

    def end(self, begun: tuple[str, float], prefix: str) -> None:
        """Leave `text ... N s` behind."""
        with self.lock:
            self.running.remove(begun)
            line = f"{begun[0]} ... {prefix}{time.monotonic() - begun[1]:.1f} s"
            print(f"{CLEAR if is_terminal() else ''}{line}", flush=True)

    def _tick(self) -> None:
        """Rewrite the line until no step is left."""
        while True:
            with self.lock:
                if not self.running:
                    return
                print(CLEAR + self.line(time.monotonic()), end="", flush=True)
            time.sleep(self.pause)

    def line(self, now: float) -> str:
        """The steps in progress with their seconds, cut to the width of the terminal."""
        steps = "; ".join(f"{text} ... {now - start:.0f} s" for text, start in self.running)
        return steps[: shutil.get_terminal_size().columns - 1]


SCREEN = Screen()


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show what the block does and how long it took, even if it fails; several may run at once."""
    begun = SCREEN.begin(text)
    prefix = "failed after "
    try:
        yield
        prefix = ""
    finally:
        SCREEN.end(begun, prefix)


def wait_until(what: str, look: Callable[[], T], seconds: float, pause: float = 0.2) -> T:
    """The first true value of `look()`; LabError(`what`) after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise LabError(f"{what} (waited {seconds:.0f} s)")
        time.sleep(pause)
    return found
