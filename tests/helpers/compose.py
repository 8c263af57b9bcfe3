# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""docker compose for tests: this machine's, else that of the laboratory's hosts; and an image to start services of."""

from __future__ import annotations

import fcntl
import os
import subprocess
from functools import cache
from pathlib import Path

from lab import tools

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".cache/compose"


@cache
def variables() -> dict[str, str]:
    """The environment in which `docker compose` is found."""
    own = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return dict(os.environ) if own.returncode == 0 else {**os.environ, "DOCKER_CONFIG": str(_with_plugin())}


@cache
def image() -> str:
    """Name of an image with a shell."""
    return str(tools.base())


def _with_plugin() -> Path:
    plugin = FOLDER / "cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not plugin.exists():
            tools.copy_compose(plugin)
    return FOLDER
