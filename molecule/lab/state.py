# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lab remembers on this machine: `.lab/<name>/` in the repository."""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from lab.progress import LabError, wait_until

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOCK_SECONDS = 1800
LAB_FILES = Path(__file__).resolve().parent
STATE = REPOSITORY / ".lab"
# Tells the labs of this checkout from those of others on the same engine.
CHECKOUT = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
PREFIX = f"crowsnest-lab-{CHECKOUT}"
# Of this machine and user, whatever the checkout and the environment.
LOCK = Path(f"/tmp/crowsnest-lab-{os.getuid()}.lock")


def check_name(name: str) -> str:
    """The name itself. LabError unless it can be part of container and host names."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name) or name == "engine":
        raise LabError(
            f"{name!r} can't name a lab: use at most 20 lower-case letters, digits and hyphens, and not `engine`."
        )
    return name


def directory(name: str) -> Path:
    """State directory of a lab (it need not exist)."""
    return STATE / name


def save(lab: dict[str, Any]) -> None:
    """Write lab.json; the rename makes sure no half-written file is ever read."""
    folder = directory(lab["name"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = folder / "lab.json.new"
    new.write_text(json.dumps(lab, indent=2) + "\n", encoding="utf-8")
    new.replace(folder / "lab.json")


def load(name: str) -> dict[str, Any] | None:
    """Content of lab.json, None where the lab does not exist."""
    path = directory(name) / "lab.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def need(name: str) -> dict[str, Any]:
    """Content of lab.json. LabError naming the labs that exist."""
    lab = load(check_name(name))
    if lab is None:
        others = ", ".join(names()) or "none"
        raise LabError(f"There is no lab named {name} (existing: {others}): start it with `molecule/lab up {name}`.")
    return lab


def names() -> list[str]:
    """Names of the labs with a state directory."""
    return sorted(path.parent.name for path in STATE.glob("*/lab.json"))


def remove(name: str) -> None:
    """Delete the state directory of a lab."""
    shutil.rmtree(directory(name), ignore_errors=True)
    tidy()


def tidy() -> None:
    """Delete `.lab` itself when nothing is left in it."""
    with suppress(OSError):  # it is gone already, or another lab is in it
        STATE.rmdir()


@contextmanager
def alone() -> Iterator[None]:
    """Hold back other labs that come up at the same time, of any checkout: the engine and the images are shared."""
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(lock):
            print("Another lab is being prepared on this machine; waiting for it.", flush=True)
        wait_until("Another lab is still being prepared; is it stuck?", partial(_locked, lock), LOCK_SECONDS)
        yield
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
