# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""With blocks that promtool makes and a real Prometheus reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from crowsnest_backup import blocks
from crowsnest_backup.errors import BackupError
from programs import command, running

# 2026-11-01 00:00 UTC
START = 1793491200
HOURS = 6
END = START + HOURS * 3600 - 1


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of Prometheus with three blocks, a head, and one that is being removed."""
    text = "".join(f"orders_total {hour} {START + hour * 3600}\n" for hour in range(HOURS))
    (tmp_path / "metrics.txt").write_text(f"# TYPE orders_total counter\n{text}# EOF\n")
    made = [*command("promtool", tmp_path), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*made, f"{tmp_path}/metrics.txt", f"{tmp_path}/data"], check=True, capture_output=True)
    data = tmp_path / "data"
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    (data / "wal").mkdir()
    (data / f"{'0' * 26}.tmp-for-deletion").mkdir()
    return data


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def found(folder: Path) -> int:
    """How many values Prometheus finds in this data folder."""
    configuration = folder.parent / "prometheus.yml"
    configuration.write_text("{}")
    words = [f"--config.file={configuration}", f"--storage.tsdb.path={folder}", "--storage.tsdb.retention.time=100y"]
    query = urllib.parse.urlencode(
        {"query": f"count_over_time(orders_total[{HOURS}h])", "time": START + HOURS * 3600 - 1}
    )
    with (
        running("prometheus", folder.parent, *words) as url,
        urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer,  # noqa: S310
    ):
        result = json.load(answer)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def test_metrics_come_back_from_their_blocks(data: Path, tmp_path: Path) -> None:
    whole = [name for name in names(data) if len(name) == 26]
    assert len(whole) == 3
    with blocks.linked(data) as links:
        assert names(links) == whole
        assert (links / whole[0] / "meta.json").samefile(data / whole[0] / "meta.json")
        assert links.stat().st_mode & 0o777 == 0o700
        shutil.rmtree(data / whole[0])  # retention: what is linked stays
        shutil.copytree(links, tmp_path / "archived")
    assert not links.exists()

    new = tmp_path / "new" / "data"
    new.mkdir(parents=True)
    new.chmod(0o750)
    os.chown(new, 12345, 12346)
    assert blocks.place(tmp_path / "archived", new) == 3
    assert blocks.place(tmp_path / "archived", new) == 0
    rights = {(path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) for path in new.rglob("*")}
    assert rights == {(12345, 12346, 0o750), (12345, 12346, 0o640)}
    assert found(new) == HOURS


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder of root, with names as in a block."""
    (tmp_path / "secrets").mkdir()
    for name in ("meta.json", "000001", "000002"):
        (tmp_path / "secrets" / name).write_text("of root")
    return tmp_path / "secrets"


def test_a_block_that_is_a_link_leads_nowhere(data: Path, secrets: Path) -> None:
    (data / ("0" * 26)).symlink_to(secrets)
    with blocks.linked(data) as links:
        assert [path for path in links.rglob("*") if path.is_file() and path.read_bytes() == b"of root"] == []


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(
    data: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks, link = sorted(data.glob("*/chunks"))[0], os.link
    (chunks / "000002").write_bytes(b"values")

    def swap(source: str, target: Path, **options: Any) -> None:
        link(source, target, **options)
        if Path(target).parent.name == "chunks" and not chunks.is_symlink():
            chunks.rename(chunks.with_name("moved"))
            chunks.symlink_to(secrets)

    monkeypatch.setattr(os, "link", swap)
    with blocks.linked(data) as links:
        assert chunks.is_symlink()
        assert [path for path in links.rglob("*") if path.is_file() and path.read_bytes() == b"of root"] == []


def test_a_compaction_in_between_makes_it_begin_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [name for name in names(data) if len(name) == 26]
    link, compacted = blocks._link_files, "Z" * 26

    def compact(folder: Path, place: Path) -> None:
        if folder.name == before[1] and not (data / compacted).exists():
            shutil.copytree(data / before[0], data / compacted)
            for name in before[:2]:
                shutil.rmtree(data / name)
        link(folder, place)

    monkeypatch.setattr(blocks, "_link_files", compact)
    with blocks.linked(data) as links:
        assert names(links) == [before[2], compacted]


def test_a_block_that_is_new_at_the_end_makes_it_begin_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, new = blocks._link_files, "Z" * 26

    def write(folder: Path, place: Path) -> None:
        if not (data / new).exists():
            shutil.copytree(folder, data / new)
        link(folder, place)

    monkeypatch.setattr(blocks, "_link_files", write)
    with blocks.linked(data) as links:
        assert new in names(links)


def test_endless_compaction_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(folder: Path, _place: Path) -> None:
        raise FileNotFoundError(folder)

    monkeypatch.setattr(blocks, "_link_files", vanish)
    with pytest.raises(BackupError, match="replaces its blocks all the time"), blocks.linked(data):
        pass
    assert [name for name in names(data.parent) if "links" in name] == []


def test_links_of_a_killed_run_are_removed(data: Path) -> None:
    left = data.parent / ".data.links.partial"
    (left / "old").mkdir(parents=True)
    with blocks.linked(data) as links:
        assert "old" not in names(links)
    assert not left.exists()
