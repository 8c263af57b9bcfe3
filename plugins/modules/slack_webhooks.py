#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: slack_webhooks
short_description: Check whether Slack knows incoming webhooks and tokens of bots
description:
  - Posts an empty message to each webhook. Slack refuses it as empty, so nothing appears in the channel, but its answer
    shows whether it knows the webhook.
  - Asks with each token whose it is (auth.test).
  - A webhook or a token that Slack does not know fails the task. No answer from Slack is only a warning, so an outage
    of Slack never stops a run.
options:
  webhooks:
    description: Maps a name to the URL of each webhook.
    type: dict
    default: {}
  bot_tokens:
    description: Maps a name to each token of a bot.
    type: dict
    default: {}
  timeout:
    description: How long to wait for each answer, in seconds.
    type: int
    default: 10
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Check whether Slack knows the webhook
  crowsnest.core.slack_webhooks:
    webhooks: {slack: "{{ vault_slack_webhook_url }}"}
"""

RETURN = r"""
answers:
  description: What Slack answered for each of them. Status 0 means that it did not answer.
  type: dict
  returned: always
  sample: {slack: {status: 400, words: no_text}}
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError
from ansible_collections.crowsnest.core.plugins.module_utils.slack import COPY_AGAIN, refusal

# The statuses with which Slack refuses a webhook for good (unknown, revoked, or its channel archived):
# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
REFUSED = (403, 404, 410)
NEW_WEBHOOK = (
    "Make a new webhook at https://api.slack.com/apps (your app, Incoming Webhooks) and put it into the inventory."
)


def ask(url: str, timeout_seconds: float) -> dict[str, Any]:
    """{"status", "words"} of Slack's answer to an empty message; status 0 and the reason when there is none."""
    body = json.dumps({"text": ""}).encode()
    headers = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - the model allows http(s) only
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:  # noqa: S310
            return {"status": answer.status, "words": answer.read(200).decode(errors="replace").strip()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "words": error.read(200).decode(errors="replace").strip()}
    except (OSError, HTTPException) as error:
        return {"status": 0, "words": str(getattr(error, "reason", error))}


def ask_of_bot(token: str, timeout_seconds: float) -> dict[str, Any]:
    """The same of its token; status 403 and the reason where Slack refuses it."""
    try:
        why = refusal(token, timeout_seconds)
        return {"status": 403 if why else 200, "words": why or "ok"}
    except NoAnswerError as error:
        return {"status": 0, "words": str(error)}


# {option: (what asks, what Slack says of a refused one, the way out)}
WAYS: dict[str, tuple[Callable[[str, float], dict[str, Any]], str, str]] = {
    "webhooks": (ask, "does not know the webhook", NEW_WEBHOOK),
    "bot_tokens": (ask_of_bot, "refuses the token", COPY_AGAIN),
}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "webhooks": {"type": "dict", "default": {}, "no_log": True},
            "bot_tokens": {"type": "dict", "default": {}, "no_log": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    answers: dict[str, dict[str, Any]] = {}
    told, ways_out = [], []
    for option, (asks, says, way_out) in WAYS.items():
        found = {name: asks(secret, module.params["timeout"]) for name, secret in module.params[option].items()}
        refused = [f"{name} ({answer['words']})" for name, answer in found.items() if answer["status"] in REFUSED]
        if refused:
            told.append(f"Slack {says} of crowsnest_receivers {', '.join(refused)}.")
            ways_out.append(way_out)
        answers |= found
    for name, answer in answers.items():
        if answer["status"] == 0:
            module.warn(f"Slack does not answer from this host, {name} is unchecked: {answer['words']}")
    if told:
        module.fail_json(msg=" ".join([*told, "Nothing was changed on any host.", *ways_out]), answers=answers)
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
