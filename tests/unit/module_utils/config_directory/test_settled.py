"""What a run knows of a host's configuration directories before it sends anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Release, make_release
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.settled import settled

GROUP = str(os.getegid())
FILES = {"app.yml": "one", "dashboards/a.json": "{}"}


def release(text: str = "one", value: str = "hush", stable: str = "", mode: str = "0640") -> Release:
    return make_release({**FILES, "app.yml": text}, {"token": value}, "", GROUP, mode, "0750", stable)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory that holds `release()`."""
    apply(tmp_path / "app", release(), 3, None)
    return tmp_path / "app"


def test_a_complete_directory_has_the_identity_of_what_was_declared(path: Path) -> None:
    assert settled(path.parent) == {str(path): release().identity}


@pytest.mark.parametrize(
    "other", [release("two"), release(value="other"), release(stable="dashboards"), release(mode="0600")]
)
def test_whatever_is_declared_otherwise_has_another_identity(path: Path, other: Release) -> None:
    assert settled(path.parent)[str(path)] != other.identity
    apply(path, other, 3, None)
    assert settled(path.parent)[str(path)] == other.identity


def cut_off_while_staging(path: Path) -> None:
    (path / "releases/.staging").mkdir()


def cut_off_while_removing(path: Path) -> None:
    (path / "releases/.trash").mkdir()


def cut_off_before_the_swap(path: Path) -> None:
    (path / "current").unlink()


def pointed_elsewhere(path: Path) -> None:
    (path / "current").unlink()
    (path / "current").symlink_to("/etc")


def emptied(path: Path) -> None:
    (path / "releases").rename(path.parent / "elsewhere")


def forgot_what_is_secret(path: Path) -> None:
    next((path / "releases").glob("*.secrets")).unlink()


def two_more_folders(path: Path) -> None:
    (path / "dashboards").mkdir()
    (path / "mine").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        cut_off_while_staging,
        cut_off_while_removing,
        cut_off_before_the_swap,
        pointed_elsewhere,
        emptied,
        forgot_what_is_secret,
        two_more_folders,
    ],
)
def test_where_something_is_left_to_do_there_is_no_identity(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    assert settled(path.parent) == {}


def test_other_files_beside_it_do_not_matter(path: Path) -> None:
    (path / "api_key.json").write_text("{}")
    assert str(path) in settled(path.parent)


def test_what_is_no_configuration_directory_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "toolbox").mkdir()
    (tmp_path / "compose.yaml").write_text("")
    assert settled(tmp_path) == {}
    assert settled(tmp_path / "nowhere") == {}
