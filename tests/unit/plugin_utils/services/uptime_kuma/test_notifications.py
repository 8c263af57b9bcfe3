"""Receivers as notifications of Uptime Kuma, with the options of its providers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.notifications import (
    able,
    names,
    notifications,
)

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
            "webhookAdditionalHeaders": '{"Authorization": "Bearer xoxb-1-hush", '
            '"Content-Type": "application/json; charset=utf-8"}',
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
    receiver: dict[str, Any], options: dict[str, Any]
) -> None:
    declared = Declaration.model_validate({"receivers": [receiver]})
    common = {"key": receiver["type"], "name": receiver["type"], "isDefault": False}
    assert notifications(declared) == [{**common, **options}]


def test_a_named_receiver_keeps_its_name() -> None:
    declared = Declaration.model_validate({"receivers": [SLACK, {**SLACK, "name": "oncall"}]})
    assert [(each["key"], each["name"]) for each in notifications(declared)] == [
        ("slack", "slack"),
        ("oncall", "oncall"),
    ]


def test_sns_is_left_out_as_kuma_has_no_way_to_it() -> None:
    declared = Declaration.model_validate({"receivers": [SNS, SLACK]})
    assert [each.type for each in able(declared.receivers)] == ["slack"]
    assert [each["key"] for each in notifications(declared)] == ["slack"]
    assert names(declared) == ["slack"]


def test_the_alerting_path_is_told_to_receivers_of_critical_alerts() -> None:
    entries = [
        {**SLACK, "name": "loud", "severities": ["critical"]},
        {**SLACK, "name": "quiet", "severities": ["high"]},
    ]
    assert names(Declaration.model_validate({"receivers": [*entries, MAIL]})) == ["loud", "email"]
    assert names(Declaration()) == []
