# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import run_report

DOCUMENTATION = r"""
name: run_report
short_description: What runs where, how to reach it and where alerts go
version_added: 0.1.0
author: crowsnest contributors
positional: server, sources, secrets_directory
description:
  - Lines of text for the end of a run.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  server:
    description: All variables of the server.
    type: dict
    required: true
  sources:
    description: What C(-i) names, C(ansible_inventory_sources).
    type: list
    elements: str
    required: true
  secrets_directory:
    description: Folder of the generated secrets.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Report
  ansible.builtin.debug:
    msg: "{{ context | crowsnest.core.run_report(hostvars[inventory_hostname], ansible_inventory_sources, 'secrets') }}"
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
