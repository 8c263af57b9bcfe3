# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import unready_apps

DOCUMENTATION = r"""
name: database_reader_unready
short_description: Apps whose database has no reader as declared
version_added: 0.1.0
author: crowsnest contributors
description:
  - Names the apps in whose database the reader could not log in, or lacks something, or has too much. Those that were
    not asked are among them.
options:
  _input:
    description: Results of a looped M(community.postgresql.postgresql_query)
      of C(files/postgresql/reader_missing.sql); C(item) is the app.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Name the databases that need work
  ansible.builtin.debug:
    msg: "{{ asked.results | crowsnest.core.database_reader_unready }}"
"""

RETURN = r"""
_value:
  description: Names of apps.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"database_reader_unready": unready_apps}
