# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for all verbs of this repository, and for the launcher before there is an environment."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from ansible.cli.playbook import PlaybookCLI

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.command_line import (
    is_followed_by_its_value,
    parse,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verbs import ROOT, VERBS, verbs


def options_of_ansible() -> dict[str, bool]:
    """{option: whether a value follows it} of ansible-playbook."""
    program = PlaybookCLI(["ansible-playbook"])
    program.init_parser()
    return {option: action.nargs != 0 for action in program.parser._actions for option in action.option_strings}


def test_it_is_known_which_options_of_ansible_have_a_value() -> None:
    theirs = options_of_ansible()
    assert {option: is_followed_by_its_value(option) for option in theirs} == theirs


def test_no_option_of_a_verb_is_one_of_ansible_s() -> None:
    assert {option.flag for verb in VERBS for option in verb.options if not verb.run} & set(
        options_of_ansible()
    ) == set()


def test_every_playbook_is_a_verb_and_says_what_it_does() -> None:
    known = verbs()
    assert {verb.playbook for verb in known.values() if not verb.run} == {
        f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")
    }
    assert [verb.name for verb in known.values() if not verb.help and not verb.reads_its_own_words] == []
    assert {verb.name for verb in VERBS} <= set(known)


EXAMPLES = [example for verb in VERBS for example, _ in verb.examples]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_overview_are_understood(example: str) -> None:
    name, *words = example.split()
    call = parse(verbs()[name], words)
    assert set(call.rest) <= {"-i", "inventories/production", "--check"}
    assert len(call.variables) == len(set(words) - {"unit"} - set(call.rest))


# --- before there is an environment -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["--version", "--help", "new --help", "site --help", "--only-answer site -i inv"])
def test_questions_are_answered_without_any_package(line: str) -> None:
    program = [sys.executable, "-S", "plugins/plugin_utils/launcher", *line.split()]  # -S: no installed packages
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (75 if "--only-answer" in line else 0, "")


@pytest.mark.parametrize("name", ["launcher/*.py", "inventory/questions.py", "inventory/__init__.py"])
def test_an_older_python_of_the_system_can_read_it(name: str) -> None:
    for path in (ROOT / "plugins/plugin_utils").glob(name):
        ast.parse(path.read_text(), feature_version=(3, 9))
