# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts programs in the project's environment, whose folder is first on PATH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call


def become(command: Sequence[str]) -> int:
    """Becomes this program and never returns; the type is that of all functions that run to an exit status."""
    sys.stdout.flush()
    os.execvp(command[0], list(command))  # noqa: S606 - no shell is wanted


def wait_for(command: Sequence[str], stdout: IO[str] | None = None) -> int:
    """Runs a program; its exit status, or 128 and the number of the signal that ended it, as in shells."""
    running = subprocess.Popen(command, stdout=stdout)
    # A terminal sends Ctrl-C to both. The program decides how to end, and this one waits for it.
    interrupted = signal.signal(signal.SIGINT, lambda *_: None)
    terminated = signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    status = running.wait()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, terminated)
    return status if status >= 0 else 128 - status


def program(path: str) -> Callable[[Call], int]:
    """Returns a function that starts this Python program of the repository with the words after the verb."""
    return lambda call: become(["python", path, *call.words])
