# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Bugsink, a server that takes what Sentry's SDKs send, outside the hosts of a lab. It has one project, `shop`."""

from typing import Any

import requests

from lab import ports
from lab.outside import Outside

# Made when its image is built (images/bugsink/prepare.py), so that the lab can be declared before it runs.
KEY = "0a0b0c0d0e0f40008000000000000001"
TOKEN = "0a0b0c0d0e0f" + "0" * 28
PROJECT = 1


def _environment(offset: int) -> dict[str, str]:
    return {"BASE_URL": BUGSINK.address(offset)}


MEMORY = 256 * 1024 * 1024
BUGSINK = Outside("bugsink", "error tracker", 8000, 4, MEMORY, page=ports.ERRORS_PAGE, environment=_environment)


def describe(offset: int) -> dict[str, Any]:
    """Where the shop reports its errors (`dsn`), and where this machine reads them (`url`, with the `token`)."""
    return {
        "dsn": BUGSINK.address(offset).replace("://", f"://{KEY}@") + f"/{PROJECT}",
        "url": f"http://127.0.0.1:{offset + BUGSINK.page}",
        "token": TOKEN,
    }


def is_ready(url: str) -> bool:
    """Whether it takes events."""
    try:
        return requests.get(f"{url}/health/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False
