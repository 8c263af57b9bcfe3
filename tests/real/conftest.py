# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real Uptime Kuma, started once and emptied before each test, and the module with a client that can be broken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import uptime_kuma
from called_docker import Docker
from kuma_module import Run, Wire, runner, watched
from uptime_kuma import CLIENT, PASSWORD, Kuma


@pytest.fixture(scope="session")
def first_kuma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kuma, Path]]:
    """One with an account, and a folder with its data from before there was one."""
    folder = tmp_path_factory.mktemp("kuma")
    (folder / "data").mkdir()
    with uptime_kuma.running(folder / "data") as kuma:
        untouched = uptime_kuma.prepared(kuma, folder / "untouched")
        client = CLIENT(kuma.url, timeout=30)
        client.setup("admin", PASSWORD)
        client.disconnect()
        yield kuma, untouched


@pytest.fixture
def kuma(first_kuma: tuple[Kuma, Path]) -> Kuma:
    """With an account and nothing else."""
    first_kuma[0].empty()
    return first_kuma[0]


@pytest.fixture
def new_kuma(first_kuma: tuple[Kuma, Path], tmp_path: Path) -> Iterator[Kuma]:
    """Without an account."""
    folder = tmp_path / "kuma"
    folder.mkdir()
    for file in first_kuma[1].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with uptime_kuma.running(folder) as kuma:
        yield kuma


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr("uptime_kuma_api.UptimeKumaApi", watched(wire))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # which the module changes
    return wire


@pytest.fixture
def run(kuma: Kuma, wire: Wire, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(kuma.url, capsys)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    real = shutil.which("docker")
    assert real
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Docker(folder, real)
