# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import scan

DOCUMENTATION = r"""
name: scan
short_description: What is asked to see which ports strangers reach
version_added: 0.1.0
author: crowsnest contributors
description:
  - Looks up the addresses of the hosts, each once; connects to none.
positional: _input, hosts, hostvars, ports, rate
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  hosts:
    description: Inventory names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  ports:
    description: Ports and ranges, such as C(1-1024,8080).
    type: str
    required: true
  rate:
    description: Connections a second.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be asked
  ansible.builtin.fail:
    msg: "{{ asked.mistakes | join('\n') }}"
  when: asked.mistakes | length > 0
  vars:
    asked: "{{ declaration | crowsnest.core.scan(groups.monitored, hostvars, '1-65535', '200') }}"
"""

RETURN = r"""
_value:
  description: C(scan), all that the program needs as JSON, and C(mistakes), why it cannot begin.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"scan": scan}
