# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Time that passes only while somebody sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


class Clock:
    """`now` are the seconds slept so far, `speed` what a second of sleep counts, `later` [(moment, what happens)]."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.speed = 0.0, 1.0
        self.later: list[tuple[float, Callable[[], object]]] = []
        begin = time.time()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: begin + self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds * self.speed
        due = [action for moment, action in self.later if moment <= self.now]
        self.later = [each for each in self.later if each[0] > self.now]
        for action in due:
            action()
