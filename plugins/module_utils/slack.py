# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Slack's API for bots, as far as crowsnest asks it. Python 3.9, standard library."""

from __future__ import annotations

import json
import urllib.request
from http.client import HTTPException

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError, answered

_API = "https://slack.com/api"
POST_MESSAGE = f"{_API}/chat.postMessage"
AUTH_TEST = f"{_API}/auth.test"
# What its words of refusal mean for a token: https://docs.slack.dev/reference/methods/auth.test#errors
_MEANINGS = {
    "invalid_auth": "Slack does not know it",
    "token_revoked": "it was revoked",
    "token_expired": "it has expired",
    "account_inactive": "its app or its workspace was removed",
    "access_denied": "the workspace does not let it in",
    "team_access_not_granted": "the workspace does not let it in",
    "not_allowed_token_type": "it is of another kind",
}
# Slack's own trouble, or too many questions.
_FOR_NOW = ("ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
COPY_AGAIN = (
    "Copy the Bot User OAuth Token at https://api.slack.com/apps (your app, OAuth & Permissions) into the inventory."
)


def refusal(token: str, timeout_seconds: float = 10) -> str:
    """Why Slack refuses the token of a bot, empty if it takes it. Raises NoAnswerError where that is not known now."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(AUTH_TEST, data=b"", headers=headers)  # noqa: S310 - https
    try:
        with answered(urllib.request.urlopen, request, timeout_seconds) as answer:
            found = json.load(answer)
    except (OSError, HTTPException) as error:
        raise NoAnswerError(str(getattr(error, "reason", error))) from None
    except ValueError:
        raise NoAnswerError(f"HTTP {answer.status} without JSON") from None
    word = "" if found.get("ok") else str(found.get("error"))
    if word in _FOR_NOW:
        raise NoAnswerError(word)
    return f"{_MEANINGS[word]}: {word}" if word in _MEANINGS else word
