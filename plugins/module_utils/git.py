# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What git knows of an app's files: what is written into one that it tracks stands in the way of the next `git pull`.

Standard library only and Python 3.9.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS = 30
NOT_TRACKED = 1


class GitError(Exception):
    """git cannot say it; the text is git's own."""


def tracked_in(path: Path) -> Path | None:
    """The checkout in which git tracks this file; None when it does not, or there is no git. Raises GitError."""
    target = path.resolve()
    checkout = _checkout(target)
    if checkout is None:
        return None
    done = _run(checkout, "ls-files", "--error-unmatch", "--", str(target))
    if done.returncode not in (0, NOT_TRACKED):
        raise GitError(done.stderr.strip())
    return checkout if done.returncode == 0 else None


def commit(folder: Path) -> str:
    """`4f1c9e2`: the short commit that is checked out where this folder is; "" when none is, or there is no git."""
    checkout = _checkout(folder.resolve() / "-")
    with suppress(GitError):
        done = _run(checkout, "rev-parse", "--short", "HEAD") if checkout else None
        return done.stdout.strip() if done and done.returncode == 0 else ""
    return ""


def _checkout(target: Path) -> Path | None:
    """The checkout that holds this path; None when none does, or there is no git on this host."""
    found = next((folder for folder in target.parents if (folder / ".git").exists()), None)
    return found if shutil.which("git") else None


def _run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """git as the owner of the checkout: it would run programs that the checkout's settings name, which must not happen
    as root, and refuses a checkout of somebody else. Raises GitError.
    """
    try:
        return subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(checkout), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent"},
            timeout=SECONDS,
            check=False,
            text=True,
            **_as_owner(checkout),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(str(error)) from None


def _as_owner(checkout: Path) -> dict[str, Any]:
    """Options of subprocess.run by which root becomes the owner of the checkout, and nobody else changes."""
    owner = checkout.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
