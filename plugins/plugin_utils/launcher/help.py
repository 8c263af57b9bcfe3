# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The launcher's help and usage errors."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Verb

HEAD = "crowsnest - watches your hosts and apps, and tells you when something breaks."
PLAYBOOKS = """\
Playbooks, each run by its name; other options go to ansible-playbook (-i, --check, --diff, --limit, -e …):"""
FOOT = """\
Options of a command:   ./crowsnest COMMAND --help
Without -i a playbook acts on the throw-away host of the demo. Paths are relative to the folder of this program.
Needs bash, git and Python 3.11 to 3.13, or uv. The first use installs Ansible into .venv (about half a minute).
  CROWSNEST_VENV=DIR   keep this Python environment in another folder"""
ANSIBLE = """\
Everything else goes to ansible-playbook, and so does all that follows a --. Most used:
  -i INVENTORY        your hosts, such as inventories/production (default: the throw-away host of the demo)
  --check             change nothing; show what would be done
  --diff              show what changes in files and objects
  --limit HOSTS       only these hosts; but for scan, the server must be one of them
  -e NAME=VALUE       set a variable for this run
All options: ansible-playbook --help, in the environment (. .venv/bin/activate)."""


class UsageError(Exception):
    """A command line that is not understood; each line names the mistake or how to go on."""


def overview(verbs: Mapping[str, Verb]) -> str:
    """The text of `./crowsnest --help`."""
    sections = [section for verb in verbs.values() if (section := verb.section)]
    parts = [HEAD]
    for section in dict.fromkeys(sections):
        lines = [line for verb in verbs.values() if verb.section == section for line in _aligned(verb.examples)]
        parts.append("\n".join([section, *lines]))
    playbooks = [(verb.usage, verb.help) for verb in verbs.values() if not verb.run]
    return "\n\n".join([*parts, "\n".join([PLAYBOOKS, *_aligned(playbooks)]), FOOT])


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lines of commands and what they do, in two columns."""
    rows = list(rows)
    width = max([18, *(len(command) + 2 for command, _ in rows)])
    return (f"  ./crowsnest {command:{width}} {text}".rstrip() for command, text in rows)


def parser(verb: Verb) -> argparse.ArgumentParser:
    """Understands the verb's own words and options; what the command line lacks is not in the result."""
    result = argparse.ArgumentParser(
        prog=f"./crowsnest {verb.name}",
        description="\n".join(filter(None, [verb.help, *_aligned(verb.examples)])),
        epilog="" if verb.run else ANSIBLE,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for word in verb.words:
        count = ("+" if word.required else "*") if word.many else (None if word.required else "?")
        result.add_argument(word.variable, metavar=word.name, nargs=count, help=_plain(word.help))
    for option in verb.options:
        if option.value:
            result.add_argument(option.flag, dest=option.variable, metavar=option.value, help=_plain(option.help))
        else:
            result.add_argument(option.flag, dest=option.variable, action="store_true", help=_plain(option.help))
    return result


def _plain(text: str) -> str:
    """The text for argparse, for which a % starts a name; an empty text is not shown."""
    return text.replace("%", "%%") or argparse.SUPPRESS


def version(pyproject: Path) -> str:
    """`crowsnest 1.2.3`, from the line in pyproject.toml."""
    found = re.search(r'(?m)^version = "(.+)"', pyproject.read_text(encoding="utf-8"))
    return f"crowsnest {found[1] if found else '(unknown version)'}"


def unknown(name: str, verbs: Iterable[str]) -> UsageError:
    """The error for a verb that does not exist; it names the nearest one."""
    nearest = difflib.get_close_matches(name.replace("_", "-"), list(verbs), 1, 0.5)
    hint = f" Did you mean: ./crowsnest {nearest[0]}" if nearest else ""
    return UsageError(f"There is no command '{name}'.{hint}\nAll commands: ./crowsnest --help")
