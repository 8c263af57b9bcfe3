# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands on the pages work as they stand there: typed on the server, or in the checkout."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))

import docs_commands as docs

BLOCKS = docs.all_blocks()
ON_SERVER = [block for block in BLOCKS if block.place == "server"]
HERE = [block for block in BLOCKS if block.place == "here"]
RUNBOOKS = sorted((docs.ROOT / "docs/runbooks").glob("*.md"))
INLINE = sorted({command for page in RUNBOOKS for command in docs.inline_commands(page.read_text())})
REMOVAL = next(block for block in BLOCKS if "rm -r /opt/crowsnest" in block.commands)

# Status of `docker exec` when the engine could not start a process in the container (docs.docker.com, docker run, "Exit
# status"): seen once on a machine at its limits, of a command that works. Whoever typed it would type it again.
ENGINE_FAILED = 126


def typed(lab: Any, commands: str, options: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """The output of commands typed on the server by the ordinary user; they must end with 0 and know every program."""
    script = docs.PREAMBLE + docs.filled(commands, options or {})
    words = ["ssh", "-F", lab.facts["ssh_config"], "lab1", "--", f"bash -c {shlex.quote(script)}"]
    for _ in range(3):
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != ENGINE_FAILED:
            break
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "command not found" not in output
    return output


@pytest.fixture(scope="module")
def _environment_is_current() -> None:
    """Else the launcher would make it anew, below the feet of this very test."""
    folder, locks = Path(sys.prefix), ("requirements.lock", "requirements-dev.lock")
    for lock in locks:
        expected = f"{folder}\n{(docs.ROOT / lock).read_text()}"
        assert (folder / lock).read_text() == expected, "out of date: run `./crowsnest test lint` first"


@pytest.mark.usefixtures("_environment_is_current")
@pytest.mark.parametrize("block", HERE, ids=lambda block: block.name)
def test_a_block_works_in_the_checkout(block: docs.Block, lab: Any) -> None:
    if block.disturbs and lab.name == "demo":
        pytest.skip("somebody may be looking at the demo")
    environment = {**lab.environment, "CROWSNEST_VENV": sys.prefix}
    script = f"set -euo pipefail\n{docs.filled(block.commands, block.options)}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=docs.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert block.shows in done.stdout


@pytest.mark.parametrize("block", ON_SERVER, ids=lambda block: block.name)
def test_a_block_works_on_the_server(block: docs.Block, lab: Any) -> None:
    if block.disturbs and lab.name == "demo":
        pytest.skip("somebody may be looking at the demo")
    for _ in range(10):  # a block before this one may have restarted what it asks
        output = typed(lab, block.commands, block.options)
        if block.shows in output:
            return
        time.sleep(1)
    assert block.shows in output


@pytest.mark.parametrize("command", [it for it in INLINE if docs.treatment(it) == docs.RUN])
def test_a_command_in_the_text_of_a_runbook_works(command: str, lab: Any) -> None:
    typed(lab, command, docs.inline_options(command))


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_what_looks_like_no_command_is_none(page: Path, lab: Any) -> None:
    """Of the quotations that are not taken for commands, none begins with the name of a program."""
    others = set(docs.quotations(page.read_text())) - set(docs.inline_commands(page.read_text()))
    names = sorted({shlex.quote(words.split()[0]) for words in others})
    output = typed(lab, f'for name in {" ".join(names)}; do type -t -- "$name" || true; done')
    assert output == "", f"one of {names} is a program: add it to INLINE in {docs.__file__}"


def test_removal_leaves_nothing_and_site_brings_everything_back(lab: Any, server: Any, eventually: Any) -> None:
    if lab.name == "demo":
        pytest.skip("somebody may be looking at the demo")
    apps = set(server.check_output("docker ps --format '{{.Names}}' | grep -v ^crowsnest").split())
    typed(lab, REMOVAL.commands, stdin="y\n")
    assert server.check_output("docker ps --all --format '{{.Names}}' | grep ^crowsnest || true") == ""
    assert not server.file("/opt/crowsnest").exists
    assert not server.file("/var/lib/crowsnest").exists
    assert not server.package("prometheus-node-exporter").is_installed
    assert set(server.check_output("docker ps --format '{{.Names}}'").split()) == apps
    assert server.check_output("systemctl list-unit-files --no-legend 'crowsnest-*' || true") == ""
    run = lab.play()
    assert run.status == 0, run.output
    eventually(lambda: lab.query('up{job="node"} == 1'), 60)
