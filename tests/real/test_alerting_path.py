# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A broken alerting path, told by a real Uptime Kuma: once to each receiver, with its cause, and its end once.

Kuma checks ten times as often here as in production, and tells what is away for 3 s.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from contexts import context_of
from kuma_module import Run
from posted import Posted, posted
from programs import free_port, until
from smtp_catcher import Relay, relay
from uptime_kuma import Kuma

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.objects import objects

FASTER = {"interval": 2, "retryInterval": 1}
LOOK = "sudo docker compose -f /opt/crowsnest/compose.yaml logs --tail 50"
PAGES = {"runbook_url": "https://example.com/runbooks"}
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "prometheus": "🔴 CRITICAL: The alerting path is broken: Prometheus does not answer",
        "both": "🔴 CRITICAL: The alerting path is broken: Prometheus and Alertmanager do not answer",
        "alertmanager": "🔴 CRITICAL: The alerting path is broken: Alertmanager does not answer",
        "between": "🔴 CRITICAL: The alerting path is broken: "
        "Prometheus and Alertmanager answer, but alerts do not get through them",
        "end": "✅ Resolved: The alerting path is broken",
        "text": "No alert from crowsnest arrives until this is repaired, whatever fails.\n"
        "Where: environment production, host web1\n"
        f"Look: `{LOOK} prometheus`\n"
        "<https://example.com/runbooks/AlertingPathAlive.md|Runbook>",
        "text of the end": "Prometheus and Alertmanager answer, and alerts get through them again.\n"
        "Where: environment production, host web1",
    },
    "ko": {
        "prometheus": "🔴 [심각] 알림 경로 장애: Prometheus 응답 없음",
        "both": "🔴 [심각] 알림 경로 장애: Prometheus와 Alertmanager 응답 없음",
        "alertmanager": "🔴 [심각] 알림 경로 장애: Alertmanager 응답 없음",
        "between": "🔴 [심각] 알림 경로 장애: Prometheus와 Alertmanager는 응답하지만 알림이 전달되지 않음",
        "end": "✅ [해소] 알림 경로 장애",
        "text": "복구될 때까지 어떤 장애가 발생해도 crowsnest의 알림이 도착하지 않습니다.\n"
        "대상: environment=production, host=web1\n"
        f"확인: `{LOOK} prometheus`\n"
        "<https://example.com/runbooks/AlertingPathAlive.md|조치 방법>",
        "text of the end": "Prometheus와 Alertmanager가 응답하며 알림이 다시 전달되고 있습니다.\n"
        "대상: environment=production, host=web1",
    },
}


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/-/healthy" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@contextmanager
def healthy(port: int) -> Iterator[None]:
    """What Kuma asks, instead of Prometheus or Alertmanager."""
    with ThreadingHTTPServer(("127.0.0.1", port), Healthy) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield
        server.shutdown()


class Watched:
    """A watched alerting path. `slack`, `discord`, `webhook` and `mail` keep what they are told."""

    def __init__(self, kuma: Kuma, run: Run, language: str, stack: ExitStack) -> None:
        self.slack, self.discord, self.webhook = (stack.enter_context(posted()) for _ in range(3))
        self.mail: Relay = stack.enter_context(relay())
        self.ports = {name: free_port() for name in ("prometheus", "alertmanager")}
        self.running: dict[str, AbstractContextManager[None]] = {}
        mail = {"to": ["a@example.com"], "sender": "b@example.com", "smarthost": self.mail.address}
        receivers = [
            {"type": "slack", "webhook_url": self.slack.url, "channel": "#alerts"},
            {"type": "discord", "webhook_url": self.discord.url},
            {"type": "webhook", "url": self.webhook.url},
            {"type": "email", **mail, "require_tls": False},
        ]
        declared = {**PAGES, "language": language, "ports": self.ports, "receivers": receivers}
        held = objects(context_of(declared, secrets={"uptime_kuma_push_key": "a-push-key"}))
        watched = [each for each in held["monitors"] if each["key"].startswith("crowsnest/alerting-path")]
        pace = {"group": FASTER, "http": {**FASTER, "maxretries": 3}}
        faster = [{**each, **pace.get(each["type"], {})} for each in watched]
        self.push = next(f"{kuma.url}/api/push/{each['pushToken']}" for each in watched if each["type"] == "push")
        for name in self.ports:
            self.start(name)
        stack.callback(lambda: [self.stop(name) for name in list(self.running)])
        assert run(notifications=held["notifications"], monitors=faster)["changed"] is True
        self.beat()
        group = kuma.one("monitor", name=next(each["name"] for each in watched if each["type"] == "group"))["id"]
        self.state = lambda: (kuma.rows("heartbeat", monitor_id=group) or [{"status": None}])[-1]["status"]
        until(lambda: self.state() == 1, 30)

    def start(self, name: str) -> None:
        self.running[name] = healthy(self.ports[name])
        self.running[name].__enter__()

    def stop(self, name: str) -> None:
        self.running.pop(name).__exit__(None, None, None)

    def beat(self, status: str = "up") -> None:
        """What Alertmanager reports every minute; `down` stands for its silence."""
        urllib.request.urlopen(f"{self.push}?status={status}", timeout=5).close()  # noqa: S310 - Kuma on loopback

    def tells(self, *titles: str) -> None:
        """Slack has heard exactly this, and hears nothing more soon."""
        until(lambda: len(self.slack.bodies) >= len(titles), 20)
        time.sleep(2 * FASTER["interval"])
        assert [card["title"] for card in cards(self.slack)] == list(titles)


