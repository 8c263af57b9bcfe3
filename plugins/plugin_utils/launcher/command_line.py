# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a command line asks for: which words are the verb's own and which are for ansible-playbook."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.help import UsageError, parser
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call, Verb

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


def parse(verb: Verb, words: Sequence[str]) -> Call:
    """The call. Raises UsageError for what the verb does not know; --help and argparse's refusals end the program."""
    if verb.reads_its_own_words:
        return Call(verb, tuple(words), {}, ())
    own, rest = split(verb, words)
    if verb.run and rest:
        raise UsageError(_refusal(verb, rest[0]))
    # Without abbreviations: `--back` is not `--backup`, it may be an option of ansible-playbook.
    return Call(verb, tuple(words), vars(parser(verb).parse_args(own)), tuple(rest))


def split(verb: Verb, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(what is the verb's own, words before options; what ansible-playbook gets, in their order).

    Everything after a `--` is for ansible-playbook.
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
        # Ansible takes abbreviations, and refuses one that matches no option or several.
        return option != "--become" and any(name.startswith(option) for name in NAMES_WITH_VALUE)
    letters = option[1:] if option.startswith("-") else ""
    first = next((place for place, letter in enumerate(letters) if letter in LETTERS_WITH_VALUE), None)
    return first is not None and first == len(letters) - 1


def _refusal(verb: Verb, word: str) -> str:
    """What the verb takes instead; a value after a = may be a secret."""
    flags = [option.flag for option in verb.options if option.help]
    allowed = [verb.usage.partition(" ")[2] or "nothing", *flags]
    listed = " or ".join(filter(None, [", ".join(allowed[:-1]), allowed[-1]]))
    return f"{verb.name} does not know '{word.partition('=')[0]}'. Allowed: {listed}."
