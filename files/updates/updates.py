#!/usr/bin/python3
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes what is known of this host's updates as a file for node exporter: is a reboot due, what waits, do they work.

It only reads. Python 3.9, standard library: it runs with the Python of the system.
Sources: apt.conf(5), apt.systemd.daily of the package apt,
https://www.debian.org/doc/debian-policy/ch-opersys.html#signaling-that-a-reboot-is-required
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

FILE = "crowsnest-updates.prom"
REBOOT, WAITING = "crowsnest_reboot_required_timestamp_seconds", "crowsnest_security_updates_waiting"
PACKAGE, SUCCESS = "crowsnest_reboot_required_by_info", "crowsnest_updates_last_success_timestamp_seconds"
# {metric: help}, all of type gauge, in the order of the file.
METRICS = {
    REBOOT: "Since when a reboot is due, Unix time; 0: none is.",
    PACKAGE: "1; a package that asked for it, without the version in its name.",
    WAITING: "Installed packages for which a security update waits, those that are not updated by themselves included.",
    SUCCESS: "When lists were fetched and updates installed last, or since when that is declared, Unix time.",
}
# Where a package asks for a reboot; the kernel empties /run.
FLAG, PACKAGES = "run/reboot-required", "run/reboot-required.pkgs"
# When lists were fetched, and when unattended-upgrade ended well; when both began to be ours to watch.
STAMPS = ("var/lib/apt/periodic/update-success-stamp", "var/lib/apt/periodic/upgrade-stamp")
DECLARED = "etc/apt/apt.conf.d/52crowsnest-updates"
# A line of `apt-get --simulate`: Inst libssl3 [3.0.14-1] (3.0.15-1 Debian-Security:12/stable-security [amd64])
SECURITY = re.compile(r"^Inst .*\([^)]*-security[, ]")


def changed(path: Path) -> float:
    """When a file was written last; 0 if there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def reboot_due(flag: Path, before: str) -> float:
    """Since when, 0: not at all. Each further package renews the flag, so the first time is kept in our own file."""
    known = re.search(rf"^{REBOOT} ([1-9].*)$", before, re.MULTILINE)
    return min(changed(flag), float(known[1])) if known else changed(flag)


def packages(path: Path) -> list[str]:
    """Those that asked for the reboot: linux-image for linux-image-6.1.0-30-amd64, so that there are only a few."""
    names = path.read_text(errors="replace").split() if path.exists() else []
    return sorted({re.sub(r"[^a-z0-9.+-]|-\d.*", "", name) for name in names} - {""})


def waiting() -> int:
    """Packages with a security update that could be installed now. Raises subprocess.CalledProcessError."""
    command = ["apt-get", "--simulate", "--quiet", "--with-new-pkgs", "upgrade"]
    said = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=True, capture_output=True, text=True)
    return sum(1 for line in said.stdout.splitlines() if SECURITY.match(line))


def last_success(root: Path) -> float:
    """When both parts had worked; at first the time of the declaration, so that nobody is alarmed by its first day."""
    return max(min(changed(root / stamp) for stamp in STAMPS), changed(root / DECLARED))


def exposition(samples: list[tuple[str, str, float]]) -> str:
    """Text of the file; `samples` are (metric, labels, value)."""
    lines = []
    for metric, text in METRICS.items():
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        lines += [f"{name}{labels} {value:.0f}" for name, labels, value in samples if name == metric]
    return "\n".join(lines) + "\n"


def write(folder: Path, text: str) -> None:
    """Replaces the file at once. O_EXCL: who may write to the folder cannot lead us to another file by a link."""
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)  # node exporter is another user
    new.replace(folder / FILE)


def main(arguments: list[str] | None = None) -> int | str:
    """Entry point; the argument of sys.exit. What apt cannot say is left out of the file."""
    parser = argparse.ArgumentParser(description="What is known of this host's updates, as a file for node exporter.")
    parser.add_argument("folder", type=Path, help="node exporter's folder for *.prom files")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the files of the host are")
    options = parser.parse_args(arguments)
    root, own = options.root, options.folder / FILE
    due = reboot_due(root / FLAG, own.read_text(errors="replace") if own.exists() else "")
    samples = [(REBOOT, "", due), (SUCCESS, "", last_success(root))]
    samples += [(PACKAGE, '{package="' + name + '"}', 1) for name in packages(root / PACKAGES)]
    error = ""
    try:
        samples.append((WAITING, "", waiting()))
    except subprocess.CalledProcessError as refused:
        error = f"updates: apt-get cannot say what waits: {' '.join(refused.stderr.split())[:300]}"
    write(options.folder, exposition(samples))
    return error or 0


if __name__ == "__main__":
    sys.exit(main())
