# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import prometheus_files

DOCUMENTATION = r"""
name: prometheus_files
short_description: The configuration of Prometheus
version_added: 0.1.0
author: crowsnest contributors
positional: inventory_dir
description:
  - Makes prometheus.yml, all rule files and the compose fragment.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  inventory_dir:
    description: Folder of the inventory, where relative paths of own rule files start.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration
  crowsnest.core.config_directory:
    path: /opt/crowsnest/prometheus
    files: "{{ plan | crowsnest.core.prometheus_files(inventory_dir) }}"
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
        return {"prometheus_files": prometheus_files}
