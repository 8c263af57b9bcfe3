# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""uptime_kuma and the API key of a real Uptime Kuma with which Prometheus reads its metrics."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from called_docker import Docker
from kuma_module import Run
from programs import answering, free_port
from uptime_kuma import Kuma


class Reader:
    """The Prometheus that uses the key, as far as it is asked: (health, error) of its last scrape, or no answer."""

    def __init__(self, port: int, file: Path) -> None:
        self.scrape: tuple[str, str] | None = None
        self.port = port
        self.file = file

    @property
    def options(self) -> dict[str, Any]:
        port = free_port() if self.scrape is None else self.port
        asked = {"url": f"http://127.0.0.1:{port}", "container": "prometheus"}
        return {"metrics_key": {"path": str(self.file), "owner": os.getuid(), "reader": asked}}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    class Targets(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/v1/targets?state=active&scrapePool=uptime_kuma"
            target = dict(zip(("health", "lastError"), reader.scrape or (), strict=True))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "success", "data": {"activeTargets": [target]}}).encode())

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    (tmp_path / "keys").mkdir()
    with answering(Targets) as port:
        reader = Reader(port, tmp_path / "keys/key")
        yield reader


def test_the_key_for_metrics_is_kept_in_its_file(run: Run, kuma: Kuma, reader: Reader, docker: Docker) -> None:
    file, options = reader.file, reader.options
    assert (run(check=True, **options)["changed"], file.exists()) == (True, False)
    assert run(**options)["changes"] == [f"create API key crowsnest in {file}"]
    assert (file.read_text()[:2], stat.S_IMODE(file.stat().st_mode)) == ("uk", 0o640)
    assert run(**options)["changed"] is False
    file.chmod(0o644)
    assert run(**options)["changes"] == [f"change API key rights of {file}"]
    file.write_text("uk1_wrong")
    assert run(**options)["changes"] == [f"change API key crowsnest in {file}, which Kuma refuses"]
    assert [each["name"] for each in kuma.rows("api_key")] == ["crowsnest"]
    assert list(file.parent.iterdir()) == [file]
    assert docker.commands == []


NO_KEY = "unable to read basic auth password: unable to read file /etc/crowsnest-keys/uptime_kuma: no such file"
# What Prometheus said of its last scrape before the new key, and whether it must be restarted to use that.
SCRAPES: list[tuple[tuple[str, str] | None, bool]] = [
    (("up", ""), True),
    (("down", "server returned HTTP status 401 Unauthorized"), True),
    (("down", "dial tcp 127.0.0.1:3001: connect: connection refused"), True),  # Kuma has just been started anew
    (("down", NO_KEY), False),
    (("unknown", ""), False),
    (None, False),
]


@pytest.mark.parametrize(("scrape", "restarts"), SCRAPES)
def test_a_new_key_reaches_a_prometheus_that_has_used_an_older_one(
    run: Run, reader: Reader, docker: Docker, scrape: tuple[str, str] | None, restarts: bool
) -> None:
    """It does not read the file again by itself."""
    run(**reader.options)
    reader.file.unlink()
    reader.scrape = scrape
    assert run(**reader.options)["changes"] == [f"create API key crowsnest in {reader.file}"]
    assert docker.commands == (["restart prometheus"] if restarts else [])


def test_a_prometheus_that_was_not_restarted_is_made_good_by_the_next_run(
    run: Run, reader: Reader, docker: Docker
) -> None:
    run(**reader.options)
    reader.scrape = ("down", "server returned HTTP status 401 Unauthorized")
    assert run(check=True, **reader.options)["changes"] == ["change API key new in Prometheus"]
    docker.fails.touch()
    assert "prometheus cannot be restarted, which its new API key needs" in run(**reader.options)["msg"]
    docker.fails.unlink()
    assert run(**reader.options)["changes"] == ["change API key new in Prometheus"]
    reader.scrape = ("up", "")
    assert run(**reader.options)["changed"] is False
    assert docker.commands == ["restart prometheus"] * 2


def test_a_key_that_cannot_be_written_is_one_sentence(run: Run, tmp_path: Path) -> None:
    message = run(metrics_key={"path": str(tmp_path / "missing/key"), "reader": {"url": "http://127.0.0.1:1"}})["msg"]
    assert message.startswith("The API key of Uptime Kuma cannot be written to ")
