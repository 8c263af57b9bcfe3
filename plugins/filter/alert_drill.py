# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import alert_drill

DOCUMENTATION = r"""
name: alert_drill
short_description: What a drill of the alerts stops, or why there is none
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the options of the module P(crowsnest.core.alert_drill#module) for each fault, from the declaration alone.
positional: _input, server, app, agreed
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  server:
    description: Inventory name of the server.
    type: str
    required: true
  app:
    description: Name of the app that is stopped too; empty for none.
    type: str
    default: ""
  agreed:
    description: Whether it may be done in production.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Refuse a drill that would do harm
  ansible.builtin.fail:
    msg: "{{ drill.refusal }}"
  when: drill.refusal | length > 0
  vars:
    drill: "{{ declaration | crowsnest.core.alert_drill(inventory_hostname, 'shop') }}"
"""

RETURN = r"""
_value:
  description: C(refusal), C(announcement), C(faults), and the URLs of C(prometheus) and C(alertmanager).
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"alert_drill": alert_drill}
