# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Why docker compose cannot read a project, in our words: its own quote lines of env files. Pure. Python 3.9."""

from __future__ import annotations

import re

IN_ENV_FILE = re.compile(r"failed to read (?P<file>/[^:\n]+):(?: line (?P<line>\d+): (?P<what>[a-z ]+))?")
VARIABLE = re.compile(
    r"error while interpolating [^:\n]+: required variable (?P<name>[A-Za-z_][A-Za-z0-9_]*) is missing"
)
# What compose says of a line, and what it means; the quote of the first one may be opened in a line above.
MEANINGS = {
    "unterminated quoted value ": "in or above line {} a quote is opened that nothing closes",
    "unexpected character ": "the name in line {} has a character that is not allowed",
    "key cannot contain a space": "the name in line {} has a blank in it",
}


def complaint(text: str) -> str:
    """The cause as a clause, without any word of an env file; `text` is what compose printed."""
    if found := IN_ENV_FILE.search(text):
        where = MEANINGS.get(found["what"], "it stops at line {}").format(found["line"]) if found["line"] else ""
        return f"docker compose cannot read {found['file']}" + (f" ({where})" if where else "")
    if found := VARIABLE.search(text):
        return f"the compose file needs the variable {found['name']}, which is not set here"
    return "docker compose cannot read the project as it is on this host"
