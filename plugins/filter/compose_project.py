# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import compose_project

DOCUMENTATION = r"""
name: compose_project
short_description: The compose project of the stack
version_added: 0.1.0
author: crowsnest contributors
description:
  - Makes /opt/crowsnest/compose.yaml, which includes the fragment of each service of the plan.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the compose project
  ansible.builtin.copy:
    content: "{{ plan | crowsnest.core.compose_project }}"
    dest: /opt/crowsnest/compose.yaml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"compose_project": compose_project}
