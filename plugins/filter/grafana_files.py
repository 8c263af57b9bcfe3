# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import grafana_files

DOCUMENTATION = r"""
name: grafana_files
short_description: The configuration of Grafana
version_added: 0.1.0
author: crowsnest contributors
description:
  - Makes grafana.ini, the data sources, the dashboards and the compose fragment.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  secrets:
    description: Secrets by name, as given by the filter P(crowsnest.core.generated_secrets#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration
  crowsnest.core.config_directory:
    path: /opt/crowsnest/grafana
    files: "{{ plan | crowsnest.core.grafana_files(declaration, secrets) }}"
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
        return {"grafana_files": grafana_files}
