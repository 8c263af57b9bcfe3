# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Packages of npm and PyPI as locked, in the folder `.cache` of the repository.

They are installed when they are first asked for, and again after a change of the lock.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from programs import REPOSITORY

CACHE, TESTS = REPOSITORY / ".cache", REPOSITORY / "tests"


def of_npm(sources: Path) -> Path:
    """The `node_modules` of the package-lock.json in this folder below `tests`."""

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(sources / name, folder)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)

    return _installed(CACHE / sources.relative_to(TESTS), sources / "package-lock.json", install) / "node_modules"


def of_pypi(sources: Path) -> Path:
    """The programs of a virtual environment with the requirements.txt in this folder."""
    requirements = sources / "requirements.txt"
    folder = CACHE / f"{sources.relative_to(REPOSITORY)}-{sys.version_info[0]}.{sys.version_info[1]}"
    return _installed(folder, requirements, lambda folder: environment(folder, requirements)) / "bin"


def environment(folder: Path, requirements: Path) -> None:
    """Makes a virtual environment with these packages, whose hashes must be right."""
    venv.create(folder, with_pip=True)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--require-hashes", "--requirement", requirements)


def _installed(folder: Path, lock: Path, install: Callable[[Path], None]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:  # tests may run in several processes
        fcntl.flock(held, fcntl.LOCK_EX)
        installed, wanted = folder / "installed", lock.read_bytes()
        if not installed.exists() or installed.read_bytes() != wanted:
            install(folder)
            installed.write_bytes(wanted)
    return folder


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
