# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees: one line per step with its time, and one sentence per mistake."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class LabError(Exception):
    """A problem a person can solve; the text says what is wrong and what to do."""


@contextmanager
def step(text: str) -> Iterator[None]:
    """Print `text ... N s` around the block, also when it fails; one of several at once prints its line at the end."""
    alone = threading.current_thread() is threading.main_thread()
    if alone:
        print(f"{text} ... ", end="", flush=True)
    start = time.monotonic()
    word = "failed after "
    try:
        yield
        word = ""
    finally:
        line = f"{word}{time.monotonic() - start:.1f} s"
        print(line if alone else f"{text} ... {line}", flush=True)


def wait_until(what: str, look: Callable[[], T], seconds: float, pause: float = 0.2) -> T:
    """The first true value of `look()`; LabError(`what`) after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise LabError(f"{what} (waited {seconds:.0f} s)")
        time.sleep(pause)
    return found
