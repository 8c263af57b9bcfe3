# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import drill_table

DOCUMENTATION = r"""
name: drill_table
short_description: What a drill of the alerts measured, as lines of text
version_added: 0.1.0
author: crowsnest contributors
description:
  - Reports for each fault when its alert fired, was sent and was over, and what went wrong.
options:
  _input:
    description: Each C(row) returned by M(crowsnest.core.alert_drill).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was told
  ansible.builtin.debug:
    msg: "{{ ran.results | map(attribute='row') | crowsnest.core.drill_table }}"
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
        return {"drill_table": drill_table}
