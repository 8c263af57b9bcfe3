# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The receivers of alerts as notifications of Uptime Kuma, which sends them only what Alertmanager cannot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    SMTP_TLS_PORT,
    DiscordReceiver,
    EmailReceiver,
    NtfyReceiver,
    Receiver,
    SlackReceiver,
    TeamsReceiver,
    TelegramReceiver,
    WebhookReceiver,
    at_once,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import host_and_port


def able(receivers: Sequence[Receiver]) -> list[Receiver]:
    """The receivers that Kuma can notify; it cannot reach Amazon SNS without a gateway."""
    return [receiver for receiver in receivers if receiver.type != "sns"]


def names(declaration: Declaration) -> list[str]:
    """Names of the receivers that are notified when the alerting path itself is broken: those of critical alerts.

    Not those with `after`: Kuma knows of no acknowledgement.
    """
    return [receiver_name(item) for item in able(at_once(declaration.receivers, "critical"))]


def notifications(declaration: Declaration) -> list[dict[str, Any]]:
    """One notification per receiver, as the module `uptime_kuma` takes it; `key` is its name, secrets are in it."""
    return [
        {"key": receiver_name(item), "name": receiver_name(item), "isDefault": False, **_options(item)}
        for item in able(declaration.receivers)
    ]


def _options(receiver: Receiver) -> dict[str, Any]:
    """Options of Kuma's providers: https://github.com/louislam/uptime-kuma/tree/master/server/notification-providers"""
    match receiver:
        case SlackReceiver():
            channel = {"slackchannel": receiver.channel} if receiver.channel else {}
            url = receiver.webhook_url.get_secret_value()
            return {"type": "slack", "slackwebhookURL": url, "slackusername": receiver.username, **channel}
        case DiscordReceiver():
            return {"type": "discord", "discordWebhookUrl": receiver.webhook_url.get_secret_value()}
        case TeamsReceiver():
            return {"type": "teams", "webhookUrl": receiver.webhook_url.get_secret_value()}
        case TelegramReceiver():
            token = receiver.bot_token.get_secret_value()
            return {"type": "telegram", "telegramBotToken": token, "telegramChatID": str(receiver.chat_id)}
        case NtfyReceiver():
            server, _, topic = receiver.url.get_secret_value().rpartition("/")
            options = {"type": "ntfy", "ntfyserverurl": server, "ntfytopic": topic, "ntfyPriority": 5}
            if receiver.token:
                options["ntfyAuthenticationMethod"] = "accessToken"
                options["ntfyaccesstoken"] = receiver.token.get_secret_value()
            return options
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
