# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import data_directories

DOCUMENTATION = r"""
name: data_directories
short_description: Folders for data that are not yet right
version_added: 0.1.0
author: crowsnest contributors
positional: found
description:
  - Names the folders that are missing or have another owner or mode, the common parent first.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  found:
    description: The fact C(data) of M(crowsnest.core.host_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Make the data directories
  ansible.builtin.file:
    path: "{{ item.path }}"
    state: directory
    owner: "{{ item.user }}"
    mode: "{{ item.mode }}"
  loop: "{{ plan | crowsnest.core.data_directories(host.data) }}"
"""

RETURN = r"""
_value:
  description: List of C(path), C(user) and C(mode).
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"data_directories": data_directories}
