# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import compose_project

DOCUMENTATION = r"""
name: compose_project
short_description: The compose project and what it needs on the server
version_added: 0.1.0
author: crowsnest contributors
positional: found
description:
  - Gives the files of the project and the folders for data that are not as they should be, and which services can
    reload.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  found:
    description: The facts of the server, as given by the module P(crowsnest.core.host_facts#module).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be written
  ansible.builtin.debug:
    msg: "{{ (context | crowsnest.core.compose_project(preflight_look.host)).files | map(attribute='path') }}"
"""

RETURN = r"""
_value:
  description: C(files), C(data_directories) and C(reload).
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"compose_project": compose_project}
