"""The lock of the toolbox is complete and made of its requirements, and the role does nothing when it is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.module_utils.python_environment import python_version, wanted_name

ROOT = Path(__file__).resolve().parents[2]
WANTED = (ROOT / "files/toolbox/requirements.in").read_text()
LOCK = (ROOT / "files/toolbox/requirements.lock").read_text()


def test_the_lock_holds_what_is_wanted() -> None:
    wanted = re.findall(r"(?m)^[a-z].*$", WANTED)
    assert wanted
    # An extra, [binary], stands in the lock as the packages that it brings.
    plain = [re.sub(r"\[.*\]", "", line) for line in wanted]
    assert [line for line in plain if not re.search(rf"(?m)^{re.escape(line)} \\$", LOCK)] == []


def test_every_direct_requirement_has_an_exact_version_and_a_comment_why() -> None:
    lines = WANTED.splitlines()
    direct = [(before, line) for before, line in pairwise(lines) if not line.startswith("#")]
    assert [line for before, line in direct if not before.startswith("# ") or "==" not in line] == []


def test_every_locked_file_has_a_hash_and_no_address() -> None:
    entries = re.split(r"(?m)^(?=[a-z])", LOCK)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


def recap(tmp_path: Path, **host: Any) -> str:
    """Last line of a run of the role in check mode on a host with these facts."""
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": ["toolbox"]}
    variables = {"__crowsnest_host": host, "ansible_python_interpreter": sys.executable}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play | {"vars": variables}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "--check", tmp_path / "play.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_role_runs_no_task_on_a_host_that_has_it(tmp_path: Path) -> None:
    python = {"version": python_version(), "ensurepip": True}
    # ok=1 is the check of the role's own variables.
    assert re.search(r"ok=1 +changed=0 .*skipped=1 ", recap(tmp_path, python=python, toolbox=wanted_name(LOCK)))


def test_the_role_predicts_two_changes_on_a_fresh_host(tmp_path: Path) -> None:
    python = {"version": python_version(), "ensurepip": False}
    assert re.search(r"changed=2 .*failed=0", recap(tmp_path, python=python, toolbox=""))
