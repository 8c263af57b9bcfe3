# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the laboratory remembers, and how two labs that come up at once keep out of each other's way."""

from pathlib import Path

import pytest
from lab import state
from lab.progress import LabError


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(state, "LAB_FILES", tmp_path)


def test_a_lab_that_comes_up_waits_for_another_one_even_if_a_third_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LOCK_SECONDS", 0.2)
    with state.alone():
        state.remove("third")
        with pytest.raises(LabError, match="Another lab is being prepared"), state.alone():
            pytest.fail("two labs are prepared at once")
    with state.alone():
        pass


def test_the_folder_goes_with_the_last_lab() -> None:
    state.save({"name": "one"})
    state.save({"name": "two"})
    state.remove("one")
    assert state.names() == ["two"]
    state.remove("two")
    assert not state.STATE.exists()
