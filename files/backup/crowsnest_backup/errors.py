# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What went wrong, in one sentence that names the cause, and what to do about it."""

from __future__ import annotations


class BackupError(Exception):
    """A fault of the world, never of the program: it is told without a stack trace.

    `advice` is what to do, empty where the sentence tells it. Neither holds a secret.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()
