# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is remembered of an env file: which keys in it are ours, and whether services still have to be recreated.

One file for each env file, readable by root only, with names of our keys and never a value of ours; the lines of the
app that ours replaced are kept there until they come back. Standard library, Python 3.9.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.app_file import write_down
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError


class Key(NamedTuple):
    """One of our keys: whether its value is secret, and whether it is read when a frontend is built.

    `replaced` is the line of the app that stood there before ours, with surrogates for bytes that are not UTF-8.
    """

    secret: bool
    rebuild: bool
    replaced: str | None = None


class Memory(NamedTuple):
    """Our keys by name; `unfinished` are services that were to be recreated when a run ended in the middle of it."""

    keys: Mapping[str, Key] = {}
    unfinished: tuple[str, ...] = ()


def file_of(directory: Path, path: Path) -> Path:
    """The file that remembers this env file, however its path is spelled and whatever links lead to it."""
    return directory / f"{hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16]}.json"


def recall(directory: Path, path: Path) -> Memory:
    """What is remembered; nothing at first. Raises EnvFileError when the file is damaged, and OSError."""
    file = file_of(directory, path)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Memory({name: Key(**key) for name, key in found["keys"].items()}, tuple(found["unfinished"]))
    except FileNotFoundError:
        return Memory()
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EnvFileError(
            f"{file}, which remembers what of {path} is ours, is damaged. Remove it and run again. Our lines then "
            "count as the app's: remove those that are no longer declared by hand."
        ) from None


def remember(directory: Path, path: Path, memory: Memory) -> None:
    """Write it down; an empty memory leaves no file. The folder is there. Raises EnvFileError and OSError."""
    file = file_of(directory, path)
    if memory == recall(directory, path):
        return
    if memory == Memory():
        return file.unlink()
    keys = {name: key._asdict() for name, key in sorted(memory.keys.items())}
    write_down(file, {"path": str(path), "keys": keys, "unfinished": memory.unfinished})
