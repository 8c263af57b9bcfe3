# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""slack.com on loopback: the laboratory's catcher, over HTTP for a test and over TLS for what posts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
import yaml
from certificates import self_signed

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule" / "lab" / "slack_catcher"))
import slack_api
import slack_catcher

__all__ = ["SlackCom", "reach", "serve", "slack_api", "slack_catcher", "slack_com"]


class SlackCom(SimpleNamespace):
    """A catcher that runs.

    url: where a test reads and switches it, as slack_catcher.py says. proxy, ca_file: what a client needs to reach it
    as https://slack.com.
    """

    url: str
    proxy: str
    ca_file: Path

    def messages(self, since: float = 0, contains: str = "") -> list[dict[str, Any]]:
        """What arrived, oldest first."""
        query: dict[str, Any] = {"since": since, "contains": contains}
        found: list[dict[str, Any]] = requests.get(f"{self.url}/messages", query, timeout=10).json()["messages"]
        return found

    def delete(self, ts: str) -> None:
        """Delete one message, as a person does."""
        requests.delete(f"{self.url}/messages/{ts}", timeout=10).raise_for_status()

    def fault(self, mode: str, **more: Any) -> None:
        """Put a fault in force: `fault("refuse", word="channel_not_found")`, `fault("down")`, `fault("off")`."""
        requests.post(f"{self.url}/fault", json={"mode": mode, **more}, timeout=10).raise_for_status()


@contextmanager
def slack_com(folder: Path, *arguments: str) -> Iterator[SlackCom]:
    """A catcher on free ports with these arguments of its command line; it ends with the block."""
    folder = folder / "slack"
    folder.mkdir(exist_ok=True)
    pair = str(self_signed(folder, "DNS:slack.com"))
    with serve(folder, "--tls-listen=127.0.0.1:0", "--certificate", pair, "--key", pair, *arguments) as server:
        proxy = f"http://127.0.0.1:{server.tls.server_port}"
        yield SlackCom(url=f"http://127.0.0.1:{server.server_port}", proxy=proxy, ca_file=folder / "public.pem")


@contextmanager
def serve(folder: Path, *arguments: str) -> Iterator[Any]:
    """The server itself, on a free port."""
    words = ["--listen", "127.0.0.1:0", "--store", str(folder), *arguments]
    server = slack_catcher.Catcher(slack_catcher.parse_arguments(words))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def reach(config: Path, slack: SlackCom) -> None:
    """Change a written alertmanager.yml so that what it sends to https://slack.com arrives here."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    for receiver in settings["receivers"]:
        for entry in receiver.get("slack_configs", []):
            if str(entry.get("api_url")).startswith("https://slack.com/"):
                trust = {"ca_file": str(slack.ca_file)}
                entry["http_config"] = {**entry.get("http_config", {}), "proxy_url": slack.proxy, "tls_config": trust}
    config.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
