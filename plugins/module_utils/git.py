# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether git keeps a file: what is written there stands in the way of the team's next `git pull`.

Standard library only and Python 3.9.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

SECONDS = 30
NOT_TRACKED = 1


class GitError(Exception):
    """git cannot say it; the text is git's own."""


def tracked_in(path: Path) -> Path | None:
    """The checkout in which git tracks this file; None when it does not, or there is no git on this host.

    git runs as the owner of the checkout: it would run programs that the checkout's settings name, which must not
    happen as root, and refuses a checkout of somebody else. Raises GitError.
    """
    target = path.resolve()
    checkout = next((folder for folder in target.parents if (folder / ".git").exists()), None)
    git = shutil.which("git")
    if checkout is None or git is None:
        return None
    words = [git, "--literal-pathspecs", "-C", str(checkout), "ls-files", "--error-unmatch", "--", str(target)]
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"}
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=SECONDS,
            check=False,
            text=True,
            **_as_owner(checkout),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(str(error)) from None
    if done.returncode not in (0, NOT_TRACKED):
        raise GitError(done.stderr.strip())
    return checkout if done.returncode == 0 else None


def _as_owner(checkout: Path) -> dict[str, Any]:
    """Options of subprocess.run by which root becomes the owner of the checkout, and nobody else changes."""
    owner = checkout.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
