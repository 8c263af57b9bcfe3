"""Writing below a directory handle never goes through what somebody else put there in between."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.files import open_directory, write_file


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
