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


@pytest.mark.parametrize(
    ("source", "published"),
    [
        ("packages", {"prometheus": "built", "alertmanager": "built and trusting"}),
        ("hub", {"alertmanager": "official and trusting"}),
    ],
)
def test_the_registry_serves_what_is_built_and_what_trusts_the_catcher(
    monkeypatch: pytest.MonkeyPatch, source: str, published: dict[str, str]
) -> None:
    found: dict[str, str] = {}
    images = {f"prom/{name}:1": name for name in ("prometheus", "alertmanager")}
    client = MagicMock()
    monkeypatch.setattr(image_build, "published_names", lambda app: images)
    monkeypatch.setattr(image_build, "build", lambda *_: "built")
    monkeypatch.setattr(laboratory.debian_versions, "bases", lambda client, names, base: dict.fromkeys(names, base))
    monkeypatch.setattr(laboratory, "host_image", lambda *_: "host")
    monkeypatch.setattr(registry, "ensure", lambda *_: "127.0.0.1:5000")
    monkeypatch.setattr(registry, "publish", lambda client, address, name, local: found.update({name: local}))

    def trusting(client: object, name: str, provide: Any) -> str:
        image = provide().replace(f"prom/{name}:1", "official")
        return f"{image} and trusting" if name in laboratory.POSTING else image

    monkeypatch.setattr(laboratory.catcher, "trusting", trusting)
    wish = laboratory.Wish("dev", ["trixie"], "none", 2048, app=False)
    laboratory._prepare_images(client, wish, wish.hosts(40000), {"trixie": ("base", source)})
    assert {images[name]: local for name, local in found.items()} == published
