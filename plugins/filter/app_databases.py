# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import app_databases

DOCUMENTATION = r"""
name: app_databases
short_description: The databases that are read
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the databases of the declared apps, each once, as the role database_reader takes them. Passwords are among it.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let Metabase read the apps' databases
  ansible.builtin.include_role:
    name: database_reader
  vars:
    database_reader_databases: "{{ declaration | crowsnest.core.app_databases }}"
"""

RETURN = r"""
_value:
  description: Databases with address, administrator and schemas.
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"app_databases": app_databases}
