"""What Slack takes and refuses of a message, by its public documentation. Where that gives an incoming webhook's word
without a status code, the code is the nearest one of the changelog.

- https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ("Handling errors"): the words
- https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks: the status codes
- https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message, 3,000 characters a section
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

STATUS = {
    400: ("invalid_payload", "no_text", "too_many_attachments", "invalid_blocks", "user_not_found"),
    403: ("action_prohibited", "invalid_token", "posting_to_general_channel_denied", "team_disabled"),
    404: ("channel_not_found", "no_service", "no_service_id", "no_team", "no_active_hooks"),
    410: ("channel_is_archived",),
    429: ("rate_limited",),
    500: ("rollup_error",),
}
STATUS_OF = {word: status for status, words in STATUS.items() for word in words}
MAX_TEXT = 40_000  # characters; a longer text is cut, not refused


class RefusedError(Exception):
    """A request that Slack would refuse; the argument is Slack's word, such as no_text."""


def check_webhook(path: str, webhooks: list[str]) -> str:
    """Return `T…/B…` of a webhook path. `webhooks` are the valid `T…/B…/token`; none declared: any well-formed one.

    Raises RefusedError: no_service, no_team or invalid_token.
    """
    match = re.fullmatch(r"/services/(T[A-Z0-9]+)/(B[A-Z0-9]+)/([A-Za-z0-9]+)", path)
    if not match:
        raise RefusedError("no_service")
    team, service, token = match.groups()
    known = [tuple(webhook.split("/")) for webhook in webhooks] or [(team, service, token)]
    if all(team != other[0] for other in known):
        raise RefusedError("no_team")
    if all((team, service) != other[:2] for other in known):
        raise RefusedError("no_service")
    if (team, service, token) not in known:
        raise RefusedError("invalid_token")
    return f"{team}/{service}"


def parse_payload(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the message of a JSON body, or of a form's field `payload`. Raises RefusedError: invalid_payload."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            body = parse_qs(body.decode(), strict_parsing=True)["payload"][0].encode()
        elif kind != "application/json":
            raise RefusedError("invalid_payload")
        payload = json.loads(body)
    except (ValueError, KeyError) as error:
        raise RefusedError("invalid_payload") from error
    if not isinstance(payload, dict):
        raise RefusedError("invalid_payload")
    return payload


def check_payload(payload: dict[str, Any], channels: list[str]) -> dict[str, Any]:
    """Return the message, over-long text cut. `channels` are those that exist (none: any). Raises RefusedError."""
    text, attachments, blocks = (payload.get(key) for key in ("text", "attachments", "blocks"))
    lists = [parts for parts in (attachments, blocks) if parts is not None]
    if text is not None and not isinstance(text, str):
        raise RefusedError("invalid_payload")
    if not all(isinstance(parts, list) and all(isinstance(part, dict) for part in parts) for parts in lists):
        raise RefusedError("invalid_payload")
    if not (text or attachments or blocks):
        raise RefusedError("no_text")
    if len(attachments or []) > 100:
        raise RefusedError("too_many_attachments")
    if len(blocks or []) > 50 or not all(valid_block(block) for block in blocks or []):
        raise RefusedError("invalid_blocks")
    channel = str(payload.get("channel") or "").lstrip("#")
    if channels and channel and channel not in channels:
        raise RefusedError("channel_not_found")
    return payload if text is None else {**payload, "text": text[:MAX_TEXT]}


def valid_block(block: dict[str, Any]) -> bool:
    """Tell whether a block has a type and, for a section, text or fields within 3,000 characters."""
    if block.get("type") != "section":
        return isinstance(block.get("type"), str)
    texts = [text for text in [block.get("text"), *(block.get("fields") or [])] if text is not None]
    return bool(texts) and all(isinstance(text, dict) and 0 < len(str(text.get("text", ""))) <= 3000 for text in texts)
