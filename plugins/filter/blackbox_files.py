# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import blackbox_files

DOCUMENTATION = r"""
name: blackbox_files
short_description: The configuration of the blackbox exporter
version_added: 0.1.0
author: crowsnest contributors
positional: variables
description:
  - Makes blackbox.yml and the compose fragment. No secret is in them.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration
  crowsnest.core.config_directory:
    path: /opt/crowsnest/blackbox
    files: "{{ plan | crowsnest.core.blackbox_files(declaration) }}"
"""

RETURN = r"""
_value:
  description: Relative path to text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"blackbox_files": blackbox_files}
