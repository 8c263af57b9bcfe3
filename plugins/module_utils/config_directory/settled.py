# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which release a directory holds in every respect, so that a run need not send the same files again.

The rights and secrets that were declared are read off the disk; the name of a release, a hash of all that was declared,
says whether that is what was meant. Standard library only and Python 3.9.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import (
    RELEASE_NAME,
    ConfigDirectory,
    frame_names,
)
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import KEEP, Release, Tree
from ansible_collections.crowsnest.core.plugins.module_utils.files import open_directory

_NOTHING = Release({}, frozenset(), "", "", 0, 0)


def settled(folder: Path) -> dict[str, str]:
    """{path: identity of the release in force} of the configuration directories in `folder` with nothing left to do.

    That is, of those that the module `config_directory` would leave alone if it were given what they hold.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {str(path): identity for path in paths if (identity := _identity(path))}


def _identity(path: Path) -> str:
    """Empty when something is left to do, or when this is no configuration directory."""
    try:
        with open_directory(path) as root, open_directory("releases", root) as releases:
            return _held(ConfigDirectory(path, root, releases, _NOTHING, KEEP))
    except OSError:  # the module that writes there says what is wrong
        return ""


def _held(directory: ConfigDirectory) -> str:
    name = directory.in_force()
    if not name or not RELEASE_NAME.fullmatch(name):
        return ""
    folders = sorted(child.name for child in os.scandir(directory.root) if child.is_dir(follow_symlinks=False))
    stable = [folder for folder in folders if folder != "releases"]  # the module has at most one
    release = _as_declared(directory.read_release(name), directory.read_secrets(name), "".join(stable[:1]))
    state = replace(directory, release=release).survey()
    frame = dict.fromkeys(frame_names(directory.path), release.directory)
    intact = state.holds(release) and state.links == release.links and state.frame == frame
    return release.identity if intact and not state.stale and len(stable) <= 1 else ""


def _as_declared(tree: Tree, secrets: frozenset[str], stable: str) -> Release:
    """The release as it must have been declared, if its files have the same rights, and so have its directories."""
    files = {name: entry for name, entry in tree.items() if stat.S_ISREG(entry.mode)}
    if not files:
        return _NOTHING
    contents = {name: entry.content for name, entry in files.items()}
    mode, _, gid, _ = next(iter(files.values()))
    directory_mode = stat.S_IMODE(tree["."].mode)
    return Release(contents, secrets, "", str(gid), stat.S_IMODE(mode), directory_mode, stable)