def cards(slack: Posted) -> list[dict[str, Any]]:
    return [json.loads(body)["attachments"][0] for body in slack.bodies]


@pytest.fixture
def path(kuma: Kuma, run: Run) -> Iterator[Callable[[str], Watched]]:
    with ExitStack() as stack:
        yield lambda language: Watched(kuma, run, language, stack)


@pytest.mark.parametrize("language", TEXTS)
def test_a_broken_path_is_told_once_with_its_cause_and_its_end_once(
    path: Callable[[str], Watched], language: str
) -> None:
    watched, texts = path(language), TEXTS[language]
    watched.stop("prometheus")
    until(lambda: watched.slack.bodies, 20)
    watched.beat("down")
    watched.tells(texts["prometheus"])
    watched.start("prometheus")
    watched.tells(texts["prometheus"])  # no alert has come through yet
    watched.beat()
    watched.tells(texts["prometheus"], texts["end"])
    message, end = cards(watched.slack)
    assert (message["text"], message["color"]) == (texts["text"], "#d7263d")
    assert (end["text"], end["color"]) == (texts["text of the end"], "#2eb67d")

    plain = texts["text"].replace("`", "").replace("<", "").rsplit("\n", 1)[0]
    embeds = [json.loads(body)["embeds"][0] for body in watched.discord.bodies]
    assert [each["title"] for each in embeds] == [texts["prometheus"], texts["end"]]
    assert embeds[0]["description"].endswith("](https://example.com/runbooks/AlertingPathAlive.md)")
    until(lambda: len(watched.mail.messages) == 2, 10)
    mails = watched.mail.messages
    assert [mail["subject"] for mail in mails] == [texts["prometheus"], texts["end"]]
    assert "\n".join(mails[0].get_content().splitlines()).startswith(plain)
    alerts = [json.loads(body)["alerts"][0] for body in watched.webhook.bodies]
    assert [alert["status"] for alert in alerts] == ["firing", "resolved"]
    assert alerts[0]["labels"] == alerts[1]["labels"]
    assert alerts[0]["annotations"]["description"].startswith(plain)
    assert alerts[0]["startsAt"][:11] == time.strftime("%Y-%m-%dT", time.gmtime())


def test_each_cause_has_its_words(path: Callable[[str], Watched]) -> None:
    watched, texts = path("en"), TEXTS["en"]
    titles: list[str] = []
    for cause, parts in {
        "alertmanager": ["alertmanager"],
        "both": ["prometheus", "alertmanager"],
        "between": [],
    }.items():
        for part in parts:
            watched.stop(part)
        watched.beat("up" if parts else "down")
        titles += [texts[cause], texts["end"]]
        until(lambda: watched.state() == 0, 20)
        for part in parts:
            watched.start(part)
        watched.beat()
        until(lambda: watched.state() == 1, 20)
    watched.tells(*titles)
    assert f"`{LOOK} prometheus alertmanager`" in cards(watched.slack)[-2]["text"]


def test_a_restart_is_told_to_nobody(path: Callable[[str], Watched]) -> None:
    watched = path("en")
    for part in watched.ports:
        watched.stop(part)
        until(lambda: watched.state() == 2, 10)  # noticed, and not told
        watched.start(part)
        until(lambda: watched.state() == 1, 10)
    watched.tells()
