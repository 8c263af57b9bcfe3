"""Make a directory hold exactly the given files: complete releases and one atomic swap.

    <path>/current -> releases/<name>   what is in force; only ever replaced by one rename
    <path>/releases/<name>/             a complete release; <name> is a hash of all that is in it
    <path>/releases/<name>.secrets      which of its files are secret, so that a later diff masks them
    <path>/<stable>/                    links through `current`, one per file: see links.py

A directory that bears a release's name is complete: it is written and flushed as `.staging` and then renamed, and it
is renamed to `.trash` before it is removed. A crash at any point leaves a complete release in force; the next run
removes the rest. All access goes through directory handles and follows no symlink, because the owner of the files
may be a less trusted user than the one who writes them.

Standard library only and Python 3.9: this file runs on the hosts. It knows nothing about Ansible.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.links import read_links, set_links
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    ConfigDirectoryError,
    Entry,
    Release,
    Tree,
)
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.validator import Validator
from ansible_collections.crowsnest.core.plugins.module_utils.files import (
    entry_of,
    find,
    lock,
    make_directory,
    open_directory,
    put_link,
    read_content,
    read_tree,
    remove,
    set_rights,
    write_file,
    write_tree,
)
from ansible_collections.crowsnest.core.plugins.module_utils.paths import config_directory

STAGING, TRASH = ".staging", ".trash"
RELEASE_NAME = re.compile(r"[0-9a-f]{16}")
OWN_NAME = re.compile(r"[0-9a-f]{16}(\.repaired)?(\.secrets)?|\.staging|\.trash|\.current")


@dataclass(frozen=True)
class State:
    """What was found before anything was done."""

    previous: str | None = None  # the name of the release in force
    before: Tree = field(default_factory=dict)  # its entries; empty when there is none
    frame: Tree = field(default_factory=dict)  # the entries of path and of releases, by absolute path
    secrets: frozenset[str] = frozenset()  # the secret files of the release in force
    links: Tree = field(default_factory=dict)  # the stable paths, relative to path
    stale: tuple[str, ...] = ()  # what is to be removed below releases

    def holds(self, release: Release) -> bool:
        """Whether the release is in force and intact."""
        return self.previous == release.name and self.before == release.tree


@dataclass(frozen=True)
class ConfigDirectory:
    """The directory at `path`, opened and locked, and the release that it should hold."""

    path: Path
    root: int  # handle of path
    releases: int  # handle of path/releases
    release: Release
    keep: int  # how many releases stay, the one in force included

    def survey(self) -> State:
        """Read all that matters below path."""
        previous = self.in_force()
        return State(
            previous=previous,
            before=self.read_release(previous) if previous else {},
            frame=dict(zip(frame_names(self.path), map(entry_of, (self.root, self.releases)))) if previous else {},
            secrets=self.read_secrets(previous) if previous else frozenset(),
            links=read_links(self.release.stable, self.root) if self.release.stable else {},
            stale=self.stale_names(),
        )

    def converge(self, validator: Validator | None) -> State:
        """Bring the release into force and clean up; write nothing if all is right. Returns what was found."""
        if self.in_force() is None:
            self.set_frame()  # nothing uses it yet, and a validator that is not root needs access
        state = self.survey()
        try:
            if not state.holds(self.release):
                self.bring_into_force(state, validator)
        finally:
            remove(STAGING, self.releases)
        self.set_frame()
        if state.links != self.release.links:
            set_links(self.release.stable, self.root, self.release.links, self.releases)
        for name in self.stale_names():
            self.discard(name)
        return state

    def bring_into_force(self, state: State, validator: Validator | None) -> None:
        """Write the release unless an intact one is there, validate it and point `current` to it."""
        name = self.release.name
        intact = self.read_release(name) == self.release.tree
        if not intact:
            self.stage()
        if validator:
            self.validate(validator, name if intact else STAGING)
        if not intact:
            if state.previous == name:  # edited by hand: switch to a good copy before the edited one is taken away
                self.install(f"{name}.repaired")
                self.swap(f"{name}.repaired")
                self.stage()
            self.install(name)
        self.swap(name)

    def stage(self) -> None:
        """Write and flush the whole release as `.staging`, closed to everyone else until it is complete."""
        remove(STAGING, self.releases)
        os.mkdir(STAGING, 0o700, dir_fd=self.releases)
        with open_directory(STAGING, self.releases) as staging:
            write_tree(staging, self.release.tree)

    def validate(self, validator: Validator, name: str) -> None:
        """Let the service's own checker read a complete directory below releases."""
        validator.run(str(self.path / "releases" / name))
        if self.read_release(name) != self.release.tree:
            raise ConfigDirectoryError("validate: the command changed the files it checked; it may only read them")

    def install(self, name: str) -> None:
        """Give the staged release its name, replacing a damaged one that is not in force."""
        self.discard(name)
        self.discard(f"{name}.secrets")
        if self.release.secrets:
            content = "\n".join(sorted(self.release.secrets)).encode()
            write_file(f"{name}.secrets", self.releases, Entry(stat.S_IFREG | 0o600, None, None, content))
        os.rename(STAGING, name, src_dir_fd=self.releases, dst_dir_fd=self.releases)
        os.fsync(self.releases)

    def swap(self, name: str) -> None:
        """Point `current` to a release by one rename; the time of the last use orders the releases for `keep`."""
        now = time.time_ns()  # the kernel's own stamp is milliseconds coarse, and two quick runs would tie
        os.utime(name, ns=(now, now), dir_fd=self.releases, follow_symlinks=False)
        put_link(f"releases/{name}", "current", self.root, self.releases)
        os.fsync(self.releases)
        os.fsync(self.root)

    def discard(self, name: str) -> None:
        """Remove an entry below releases so that a half-removed directory never bears a release's name."""
        remove(TRASH, self.releases)
        with suppress(FileNotFoundError):
            os.rename(name, TRASH, src_dir_fd=self.releases, dst_dir_fd=self.releases)
        remove(TRASH, self.releases)

    def set_frame(self) -> None:
        """Correct the rights of path and releases."""
        for handle in (self.root, self.releases):
            if entry_of(handle) != self.release.directory:
                set_rights(handle, self.release.directory)

    def in_force(self) -> str | None:
        """The release that `current` points to; None if there is none or somebody pointed it elsewhere."""
        try:
            place, _, name = os.readlink("current", dir_fd=self.root).rpartition("/")
        except FileNotFoundError:
            return None
        return name if place == "releases" and OWN_NAME.fullmatch(name) else None

    def read_release(self, name: str) -> Tree:
        """All entries of a release; empty if there is no such directory."""
        try:
            with open_directory(name, self.releases) as directory:
                return read_tree(directory)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return {}
            raise

    def read_secrets(self, name: str) -> frozenset[str]:
        """Which files of a release are secret."""
        try:
            return frozenset(read_content(f"{name}.secrets", self.releases).decode().split("\n"))
        except FileNotFoundError:
            return frozenset()

    def stale_names(self) -> tuple[str, ...]:
        """Leftovers, and the releases beyond `keep` once the wanted one is in force; never names of others."""
        own = [name for name in os.listdir(self.releases) if OWN_NAME.fullmatch(name)]  # noqa: PTH208 a handle
        old = [name for name in own if RELEASE_NAME.fullmatch(name) and name != self.release.name]
        old.sort(key=lambda name: os.lstat(name, dir_fd=self.releases).st_mtime_ns, reverse=True)
        staying = {self.release.name, *old[: self.keep - 1]}
        return tuple(sorted(name for name in own if name.replace(".secrets", "") not in staying))


