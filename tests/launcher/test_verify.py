"""`./crowsnest verify --json`: a program reads the report, a person what else is said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Plays ansible-playbook: says something, writes the report where it is told to, and ends as the report does.
PLAYBOOK = """#!/usr/bin/env bash
echo "TASK [one]"
printf 'argument %s\\n' "$@"
for word in "$@"; do
  if [[ $word == '{"verify_json": '* ]]; then
    path=$(PYTHON -c 'import sys, json; print(json.loads(sys.argv[1])["verify_json"])' "$word")
    [[ -e $STATE/too-early ]] || echo '{"failed": 1}' >"$path"
  fi
done
exit 2
"""


@pytest.fixture
def verify(launcher):
    """The launcher with an environment whose ansible-playbook is the one above, and a TMPDIR of its own."""
    launcher.extra["TMPDIR"] = str(launcher.state / "the user's files")
    (launcher.state / "the user's files").mkdir()
    launcher.run("site")
    program = launcher.venv / "bin/ansible-playbook"
    program.write_text(PLAYBOOK.replace("PYTHON", sys.executable))
    return launcher


def left_over(launcher) -> list[Path]:
    return list(Path(launcher.extra["TMPDIR"]).iterdir())


@pytest.mark.parametrize("words", [["--json", "-i", "inventories/a b"], ["-i", "inventories/a b", "--json"]])
def test_only_the_report_is_on_stdout_and_the_exit_code_says_how_it_is(verify, words):
    done = verify.run("verify", *words)
    assert json.loads(done.stdout) == {"failed": 1}
    assert done.returncode == 2
    assert "TASK [one]" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("argument") and "verify_json" not in line] == [
        *("argument playbooks/verify.yml", "argument --extra-vars", "argument -i", "argument inventories/a b")
    ]
    assert left_over(verify) == []


def test_a_run_that_ends_before_it_asks_prints_no_report(verify):
    (verify.state / "too-early").touch()
    done = verify.run("verify", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert left_over(verify) == []


def test_without_json_it_is_a_playbook_like_any_other(verify):
    done = verify.run("verify", "--limit", "web 1")
    assert done.stdout.splitlines() == [
        *("TASK [one]", "argument playbooks/verify.yml", "argument --limit", "argument web 1"),
    ]
    assert verify.run("verify").stdout.splitlines()[1:] == ["argument playbooks/verify.yml"]


STUBBORN = """#!/usr/bin/env bash
trap 'echo ending; sleep 0.5; echo ended; exit 99' INT TERM
touch "$STATE/started"
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupted_run_is_waited_for_and_leaves_nothing(verify, number):
    (verify.venv / "bin/ansible-playbook").write_text(STUBBORN)
    running = subprocess.Popen(
        verify.command("verify", "--json"),
        env=verify.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A pytest in the background ignores it, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    while not (verify.state / "started").exists():
        time.sleep(0.02)
    if number == signal.SIGINT:
        os.killpg(running.pid, number)  # as a terminal does it
    else:
        running.terminate()
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (99, "")
    assert err.splitlines()[-2:] == ["ending", "ended"]
    assert left_over(verify) == []
