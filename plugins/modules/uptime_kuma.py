#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: uptime_kuma
short_description: Make Uptime Kuma have exactly the declared monitors, notifications, pages and maintenance windows
description:
  - Makes the account of a new Uptime Kuma, compares all that is declared with all that is there, and writes only what
    differs. One connection, one login, one call for everything.
  - Objects made by this module carry a mark. What carries it and is no longer declared is removed, what was edited by
    hand is put right, and what people made themselves is never touched. Tags stay.
  - A field that is not declared has Kuma's default. All names of fields are Kuma's own.
  - When the run is cut off, the next one goes on. Mistakes in the options are reported all at once, before anything
    is changed.
  - Knows Uptime Kuma 1.23 and 2.x.
requirements:
  - uptime-kuma-api2 (Python, imported as uptime_kuma_api)
options:
  url:
    description: Where Uptime Kuma answers on the host.
    type: str
    required: true
  username:
    description: Name of the account.
    type: str
    default: admin
  password:
    description: Its password. It is set when there is no account yet, and never changed.
    type: str
    required: true
  timeout:
    description: How long to wait until Uptime Kuma answers, in seconds.
    type: int
    default: 180
  settings:
    description: Settings, such as C(serverTimezone) and C(keepDataPeriodDays). Others stay as they are.
    type: dict
    default: {}
  notifications:
    description:
      - Each has C(key), C(name), C(type) and the options of its type, such as C(slackwebhookURL).
      - None of these options is ever shown.
    type: list
    elements: dict
    default: []
  docker_hosts:
    description: Each has C(name), C(dockerType) (V(socket) or V(tcp)) and C(dockerDaemon).
    type: list
    elements: dict
    default: []
  tags:
    description: Colours of tags. Each has C(name) and C(color). A tag that is only used gets a grey one.
    type: list
    elements: dict
    default: []
  monitors:
    description:
      - Each has C(key), by which it is found again whatever its name is, C(name) and C(type).
      - C(group) is the key of a monitor of type V(group), C(notifications) a list of keys, C(tags) a list of C(name)
        and C(value), C(docker_host) a name out of O(docker_hosts), C(active) whether it runs.
      - A C(pushToken) that is not declared stays as it is.
    type: list
    elements: dict
    default: []
  maintenances:
    description:
      - Each has C(key), C(title), C(strategy) (V(single), V(recurring-weekday), V(recurring-interval),
        V(recurring-day-of-month), V(cron) or V(manual)) and what that needs.
      - C(monitors) is a list of keys, C(status_pages) a list of slugs.
    type: list
    elements: dict
    default: []
  status_pages:
    description:
      - Each has C(slug) and C(title). C(groups) is a list of C(name) and C(monitors), a list of keys; order counts.
      - C(incident) has C(title), C(content) and C(style), or is null. Incidents that people post stay.
      - A slug or a domain name of a page that was made by hand is refused.
    type: list
    elements: dict
    default: []
  metrics_key:
    description:
      - Keeps an API key for C(/metrics) in the file C(path), readable by the user and group C(owner), a number.
      - A new key is made when the file is missing or Uptime Kuma refuses what is in it.
      - C(reader) is the Prometheus that uses it, by C(url) and C(container). It is restarted when it has used an older
        key, since Prometheus 3 does not read the file again.
    type: dict
  container:
    description:
      - Name of Uptime Kuma's container. With it, Uptime Kuma 2.x is restarted when a tag is new, because it knows as
        labels of C(/metrics) only the tags that are there when it starts.
    type: str
    default: ''
  state_directory:
    description: Directory in which a file notes that such a restart is due, so that the next run makes up for it.
    type: path
attributes:
  check_mode:
    description: Says exactly what would be done and writes nothing.
    details: Works before the account is made and before Uptime Kuma runs; then everything would be created.
    support: full
  diff_mode:
    description: Text before and after of what changes, field by field, with secrets masked.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Watch a shop
  crowsnest.core.uptime_kuma:
    url: http://127.0.0.1:3001
    password: "{{ vault_uptime_kuma_admin_password }}"
    notifications:
      - {key: ops, name: Operations, type: slack, slackwebhookURL: "{{ vault_slack_url }}"}
    monitors:
      - {key: shop, name: shop, type: group}
      - key: shop/website
        name: "shop: website"
        type: http
        url: https://shop.example.com
        expiryNotification: true
        group: shop
        notifications: [ops]
        tags: [{name: app, value: shop}]
    status_pages:
      - {slug: status, title: Our services, groups: [{name: Shop, monitors: [shop/website]}]}
"""

RETURN = r"""
changes:
  description: What was done, or would be done in check mode, in this order.
  type: list
  elements: str
  returned: success
  sample: ["create monitor shop: website", "change monitor shop: health: interval 60 → 30"]
counts:
  description: How many objects were created, changed and removed.
  type: dict
  returned: success
  sample: {created: 1, changed: 1, removed: 0}
version:
  description: Version of Uptime Kuma, empty when it was not seen.
  type: str
  returned: success
  sample: 2.5.3
restarted:
  description: Whether Uptime Kuma was restarted.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import KumaError
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.run import Run, secrets

OBJECTS = {"type": "list", "elements": "dict", "default": []}
ARGUMENT_SPEC = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str", "default": "admin"},
    "password": {"type": "str", "required": True, "no_log": True},
    "timeout": {"type": "int", "default": 180},
    "settings": {"type": "dict", "default": {}},
    "notifications": {**OBJECTS, "no_log": True},
    "docker_hosts": OBJECTS,
    "tags": OBJECTS,
    "monitors": {**OBJECTS, "no_log": True},
    "maintenances": OBJECTS,
    "status_pages": OBJECTS,
    "metrics_key": {"type": "dict", "no_log": False},
    "container": {"type": "str", "default": ""},
    "state_directory": {"type": "path"},
}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # Ansible would black out every name and number of a monitor wherever it appears; only the secrets among them are.
    module.no_log_values = secrets(module.params)
    try:
        result = Run(module.params, module.check_mode).result()
    except KumaError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
