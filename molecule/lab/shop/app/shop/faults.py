"""Faults on demand: a small JSON file says which are in force, every worker reads it with each request.

A file and not Redis, so the switch works while Redis or the database is down. Keys: errors and payments (shares
0..1), slow (seconds). Set by `manage.py fault`.
"""

import functools
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

MIB = 1024 * 1024
View = Callable[..., HttpResponse]


class FaultOnPurposeError(RuntimeError):
    """Raised in a view while the fault `errors` is in force."""


def read() -> dict[str, float]:
    """The faults in force; none when there is no file."""
    try:
        return json.loads(settings.FAULT_FILE.read_text())
    except FileNotFoundError:
        return {}


def write(faults: dict[str, float]) -> None:
    """Put exactly these faults in force, atomically."""
    temporary = settings.FAULT_FILE.with_suffix(".tmp")
    temporary.write_text(json.dumps(faults))
    temporary.replace(settings.FAULT_FILE)


def happens(name: str) -> bool:
    """Tell whether a fault with a share strikes this time."""
    return random.random() < read().get(name, 0)


def obeys_faults(view: View) -> View:
    """Wrap a view: it waits while `slow` and raises at times while `errors` is in force."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, **arguments: object) -> HttpResponse:
        time.sleep(read().get("slow", 0))
        if happens("errors"):
            raise FaultOnPurposeError("the fault 'errors' is in force: see manage.py fault")
        return view(request, **arguments)

    return wrapped


def fill_disk(path: Path, mebibytes: int) -> None:
    """Make `path` occupy that many MiB; 0 removes it. Raises ValueError when less than 1 % would stay free."""
    path.unlink(missing_ok=True)
    if not mebibytes:
        return
    disk = shutil.disk_usage(path.parent)
    possible = (disk.free - disk.total // 100) // MIB
    if mebibytes > possible:
        raise ValueError(f"{mebibytes} MiB don't fit into {path.parent}: at most {possible} MiB, 1 % must stay free")
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, mebibytes * MIB)
