# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Programs of this machine, always with a time limit."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.progress import LabError


def run(command: Sequence[str], seconds: float = 60, stdin: str | None = None) -> str:
    """Output of a program. LabError with the last lines it wrote when it fails, is missing or takes too long."""
    name = " ".join(command[:4])
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError:
        raise LabError(f"The program {command[0]} is not installed on this machine.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{name} …` did not finish within {seconds:.0f} s.") from None
    if done.returncode != 0:
        last_lines = " / ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise LabError(f"`{name} …` failed with code {done.returncode}: {last_lines}")
    return done.stdout


def as_root(command: Sequence[str]) -> list[str]:
    """The command as root: itself for root, else with sudo that asks nothing."""
    return list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]


def install(packages: Sequence[str], purpose: str) -> None:
    """Install packages of the distribution, after another process that does. LabError without apt-get or its rights."""
    program = shutil.which("apt-get")
    if program is None:
        raise LabError(f"{purpose} is missing, and this machine has no apt-get: install it yourself and try again.")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with Path(program).open("rb") as lock:  # every user may read it: a file of our own would belong to the first one
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            run(as_root([*quiet, "update"]), 300)
            run(as_root([*quiet, "install", "--no-install-recommends", *packages]), 600)
        except LabError as error:
            raise LabError(
                f"{purpose} is missing and could not be installed ({', '.join(packages)}): {error}"
            ) from None
