# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whoever posts in a lab trusts the lab's slack.com: the host, and the images of what posts."""

import io
import ssl
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from lab import catcher, host_container, image_build, state
from lab.host_container import Host
from slack_com import serve

HOST = Host("dev", 0, "trixie", "none", 40000, 2048)
UNIT = state.LAB_FILES / "host/fresh/files/etc/systemd/system/slack-catcher.service"


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state, "STATE", tmp_path / ".lab")


@pytest.fixture
def installed() -> Iterator[dict[str, bytes]]:
    """What a fresh host gets: path → content."""
    container = MagicMock()
    container.exec_run.side_effect = lambda command: (int(command[0] == "cat"), b"")
    catcher.install(container)
    assert [call.args[0][0] for call in container.exec_run.mock_calls] == ["cat", "update-ca-certificates", "systemctl"]
    with tarfile.open(fileobj=io.BytesIO(container.put_archive.call_args.args[1])) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar.getmembers()}
        yield {path: content.read() for path, content in files.items() if content}


def test_the_host_trusts_what_its_catcher_shows(installed: dict[str, bytes], tmp_path: Path) -> None:
    pair = tmp_path / "pair.pem"
    pair.write_bytes(installed["opt/slack-catcher/slack.com.pem"])
    trust = ssl.create_default_context(cadata=installed["usr/local/share/ca-certificates/slack.com.crt"].decode())
    trust.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
    with serve(tmp_path, "--tls-listen=127.0.0.1:0", f"--certificate={pair}", f"--key={pair}") as server:
        connection = HTTPSConnection("slack.com", context=trust)
        connection.set_tunnel("slack.com")
        connection.host, connection.port = "127.0.0.1", server.tls.server_port
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200


def test_the_unit_runs_what_is_installed(installed: dict[str, bytes]) -> None:
    paths = {word.lstrip("/") for word in UNIT.read_text(encoding="utf-8").split() if word.startswith("/opt/")}
    assert paths <= installed.keys()
    assert {path for path in installed if path.endswith(".py")} == {
        f"opt/slack-catcher/{path.name}" for path in catcher.PROGRAM.glob("*.py")
    }


def test_a_host_that_has_it_is_left_alone(installed: dict[str, bytes]) -> None:
    container = MagicMock()
    container.exec_run.side_effect = lambda command: (0, b"".join(installed[path[1:]] for path in command[1:]))
    catcher.install(container)
    container.put_archive.assert_not_called()


def test_only_images_that_post_get_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    built: dict[str, dict[str, str]] = {}

    def build(client: object, name: str, context: Path, base: str) -> str:
        built[name] = {path.name: path.read_text() for path in context.iterdir()}
        return f"{name} on {base}"

    monkeypatch.setattr(image_build, "build", build)
    assert catcher.trusting(MagicMock(), "grafana", lambda: "grafana:1") == "grafana:1"
    assert catcher.trusting(MagicMock(), "alertmanager", lambda: "made:1") == "alertmanager-slack on made:1"
    assert built["alertmanager-slack"]["slack.com.crt"] == catcher.certificate()[0]


def test_only_the_host_with_the_catcher_takes_itself_for_slack() -> None:
    assert host_container.host_config(HOST, "v2")["ExtraHosts"] == ["slack.com:127.0.0.3"]
    assert host_container.host_config(replace(HOST, index=1), "v2")["ExtraHosts"] == []
