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
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.broken_path import (
    ALERTING_KEY,
    ALERTING_PATH,
    Message,
    labels,
    template,
)

_AS_BOT = SecretStr(POST_MESSAGE)


def able(receivers: Sequence[Receiver]) -> list[Receiver]:
    """The receivers that Kuma can notify; it cannot reach Amazon SNS without a gateway."""
    return [receiver for receiver in receivers if receiver.type != "sns"]


def names(declaration: Declaration) -> list[str]:
    """Names of the receivers that are notified when the alerting path itself is broken: those of critical alerts.

    Not those with `after`: Kuma knows of no acknowledgement.
    """
    return [receiver_name(item) for item in able(at_once(declaration.receivers, "critical"))]


def path_key(name: str) -> str:
    """Key of the notification in which the receiver of this name is told of the alerting path."""
    return f"{ALERTING_KEY}/{name}"


def notifications(context: Context) -> list[dict[str, Any]]:
    """As the module `uptime_kuma` takes them; secrets are in them.

    One per receiver in Kuma's own words, for the team's own monitors: `key` is its name. And one in crowsnest's words
    for each receiver that is told of the alerting path.
    """
    receivers, told = able(context.declaration.receivers), names(context.declaration)
    path = ALERTING_PATH[context.declaration.language]
    own = [{"key": receiver_name(item), "name": receiver_name(item), **_options(item)} for item in receivers]
    of_path = [
        {"key": path_key(name), "name": f"{path}: {name}", **_path_options(context, item)}
        for item in receivers
        if (name := receiver_name(item)) in told
    ]
    return [{**each, "isDefault": False} for each in own + of_path]


# --- of the alerting path -------------------------------------------------------------------------------------------


def _path_options(context: Context, receiver: Receiver) -> dict[str, Any]:
    """In the form in which Alertmanager tells the same receiver."""
    match receiver:
        case SlackReceiver():
            body = template(context, "slack", lambda message: _slack(receiver, message))
            return _posted(receiver.webhook_url or _AS_BOT, body, receiver.bot_token)
        case DiscordReceiver():
            return _posted(receiver.webhook_url, template(context, "discord", _discord))
        case TeamsReceiver():
            return _posted(receiver.webhook_url, template(context, "discord", _teams))
        case TelegramReceiver():
            url = SecretStr(f"https://api.telegram.org/bot{receiver.bot_token.get_secret_value()}/sendMessage")
            return _posted(url, template(context, "plain", lambda message: _telegram(receiver, message)))
        case NtfyReceiver():
            server, _, topic = receiver.url.get_secret_value().rpartition("/")
            body = template(context, "plain", lambda message: _ntfy(topic, message))
            return _posted(SecretStr(f"{server}/"), body, receiver.token)
        case WebhookReceiver():
            name = receiver_name(receiver)
            return _posted(receiver.url, template(context, "plain", lambda message: _webhook(context, name, message)))
        case EmailReceiver():
            subject = template(context, "plain", lambda message: message.title)
            body = template(context, "plain", lambda message: message.text)
            return {**_options(receiver), "customSubject": subject, "customBody": body}
    raise ValueError(f"Uptime Kuma cannot notify a receiver of type {receiver.type}")


def _posted(url: SecretStr, body: str, token: SecretStr | None = None) -> dict[str, Any]:
    """Kuma's webhook, the one way to any program that takes JSON in a form of its own."""
    login = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    return {
        "type": "webhook",
        "webhookURL": url.get_secret_value(),
        "webhookContentType": "custom",
        "webhookCustomBody": body,
        "webhookAdditionalHeaders": json.dumps({"Content-Type": "application/json; charset=utf-8", **login}),
    }


def _slack(receiver: SlackReceiver, message: Message) -> str:
    """https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments"""
    card = {"title": message.title, "text": message.text, "fallback": message.title, "mrkdwn_in": ["text"]}
    sender = {"username": receiver.username} if receiver.webhook_url else {}
    channel = {"channel": receiver.channel} if receiver.channel else {}
    return json.dumps({**sender, **channel, "attachments": [{"color": _color(message), **card}]})


def _discord(message: Message) -> str:
    """https://discord.com/developers/docs/resources/webhook#execute-webhook"""
    color = int(_color(message).removeprefix("#"), 16)
    return json.dumps({"embeds": [{"title": message.title, "description": message.text, "color": color}]})


def _teams(message: Message) -> str:
    """https://learn.microsoft.com/en-us/connectors/teams/#request-body-schema"""
    lines = [message.title, *message.text.splitlines()]
    blocks = [{"type": "TextBlock", "text": line, "wrap": True} for line in lines]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [{**blocks[0], "weight": "bolder"}, *blocks[1:]]}
    kind = "application/vnd.microsoft.card.adaptive"
    return json.dumps({"type": "message", "attachments": [{"contentType": kind, "content": card}]})


def _telegram(receiver: TelegramReceiver, message: Message) -> str:
    """https://core.telegram.org/bots/api#sendmessage"""
    return json.dumps({"chat_id": receiver.chat_id, "text": f"{message.title}\n{message.text}"})


def _ntfy(topic: str, message: Message) -> str:
    """https://docs.ntfy.sh/publish/#publish-as-json"""
    priority = 5 if message.firing else 3
    return json.dumps({"topic": topic, "title": message.title, "message": message.text, "priority": priority})


def _color(message: Message) -> str:
    return "#d7263d" if message.firing else "#2eb67d"


def _webhook(context: Context, name: str, message: Message) -> str:
    """https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""
    now, never = "{{ heartbeatJSON.time | replace: ' ', 'T' }}Z", "0001-01-01T00:00:00Z"
    status, page = "firing" if message.firing else "resolved", context.services["uptime_kuma"].external_url
    known = {"alertname": "AlertingPathBroken", "severity": "critical", **labels(context)}
    runbook = context.declaration.runbook("AlertingPathAlive")
    texts = {"summary": message.summary, "description": message.text, "runbook_url": runbook}
    times = {"startsAt": now, "endsAt": never if message.firing else now}
    alert = {"status": status, "labels": known, "annotations": texts, **times, "generatorURL": page}
    group = {"version": "4", "groupKey": ALERTING_KEY, "truncatedAlerts": 0, "status": status, "receiver": name}
    common = {"groupLabels": {}, "commonLabels": known, "commonAnnotations": texts, "externalURL": page}
    return json.dumps({**group, **common, "alerts": [{**alert, "fingerprint": ALERTING_KEY}]})


# --- in Kuma's own words --------------------------------------------------------------------------------------------

# LiquidJS. Slack takes these three for markup: https://docs.slack.dev/messaging/formatting-message-text#escaping
_MSG = '{{ msg | replace: "&", "&amp;" | replace: "<", "&lt;" | replace: ">", "&gt;" | json }}'


def _options(receiver: Receiver) -> dict[str, Any]:
    """Options of Kuma's providers: https://github.com/louislam/uptime-kuma/tree/master/server/notification-providers"""
    match receiver:
        case SlackReceiver(bot_token=SecretStr()):  # Kuma's own Slack knows no bots
            return _posted(
                _AS_BOT, f'{{"channel": {json.dumps(receiver.channel)}, "text": {_MSG}}}', receiver.bot_token
            )
        case SlackReceiver(webhook_url=SecretStr() as url):
            where = {"slackchannel": receiver.channel} if receiver.channel else {}
            sender = {"slackwebhookURL": url.get_secret_value(), "slackusername": receiver.username}
            return {"type": "slack", **sender, **where}
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
