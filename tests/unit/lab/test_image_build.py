# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import image_build, registry
from lab.state import LAB_FILES

Change = Callable[[Path], object]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "sub" / "entry.sh").write_text("#!/bin/sh\n")
    return tmp_path


CHANGES: dict[str, Change] = {
    "content": lambda folder: (folder / "sub" / "entry.sh").write_text("#!/bin/bash\n"),
    "executable bit": lambda folder: (folder / "sub" / "entry.sh").chmod(0o755),
    "name": lambda folder: (folder / "Dockerfile").rename(folder / "Containerfile"),
    "new file": lambda folder: (folder / "more").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_of_the_context_gives_another_hash(context: Path, change: Change) -> None:
    before = image_build.content_hash(context, "sha256:base", {})
    change(context)
    assert image_build.content_hash(context, "sha256:base", {}) != before


def test_base_and_arguments_count_and_compiled_python_does_not(context: Path) -> None:
    before = image_build.content_hash(context, "sha256:base", {"SUITE": "trixie"})
    assert image_build.content_hash(context, "sha256:other", {"SUITE": "trixie"}) != before
    assert image_build.content_hash(context, "sha256:base", {"SUITE": "bookworm"}) != before
    (context / "__pycache__").mkdir()
    (context / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert image_build.content_hash(context, "sha256:base", {"SUITE": "trixie"}) == before


def test_every_folder_of_images_has_a_name_to_be_published_under() -> None:
    folders = {path.parent.name for path in (LAB_FILES / "images").glob("*/Dockerfile")}
    assert set(image_build.published_names().values()) == folders - {"bugsink", "registry", "storage", "versions"}


def test_images_without_an_owner_lie_where_docker_hub_has_them() -> None:
    assert registry.repository_path("redis") == "library/redis"
    assert registry.repository_path("prom/prometheus") == "prom/prometheus"


def test_one_stand_in_has_every_name_that_the_stack_and_the_sample_app_know_it_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_build, "shop_images", lambda: {"postgres": "postgres:17.99"})
    names = image_build.published_names()
    assert [name for name, folder in names.items() if folder == "postgres"] == [
        name for name in image_build.published_names(app=False) if name.startswith("postgres:")
    ] + ["postgres:17.99"]


def test_what_the_sample_app_needs_is_read_from_its_compose_file() -> None:
    images = image_build.shop_images()
    assert set(images) == {"postgres", "redis"}
    assert set(images.values()) <= set(image_build.published_names())
