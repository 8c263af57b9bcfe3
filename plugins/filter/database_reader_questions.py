# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import questions

DOCUMENTATION = r"""
name: database_reader_questions
short_description: What the role database_reader asks of each database
version_added: 0.1.0
author: crowsnest contributors
positional: settings
description:
  - Gives the option O(crowsnest.core.postgresql_ask#module:databases). Passwords are among its values.
options:
  _input:
    description: The variable C(database_reader_databases).
    type: list
    elements: dict
    required: true
  settings:
    description: Defaults that the sessions of each role must have.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask each database what its readers lack
  crowsnest.core.postgresql_ask:
    databases: "{{ database_reader_databases | crowsnest.core.database_reader_questions({'lock_timeout': '5s'}) }}"
    query: "{{ lookup('ansible.builtin.file', 'reader_missing.sql') }}"
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
        return {"database_reader_questions": questions}
