# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How a value is spelled in an env file so that every reader takes it alike. Pure. Python 3.9.

The readers are docker compose, python-dotenv, django-environ, python-decouple, dotenv, Node.js, systemd and sh, and for
keys of which it is said dotenv-expand (Vite, Create React App, Next.js).
`docker run --env-file` knows no quotes: it reads only what is spelled without them. The tests ask all of them.
"""

from __future__ import annotations

import re

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")  # no reader gives any of these a meaning
NOT_IN_DOUBLE_QUOTES = re.compile(r'["$\\`]')


class UnreadableError(ValueError):
    """No spelling is read alike by all; the text says why, as the end of a sentence, without the value."""


def encode(value: str, dollar_expands: bool = False) -> str:
    """What stands behind `KEY=`. `dollar_expands`: a reader of this key expands `$` whatever the quotes.

    Raises UnreadableError.
    """
    if not value.isprintable():
        raise UnreadableError("has a line break or another character that cannot be printed, which readers cut or drop")
    if BARE.fullmatch(value):
        return value
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        raise UnreadableError("begins and ends with the same quote, which django-environ takes away")
    if value.startswith("$"):
        raise UnreadableError("begins with $, which django-environ takes for the name of another key")
    if "${" in value:
        raise UnreadableError("has ${, which python-dotenv expands even in quotes")
    if "$" in value and dollar_expands:
        raise UnreadableError("has $, which the tools that build a frontend expand even in quotes")
    if "'" not in value:
        if "\\\\" in value or value.endswith("\\"):
            raise UnreadableError("has two backslashes in a row or one at its end, which readers take differently")
        return f"'{value}'"
    if NOT_IN_DOUBLE_QUOTES.search(value):
        raise UnreadableError(
            "has ' together with one of \" $ \\ `, for which there is no spelling that all readers know"
        )
    return f'"{value}"'
