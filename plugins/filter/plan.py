# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import plan

DOCUMENTATION = r"""
name: plan
short_description: What runs where, and whether it fits
version_added: 0.1.0
author: crowsnest contributors
positional: server, monitored, hostvars
description:
  - Decides which service runs on the server with which image, port and memory limit, and how much disk is for metrics.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  server:
    description: Inventory name of the host that runs the stack.
    type: str
    required: true
  monitored:
    description: Inventory names of all monitored hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars) of Ansible; a host that did not answer has no C(preflight_look).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ declaration | crowsnest.core.plan(groups.server[0], groups.monitored, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The plan. A plan with C(refusals) must not be carried out.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"plan": plan}
