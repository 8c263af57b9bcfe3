# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The module uptime_kuma as Ansible runs it, in-process, with a client whose connection can be watched and broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import uptime_kuma_api
from ansible_module import outcome
from uptime_kuma import CLIENT, PASSWORD

from ansible_collections.crowsnest.core.plugins.modules import uptime_kuma as module

SITE = {"key": "shop/website", "name": "shop: website", "type": "http", "url": "https://shop.example.com"}
ALL: dict[str, Any] = {
    "settings": {"keepDataPeriodDays": 90},
    "notifications": [
        {"key": "ops", "name": "Ops", "type": "slack", "slackwebhookURL": "https://hooks.example/SECRET-HOOK"}
    ],
    "docker_hosts": [{"name": "local", "dockerDaemon": "/var/run/docker.sock"}],
    "tags": [{"name": "app", "color": "#111111"}],
    "monitors": [
        {**SITE, "group": "shop", "notifications": ["ops"], "tags": [{"name": "app", "value": "shop"}]},
        {"key": "shop", "name": "shop", "type": "group"},
        {"key": "job", "name": "job", "type": "push", "pushToken": "SECRET-TOKEN"},
        {"key": "c", "name": "c", "type": "docker", "docker_container": "c", "docker_host": "local", "active": False},
        {"key": "a", "name": "a", "type": "keyword", "url": "u", "keyword": "k", "headers": {"A": "SECRET-HEADER"}},
    ],
    "maintenances": [
        {"key": "n", "title": "N", "strategy": "manual", "monitors": ["shop"], "status_pages": ["status"]}
    ],
    "status_pages": [
        {
            "slug": "status",
            "title": "Status",
            "domainNameList": ["up.example.com"],
            "groups": [{"name": "Shop", "monitors": ["shop/website"]}],
            "incident": {"title": "Slow", "content": "We look"},
        }
    ],
}
Run = Callable[..., dict[str, Any]]


class Wire:
    """What the module asks Kuma, and what goes wrong with it.

    `calls` are the events it sent. The connection breaks at the event `dies_at`, once; `refused` are {event: Kuma's
    words}; `version` stands for Kuma's own.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dies_at, self.version = "", ""
        self.refused: dict[str, str] = {}

    @property
    def writes(self) -> list[str]:
        quiet = ("needSetup", "login", "loginByToken", "get")
        return [event for event in self.calls if not event.startswith(quiet)]


def watched(wire: Wire) -> type[uptime_kuma_api.UptimeKumaApi]:
    """The library's client on this wire."""

    class Client(CLIENT):
        def __init__(self, url: str, **options: Any) -> None:
            super().__init__(url, **options)
            send = self.sio.emit

            def emit(event: str, data: Any = None, **more: Any) -> None:
                wire.calls.append(event)
                if event == wire.dies_at:
                    wire.dies_at = ""
                    self.sio.disconnect()
                elif event in wire.refused:
                    more["callback"]({"ok": False, "msg": wire.refused[event]})
                elif event == "add" and wire.version.startswith("1."):
                    send(event, ({"conditions": [], **data[0]},), **more)  # which only 2.x wants
                else:
                    send(event, data, **more)

            self.sio.emit = emit

        def info(self) -> dict[str, Any]:
            return super().info() | ({"version": wire.version} if wire.version else {})

    return Client


def runner(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the module's main()."""

    def run(check: bool = False, **options: Any) -> dict[str, Any]:
        options = {"url": url, "password": PASSWORD, "timeout": 0, **options}
        result, output = outcome(module, capsys, options, check)
        assert "SECRET" not in output and PASSWORD not in output
        return result

    return run


class Hurry:
    """Long sleeps take no time, though the clock says so. `sleeps` are their seconds; `then` is called after each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sleeps: list[float] = []
        self.then: Callable[[], None] = lambda: None
        sleep, monotonic = time.sleep, time.monotonic

        def hurry(seconds: float) -> None:
            if seconds < 1:
                return sleep(seconds)
            self.sleeps.append(seconds)
            return self.then()

        monkeypatch.setattr(time, "sleep", hurry)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(self.sleeps))
