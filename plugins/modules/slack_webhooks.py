#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: slack_webhooks
short_description: Check whether Slack knows incoming webhooks
description:
  - Posts an empty message to each webhook. Slack refuses it as empty, so nothing appears in the channel, but its answer
    shows whether it knows the webhook.
  - A webhook that Slack does not know fails the task. No answer from Slack is only a warning, so an outage of Slack
    never stops a run.
options:
  webhooks:
    description: Maps a name to the URL of each webhook.
    type: dict
    required: true
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
  description: What Slack answered for each webhook. Status 0 means that it did not answer.
  type: dict
  returned: always
  sample: {slack: {status: 400, words: no_text}}
"""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# The statuses with which Slack refuses a webhook for good (unknown, revoked, or its channel archived):
# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
REFUSED = (403, 404, 410)


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


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "webhooks": {"type": "dict", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    answers = {name: ask(url, module.params["timeout"]) for name, url in module.params["webhooks"].items()}
    for name, answer in answers.items():
        if answer["status"] == 0:
            module.warn(f"Slack does not answer from this host, {name} is unchecked: {answer['words']}")
    refused = [f"{name} ({answer['words']})" for name, answer in answers.items() if answer["status"] in REFUSED]
    if refused:
        module.fail_json(
            msg=f"Slack does not know the webhook of crowsnest_receivers {', '.join(refused)}. "
            "Nothing was changed on any host. Make a new webhook at https://api.slack.com/apps (your app, Incoming "
            "Webhooks) and put it into the inventory.",
            answers=answers,
        )
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
