# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A Python environment of locked packages, built in its final place and brought into force by renaming a symlink.

    <path>/current -> 3.13-0123456789ab   what is in force; it only ever points to a finished environment
    <path>/3.13-0123456789ab/             the Python it was made with, and 12 digits of the hash of its requirements

The programs of an environment hold its absolute path, so it cannot be built elsewhere and moved. `current` marks
it as finished: a folder that it does not point to is a leftover and is rebuilt from scratch.

Standard library only and Python 3.9: this file runs on the hosts. It knows nothing about Ansible.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

LINK = ".current"
NAME = re.compile(r"3\.\d+-[0-9a-f]{12}")
PIN = re.compile(r"(?m)^[A-Za-z0-9._-]+==[^\s;]+")
BROKEN = re.compile(r"after connection broken by '(.*)': /")
REQUIREMENTS = "requirements.lock"
SECONDS = 300  # less than another run waits for this one
PIP = ["-I", "-m", "pip", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries=2"]
# No dependency is resolved, as the lock is complete (`pip check` verifies it), and no package runs code to be built.
INSTALL = ["install", "--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps"]


class PythonEnvironmentError(Exception):
    """The environment cannot be built; the text says why and what to do."""


def python_version() -> str:
    """The part of this interpreter's version that decides whether an environment fits: "3.13"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def wanted_name(requirements: str) -> str:
    """Name of the environment that holds these requirements for this interpreter."""
    return f"{python_version()}-{hashlib.sha256(requirements.encode()).hexdigest()[:12]}"


def in_force(path: Path) -> str:
    """Name of the environment that `current` points to; "" when there is none that works."""
    try:
        name = str((path / "current").readlink())
    except OSError:  # it is missing, or not a symlink
        return ""
    return name if NAME.fullmatch(name) and (path / name / "bin/python").exists() else ""


def leftovers(path: Path) -> list[str]:
    """What earlier builds left behind and that is not in force, by name; never what others put there."""
    found = os.listdir(path) if path.is_dir() else []  # noqa: PTH208 names are wanted
    return sorted(name for name in found if (NAME.fullmatch(name) or name == LINK) and name != in_force(path))


def pins(path: Path) -> str:
    """The packages of the environment in force, one per line."""
    lock = path / "current" / REQUIREMENTS
    return packages(lock.read_text(encoding="utf-8")) if in_force(path) and lock.is_file() else ""


def packages(requirements: str) -> str:
    """Names and versions of a lock, one per line."""
    return "".join(f"{pin}\n" for pin in PIN.findall(requirements))


def ensure(path: Path, requirements: str, index_url: str, lock: int) -> None:
    """Make the environment with these requirements the only one, and bring it into force.

    `lock` is the handle by which this run holds `path`. The programs started here keep it, so if this run is
    killed, the next one waits for them. Raises PythonEnvironmentError or OSError; what was in force stays so.
    """
    name = wanted_name(requirements)
    tidy(path)
    if in_force(path) == name:
        return
    try:
        build(path / name, requirements, index_url, lock)
        (path / LINK).symlink_to(name)
        os.sync()  # a power cut must not leave the link without what it points to
        (path / LINK).replace(path / "current")
    finally:
        tidy(path)


def tidy(path: Path) -> None:
    """Remove what is not in force."""
    if not in_force(path):
        (path / "current").unlink(missing_ok=True)  # before it seems to work again because its target is rebuilt
    for name in leftovers(path):
        (path / LINK).unlink() if name == LINK else shutil.rmtree(path / name)


def build(target: Path, requirements: str, index_url: str, lock: int) -> None:
    """A complete environment at `target`, where there is nothing. Raises PythonEnvironmentError."""
    run([sys.executable, "-I", "-m", "venv", str(target)], lock)
    (target / REQUIREMENTS).write_text(requirements, encoding="utf-8")
    python = [str(target / "bin/python"), *PIP]
    run([*python, *INSTALL, "--requirement", str(target / REQUIREMENTS)], lock, index_url)
    run([*python, "check"], lock)


def run(command: list[str], lock: int, index_url: str = "") -> None:
    """Run a program that keeps `lock`. Raises PythonEnvironmentError with its output.

    The index is passed in the environment, as its URL may contain a password, which must not appear in a process list.
    """
    environment = {**os.environ, **({"PIP_INDEX_URL": index_url} if index_url else {})}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
            pass_fds=(lock,),
        )
    except subprocess.TimeoutExpired:
        raise PythonEnvironmentError(f"It did not finish within {SECONDS} s. {advice('')}") from None
    if done.returncode != 0:
        raise PythonEnvironmentError(f"{error_text(done.stdout)}. {advice(done.stdout)}")


def error_text(output: str) -> str:
    """What a program reports: why it retried, then all from its first error on, or else its last lines."""
    reasons = [re.sub(r"<[^>]*>[:,] *", "", reason) for reason in BROKEN.findall(output)]
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    first = next((place for place, line in enumerate(lines) if line.startswith("ERROR:")), len(lines) - 3)
    return " / ".join([*reasons[-1:], *lines[max(first, 0) :]])[:1500].rstrip(".")


def advice(output: str) -> str:
    """What to do about an error."""
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "The index offers a different file than the locked one, so nothing was installed. If the lock was not "
            "edited, somebody replaced the file: do not continue until you know who."
        )
    if "No space left" in output:
        return "Free some space there and run again."
    if "ensurepip" in output:
        return "Install the package python3-venv of the host's distribution."
    if any(sign in output for sign in ("which is not installed", "but you have", "Hashes are required")):
        return "The lock is not complete: generate it again; the first lines of the file show how."
    return (
        "Can the host reach PyPI? Set a mirror with toolbox_index_url in the inventory; pip on the host also follows "
        "its own /etc/pip.conf (index-url, proxy, cert)."
    )
