# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import app_files

DOCUMENTATION = r"""
name: app_files
short_description: What is left to write into the apps' own files on a host
version_added: 0.1.0
author: crowsnest contributors
positional: host, found
description:
  - Gives the options of the modules M(crowsnest.core.env_file) and M(crowsnest.core.google_tag) for what is not as
    declared on a host.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  host:
    description: Inventory name of the host.
    type: str
    required: true
  found:
    description: The facts of the host, see P(crowsnest.core.host_facts#module).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which env files are left to write
  ansible.builtin.debug:
    msg: "{{ (context | crowsnest.core.app_files(inventory_hostname, host)).env_files | list }}"
"""

RETURN = r"""
_value:
  description:
    - C(env_files) maps each path to the options of its module. C(templates) is the list for the other one, or null when
      nothing is left to do.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"app_files": app_files}
