# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import run_report

DOCUMENTATION = r"""
name: run_report
short_description: The report at the end of a run
version_added: 0.1.0
author: crowsnest contributors
positional: variables, server, sources, secrets_directory
description:
  - Says what runs where, how to reach it, where alerts go and what is missing.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  server:
    description: All variables of the server; those of its connection say how SSH reaches it.
    type: dict
    required: true
  sources:
    description: Files and folders of the inventory, as C(-i) names them.
    type: list
    elements: str
    required: true
  secrets_directory:
    description: Folder of generated secrets.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Report
  ansible.builtin.debug:
    msg: "{{ plan | crowsnest.core.run_report(declaration, hostvars.web1, ansible_inventory_sources, secrets_folder) }}"
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
        return {"run_report": run_report}
