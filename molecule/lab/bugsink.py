# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Bugsink, a server that takes what Sentry's SDKs send, outside the hosts of a lab. It has one project, `shop`."""

import json
from typing import Any

import requests

from lab import image_build, ports
from lab.outside import Outside

# The key of its project, the token of its API, and who may log in: made when its image is built, so that the lab can be
# declared before it runs.
FIXED: dict[str, str] = json.loads((image_build.IMAGES / "bugsink/fixed.json").read_text("utf-8"))
PROJECT = 1


MEMORY = 256 * 1024 * 1024
BUGSINK = Outside("bugsink", "error tracker", 8000, 4, MEMORY, page=ports.ERRORS_PAGE, address_variable="BASE_URL")


def describe(offset: int) -> dict[str, Any]:
    """Where the hosts reach it, where the shop reports its errors (`dsn`), where this machine reads them (`url`)."""
    address = BUGSINK.address(offset)
    return {
        "address": address,
        "dsn": address.replace("://", f"://{FIXED['key']}@") + f"/{PROJECT}",
        "url": f"http://127.0.0.1:{offset + BUGSINK.page}",
        **{name: FIXED[name] for name in ("token", "user", "password")},
    }


def is_ready(url: str) -> bool:
    """Whether it takes events."""
    try:
        return requests.get(f"{url}/health/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False
