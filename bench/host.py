# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The bench's lab: its host as root over SSH, and plays that must succeed."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import yaml
from lab import shell, ssh_access
from lab.play import Lab, Run

ROOT = Path(__file__).resolve().parents[1]
NAME = "bench"


class BenchError(Exception):
    """A part that cannot be measured; the text says why."""


def say(text: str) -> None:
    """Progress, on stderr: stdout has the table alone."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def laboratory(*words: str) -> None:
    """Run `molecule/lab`, its progress on stderr. BenchError when it fails."""
    command = [sys.executable, str(ROOT / "molecule/lab"), *words]
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        raise BenchError(f"`molecule/lab {' '.join(words)}` failed")


def on_host(lab: Lab, script: str, stdin: str | None = None, seconds: float = 120) -> str:
    """Output of a shell script on the lab's host, run as root over SSH. LabError when it fails."""
    command = f"sudo bash -euo pipefail -c {shlex.quote(script)}"
    return shell.run(ssh_access.command(lab.facts, lab.facts["hosts"][0], [command]), seconds, stdin)


def make_sure_of_the_host(lab: Lab) -> None:
    """BenchError when Ansible reaches another host than the lab's own: what runs there would be changed."""
    command = ["ansible", "-i", "inventories/lab", "lab1", "--one-line", "-m", "command", "-a", "hostname -I"]
    done = subprocess.run(command, cwd=ROOT, env=lab.environment, capture_output=True, text=True, check=False)
    if lab.facts["hosts"][0]["address"] not in done.stdout.split():
        raise BenchError(f"Ansible does not reach the host of the lab {lab.name} but says: {done.stdout}{done.stderr}")


def must(run: Run) -> Run:
    """The run itself. BenchError with the end of its output when the play failed."""
    if run.status != 0:
        raise BenchError(f"the play failed after {run.seconds:.0f} s: {run.output[-1500:]}")
    return run


def apps() -> list[dict[str, Any]]:
    """The apps that the lab's inventory declares."""
    text = (ROOT / "inventories/lab/group_vars/all/apps.yml").read_text()
    declared: list[dict[str, Any]] = yaml.safe_load(text)["crowsnest_apps"]
    return declared


def wait(what: str, look: Callable[[], Any], seconds: float, pause: float = 0.1) -> Any:
    """The first true value of `look`; a page that does not answer is false. BenchError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except requests.RequestException:
            found = None
        if found:
            return found
        if time.monotonic() > end:
            raise BenchError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
