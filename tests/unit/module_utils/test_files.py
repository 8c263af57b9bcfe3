"""Writing below a directory handle never goes through what somebody else put there in between."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.files import (
    open_directory,
    put_file,
    replace_kept,
    write_file,
)


def test_a_symlinked_directory_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with open_directory(tmp_path) as handle, pytest.raises(NotADirectoryError), open_directory("link", handle):
        pass


@pytest.mark.parametrize("plant", [Path.touch, lambda path: path.symlink_to(path.parent / "outside"), os.mkfifo])
def test_a_new_file_goes_into_nothing_that_exists(tmp_path: Path, plant: object) -> None:
    plant(tmp_path / "app.yml")  # type: ignore[operator]
    with open_directory(tmp_path) as handle, pytest.raises(FileExistsError):
        write_file("app.yml", handle, Entry(stat.S_IFREG | 0o640, None, None, b"text"))
    assert not (tmp_path / "outside").exists()


ACL = "system.posix_acl_access"
# user::rw-, user:65534:r--, group::r--, mask::r--, other::---, as the kernel keeps it
NAMED_USER = bytes.fromhex(
    "02000000 01000600ffffffff 02000400feff0000 04000400ffffffff 10000400ffffffff 20000000ffffffff"
)


@pytest.fixture
def app_env(tmp_path: Path) -> Path:
    """A file of somebody else with an ACL, in a folder that gives new files another one."""
    path = tmp_path / "app.env"
    path.write_bytes(b"A=1\n")
    path.chmod(0o640)
    os.chown(path, *((65534, 65533) if os.geteuid() == 0 else (-1, -1)))
    os.setxattr(path, ACL, NAMED_USER)
    os.setxattr(path, "user.note", b"kept")
    os.setxattr(tmp_path, "system.posix_acl_default", NAMED_USER.replace(b"\xfe\xff", b"\x39\x30"))
    return path


def rights(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return status.st_mode, status.st_uid, status.st_gid, [(name, os.getxattr(path, name)) for name in names]


def test_replaced_content_keeps_owner_mode_and_acl(app_env: Path) -> None:
    before, inode = rights(app_env), app_env.stat().st_ino
    replace_kept(app_env, b"B=2\n")
    assert app_env.read_bytes() == b"B=2\n"
    assert rights(app_env) == before
    assert app_env.stat().st_ino != inode
    assert list(app_env.parent.iterdir()) == [app_env]


def test_a_file_without_an_acl_gets_none_from_its_folder(app_env: Path) -> None:
    os.removexattr(app_env, ACL)
    before = rights(app_env)
    replace_kept(app_env, b"B=2\n")
    assert rights(app_env) == before


def test_of_a_link_the_target_is_replaced(app_env: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder/link"
    link.symlink_to(app_env)
    replace_kept(link, b"B=2\n")
    assert link.is_symlink()
    assert app_env.read_bytes() == b"B=2\n"
    assert list(link.parent.iterdir()) == [link]


def test_a_run_killed_before_the_rename_leaves_the_old_file_and_the_next_one_tidies(app_env: Path) -> None:
    child = os.fork()
    if child == 0:
        os.rename = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        replace_kept(app_env, b"B=2\n")
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert app_env.read_bytes() == b"A=1\n"
    assert len(list(app_env.parent.iterdir())) == 2
    replace_kept(app_env, b"C=3\n")
    assert app_env.read_bytes() == b"C=3\n"
    assert list(app_env.parent.iterdir()) == [app_env]


def test_a_write_that_fails_leaves_the_old_file_alone(app_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        replace_kept(app_env, b"B=2\n")
    assert app_env.read_bytes() == b"A=1\n"
    assert list(app_env.parent.iterdir()) == [app_env]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "app.env")
    before = rights(tmp_path / "app.env")
    with pytest.raises(OSError, match="not a regular file"):
        replace_kept(tmp_path / "app.env", b"B=2\n")
    assert rights(tmp_path / "app.env") == before


def test_a_file_of_ours_is_put_by_one_rename_and_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / ".rules.crowsnest").write_text("left by a run that was killed")
    for content in (b"old", b"new"):
        put_file(tmp_path / "rules", content, 0o600)
        assert (tmp_path / "rules").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]
    assert (tmp_path / "rules").stat().st_mode & 0o777 == 0o600
