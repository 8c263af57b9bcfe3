# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import declaration_mistakes

DOCUMENTATION = r"""
name: declaration_mistakes
short_description: All mistakes of a declaration
version_added: 0.1.0
author: crowsnest contributors
positional: groups, inventory_dir
description:
  - Checks every value, every name and every host the declaration refers to, and lists all mistakes at once.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  groups:
    description: The variable C(groups) of Ansible.
    type: dict
    required: true
  inventory_dir:
    description: Folder of the inventory, where relative paths start.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Refuse a wrong declaration
  ansible.builtin.assert:
    that: declaration | crowsnest.core.declaration_mistakes(groups, inventory_dir) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence per mistake; empty when all is well.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"declaration_mistakes": declaration_mistakes}
