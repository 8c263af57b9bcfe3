# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import grafana_datasources

DOCUMENTATION = r"""
name: grafana_datasources
short_description: The data sources of Grafana
version_added: 0.1.0
author: crowsnest contributors
description:
  - Names the data sources as the provisioning file does.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Give Grafana its password and data sources
  crowsnest.core.grafana_admin:
    url: http://127.0.0.1:3000
    password: "{{ vault_grafana_admin_password }}"
    container: crowsnest-grafana-1
    datasources: "{{ plan | crowsnest.core.grafana_datasources }}"
"""

RETURN = r"""
_value:
  description: One mapping per data source.
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"grafana_datasources": grafana_datasources}
