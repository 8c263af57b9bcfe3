"""What is remembered of an env file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import (
    Key,
    Memory,
    file_of,
    recall,
    remember,
)
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.settled import settled

FILE = Path("/srv/shop/.env")
MEMORY = Memory({"SENTRY_DSN": Key(secret=True, rebuild=False), "GA": Key(secret=False, rebuild=True)}, ("web",))


def test_what_was_remembered_is_recalled_for_that_file_only(tmp_path: Path) -> None:
    remember(tmp_path, FILE, MEMORY)
    assert recall(tmp_path, FILE) == MEMORY
    assert recall(tmp_path, Path("/srv/blog/.env")) == Memory()
    assert stat.S_IMODE(file_of(tmp_path, FILE).stat().st_mode) == 0o600


def test_nothing_to_remember_leaves_no_file(tmp_path: Path) -> None:
    remember(tmp_path, FILE, MEMORY)
    remember(tmp_path, FILE, Memory())
    assert list(tmp_path.iterdir()) == []


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    remember(tmp_path, FILE, MEMORY)
    before = file_of(tmp_path, FILE).stat()
    remember(tmp_path, FILE, MEMORY)
    assert file_of(tmp_path, FILE).stat() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {"A": {"x": 1}}, "unfinished": []}', '{"keys": 1}', "\0"])
def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path, text: str) -> None:
    file_of(tmp_path, FILE).write_text(text)
    with pytest.raises(EnvFileError, match=r"is damaged. Remove it and run again. Our lines then count as"):
        recall(tmp_path, FILE)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\0", '{"path": 1}', '{"path": {}}', '{"path": null}'])
def test_a_damaged_file_hides_no_other(tmp_path: Path, text: str) -> None:
    remember(tmp_path, FILE, MEMORY)
    (tmp_path / "0.json").write_text(text)
    (tmp_path / "folder.json").mkdir()
    assert settled(tmp_path) == {str(FILE): ""}


@pytest.mark.parametrize("path", ["/srv/blog/.env", "/srv/\0"])
def test_a_file_of_which_only_the_path_can_be_read_is_not_settled(tmp_path: Path, path: str) -> None:
    file_of(tmp_path, Path("/srv/blog/.env")).write_text(json.dumps({"path": path, "keys": 1}))
    assert settled(tmp_path) == {path: ""}


def test_what_a_run_that_was_killed_left_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".0.json").write_text(json.dumps({"path": str(FILE), "keys": {}, "unfinished": []}))
    assert settled(tmp_path) == {}


def test_a_file_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to("shop")
    remember(tmp_path, tmp_path / "shop/.env", MEMORY)
    for spelling in ("link/.env", "shop/../shop/.env"):
        assert recall(tmp_path, tmp_path / spelling) == MEMORY
