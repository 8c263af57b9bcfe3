"""Whether git tracks a file, asked of the real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.git import GitError, tracked_in

NOBODY = 65534


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a tracked and an ignored file."""
    folder = tmp_path / "shop"
    (folder / "conf").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for name in ("conf/tracked.env", "conf/[a].env", "other.env"):
        (folder / name).write_text("A=1\n")
    git(folder, "--literal-pathspecs", "add", "conf/tracked.env")
    return folder


def test_a_tracked_file_is_found_in_its_checkout(checkout: Path) -> None:
    assert tracked_in(checkout / "conf/tracked.env") == checkout


def test_a_file_that_is_not_tracked_is_in_no_checkout(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.env").touch()
    for path in (checkout / "other.env", checkout / "conf/[a].env", tmp_path / "outside.env"):
        assert tracked_in(path) is None


def test_a_link_counts_as_its_target(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(checkout / "conf/tracked.env")
    assert tracked_in(tmp_path / "link") == checkout


def test_no_git_on_the_host_tracks_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert tracked_in(checkout / "conf/tracked.env") is None


def test_what_git_cannot_say_is_told_in_its_words(checkout: Path) -> None:
    (checkout / ".git/index").write_text("damaged")
    with pytest.raises(GitError, match="index file"):
        tracked_in(checkout / "conf/tracked.env")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_nothing_of_a_checkout_of_somebody_else_runs_as_root(checkout: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\nid -u >> {ran}\n")
    hook.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(hook))
    ran.touch()
    ran.chmod(0o666)
    for path in (tmp_path, *tmp_path.parents):
        if path.name.startswith(("pytest-", "popen-", tmp_path.name)):
            path.chmod(0o755)
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    assert tracked_in(checkout / "conf/tracked.env") == checkout
    assert set(ran.read_text().split()) == {str(NOBODY)}
