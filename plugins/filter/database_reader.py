# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import database_reader

DOCUMENTATION = r"""
name: database_reader
short_description: Which databases Metabase and the exporters may read, and as whom
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the variable C(database_reader_databases) of the role C(database_reader). Passwords are among its values.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whose databases are read
  ansible.builtin.debug:
    msg: "{{ context | crowsnest.core.database_reader | map(attribute='app') }}"
"""

RETURN = r"""
_value:
  description: One entry for each role in each database.
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"database_reader": database_reader}
