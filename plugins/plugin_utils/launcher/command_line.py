# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a command line asks for: which words are the verb's own and which are for ansible-playbook."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.help import UsageError, parser
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Verb

# Options of ansible-playbook that are followed by a value (a test compares them with Ansible's own): a word after one
# of them is not the verb's.
LETTERS_WITH_VALUE = "ceiflMtTu"
NAMES_WITH_VALUE = (
    *("--become-method", "--become-pass-file", "--become-password-file", "--become-user"),
    *("--conn-pass-file", "--connection", "--connection-password-file"),
    *("--extra-vars", "--forks", "--inventory", "--inventory-file", "--key-file", "--limit", "--module-path"),
    *("--private-key", "--scp-extra-args", "--sftp-extra-args", "--skip-tags", "--ssh-common-args", "--ssh-extra-args"),
    *("--start-at-task", "--tags", "--timeout", "--user"),
    *("--vault-id", "--vault-pass-file", "--vault-password-file"),
)
HELP = ("-h", "--help")


@dataclass(frozen=True)
class Call:
    """A verb with what was said after it.

    `words` are all of it, `variables` what the verb's own words and options mean, {extra variable: value} of those that
    were given, and `rest` is for ansible-playbook.
    """

    verb: Verb
    words: tuple[str, ...]
    variables: Mapping[str, Any]
    rest: tuple[str, ...]


def parse(verb: Verb, words: Sequence[str]) -> Call:
    """The call. UsageError for what the verb does not know; ends the program for --help and where argparse refuses."""
    if verb.reads_its_own_words:
        return Call(verb, tuple(words), {}, ())
    own, rest = split(verb, words)
    # Without abbreviations: `--back` is not `--backup`, it may be an option of ansible-playbook.
    variables = vars(parser(verb).parse_args(own))
    if verb.run and rest:
        allowed = ["nothing", *(option.flag for option in verb.options)]
        raise UsageError(f"{verb.name} does not know '{rest[0]}'. Allowed: {_either(allowed)}.")
    return Call(verb, tuple(words), variables, tuple(rest))


def split(verb: Verb, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(what is the verb's own, words before options; what ansible-playbook gets, in the given order).

    All that follows a `--` is for ansible-playbook.
    """
    own_words: list[str] = []
    own_options: list[str] = []
    rest: list[str] = []
    has_value = {option.flag: bool(option.value) for option in verb.options} | dict.fromkeys(HELP, False)
    left = deque(words)
    while left and (word := left.popleft()) != "--":
        flag = word.split("=", 1)[0]
        if flag in has_value:
            place, next_too = own_options, has_value[flag] and flag == word
        elif verb.words and not word.startswith("-"):
            place, next_too = own_words, False
        else:
            place, next_too = rest, is_followed_by_its_value(word)
        place.append(word)
        if next_too and left:
            place.append(left.popleft())
    return own_words + own_options, rest + list(left)


def is_followed_by_its_value(option: str) -> bool:
    """Whether the word after this option of ansible-playbook is its value: `-i`, `-Ci`, `--limit`, not `-iNAME`."""
    if option.startswith("--"):
        # Ansible takes abbreviations; one that means nothing or several options is refused there.
        return option != "--become" and any(name.startswith(option) for name in NAMES_WITH_VALUE)
    letters = option[1:] if option.startswith("-") else ""
    first = next((place for place, letter in enumerate(letters) if letter in LETTERS_WITH_VALUE), None)
    return first is not None and first == len(letters) - 1


def _either(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