def apply(path: Path, release: Release, keep: int, validator: Validator | None) -> State:
    """Make `path` hold the release. Raises ConfigDirectoryError or OSError; a complete release stays in force."""
    missing = release.missing_ids()
    if missing:
        raise ConfigDirectoryError(f"{'; '.join(missing)}; create it before this task or use a numeric ID")
    check_place(path)
    make_directory(path)
    with open_directory(path) as root:
        lock(root, path)
        with suppress(FileExistsError):
            os.mkdir("releases", 0o700, dir_fd=root)
        with open_directory("releases", root) as releases:
            return ConfigDirectory(path, root, releases, release, keep).converge(validator)


def predict(path: Path, release: Release, keep: int) -> State:
    """What `apply` would find; writes nothing. Raises like `apply` for a place that it would refuse."""
    check_place(path)
    if not (path / "releases").is_dir():
        return State()
    with open_directory(path) as root:
        lock(root, path)
        with open_directory("releases", root) as releases:
            return ConfigDirectory(path, root, releases, release, keep).survey()


def check_place(path: Path) -> None:
    """Refuse a place that this module may not write: not a directory, a symlink, or somebody else's directory."""
    if not path.is_absolute() or ".." in path.parts or len(path.parts) == 1:
        raise ConfigDirectoryError(
            f"path '{path}' is not a plain absolute path such as {config_directory('prometheus')}"
        )
    for place in frame_names(path):
        status = find(place)
        if status and not stat.S_ISDIR(status.st_mode):
            kind = "a symlink" if stat.S_ISLNK(status.st_mode) else "a file"
            raise ConfigDirectoryError(f"{place} is {kind}, not a directory; remove it or use another path")
    current = path / "current"
    status = find(str(current))
    if status and not stat.S_ISLNK(status.st_mode):
        advice = f"move it away (mv {current} {current}.old) and run again"
        raise ConfigDirectoryError(f"{current} exists and is not the symlink that this module manages; {advice}")
    found = {entry.name for entry in path.iterdir()} if find(str(path)) else set()
    if "releases" not in found and found - {"current"}:
        advice = "use a directory of its own or empty it"
        raise ConfigDirectoryError(f"{path} holds other files and was not created by this module; {advice}")


def frame_names(path: Path) -> tuple[str, str]:
    """The directories around the releases, which get the same rights."""
    return str(path), str(path / "releases")
