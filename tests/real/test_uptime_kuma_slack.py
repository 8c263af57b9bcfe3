# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a real Uptime Kuma posts as the bot of a Slack app."""

from __future__ import annotations

from pathlib import Path

from contexts import context_of
from slack_com import slack_com
from uptime_kuma import Kuma

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.notifications import notifications

BOT = {"type": "slack", "bot_token": "xoxb-1-lab", "channel": "#alerts"}


def test_kuma_posts_as_the_bot_in_its_own_words_and_in_those_of_the_alerting_path(kuma: Kuma, tmp_path: Path) -> None:
    own, path = notifications(context_of({"receivers": [BOT]}))
    with slack_com(tmp_path, "--token", "xoxb-1-lab", "--channel", "alerts") as slack, kuma.hands() as client:
        for each in ({**own, "name": 'a "b" <!channel> & c'}, path):
            told = {**each, "webhookURL": f"{slack.url}/api/chat.postMessage"}  # it has no name for slack.com's address
            assert client.sio.call("testNotification", told, timeout=30)["ok"] is True
        first, second = (message["payload"] for message in slack.messages())
    assert first == {"channel": "#alerts", "text": 'a "b" &lt;!channel&gt; &amp; c Testing'}
    assert second["channel"] == "#alerts" and "alerting path" in second["attachments"][0]["title"]
