"""The role packages with the real apt, in folders of its own: it waits for a lock, and for nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/packages"
pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt, as the hosts have it")


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """An apt without sources and packages. Python's library for it is missing, so the module wants to install that."""
    root = tmp_path / "root"
    for folder in ("etc/sources.d", "state/lists/partial", "cache/archives/partial", "log", "python"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "python/apt.py").write_text("raise ImportError\n")
    (root / "apt.conf").write_text(
        f'Dir::State "{root}/state";\nDir::State::status "{root}/status";\nDir::Cache "{root}/cache";\n'
        f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{root}/etc/sources.d";\nDir::Log "{root}/log";\n'
    )
    return root


@contextmanager
def locked(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that holds a lock as apt and dpkg do, until it is killed."""
    code = (
        "import fcntl, sys, time; it = open(sys.argv[1], 'w'); fcntl.lockf(it, fcntl.LOCK_EX); "
        "print('held', flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline()
        yield holder
        holder.kill()


def play(apt: Path, *words: str, at_retry: Callable[[], None] = lambda: None, **variables: Any) -> str:
    """What Ansible says of a play that includes the role for a package that does not exist.

    `at_retry` is called when a task is going to be repeated.
    """
    task = {"ansible.builtin.include_role": {"name": "packages"}, "vars": {"packages_names": ["no-such-package"]}}
    environment = {"APT_CONFIG": f"{apt}/apt.conf", "PYTHONPATH": f"{apt}/python", "LC_ALL": "C.UTF-8"}
    content = {"hosts": "all", "gather_facts": False, "environment": environment, "tasks": [task]}
    path = apt / "play.yml"
    path.write_text(yaml.safe_dump([content]))
    given = {"ansible_python_interpreter": sys.executable, "__packages_pause_seconds": 1, **variables}
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps(given), str(path), *words]
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    said = []
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as done:
        assert done.stdout
        for line in done.stdout:
            said.append(line)
            if "RETRYING" in line:
                at_retry()
    return "".join(said)


def test_a_lock_on_the_package_lists_is_waited_for(apt: Path) -> None:
    with locked(apt / "state/lists/lock") as holder:
        said = play(apt, at_retry=holder.kill)
    assert "FAILED - RETRYING" in said
    assert "Could not get lock" not in said.partition("fatal:")[2]
    assert "Unable to locate package python3-apt" in said  # this apt knows of none


def test_a_lock_that_is_held_too_long_ends_the_run_with_apt_s_own_words(apt: Path) -> None:
    with locked(apt / "state/lists/lock"):
        said = play(apt, __packages_attempts=2)
    assert said.count("FAILED - RETRYING") == 2
    assert "Could not get lock" in said.partition("fatal:")[2]
    assert "It is held by process" in said.partition("fatal:")[2]


def test_another_failure_ends_the_run_at_once(apt: Path) -> None:
    said = play(apt)
    assert "RETRYING" not in said and "Unable to locate package python3-apt" in said


def test_a_prediction_needs_no_apt(apt: Path) -> None:
    with locked(apt / "state/lists/lock"):
        assert "no-such-package would be installed" in play(apt, "--check")


# What a program says whose turn it is not, and what others say who may never take the lock.
SAID = {
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 746 (python3)": True,
    "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)": True,
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?": True,
    "E: Unable to lock the administration directory (/var/lib/dpkg/), is another process using it?": True,
    "dpkg: error: dpkg frontend lock was locked by another process with pid 812": True,
    "dpkg: error: dpkg status database is locked by another process": True,
    "Failed to lock apt for exclusive operation: Failed to lock directory /var/lib/apt/lists/": True,
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?": False,
    "E: Could not open lock file /var/lib/apt/lists/lock - open (13: Permission denied)": False,
    "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.": False,
    "No package matching 'prometheus-node-exporter' is available": False,
    "E: Unable to locate package block-lock": False,
}


@pytest.mark.parametrize("said", SAID)
def test_only_a_lock_of_another_program_is_waited_for(said: str) -> None:
    pattern = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__packages_locked"]
    assert bool(re.search(pattern, said)) is SAID[said]


def test_no_other_task_installs_packages() -> None:
    files = [*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
    users = [path for path in files if "ansible.builtin.apt:" in path.read_text() or "apt-get" in path.read_text()]
    assert users == [ROLE / "tasks/main.yml"]
