# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.facts_to_read import facts_to_read

DOCUMENTATION = r"""
name: facts_to_read
short_description: Files and units whose state shows what is left to do on a host
version_added: 0.1.0
author: crowsnest contributors
positional: apps, host, ports
description:
  - Names what the module M(crowsnest.core.host_facts) reads in addition to what it always reads.
options:
  _input:
    description: The groups of the host.
    type: list
    elements: str
    required: true
  apps:
    description: All apps that are declared.
    type: list
    elements: dict
    default: []
  host:
    description: Inventory name of the host.
    type: str
    default: ''
  ports:
    description: The declared ports of services.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look at the host
  crowsnest.core.host_facts:
    files: "{{ (group_names | crowsnest.core.facts_to_read).files }}"
    units: "{{ (group_names | crowsnest.core.facts_to_read).units }}"
"""

RETURN = r"""
_value:
  description: Options of the module.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"facts_to_read": facts_to_read}
