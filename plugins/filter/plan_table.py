# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import plan_table_of

DOCUMENTATION = r"""
name: plan_table
short_description: A plan as lines of text
version_added: 0.1.0
author: crowsnest contributors
description:
  - Shows services, memory and disk as a table for a terminal.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ plan | crowsnest.core.plan_table }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"plan_table": plan_table_of}
