# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.table import first_field


def describe(lab: dict[str, Any], root: Path) -> dict[str, str]:
    """{"Date": …, "CPU": …}: machine, software and what of the laboratory is no real thing. `lab` is its lab.json."""
    memory = int(first_field(Path("/proc/meminfo").read_text(), "MemTotal").split()[0]) / 2**20
    source = {"packages": "built here from Debian's packages", "official": "the official ones of Docker Hub"}
    doubles = ["Slack (a catcher on the lab's host)", *lab["doubles"]]
    return {
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "crowsnest": _commit(root),
        "CPU": f"{first_field(Path('/proc/cpuinfo').read_text(), 'model name') or platform.machine()}, "
        f"{os.cpu_count()} cores, shared by Ansible, the lab's host and its app",
        "Memory": f"{memory:.1f} GiB, {lab['memory']['limit_mib']} MiB of it for the lab's host",
        "Kernel": platform.release(),
        "Operating system": first_field(Path("/etc/os-release").read_text(), "PRETTY_NAME"),
        "Ansible": f"ansible-core {version('ansible-core')}, Python {platform.python_version()}",
        "Lab's host": f"a systemd container with Debian {lab['suites'][0]}, reached by SSH on loopback",
        "Images": f"{lab['image_source']} ({source.get(lab['image_source'], 'see the laboratory')})",
        "Doubles": ", ".join(doubles),
    }


def _commit(root: Path) -> str:
    """Short id of the commit, with `-dirty` when files differ from it."""
    words = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown commit"
