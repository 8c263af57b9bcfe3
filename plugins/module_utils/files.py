"""Read, write and remove whole trees below a directory handle, following no symlink; replace a file of somebody else.

Every change that the module config_directory makes on disk is in this file or in config_directory/.
Standard library only and Python 3.9. All functions raise OSError; `explain` describes one for people.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    ConfigDirectoryError,
    Entry,
    Tree,
)

LOCK_SECONDS = 330.0  # longer than a validation may take: a waiting run gives up only when the other one hangs
LINK = ".current"
ADVICE = {
    errno.ENOSPC: "free some space there and run again",
    errno.EDQUOT: "raise the quota there and run again",
    errno.EROFS: "mount it writable and run again",
    errno.EACCES: "run the task with become: true",
    errno.EPERM: "run the task with become: true",
    errno.ENOTDIR: "something above it is not a directory; remove that or use another path",
    errno.ELOOP: "a symlink is in the way; remove it and run again",
}


@contextmanager
def open_directory(name: str | Path, parent: int | None = None) -> Iterator[int]:
    """A handle of a directory that is itself not a symlink."""
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


def find(path: str) -> os.stat_result | None:
    """What stands at a path, symlinks not followed; None if nothing does."""
    try:
        return Path(path).lstat()
    except FileNotFoundError:
        return None


def make_directory(path: Path) -> None:
    """Create a directory and its missing parents so that they survive a power cut."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(0o755, exist_ok=True)  # another run may have been faster
    with open_directory(path.parent.resolve()) as parent:
        os.fsync(parent)


def write_tree(directory: int, tree: Tree) -> None:
    """Write and flush a tree into an empty directory of mode 0700; directories get their own rights last."""
    names = sorted(name for name, entry in tree.items() if stat.S_ISDIR(entry.mode))
    for name in names:
        if name != ".":
            os.mkdir(name, 0o700, dir_fd=directory)
    for name in sorted(set(tree) - set(names)):
        write_file(name, directory, tree[name])
    for name in sorted(names, key=lambda name: (name != ".", name), reverse=True):  # "." after all that is in it
        with open_directory(name, directory) as handle:
            set_rights(handle, tree[name])
            os.fsync(handle)


def write_file(name: str, directory: int, entry: Entry, attributes: Mapping[str, bytes] | None = None) -> None:
    """Write and flush a new file; it has its final owner and mode before it has any content.

    `attributes` are its extended ones, an ACL among them; None leaves those that its directory gave it.
    """
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        set_rights(handle, entry)
        if attributes is not None:
            set_attributes(handle, attributes)
        rest = memoryview(entry.content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def put_link(target: str, name: str, directory: int, scratch: int) -> None:
    """Create or redirect a symlink by one rename; `scratch` is a directory that holds it before."""
    remove(LINK, scratch)
    os.symlink(target, LINK, dir_fd=scratch)
    os.rename(LINK, name, src_dir_fd=scratch, dst_dir_fd=directory)


def set_rights(handle: int, entry: Entry) -> None:
    """Owner first: while the mode is narrow, a new owner gains nothing that is not meant for them."""
    os.fchown(handle, -1 if entry.uid is None else entry.uid, -1 if entry.gid is None else entry.gid)
    os.fchmod(handle, stat.S_IMODE(entry.mode))


def attributes_of(handle: int) -> dict[str, bytes]:
    """The extended attributes of an open file; an ACL is one of them. Empty where the file system has none."""
    try:
        return {name: os.getxattr(handle, name) for name in os.listxattr(handle)}
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise


def set_attributes(handle: int, attributes: Mapping[str, bytes]) -> None:
    """Make the extended attributes exactly these; its directory may have given a new file others."""
    found = attributes_of(handle)
    for name in set(found) - set(attributes):
        os.removexattr(handle, name)
    for name, value in attributes.items():
        if found.get(name) != value:
            os.setxattr(handle, name, value)


def replace_kept(path: Path, content: bytes) -> None:
    """Give an existing file new content by one rename; owner, mode, ACL and other extended attributes stay.

    A symlink stays and its target is replaced. A process that has the file open, or a container into which it is
    mounted alone, keeps the old content. What a killed run left beside the file is removed by the next one.
    """
    target = path.resolve(strict=True)
    with open_directory(target.parent) as directory:
        old = os.open(target.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        try:
            entry, attributes = entry_of(old)._replace(content=content), attributes_of(old)
        finally:
            os.close(old)
        if not stat.S_ISREG(entry.mode):
            raise OSError(errno.EINVAL, "This is not a regular file", str(path))
        _put(target.name, directory, entry, attributes)


def put_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file of our own by one rename, so that a power cut leaves the old one or the new one."""
    with open_directory(path.parent) as directory:
        _put(path.name, directory, Entry(mode, None, None, content))


def _put(name: str, directory: int, entry: Entry, attributes: Mapping[str, bytes] | None = None) -> None:
    beside = f".{name}.crowsnest"
    remove(beside, directory)
    try:
        write_file(beside, directory, entry, attributes)
        os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        remove(beside, directory)
        raise
    os.fsync(directory)


def entry_of(handle: int) -> Entry:
    """The entry of an open directory or file, without its content."""
    status = os.fstat(handle)
    return Entry(status.st_mode, status.st_uid, status.st_gid)


def read_tree(directory: int, at: str = ".") -> Tree:
    """All entries of a directory and below, by path relative to it; `at` is the place in the recursion."""
    tree = {at: entry_of(directory)}
    for name in os.listdir(directory):
        path = name if at == "." else f"{at}/{name}"
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            with open_directory(name, directory) as child:
                tree.update(read_tree(child, path))
        else:
            content = read_content(name, directory, status.st_mode)
            tree[path] = Entry(status.st_mode, status.st_uid, status.st_gid, content)
    return tree


def read_content(name: str, directory: int, mode: int = stat.S_IFREG) -> bytes:
    """The bytes of a file, the target of a symlink, nothing for devices and the like."""
    if stat.S_ISLNK(mode):
        return os.fsencode(os.readlink(name, dir_fd=directory))
    if not stat.S_ISREG(mode):
        return b""
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    with os.fdopen(handle, "rb") as stream:
        return stream.read()


def remove(name: str, directory: int) -> None:
    """Remove a file, a symlink or a whole tree, if there is one."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=directory)
        return
    with open_directory(name, directory) as tree:
        os.fchmod(tree, 0o700)  # root may always remove, an ordinary user only from a writable directory
        for child in os.listdir(tree):  # noqa: PTH208 a handle
            remove(child, tree)
    os.rmdir(name, dir_fd=directory)


def lock(directory: int, path: Path) -> None:
    """Wait until no other run works on this directory; the kernel releases the lock however a run ends."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                advice = "check this host for a hanging run (fuser -v shows it) and run again"
                message = f"{path}: another run has held it for {LOCK_SECONDS:g} s; {advice}"
                raise ConfigDirectoryError(message) from None
            time.sleep(0.1)


def explain(path: Path, error: OSError) -> str:
    """One sentence for a system error: where, what, how to go on."""
    where = f"{path} ({error.filename})" if error.filename and str(error.filename) != str(path) else str(path)
    advice = ADVICE.get(error.errno or 0, "fix that and run again")
    return f"{where}: {error.strerror}; {advice}. Nothing half-written is in force."
