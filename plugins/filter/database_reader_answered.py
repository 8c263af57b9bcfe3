# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import answered_apps

DOCUMENTATION = r"""
name: database_reader_answered
short_description: Apps whose database did what it was asked
version_added: 0.1.0
author: crowsnest contributors
description:
  - Names the apps for which a looped task of community.postgresql worked.
options:
  _input:
    description: Results of the task; C(item) is the app.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Name the databases that answered
  ansible.builtin.debug:
    msg: "{{ made.results | crowsnest.core.database_reader_answered }}"
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
        return {"database_reader_answered": answered_apps}
