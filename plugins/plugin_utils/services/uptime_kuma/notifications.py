# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The receivers of alerts as notifications of Uptime Kuma, which sends them only what Alertmanager cannot. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from ansible_collections.crowsnest.core.plugins.module_utils.slack import POST_MESSAGE
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    SMTP_TLS_PORT,
    DiscordReceiver,
    EmailReceiver,
    Receiver,
    SlackReceiver,
    WebhookReceiver,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import host_and_port


def able(receivers: Sequence[Receiver]) -> list[Receiver]:
    """The receivers that Kuma can notify; it cannot reach Amazon SNS without a gateway."""
    return [receiver for receiver in receivers if receiver.type != "sns"]


def names(declaration: Declaration) -> list[str]:
    """Names of the receivers that are notified when the alerting path itself is broken: those of critical alerts."""
    return [receiver_name(item) for item in able(declaration.receivers) if "critical" in item.severities]


def notifications(declaration: Declaration) -> list[dict[str, Any]]:
    """One notification per receiver, as the module `uptime_kuma` takes it; `key` is its name, secrets are in it."""
    return [
        {"key": receiver_name(item), "name": receiver_name(item), "isDefault": False, **_options(item)}
        for item in able(declaration.receivers)
    ]


def _options(receiver: Receiver) -> dict[str, Any]:
    """Options of Kuma's providers: https://github.com/louislam/uptime-kuma/tree/master/server/notification-providers"""
    match receiver:
        case SlackReceiver(bot_token=SecretStr() as token, channel=str(channel)):
            return _slack_bot(token, channel)
        case SlackReceiver(webhook_url=SecretStr() as url):
            where = {"slackchannel": receiver.channel} if receiver.channel else {}
            sender = {"slackwebhookURL": url.get_secret_value(), "slackusername": receiver.username}
            return {"type": "slack", **sender, **where}
        case DiscordReceiver():
            return {"type": "discord", "discordWebhookUrl": receiver.webhook_url.get_secret_value()}
        case WebhookReceiver():
            return {"type": "webhook", "webhookURL": receiver.url.get_secret_value(), "webhookContentType": "json"}
        case EmailReceiver():
            host, port = host_and_port(receiver.smarthost)
            login: dict[str, Any] = {"smtpUsername": receiver.username} if receiver.username else {}
            if receiver.password:
                login["smtpPassword"] = receiver.password.get_secret_value()
            return {
                "type": "smtp",
                "smtpHost": host,
                "smtpPort": port,
                "smtpSecure": port == SMTP_TLS_PORT,
                "smtpIgnoreSTARTTLS": not receiver.require_tls,
                "smtpFrom": receiver.sender,
                "smtpTo": ", ".join(receiver.to),
                **login,
            }
    raise ValueError(f"Uptime Kuma cannot notify a receiver of type {receiver.type}")


# Slack takes these three for markup: https://docs.slack.dev/messaging/formatting-message-text#escaping
_SLACK_TEXT = '{{ msg | replace: "&", "&amp;" | replace: "<", "&lt;" | replace: ">", "&gt;" | json }}'


def _slack_bot(token: SecretStr, channel: str) -> dict[str, Any]:
    """Kuma's own Slack only knows webhooks; its webhook takes a header, and a body in LiquidJS."""
    headers = {
        "Authorization": f"Bearer {token.get_secret_value()}",
        "Content-Type": "application/json; charset=utf-8",
    }
    return {
        "type": "webhook",
        "webhookURL": POST_MESSAGE,
        "webhookContentType": "custom",
        "webhookCustomBody": f'{{"channel": {json.dumps(channel)}, "text": {_SLACK_TEXT}}}',
        "webhookAdditionalHeaders": json.dumps(headers),
    }
