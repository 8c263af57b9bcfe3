# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import found

DOCUMENTATION = r"""
name: found
short_description: What runs on the hosts and is not declared
version_added: 0.1.0
author: crowsnest contributors
description:
  - Lines of text with a block of C(crowsnest_apps) for containers and databases that no app declares, and one for
    hosts that did not answer.
positional: _input, server, monitored, hostvars
options:
  _input:
    description: All variables C(crowsnest_*), found right by P(crowsnest.core.declaration_mistakes#filter).
    type: dict
    required: true
  server:
    description: Inventory name of the server.
    type: str
    required: true
  monitored:
    description: Inventory names of all hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables of the hosts; C(preflight_look) is the answer of M(crowsnest.core.host_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what runs and is not declared
  ansible.builtin.debug:
    msg: "{{ __crowsnest_declaration | crowsnest.core.found(groups.server | first, groups.monitored, hostvars) }}"
"""

RETURN = r"""
_value:
  description: Lines of text; none when every host answered and all that runs is declared.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"found": found}
