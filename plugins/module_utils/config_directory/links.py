"""Paths that stay the same whichever release is in force: one symlink per file, next to `current`.

    <path>/dashboards/host/one.json -> ../../current/dashboards/host/one.json

For a program that identifies a file by its resolved path. A link is created or redirected by one rename and removed by
one unlink, so a reader always finds a complete file of one release or another, never a gap in between.

Standard library only and Python 3.9. All functions raise OSError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry, Tree, link
from ansible_collections.crowsnest.core.plugins.module_utils.files import (
    open_directory,
    put_link,
    read_tree,
    remove,
    set_rights,
)


def read_links(name: str, root: int) -> Tree:
    """All entries at and below `name` by path relative to `root`; a link's owner means nothing and is left out."""
    try:
        status = os.stat(name, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return {}
    if not stat.S_ISDIR(status.st_mode):
        return {name: Entry(status.st_mode, status.st_uid, status.st_gid)}
    with open_directory(name, root) as directory:
        tree = read_tree(directory, name)
    return {path: link(entry.content) if stat.S_ISLNK(entry.mode) else entry for path, entry in tree.items()}


def set_links(name: str, root: int, wanted: Tree, scratch: int) -> None:
    """Make `name` hold exactly `wanted`. New links come before old ones go; `scratch` holds each for a moment."""
    found = read_links(name, root)
    for path in sorted(wanted):
        if found.get(path) != wanted[path]:
            with _above(path, root) as directory:
                _put(path.rpartition("/")[2], directory, wanted[path], scratch)
                os.fsync(directory)
    for path in sorted(set(read_links(name, root)) - set(wanted), reverse=True):
        with _above(path, root) as directory:
            remove(path.rpartition("/")[2], directory)
            os.fsync(directory)


def _put(name: str, directory: int, entry: Entry, scratch: int) -> None:
    """Put a directory, or a link, in the place of whatever is there."""
    try:
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        is_directory = False
    if stat.S_ISLNK(entry.mode):
        if is_directory:
            remove(name, directory)
        return put_link(os.fsdecode(entry.content), name, directory, scratch)
    if not is_directory:
        remove(name, directory)
        os.mkdir(name, 0o700, dir_fd=directory)
    with open_directory(name, directory) as handle:
        return set_rights(handle, entry)


@contextmanager
def _above(path: str, root: int) -> Iterator[int]:
    """A handle of the directory that holds `path`; no symlink on the way is followed."""
    with ExitStack() as stack:
        handle = root
        for part in path.split("/")[:-1]:
            handle = stack.enter_context(open_directory(part, handle))
        yield handle
