# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import plan

DOCUMENTATION = r"""
name: plan
short_description: Which service runs where, with which image, port and memory
version_added: 0.1.0
author: crowsnest contributors
positional: server, monitored, hostvars, inventory_dir, secrets_directory
description:
  - Decides what runs and whether it fits, and packs it with the declaration into one text for the other filters.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory, without mistakes.
    type: dict
    required: true
  server:
    description: Inventory name of the host that runs the stack.
    type: str
    required: true
  monitored:
    description: Inventory names of all hosts that are watched.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars) of Ansible; a host that did not answer has no C(preflight_look).
    type: dict
    required: true
  inventory_dir:
    description: Folder of the inventory, where relative paths start.
    type: path
    required: true
  secrets_directory:
    description: Folder of the generated secrets.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Plan what runs where
  ansible.builtin.set_fact:
    preflight_plan: >-
      {{ declaration | crowsnest.core.plan(inventory_hostname, groups.monitored, hostvars, inventory_dir, 'secrets') }}
  no_log: true
"""

RETURN = r"""
_value:
  description:
    - The text C(context) with all of it, which holds secrets; the names of C(services) and their C(images);
      C(registry_mirrors); what C(node_exporter) needs.
    - The C(table) as a person reads it; C(refusals), empty when all fits.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"plan": plan}
