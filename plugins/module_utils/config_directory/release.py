"""What a configuration directory should hold, as a value: checks, its name, and the difference to what is there.

Pure functions, no file access (only user and group names are looked up). Standard library only and Python 3.9.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

LONGEST_NAME = 255  # bytes, on every Linux file system
# Rights and number of releases where nothing else is said.
MODE, DIRECTORY_MODE, KEEP = "0640", "0750", 3
OCTAL = re.compile(r"0[0-7]{3}")
HIDDEN = "(secret, content not shown)\n"
HIDDEN_NEW = "(secret, new content, not shown)\n"


class ConfigDirectoryError(Exception):
    """Something the user must correct; the message says what, where and how."""


class Entry(NamedTuple):
    """One file, directory or symlink: type and mode bits as in st_mode, owner, group, content (a symlink's target).

    An id is None when the user or group does not exist on this host: nothing on disk matches it.
    """

    mode: int
    uid: int | None
    gid: int | None
    content: bytes = b""


def link(target: bytes) -> Entry:
    """A symlink as it is compared: without its owner and mode, which mean nothing."""
    return Entry(stat.S_IFLNK | 0o777, None, None, target)


Tree = Mapping[str, Entry]  # by path relative to the release; the release itself is "."


@dataclass(frozen=True)
class Release:
    """The wanted content: bytes by relative path, which paths are secret, and the rights of all of them.

    `stable` is the directory of the release whose files get paths that stay the same; "" for none.
    """

    files: Mapping[str, bytes]
    secrets: frozenset[str]
    owner: str
    group: str
    mode: int
    directory_mode: int
    stable: str = ""

    @cached_property
    def uid(self) -> int | None:
        """The owner's number on this host; None if there is no such user."""
        return find_id(self.owner, os.geteuid, lambda name: pwd.getpwnam(name).pw_uid)

    @cached_property
    def gid(self) -> int | None:
        """The group's number on this host; None if there is no such group."""
        return find_id(self.group, os.getegid, lambda name: grp.getgrnam(name).gr_gid)

    @cached_property
    def directory(self) -> Entry:
        """What each directory of the release is like on disk."""
        return Entry(stat.S_IFDIR | self.directory_mode, self.uid, self.gid)

    @cached_property
    def tree(self) -> Tree:
        """Every entry the release has on disk, directories included."""
        directories = {".", *(parent for name in self.files for parent in parents(name))}
        tree = dict.fromkeys(directories, self.directory)
        for name, content in self.files.items():
            tree[name] = Entry(stat.S_IFREG | self.mode, self.uid, self.gid, content)
        return tree

    @cached_property
    def links(self) -> Tree:
        """The entries next to `current` for the stable paths: directories, and for each file a link to it."""
        below = [name for name in self.tree if f"{name}/".startswith(f"{self.stable}/")]
        return {
            name: self.directory
            if stat.S_ISDIR(self.tree[name].mode)
            else link(f"{'../' * name.count('/')}current/{name}".encode())
            for name in below
        }

    @cached_property
    def name(self) -> str:
        """16 hexadecimal digits over names, contents and rights as declared: the same on every host."""
        contents = [(name, hashlib.sha256(content).hexdigest()) for name, content in sorted(self.files.items())]
        rights = [self.owner, self.group, self.mode, self.directory_mode, sorted(self.secrets)]
        return hashlib.sha256(json.dumps([contents, rights]).encode()).hexdigest()[:16]

    @property
    def identity(self) -> str:
        """`name`, with what the stable paths lie in: two releases of the same identity leave nothing to do."""
        return f"{self.name} {self.stable}".rstrip()

    def missing_ids(self) -> list[str]:
        """One sentence for the owner and one for the group, if this host does not know them."""
        ids = (("owner", self.owner, self.uid, "user"), ("group", self.group, self.gid, "group"))
        return [f"{option}: there is no {kind} {name!r} on this host" for option, name, id_, kind in ids if id_ is None]


def make_release(
    files: Mapping[str, object],
    secrets: Mapping[str, object],
    owner: str,
    group: str,
    mode: str,
    directory_mode: str,
    stable: str = "",
) -> Release:
    """Check the user's options and return them as a value; raise ConfigDirectoryError with all mistakes at once."""
    texts = {**files, **secrets}
    problems = [f"{name!r} is in both files and secrets" for name in sorted(set(files) & set(secrets))]
    problems += [f"file name {name!r} {fault}" for name in sorted(texts) if (fault := name_fault(name, texts))]
    problems += [f"the content of {name!r} {fault}" for name in sorted(texts) if (fault := text_fault(texts[name]))]
    for option, value in (("mode", mode), ("directory_mode", directory_mode)):
        if not OCTAL.fullmatch(value):
            problems.append(f"{option} {value!r} is not four octal digits in quotes, such as '0640'")
    if stable and (fault := stable_fault(stable, texts)):
        problems.append(f"stable {stable!r} {fault}")
    if problems:
        raise ConfigDirectoryError("; ".join(problems))
    contents = {name: str(text).encode() for name, text in texts.items()}
    return Release(contents, frozenset(secrets), owner, group, int(mode, 8), int(directory_mode, 8), stable)


def name_fault(name: str, names: Mapping[str, object]) -> str:
    """What is wrong with one file name, or ""; `names` are all names, where a file cannot also be a directory."""
    parts = name.split("/")
    if not name:
        return "is empty"
    if not name.isprintable():
        return "has a NUL or another character that cannot be printed"
    if name.startswith("/"):
        return "is absolute; write it relative to the path, such as rules/host.yml"
    if "" in parts:
        return "has an empty part; write single slashes between the parts and none at the end"
    if "." in parts or ".." in parts:
        return "has a part '.' or '..'; name the place below the path directly"
    if max(len(part.encode()) for part in parts) > LONGEST_NAME:
        return f"has a part longer than {LONGEST_NAME} bytes"
    blocked = [parent for parent in parents(name) if parent in names]
    return f"needs a directory where {blocked[0]!r} is a file; rename one of them" if blocked else ""


def text_fault(text: object) -> str:
    """What is wrong with the content of one file, or ""."""
    if not isinstance(text, str):
        return f"is a {type(text).__name__}, not text; turn data into text with to_nice_yaml or to_json"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "cannot be written as UTF-8"
    return ""


def stable_fault(stable: str, names: Mapping[str, object]) -> str:
    """What is wrong with the directory whose files should get stable paths, or ""."""
    if stable in ("current", "releases"):
        return "is a name that this module uses itself"
    if "/" in stable or not any(name.startswith(f"{stable}/") for name in names):
        found = sorted({name.partition("/")[0] for name in names if "/" in name})
        return f"is not a directory at the top of the release; those are: {', '.join(found) or 'none'}"
    return ""


def parents(name: str) -> list[str]:
    """The directories above a relative path: a/b/c gives a and a/b."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def find_id(name: str, own: Callable[[], int], look_up: Callable[[str], int]) -> int | None:
    """The numeric id of a user or group: the digits, looked up, or for "" that of this process; None if unknown."""
    if not name:
        return own()
    if name.isdecimal():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        return None


def changed_names(before: Tree, after: Tree) -> list[str]:
    """What differs, sorted. A new directory is left out: its files say enough."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return [name for name in names if name in before or not stat.S_ISDIR(after[name].mode)]


def diff(before: Tree, after: Tree, secrets: frozenset[str]) -> list[dict[str, str]]:
    """Ansible's `diff`: one before and after per changed name, secrets masked, rights where only they differ."""
    names = changed_names(before, after)
    return [diff_entry(name, before.get(name), after.get(name), name in secrets) for name in names]


def diff_entry(name: str, old: Entry | None, new: Entry | None, secret: bool) -> dict[str, str]:
    """One element of Ansible's `diff`; of a secret it shows only whether it is new."""
    before, after = text_of(old), text_of(new)
    if secret:
        before, after = HIDDEN if old else "", HIDDEN if before == after else HIDDEN_NEW if new else ""
    if old and new and before == after:
        before, after = rights_of(old), rights_of(new)
    header = printable(name)
    return {"before": before, "after": after, "before_header": header, "after_header": header}


def text_of(entry: Entry | None) -> str:
    """The content as text, or a line that names what is there instead of a file."""
    if entry is None:
        return ""
    if stat.S_ISREG(entry.mode):
        return entry.content.decode("utf-8", "replace")
    kind = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink to"}.get(stat.S_IFMT(entry.mode), "special file")
    return f"({kind} {entry.content.decode('utf-8', 'replace')})\n"


def rights_of(entry: Entry) -> str:
    """Mode and owner in one line."""
    return f"mode {stat.S_IMODE(entry.mode):04o}, owner {entry.uid}, group {entry.gid}\n"


def printable(name: str) -> str:
    """A file name found on disk, which may not be UTF-8, as text that can be printed."""
    return os.fsencode(name).decode("utf-8", "replace")
