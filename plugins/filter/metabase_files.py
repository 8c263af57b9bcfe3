# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import metabase_files

DOCUMENTATION = r"""
name: metabase_files
short_description: The files of Metabase
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the compose fragments of Metabase and of the PostgreSQL that keeps its data, of those that are planned.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the compose fragment of Metabase
  crowsnest.core.config_directory:
    path: /opt/crowsnest/metabase
    files: "{{ (plan | crowsnest.core.metabase_files).metabase }}"
"""

RETURN = r"""
_value:
  description: Service to relative path to text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"metabase_files": metabase_files}
