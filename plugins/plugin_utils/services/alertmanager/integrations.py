# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Alertmanager needs to know of each receiver, and its secrets as files. A kind of receiver is a line of `_KINDS`.

Secrets are never in alertmanager.yml: each is a file of its own that the configuration names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from ansible_collections.crowsnest.core.plugins.module_utils.slack import POST_MESSAGE
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    DiscordReceiver,
    EmailReceiver,
    NtfyReceiver,
    Receiver,
    SlackReceiver,
    SnsReceiver,
    TeamsReceiver,
    TelegramReceiver,
    WebhookReceiver,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import buttons, text, title
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER

Entry = dict[str, Any]
# ntfy fills in what Alertmanager posts, and takes at most 4,096 bytes: https://docs.ntfy.sh/publish/#message-templating
_NTFY_TEXTS = urlencode(
    {
        "template": "yes",
        "title": "{{.title}}",
        "message": '{{if gt (len .message) 4096}}{{printf "%.1020s…" .message}}{{else}}{{.message}}{{end}}',
    }
)


def integration_name(receiver: Receiver) -> str:
    """What Alertmanager calls this kind, in its metrics and, with `_configs`, in its configuration."""
    return _KINDS[type(receiver)][0]


def integrations(
    receivers: Iterable[Receiver], language: str, brief: bool = False, ends: bool = True
) -> dict[str, list[Entry]]:
    """{"slack_configs": […], …} of the receivers. `brief`: SNS gets the title alone.

    Without `ends` it is news, each a message of its own that is never over.
    """
    made: dict[str, list[Entry]] = {}
    for receiver in receivers:
        entry = _KINDS[type(receiver)][1](receiver)
        if brief and isinstance(receiver, SnsReceiver):
            entry["message"] = title("plain")
        if isinstance(receiver, SlackReceiver) and receiver.shows_buttons:
            entry["actions"] = buttons(language, ends)
        if "update_message" in entry:
            entry["update_message"] = ends
        if not ends:
            entry["send_resolved"] = False
        made.setdefault(f"{integration_name(receiver)}_configs", []).append(entry)
    return made


def secret_files(receivers: Iterable[Receiver]) -> dict[str, str]:
    """{"secrets/slack_webhook_url": …}: every secret of the receivers as a file below the configuration."""
    files, profiles = {}, ""
    for receiver in receivers:
        if isinstance(receiver, SnsReceiver):
            profiles += _aws_profile(receiver)
            continue
        for field in receiver.secrets:
            if (value := getattr(receiver, field)) is not None:
                files[secret_file(receiver, field)] = value.get_secret_value()
        if isinstance(receiver, NtfyReceiver):
            files[secret_file(receiver, "url")] += f'?{_NTFY_TEXTS}&priority={{{{ template "crowsnest.priority" . }}}}'
    return files | ({"secrets/aws_credentials": profiles} if profiles else {})


def _slack(receiver: SlackReceiver) -> Entry:
    """A bot's messages are edited. Alertmanager does that with this address alone, and panics over `app_token` or a
    global `slack_api_url`: https://github.com/prometheus/alertmanager/issues/5164
    """
    if receiver.bot_token:
        credentials = {"credentials_file": _secret_path(receiver, "bot_token")}
        way: Entry = {"api_url": POST_MESSAGE, "http_config": {"authorization": credentials}, "update_message": True}
    else:
        way = {"api_url_file": _secret_path(receiver, "webhook_url")}
    return {
        **way,
        "username": receiver.username,
        **({"channel": receiver.channel} if receiver.channel else {}),
        "send_resolved": True,
        "color": '{{ template "crowsnest.color" . }}',
        "title": title("slack"),
        "title_link": '{{ template "crowsnest.link" . }}',
        "text": text("buttons" if receiver.shows_buttons else "slack"),
        "fallback": title("slack"),
    }


def _discord(receiver: DiscordReceiver) -> Entry:
    webhook = _secret_path(receiver, "webhook_url")
    return {"webhook_url_file": webhook, "send_resolved": True, "title": title("discord"), "message": text("discord")}


def _teams(receiver: TeamsReceiver) -> Entry:
    webhook = _secret_path(receiver, "webhook_url")
    return {"webhook_url_file": webhook, "send_resolved": True, "title": title("teams"), "text": text("teams")}


def _telegram(receiver: TelegramReceiver) -> Entry:
    """Without a `parse_mode` nothing in it is markup, and Alertmanager cuts off what is beyond 4,096 characters."""
    return {
        "bot_token_file": _secret_path(receiver, "bot_token"),
        "chat_id": receiver.chat_id,
        "send_resolved": True,
        "parse_mode": "",
        "message": f"{title('phone')}\n{text('phone')}",
    }


def _ntfy(receiver: NtfyReceiver) -> Entry:
    token: Entry = {"authorization": {"credentials_file": _secret_path(receiver, "token")}} if receiver.token else {}
    return {
        "url_file": _secret_path(receiver, "url"),
        **({"http_config": token} if token else {}),
        "send_resolved": True,
        "payload": {"title": title("phone"), "message": text("phone")},
    }


def _webhook(receiver: WebhookReceiver) -> Entry:
    return {"url_file": _secret_path(receiver, "url"), "send_resolved": True}


def _sns(receiver: SnsReceiver) -> Entry:
    region = receiver.topic_arn.split(":")[3]
    profile = {"profile": receiver_name(receiver)} if receiver.access_key else {}
    return {
        "topic_arn": receiver.topic_arn,
        "sigv4": {"region": region, **profile},
        "subject": title("ascii"),
        "message": f"{title('plain')}\n{text('plain')}",
    }


def _email(receiver: EmailReceiver) -> Entry:
    login: Entry = {"auth_username": receiver.username} if receiver.username else {}
    if receiver.password:
        login["auth_password_file"] = _secret_path(receiver, "password")
    return {
        "to": ", ".join(receiver.to),
        "from": receiver.sender,
        "smarthost": receiver.smarthost,
        **login,
        "require_tls": receiver.require_tls,
        "send_resolved": True,
        "headers": {"Subject": title("plain")},
        "html": "",
        "text": text("plain"),
    }


# {kind: (Alertmanager's name for it, its entry)}
_KINDS: dict[type[Receiver], tuple[str, Callable[[Any], Entry]]] = {
    SlackReceiver: ("slack", _slack),
    DiscordReceiver: ("discord", _discord),
    TeamsReceiver: ("msteamsv2", _teams),
    TelegramReceiver: ("telegram", _telegram),
    NtfyReceiver: ("webhook", _ntfy),
    WebhookReceiver: ("webhook", _webhook),
    EmailReceiver: ("email", _email),
    SnsReceiver: ("sns", _sns),
}


def secret_file(receiver: Receiver, field: str) -> str:
    """Where this secret of the receiver lies, below the configuration."""
    return f"secrets/{receiver_name(receiver)}_{field}"


def _secret_path(receiver: Receiver, field: str) -> str:
    return f"{CONFIG_IN_CONTAINER}/{secret_file(receiver, field)}"


def _aws_profile(receiver: SnsReceiver) -> str:
    """SNS takes no key files of its own, so AWS's shared credentials file has one profile per receiver."""
    if not (receiver.access_key and receiver.secret_key):
        return ""
    key, secret = receiver.access_key, receiver.secret_key.get_secret_value()
    return f"[{receiver_name(receiver)}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
