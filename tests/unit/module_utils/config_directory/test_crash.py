"""A process killed between any two steps leaves a complete release in force, and the next run converges."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Release, make_release

# What the interpreter announces before it does it; write and fsync are not announced and are wrapped below.
STEPS = ("open", "os.mkdir", "os.rename", "os.symlink", "os.chmod", "os.chown", "os.remove", "os.rmdir", "os.utime")
ALL_STEPS = (*STEPS, "fcntl.flock")


def release(version: str) -> Release:
    files = {"app.yml": f"version: {version}\n" * 100, "rules/a/host.yml": version, "rules/b.yml": version}
    files[f"rules/only/{version}.yml"] = version
    return make_release(files, {"token": f"token {version}"}, "21090", "", "0640", "0750", "rules")


OLD, NEW, OLDER = release("old"), release("new"), release("older")


def install_old(path: Path) -> None:
    apply(path, OLDER, 3, None)
    apply(path, OLD, 3, None)


def install_both(path: Path) -> None:
    apply(path, NEW, 3, None)
    apply(path, OLD, 3, None)


def install_damaged_new(path: Path) -> None:
    install_old(path)
    apply(path, NEW, 3, None)
    (path / "current/rules/b.yml").write_text("edited by hand")


SITUATIONS: dict[str, tuple[Callable[[Path], None], int]] = {
    "fresh host": (lambda path: None, 3),
    "another release in force": (install_old, 3),
    "another release in force, nothing kept": (install_old, 1),
    "going back to a release on disk": (install_both, 3),
    "edited by hand": (install_damaged_new, 2),
}


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that is killed at its step number `step`; whether it was, False if it had fewer steps."""
    child = os.fork()
    if child == 0:
        count = 0

        def tick(*_: object) -> None:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

        write, fsync = os.write, os.fsync

        def write_in_two_halves(handle: int, data: Any) -> int:
            tick()
            return write(handle, data[: len(data) // 2 + 1])

        def counted_fsync(handle: int) -> None:
            tick()
            fsync(handle)

        os.write, os.fsync = write_in_two_halves, counted_fsync  # type: ignore[assignment]
        sys.addaudithook(lambda event, _: tick() if event in ALL_STEPS else None)
        try:
            work()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the run failed by itself"
    return os.WIFSIGNALED(status)


def stable_files(path: Path) -> dict[str, bytes]:
    """What a program reads at the stable paths, by path relative to the release; a link to nothing is no file."""
    return {f"rules/{name}": content for name, content in contents(path / "rules").items()}


def assert_stable_paths_are_complete(path: Path, before: dict[str, bytes] | None) -> None:
    """No path that both releases have is ever missing, and what can be read is of the release in force."""
    current = contents((path / "current").resolve()) if (path / "current").is_symlink() else {}
    found = stable_files(path)
    assert set(found.items()) <= set(current.items())
    if before:
        both = {name for name in before if name.startswith("rules/")} & set(NEW.files)
        assert both <= set(found)


def assert_nothing_half_done(path: Path, before: dict[str, bytes] | None) -> None:
    complete = [OLD.files, NEW.files, OLDER.files, *([before] if before else [])]
    current = path / "current"
    assert contents(current.resolve()) in (before, NEW.files) if current.is_symlink() else before is None
    for directory in path.glob("releases/[0-9a-f]*"):
        assert directory.suffix == ".secrets" or contents(directory) in complete


@pytest.mark.parametrize("situation", SITUATIONS)
def test_kill_at_every_step(tmp_path: Path, situation: str) -> None:
    prepare, keep = SITUATIONS[situation]
    step = 0
    killed = True
    while killed:
        step += 1
        path = tmp_path / str(step)
        prepare(path)
        before = contents((path / "current").resolve()) if path.exists() else None
        killed = killed_at(step, lambda path=path: apply(path, NEW, keep, None))  # type: ignore[misc]
        assert_nothing_half_done(path, before)
        assert_stable_paths_are_complete(path, before)
        apply(path, NEW, keep, None)
        assert contents((path / "current").resolve()) == NEW.files
        assert stable_files(path) == {name: text for name, text in NEW.files.items() if name.startswith("rules/")}
        assert [link for link in path.glob("rules/**/*") if link.is_symlink() and not link.exists()] == []
        assert apply(path, NEW, keep, None).holds(NEW)
        left = {entry.name.removesuffix(".secrets") for entry in path.glob("releases/*")}
        assert left <= {OLD.name, NEW.name, OLDER.name} and len(left) <= keep
    print(f"{situation}: killed at each of {step - 1} steps")
    assert step > 15


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What is written, flushed and renamed, in order, with the path of the handle."""
    events: list[tuple[str, str]] = []
    write, fsync, rename = os.write, os.fsync, os.rename

    def name_of(handle: int) -> str:
        return str(Path(f"/proc/self/fd/{handle}").readlink())

    def log_write(handle: int, data: Any) -> int:
        status = os.fstat(handle)
        events.append(("write", name_of(handle)))
        events.append(("rights", f"{status.st_uid} {status.st_mode & 0o777:o}"))
        return write(handle, data)

    def log_fsync(handle: int) -> None:
        events.append(("fsync", name_of(handle)))
        fsync(handle)

    def log_rename(source: str, target: str, **handles: int) -> None:
        events.append(("rename", target))
        rename(source, target, **handles)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", log_write)
        patch.setattr(os, "fsync", log_fsync)
        patch.setattr(os, "rename", log_rename)
        yield events


def test_all_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app"
    with recorded(monkeypatch) as events:
        apply(path, NEW, 3, None)
    renamed = events.index(("rename", NEW.name))
    swapped = events.index(("rename", "current"))
    staged = [str(path / "releases/.staging" / name) for name in (*NEW.files, ".", "rules", "rules/a", "rules/only")]
    for place in (os.path.normpath(name) for name in staged):
        assert ("fsync", place) in events[:renamed]
    assert ("fsync", str(path / "releases")) in events[renamed:swapped]
    linked = [name for kind, name in events[swapped + 1 :] if kind == "rename"]
    assert events[swapped : swapped + 3] == [
        *(("rename", "current"), ("fsync", str(path / "releases")), ("fsync", str(path)))
    ]
    assert sorted(linked) == ["b.yml", "host.yml", "new.yml"]
    assert [kind for kind, _ in events].count("write") == len(NEW.files) + 1
    assert ("fsync", str(tmp_path)) in events


def test_files_have_owner_and_mode_before_any_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        with recorded(monkeypatch) as events:
            apply(tmp_path / "app", NEW, 3, None)
    finally:
        os.umask(before)
    rights = [detail for kind, detail in events if kind == "rights"]
    assert set(rights) == {"21090 640", "0 600"}  # the files; the list of secret names
    assert rights.count("21090 640") == len(NEW.files)
