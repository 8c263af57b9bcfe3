"""Receivers as notifications of Uptime Kuma, with the options of its providers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.notifications import (
    able,
    names,
    notifications,
)

MakeContext = Callable[..., Context]
HOOK = "https://hooks.slack.com/services/T/B/hush"
SLACK = {"type": "slack", "webhook_url": HOOK}
MAIL = {
    "type": "email",
    "to": ["a@example.com", "b@example.com"],
    "sender": "Watch <watch@example.com>",
    "smarthost": "smtp.example.com:587",
}
SNS = {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"}
SMTP = {
    "type": "smtp",
    "smtpHost": "smtp.example.com",
    "smtpPort": 587,
    "smtpSecure": False,
    "smtpIgnoreSTARTTLS": False,
    "smtpFrom": "Watch <watch@example.com>",
    "smtpTo": "a@example.com, b@example.com",
}

# (receiver, type and options of the notification)
RECEIVERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (SLACK, {"type": "slack", "slackwebhookURL": HOOK, "slackusername": "crowsnest"}),
    (
        {**SLACK, "channel": "#alerts", "username": "watch"},
        {"type": "slack", "slackwebhookURL": HOOK, "slackusername": "watch", "slackchannel": "#alerts"},
    ),
    (
        {"type": "slack", "bot_token": "xoxb-1-hush", "channel": "#alerts"},
        {
            "type": "webhook",
            "webhookURL": "https://slack.com/api/chat.postMessage",
            "webhookContentType": "custom",
            "webhookCustomBody": '{"channel": "#alerts", "text": {{ msg | replace: "&", "&amp;" | replace: "<", "&lt;" '
            '| replace: ">", "&gt;" | json }}}',
            "webhookAdditionalHeaders": '{"Content-Type": "application/json; charset=utf-8", '
            '"Authorization": "Bearer xoxb-1-hush"}',
        },
    ),
    (
        {"type": "discord", "webhook_url": "https://discord.com/api/webhooks/1/hush"},
        {"type": "discord", "discordWebhookUrl": "https://discord.com/api/webhooks/1/hush"},
    ),
    (
        {"type": "webhook", "url": "https://example.com/hush"},
        {"type": "webhook", "webhookURL": "https://example.com/hush", "webhookContentType": "json"},
    ),
    (
        {"type": "teams", "webhook_url": "https://prod-1.logic.azure.com/hush"},
        {"type": "teams", "webhookUrl": "https://prod-1.logic.azure.com/hush"},
    ),
    (
        {"type": "telegram", "bot_token": "1:hush", "chat_id": -1001},
        {"type": "telegram", "telegramBotToken": "1:hush", "telegramChatID": "-1001"},
    ),
    (
        {"type": "ntfy", "url": "https://ntfy.sh/hush"},
        {"type": "ntfy", "ntfyserverurl": "https://ntfy.sh", "ntfytopic": "hush", "ntfyPriority": 5},
    ),
    (
        {"type": "ntfy", "url": "https://example.com/ntfy/hush", "token": "tk_hush"},
        {
            "type": "ntfy",
            "ntfyserverurl": "https://example.com/ntfy",
            "ntfytopic": "hush",
            "ntfyPriority": 5,
            "ntfyAuthenticationMethod": "accessToken",
            "ntfyaccesstoken": "tk_hush",
        },
    ),
    (MAIL, SMTP),
    # TLS from the first byte at this port only
    ({**MAIL, "smarthost": "smtp.example.com:465"}, {**SMTP, "smtpPort": 465, "smtpSecure": True}),
    (
        {**MAIL, "smarthost": "localhost:25", "require_tls": False},
        {**SMTP, "smtpHost": "localhost", "smtpPort": 25, "smtpIgnoreSTARTTLS": True},
    ),
    (
        {**MAIL, "username": "mailer", "password": "hush"},
        {**SMTP, "smtpUsername": "mailer", "smtpPassword": "hush"},
    ),
]


@pytest.mark.parametrize(("receiver", "options"), RECEIVERS, ids=lambda entry: entry.get("type", ""))
def test_a_receiver_is_a_notification_that_no_new_monitor_uses_by_itself(
    context: MakeContext, receiver: dict[str, Any], options: dict[str, Any]
) -> None:
    common = {"key": receiver["type"], "name": receiver["type"], "isDefault": False}
    assert notifications(context({"receivers": [receiver]}))[0] == {**common, **options}


def test_a_named_receiver_keeps_its_name(context: MakeContext) -> None:
    found = notifications(context({"receivers": [SLACK, {**SLACK, "name": "oncall"}], "language": "ko"}))
    assert {each["key"]: each["name"] for each in found} == {
        "slack": "slack",
        "oncall": "oncall",
        "crowsnest/alerting-path/slack": "알림 경로: slack",
        "crowsnest/alerting-path/oncall": "알림 경로: oncall",
    }


def test_sns_is_left_out_as_kuma_has_no_way_to_it(context: MakeContext) -> None:
    declared = context({"receivers": [SNS, SLACK]})
    assert [each.type for each in able(declared.declaration.receivers)] == ["slack"]
    assert [each["key"] for each in notifications(declared)] == ["slack", "crowsnest/alerting-path/slack"]
    assert names(declared.declaration) == ["slack"]


def test_only_receivers_of_critical_alerts_have_a_notification_of_the_alerting_path(context: MakeContext) -> None:
    found = notifications(context({"receivers": [{**SLACK, "severities": ["high"]}, MAIL]}))
    assert [each["key"] for each in found] == ["slack", "email", "crowsnest/alerting-path/email"]


@pytest.mark.parametrize(("receiver", "options"), RECEIVERS, ids=lambda entry: entry.get("type", ""))
def test_what_is_said_of_the_alerting_path_goes_where_alertmanager_tells_the_receiver(
    context: MakeContext, receiver: dict[str, Any], options: dict[str, Any]
) -> None:
    found = notifications(context({"receivers": [{**receiver, "severities": ["critical"]}]}))[1]
    if receiver["type"] == "email":
        assert found.items() >= options.items()
        return
    telegram = f"https://api.telegram.org/bot{options.get('telegramBotToken')}/sendMessage"
    assert found["webhookURL"] in (*options.values(), telegram, f"{options.get('ntfyserverurl')}/")
    bot = "xoxb-1-hush" if receiver["type"] == "slack" and "bot_token" in receiver else None
    token = options.get("ntfyaccesstoken", bot)
    login = json.loads(found["webhookAdditionalHeaders"]).get("Authorization")
    assert login == (f"Bearer {token}" if token else None)
    # Each branch of the template is JSON.
    branches = re.split(r"{% (?:(?:els)?if [^%]*|endif) %}", found["webhookCustomBody"])
    assert [branches[0], branches[-1], len(branches)] == ["", "", 7]
    bodies = [json.loads(branch) for branch in branches[1:-1]]
    if "slackusername" in options:
        sent = {name.removeprefix("slack"): value for name, value in options.items() if name.startswith("slackc")}
        assert {name: bodies[0].get(name) for name in ("username", *sent)} == {
            "username": options["slackusername"],
            **sent,
        }


def test_the_alerting_path_is_told_to_receivers_of_critical_alerts() -> None:
    entries = [
        {**SLACK, "name": "loud", "severities": ["critical"]},
        {**SLACK, "name": "quiet", "severities": ["high"]},
        {**SLACK, "name": "later", "severities": ["critical"], "after": "15m"},
    ]
    assert names(Declaration.model_validate({"receivers": [*entries, MAIL]})) == ["loud", "email"]
    assert names(Declaration()) == []
