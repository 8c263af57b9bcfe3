#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: sentry_test
short_description: Send one marked event through each DSN and report what became of it
version_added: 1.0.0
description:
  - Sends an event of level V(info) with the tag C(test=true), as an SDK would from this host, and reads the answer.
  - That a server takes an event is no proof that it keeps it. With an account of Sentry each event is looked up until
    it can be seen.
options:
  dsns:
    description: Maps each app to its DSN.
    type: dict
    required: true
  environment:
    description: Environment of the events.
    type: str
    required: true
  account:
    description: The account of Sentry in which events that its server took are looked up. Bugsink has none to ask.
    type: dict
    suboptions:
      url: {type: str, required: true, description: Where Sentry's API answers.}
      organization: {type: str, required: true, description: Slug of the organization.}
      token: {type: str, required: true, description: A token with C(project:read).}
  timeout:
    description: How long to wait for an answer, and until an event can be seen, in seconds.
    type: int
    default: 30
attributes:
  check_mode:
    description: Nothing is sent in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Send a test event for the shop
  crowsnest.core.sentry_test:
    dsns: {shop: "{{ vault_shop_dsn }}"}
    environment: production
"""

RETURN = r"""
events:
  description: What became of the event of each app. C(seen) is null if none was looked up.
  type: list
  elements: dict
  returned: always
  sample:
    - {app: shop, taken: true, seen: null, event: 0123456789abcdef0123456789abcdef,
       text: "o1.ingest.sentry.io (project 42) took the event."}
"""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import DsnError, parse
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.envelope import send
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.lookup import why_unseen
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.run import is_bugsink


def one(app: str, text: str, params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Sends the event of an app, and looks for it."""
    try:
        dsn = parse(text)
    except DsnError as error:
        return {"app": app, "taken": False, "seen": None, "event": "", "text": f"The DSN {error}."}
    outcome = send(dsn, app, params["environment"], now, params["timeout"])
    row = {"app": app, "taken": outcome.taken, "seen": None, "event": outcome.event, "text": outcome.text}
    account = params["account"]
    client = Client(account["url"], account["token"], params["timeout"]) if account else None
    if outcome.taken and client and dsn.is_served_at(client.url) and not is_bugsink(client):
        why = why_unseen(client, account["organization"], dsn.project, outcome.event, params["timeout"])
        row["seen"] = not why
        row["text"] = f"{outcome.text} But {why}." if why else f"{outcome.text} It can be seen there."
    return row


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "dsns": {"type": "dict", "required": True, "no_log": True},
            "environment": {"type": "str", "required": True},
            "account": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "organization": {"type": "str", "required": True},
                    "token": {"type": "str", "required": True, "no_log": True},
                },
            },
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, events=[])
    now = datetime.now(timezone.utc)
    rows = [one(app, text, module.params, now) for app, text in module.params["dsns"].items()]
    module.exit_json(changed=True, events=rows)


if __name__ == "__main__":
    main()
