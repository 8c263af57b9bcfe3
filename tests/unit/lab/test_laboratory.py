# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What two checkouts share on one engine: the images, and the engine itself."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from lab import engine, image_build, laboratory, registry, state
from lab.progress import LabError


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What `down --all` removes, and whether another lab could have begun to come up at that moment."""
    monkeypatch.setattr(state, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(state, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(state, "LOCK_SECONDS", 0)
    calls: list[str] = []

    def note(what: str) -> Any:
        def removal(_: Any) -> None:
            calls.append(what)
            with pytest.raises(LabError), state.alone():
                calls.append(f"another lab came up during: {what}")

        return removal

    monkeypatch.setattr(registry, "remove", note("registry"))
    monkeypatch.setattr(image_build, "remove_all", note("images"))
    monkeypatch.setattr(engine, "stop_own", note("engine"))
    return calls


def client(monkeypatch: pytest.MonkeyPatch, *containers: str) -> None:
    """An engine with these containers of any checkout."""
    found = MagicMock()
    found.containers.list.side_effect = lambda all, filters: (
        list(containers) if filters == {"label": engine.CHECKOUT_LABEL} else []
    )
    monkeypatch.setattr(engine, "connect", lambda: found)


def test_no_lab_can_come_up_while_shared_things_are_removed(
    monkeypatch: pytest.MonkeyPatch, removed: list[str]
) -> None:
    client(monkeypatch)
    laboratory.down_all()
    assert removed == ["registry", "images", "engine"]


def test_images_stay_for_the_lab_of_another_checkout(monkeypatch: pytest.MonkeyPatch, removed: list[str]) -> None:
    client(monkeypatch, "registry of another checkout")
    laboratory.down_all()
    assert removed == ["registry", "engine"]
