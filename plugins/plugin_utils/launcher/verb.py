# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a verb is: its name, its own words and options, and what it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """A word after the verb, such as APP; a playbook gets it as the extra variable `variable`."""

    name: str
    variable: str
    help: str
    required: bool = True
    many: bool = False

    @property
    def usage(self) -> str:
        """`APP`, `[APP]` or `[APP …]`."""
        name = f"{self.name} …" if self.many else self.name
        return name if self.required else f"[{name}]"


@dataclass(frozen=True)
class Option:
    """An option such as `--backup NAME`; a playbook gets it as the extra variable `variable`.

    `value` is the name of its value in help. An option without one is a switch, and the variable becomes true, or with
    `report` the path of a file that the playbook writes: then stdout shows this file and nothing else.
    Help does not show an option whose `help` is empty.
    """

    flag: str
    variable: str
    help: str
    value: str = ""
    report: bool = False


@dataclass(frozen=True)
class Verb:
    """One verb. Without `run` it is a playbook, whose first comment is the help, and takes ansible-playbook's options.

    `run` returns the exit status. Where such a verb lists words or options, nothing else is let through; where it lists
    none, its program reads the command line and answers --help itself.
    `then` goes on after a playbook, with the text that this wrote into the file `<verb>_file`, to the exit status.
    `section` and `examples`, [(words after ./crowsnest, what they do)], are what `./crowsnest --help` shows first.
    """

    name: str
    help: str = ""
    words: tuple[Word, ...] = ()
    options: tuple[Option, ...] = ()
    run: Callable[[Call], int] | None = None
    then: Callable[[str], int] | None = None
    section: str = ""
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def playbook(self) -> str:
        """The playbook's path in the repository: `playbooks/alert_test.yml` for `alert-test`."""
        return f"playbooks/{self.name.replace('-', '_')}.yml"

    @property
    def usage(self) -> str:
        """Name and words: `restore APP`."""
        return " ".join([self.name, *(word.usage for word in self.words)])

    @property
    def reads_its_own_words(self) -> bool:
        """Whether its program parses the command line itself."""
        return self.run is not None and not self.words and not self.options


@dataclass(frozen=True)
class Call:
    """A verb with the words after it.

    `words` is all of it, `variables` what the verb's own words and options mean, {extra variable: value} of those in
    the command line, and `rest` is for ansible-playbook.
    """

    verb: Verb
    words: tuple[str, ...]
    variables: Mapping[str, Any]
    rest: tuple[str, ...]
