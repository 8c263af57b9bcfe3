# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Debian's chromium, which nothing but a test tells what to load; it is installed when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import shell
from playwright.sync_api import Browser, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# What it says when a network of the machine came or went, such as a container's; it then gives up what it was loading.
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"


@contextmanager
def running(*flags: str) -> Iterator[Browser]:
    """One that ends with the block."""
    if not PROGRAM.exists():
        shell.install(["chromium"], "Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*FLAGS, *flags])
        yield browser
        browser.close()
