"""Slack's Web API as far as messages need it: what a method answers.

By https://docs.slack.dev/apis/web-api and https://docs.slack.dev/reference/methods. Not played: scopes, membership of
channels, threads, multipart bodies. What the documentation leaves open:
- A JSON body's token does not count (https://docs.slack.dev/changelog/2017-10-keeping-up-with-the-jsons).
- chat.update and chat.delete take a channel's ID only (https://github.com/slackapi/python-slack-sdk/issues/696).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from message_store import MessageStore
from slack_rules import RefusedError, check_payload

MAX_EDIT = 4_000  # characters of a text in chat.update
CONTENT = ("text", "attachments", "blocks")
# What a fault may answer; in each method's documentation, or common to all.
WORDS = (
    *("account_inactive", "cant_delete_message", "cant_update_message", "channel_not_found", "edit_window_closed"),
    *("fatal_error", "internal_error", "invalid_arguments", "invalid_auth", "invalid_blocks", "invalid_form_data"),
    *("invalid_json", "invalid_post_type", "is_archived", "json_not_object", "message_limit_exceeded"),
    *("message_not_found", "missing_post_type", "missing_scope", "msg_too_long", "no_permission", "no_text"),
    *("not_authed", "not_in_channel", "ratelimited", "restricted_action", "service_unavailable", "token_expired"),
    *("token_revoked", "too_many_attachments", "unknown_method"),
)


@dataclass(frozen=True)
class Workspace:
    """A team's Slack. No tokens declared: any bot token is valid; no channels declared: each exists."""

    store: MessageStore
    tokens: list[str]
    channels: list[str]


def call(workspace: Workspace, method: str, authorization: str, kind: str, body: bytes) -> dict[str, Any]:
    """The answer of a method without its `ok`. Raises RefusedError with one of WORDS."""
    if method not in METHODS:
        raise RefusedError("unknown_method")
    arguments = parse_arguments(kind.partition(";")[0].strip().lower(), body)
    scheme, _, token = authorization.partition(" ")
    form_token = arguments.pop("token", "")
    bot = find_bot(token.strip() if scheme.lower() == "bearer" else form_token, workspace.tokens)
    return METHODS[method](workspace, bot, arguments)


def parse_arguments(kind: str, body: bytes) -> dict[str, Any]:
    """The arguments of a call; lists in a form are JSON."""
    if body and not kind:
        raise RefusedError("missing_post_type")
    try:
        if kind == "application/json":
            found = json.loads(body or b"{}")
        elif kind == "application/x-www-form-urlencoded" or not body:
            found = dict(parse_qsl(body.decode(), keep_blank_values=True))
            return found | {name: json.loads(found[name]) for name in ("attachments", "blocks") if found.get(name)}
        else:
            raise RefusedError("invalid_post_type")
    except ValueError as error:
        raise RefusedError("invalid_json" if kind == "application/json" else "invalid_form_data") from error
    if not isinstance(found, dict):
        raise RefusedError("json_not_object")
    return {name: value for name, value in found.items() if name != "token"}


def find_bot(token: str, tokens: list[str]) -> str:
    """The ID of the bot that a token belongs to."""
    if not token:
        raise RefusedError("not_authed")
    if token not in tokens if tokens else not token.startswith("xoxb-"):
        raise RefusedError("invalid_auth")
    return identifier("B", token)


def identifier(kind: str, name: str) -> str:
    """An ID as Slack's, the same each time."""
    return kind + hashlib.sha256(name.encode()).hexdigest()[:10].upper()


def channel_id(name: str) -> str:
    """The ID of a channel, whose name may begin with #."""
    return identifier("C", name.lstrip("#"))


def find_channel(given: Any, channels: list[str]) -> str:
    """The ID of a channel that exists, by its ID or its name."""
    known = {channel_id(name): name for name in channels}
    found = given if is_id(given) else channel_id(str(given or ""))
    if not given or (known and found not in known):
        raise RefusedError("channel_not_found")
    return str(found)


def is_id(given: Any) -> bool:
    """Tell whether this can be the ID of a channel; names are in small letters."""
    return bool(re.fullmatch(r"[CDG][A-Z0-9]{8,}", str(given)))


def check_content(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, over-long text cut."""
    try:
        return check_payload(arguments, [])
    except RefusedError as refusal:
        raise RefusedError(str(refusal).replace("invalid_payload", "invalid_arguments")) from refusal


def post_message(workspace: Workspace, bot: str, arguments: dict[str, Any]) -> dict[str, Any]:
    channel = find_channel(arguments.get("channel"), workspace.channels)
    message = workspace.store.add(check_content(arguments), bot=bot, channel=channel)
    return {"channel": channel, "ts": message["ts"], "message": {**describe(message), "ts": message["ts"]}}


def update(workspace: Workspace, bot: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What is not given stays, except blocks when there is a new text."""
    message = find_own(workspace, bot, arguments, "cant_update_message")
    given = {name: value for name, value in check_content(arguments).items() if name in CONTENT}
    if len(str(given.get("text", ""))) > MAX_EDIT:
        raise RefusedError("msg_too_long")
    kept = {name: value for name, value in message["payload"].items() if name != "blocks" or "text" not in given}
    edited = describe(workspace.store.edit(message["ts"], kept | given))
    return {"channel": message["channel"], "ts": message["ts"], "text": edited["text"], "message": edited}


def delete(workspace: Workspace, bot: str, arguments: dict[str, Any]) -> dict[str, Any]:
    message = find_own(workspace, bot, arguments, "cant_delete_message")
    workspace.store.remove(message["ts"])
    return {"channel": message["channel"], "ts": message["ts"]}


def auth_test(workspace: Workspace, bot: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": "https://crowsnest-lab.slack.com/",
        "team": "crowsnest laboratory",
        "user": "crowsnest",
        "team_id": identifier("T", "crowsnest laboratory"),
        "user_id": identifier("U", bot),
        "bot_id": bot,
        "is_enterprise_install": False,
    }


def find_own(workspace: Workspace, bot: str, arguments: dict[str, Any], refusal: str) -> dict[str, Any]:
    """The message with the channel and the ts that are given, which this bot has posted."""
    channel = arguments.get("channel")
    if not is_id(channel):
        raise RefusedError("channel_not_found")
    find_channel(channel, workspace.channels)
    try:
        message = workspace.store.get(str(arguments.get("ts")))
    except KeyError:
        raise RefusedError("message_not_found") from None
    if message["channel"] != channel:
        raise RefusedError("message_not_found")
    if message.get("bot") != bot:
        raise RefusedError(refusal)
    return message


def describe(message: dict[str, Any]) -> dict[str, Any]:
    """A message as the answer shows it."""
    payload = message["payload"]
    attachments = [
        {"fallback": attachment.get("text", ""), **attachment, "id": number}
        for number, attachment in enumerate(payload.get("attachments") or [], 1)
    ]
    return {
        "type": "message",
        "subtype": "bot_message",
        "text": payload.get("text") or "",
        "username": payload.get("username") or "crowsnest",
        "bot_id": message["bot"],
        **({"attachments": attachments} if attachments else {}),
        **({"blocks": payload["blocks"]} if payload.get("blocks") else {}),
    }


METHODS: dict[str, Callable[[Workspace, str, dict[str, Any]], dict[str, Any]]] = {
    "auth.test": auth_test,
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
}
